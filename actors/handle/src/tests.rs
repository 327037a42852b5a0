//! A handle of a registry among fake applications.
#![allow(clippy::unwrap_used)]

mod agents;
mod apps;
mod events;
mod failure;
mod recorded;
mod sessions;
mod silence;
mod world;
