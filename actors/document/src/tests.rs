#![allow(clippy::unwrap_used)]

mod model;
mod random;
mod states;
mod texts;
