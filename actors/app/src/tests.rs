//! The actor and the listener against fake applications.
#![allow(clippy::unwrap_used)]

mod death;
mod listener;
mod notify;
mod synchronise;
mod world;
