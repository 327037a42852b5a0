#![allow(clippy::unwrap_used)]

mod death;
// There are no points at which to fail in other builds.
#[cfg(debug_assertions)]
mod failure;
mod listener;
mod notifiers;
mod plan;
mod synchronise;
mod world;
