#![allow(clippy::unwrap_used)]

mod framed;
mod payload;
mod reply;
mod request;
