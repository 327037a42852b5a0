//! The actor against a fake consumer daemon.
#![allow(clippy::unwrap_used)]

mod ends;
mod exchanges;
// There are no points at which to fail in other builds.
#[cfg(debug_assertions)]
mod failures;
mod hearing;
mod life;
mod metadata;
mod relayd;
mod samples;
mod sockets;
mod world;
