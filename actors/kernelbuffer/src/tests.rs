//! Streams of a kernel that is a fake: its buffer's positions and packets are those of lttng-modules 2.13.
#![allow(clippy::unwrap_used)]

mod fake;
mod metadata;
mod stream;
