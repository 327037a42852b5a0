//! Tests of triggers.

#![allow(clippy::unwrap_used)]

mod actor;
mod book;
mod kernel;
mod lanes;
mod outgoing;
mod sessions;
mod sockets;
mod world;

use lttngd_model::{
    Credentials,
    trigger::{Action, Condition, EventRule, RatePolicy, TracepointRule, Trigger},
};

/// A user who is not root.
const USER: Credentials = Credentials { uid: 1000, gid: 100 };
const ROOT: Credentials = Credentials { uid: 0, gid: 0 };

/// A condition that a tracepoint of this name makes true.
fn event(pattern: &str) -> Condition {
    Condition::event_rule_matches(EventRule::UserTracepoint(TracepointRule::new(pattern)))
}

/// A trigger of [`USER`] that notifies.
fn notifying(condition: Condition) -> Trigger {
    Trigger::new(USER.uid, condition, Action::notify())
}

fn start(session: &str) -> Action {
    Action::Start { session: session.to_owned(), rate: RatePolicy::default() }
}
