#![allow(clippy::unwrap_used)]

mod death;
pub(crate) mod fail_point;
mod failure;
mod listener;
mod plan;
mod synchronise;
mod world;
