//! Connections of clients that are good, bad, and of somebody else.
#![allow(clippy::unwrap_used)]

mod commands;
mod connections;
mod shares;
pub(crate) mod world;
