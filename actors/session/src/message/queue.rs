//! What waits in a session.

use std::time::Duration;

use actix::Message;
use lttngd_model::ErrorCode;
use lttngd_runtime::QueueReport;
use serde::{Deserialize, Serialize};

/// Asks what waits in the session. The answer comes at once, whatever the session does.
///
/// Errors: none of its own.
#[derive(Clone, Copy, Debug, Deserialize, Message, Serialize)]
#[rtype(result = "Result<CommandQueue, ErrorCode>")]
pub struct GetQueueReport;

/// The commands of a session.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct CommandQueue {
    /// How many wait for their turn, or for what they need of others in it.
    pub waiting: usize,
    /// The one whose turn it is.
    pub running: Option<RunningCommand>,
    /// For how long the oldest of those that wait has waited.
    pub oldest_waits: Option<Duration>,
}

/// A command whose turn it is.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct RunningCommand {
    /// What it is, as `start` or `record_snapshot`.
    pub name: String,
    /// How long it has run.
    pub runs_for: Duration,
}

impl From<QueueReport> for CommandQueue {
    fn from(report: QueueReport) -> Self {
        let QueueReport { waiting, running, oldest_waits } = report;
        let running =
            running.map(|(name, runs_for)| RunningCommand { name: name.to_owned(), runs_for });
        Self { waiting, running, oldest_waits }
    }
}
