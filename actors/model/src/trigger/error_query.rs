//! What went wrong with a trigger, as clients ask for it.

use serde::{Deserialize, Serialize};

use super::{ActionPath, Trigger};

/// A question for what went wrong with a trigger.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct ErrorQuery {
    /// With which: one that is registered is equal.
    pub trigger: Trigger,
    /// With what of it.
    pub target: ErrorQueryTarget,
}

/// A part of a trigger.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum ErrorQueryTarget {
    /// The trigger itself.
    Trigger,
    /// Its condition.
    Condition,
    /// One of its actions.
    Action(ActionPath),
}

/// How often something went wrong.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct ErrorCounter {
    /// What is counted, in a few words.
    pub name: String,
    /// The same in a sentence.
    pub description: String,
    /// How often.
    pub value: u64,
}

impl ErrorCounter {
    /// Events that a tracer could not tell the daemon.
    #[must_use]
    pub fn discarded_tracer_messages(value: u64) -> Self {
        Self {
            name: "discarded tracer messages".to_owned(),
            description: "Count of messages discarded by the tracer due to a communication error with the session daemon".to_owned(),
            value,
        }
    }

    /// Actions that failed.
    #[must_use]
    pub fn execution_failures(value: u64) -> Self {
        Self {
            name: "total execution failures".to_owned(),
            description: "Aggregated count of errors encountered when executing the action"
                .to_owned(),
            value,
        }
    }
}
