//! The actor and the listener against fake applications.
#![allow(clippy::unwrap_used)]

mod apps;
mod begun;
mod death;
// There are no points at which to fail in other builds.
#[cfg(debug_assertions)]
mod failure;
mod listener;
mod listings;
mod notifiers;
mod notify;
mod silence;
mod synchronise;
mod threads;
mod world;
