#![allow(clippy::unwrap_used)]

mod actix_facts;
mod credentials;
mod owner;
mod peer;
mod turns;
