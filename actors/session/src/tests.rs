//! Sessions among fake applications and a fake consumer daemon.
#![allow(clippy::unwrap_used)]

mod apps;
mod consumer;
mod domains;
mod files;
mod gone;
mod order;
mod phases;
mod queue;
mod regenerate;
mod relay_snapshots;
mod save;
mod schedule;
// There are no points at which to fail in other builds.
#[cfg(debug_assertions)]
mod set_failure;
mod shm;
mod spans;
mod streaming;
mod tracer_lost;
mod trackers;
mod world;
