#![allow(clippy::unwrap_used)]

mod actix_facts;
mod owner;
mod peer;
mod turns;
