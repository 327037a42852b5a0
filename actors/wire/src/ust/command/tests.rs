#![allow(clippy::unwrap_used)]

mod payload;
mod reply;
mod request;
