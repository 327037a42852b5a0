//! The kernel's domain of one session: its channels, event rules and contexts, what a client may do to them,
//! and what the tracer is to do for that.
//!
//! A command is decided here in two steps. A `plan_` method makes every check, in the order of the stock
//! daemon, and says what the tracer is to do ([`Plan`]); whoever speaks with the tracer does so, step by step
//! until one fails ([`Done`]); and [`KernelDomain::settle`] records what was done, also when that was not all,
//! and says what the client is answered.

mod channels;
mod contexts;
mod domain;
mod events;
mod notifier;
mod plan;
#[cfg(test)]
mod tests;
mod trackers;

pub use domain::{KernelChannel, KernelDomain, KernelFacts, KernelRule};
pub use notifier::{KernelEvents, KernelNotifier};
pub use plan::{Done, FailedPart, Failure, Plan, Step, TracerError};
