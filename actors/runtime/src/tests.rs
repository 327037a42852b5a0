#![allow(clippy::unwrap_used)]

mod actix_facts;
mod credentials;
mod descriptors;
mod patience;
mod peer;
mod turns;
mod wishes;
