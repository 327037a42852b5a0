//! The actor against a fake consumer daemon.
#![allow(clippy::unwrap_used)]

mod ends;
mod exchanges;
mod life;
mod links;
mod metadata;
mod relayd;
mod samples;
mod world;
