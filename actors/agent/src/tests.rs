#![allow(clippy::unwrap_used)]

mod death;
mod listener;
mod plan;
mod synchronise;
mod world;
