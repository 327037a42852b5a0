#![allow(clippy::unwrap_used)]

mod actix_facts;
mod credentials;
mod peer;
mod progress;
mod turns;
mod wishes;
