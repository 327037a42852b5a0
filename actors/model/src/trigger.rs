//! Triggers: when a condition becomes true, actions are done. Plain values as clients describe them, and the
//! rules that hold for them.

mod action;
mod bounds;
mod capture;
mod condition;
mod error_query;
mod evaluation;
mod event_rule;
mod rate;
#[cfg(test)]
mod tests;

pub use action::{Action, ActionPath, SnapshotAction, SnapshotTarget};
pub use bounds::{
    ACTION_DEPTH_MAX, ACTIONS_MAX, CAPTURE_DEPTH_MAX, CAPTURES_MAX, RULE_EXCLUSIONS_MAX,
    TRIGGER_NAME_MAX,
};
pub use capture::Capture;
pub use condition::{BufferUsage, Condition, Threshold};
pub use error_query::{ErrorCounter, ErrorQuery, ErrorQueryTarget};
pub use evaluation::{ArchiveLocation, Evaluation, EventNotified, Notification};
pub use event_rule::{EmissionSite, EventRule, KernelProbe, LogRule, TracepointRule};
pub use rate::RatePolicy;

use serde::{Deserialize, Serialize};

use crate::{Domain, ErrorCode};

/// A condition and the actions that are done when it becomes true.
///
/// Two are the same trigger when all of it is equal, name included.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Trigger {
    /// User whose trigger it is: with whose rights its actions are done, and who is notified.
    pub owner_uid: u32,
    /// Name, of which an owner has each once; `None` for a trigger without one.
    pub name: Option<String>,
    /// Whether listings leave it out. Such a trigger notifies the daemon's own process alone.
    #[serde(default)]
    pub is_hidden: bool,
    /// When something is done.
    pub condition: Condition,
    /// What is done.
    pub action: Action,
}

impl Trigger {
    /// A trigger of this user without a name.
    #[must_use]
    pub fn new(owner_uid: u32, condition: Condition, action: Action) -> Self {
        Self { owner_uid, name: None, is_hidden: false, condition, action }
    }

    /// The same with a name.
    #[must_use]
    pub fn named(self, name: impl Into<String>) -> Self {
        Self { name: Some(name.into()), ..self }
    }

    /// Refuses what no trigger is, whoever made it: names that are too long, ratios beyond 1, rate
    /// policies of 0, lists in lists without end.
    ///
    /// # Errors
    /// `InvalidTrigger`.
    pub fn check(&self) -> Result<(), ErrorCode> {
        if let Some(name) = &self.name {
            // An empty one is a name as well.
            bounds::check_text(name, TRIGGER_NAME_MAX)?;
        }
        self.condition.check()?;
        self.action.check()
    }

    /// The domain whose tracer the trigger needs, `None` for one about sessions.
    #[must_use]
    pub fn domain(&self) -> Option<Domain> {
        self.condition.domain()
    }
}
