//! The user-space domain of one session: its channels, event rules and contexts, and what a client
//! may do to them.

mod channel;
mod domain;
#[cfg(test)]
mod tests;

pub use channel::{Channel, EventRule};
pub use domain::UstDomain;
