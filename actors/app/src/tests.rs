//! The actor and the listener against fake applications.
#![allow(clippy::unwrap_used)]

mod apps;
mod begun;
mod death;
pub(crate) mod fail_point;
mod failure;
mod listener;
mod notify;
mod silence;
mod synchronise;
mod world;
