//! A handle of a registry among fake applications.
#![allow(clippy::unwrap_used)]

mod agents;
mod apps;
mod events;
// There are no points at which to fail in other builds.
#[cfg(debug_assertions)]
mod failure;
mod probes;
mod recorded;
mod refusals;
mod sessions;
mod silence;
mod status;
mod world;
