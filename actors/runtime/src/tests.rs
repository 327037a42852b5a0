#![allow(clippy::unwrap_used)]

mod accept;
mod actix_facts;
mod actix_panics;
mod agenda;
mod credentials;
mod descriptors;
mod directory;
mod feed;
mod patience;
mod pause;
mod peer;
mod queue;
mod room;
mod wishes;
mod works;
