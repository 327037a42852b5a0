//! How a consumer daemon does, as its actor knows it.

use std::time::Duration;

use actix::{Message, MessageResponse};
use lttngd_model::{ConsumerKind, SessionId};

/// Asks how the consumer daemon does. It is answered at once: the process is not asked.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "ConsumerReport")]
pub struct ReportConsumer;

/// How a consumer daemon does.
#[derive(Clone, Debug, Eq, MessageResponse, PartialEq)]
pub struct ConsumerReport {
    /// Which.
    pub kind: ConsumerKind,
    /// Where its process is in its life.
    pub phase: ConsumerPhase,
    /// The process, while it runs.
    pub pid: Option<u32>,
    /// Whether it is set aside: nobody waits for what all share before it answers.
    pub is_silent: bool,
    /// For how long it has owed an answer on the socket that all share; nothing when it owes none.
    pub owes_for: Duration,
    /// Requests that it has not answered.
    pub waiting: usize,
    /// Channels whose use it tells.
    pub channels: usize,
    /// The connections on which it owes answers, the one that all share with no session.
    pub sockets: Vec<SocketReport>,
}

/// What a consumer daemon owes on a connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SocketReport {
    /// Whose connection it is; `None` for the one that all share.
    pub session: Option<SessionId>,
    /// Requests that are not answered, the one under way among them.
    pub owed: usize,
    /// For how long the consumer daemon has answered nothing there since it owes something.
    pub owes_for: Duration,
    /// Whether it is set aside: nobody waits for what is asked there.
    pub is_silent: bool,
}

/// Where the process of a consumer daemon is in its life.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ConsumerPhase {
    /// There is none.
    Idle,
    /// It is being started.
    Starting,
    /// It runs.
    Running,
    /// It is to be gone.
    Ending,
}
