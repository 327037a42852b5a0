//! The tracer and sessions in it, against a kernel that answers ioctls and a consumer daemon that is a fake.
#![allow(clippy::unwrap_used)]

mod late;
mod lost;
mod notifiers;
mod opening;
mod programs;
mod recording;
mod snapshots;
mod world;
