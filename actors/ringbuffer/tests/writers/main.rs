//! The buffers between this crate and writers that know nothing of it.
#![allow(clippy::unwrap_used)]

mod dead_writers;
mod layouts;
mod model;
mod pair;
mod rig;
mod scribbler;
mod snapshots;
mod threads;
mod truncation;
