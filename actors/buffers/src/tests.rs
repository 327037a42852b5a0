//! The actor against a fake consumer daemon, and the progress of metadata by itself.
#![allow(clippy::unwrap_used)]

mod finish;
mod order;
mod prepare;
mod progress;
mod push;
mod shares;
mod shm;
mod world;

pub(crate) use world::registry;
