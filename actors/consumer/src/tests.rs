//! The actor against a fake consumer daemon.
#![allow(clippy::unwrap_used)]

mod ends;
mod exchanges;
mod failures;
mod life;
mod metadata;
mod relayd;
mod samples;
mod sockets;
mod world;
