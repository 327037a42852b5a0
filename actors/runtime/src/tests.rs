#![allow(clippy::unwrap_used)]

mod actix_facts;
mod peer;
mod turns;
