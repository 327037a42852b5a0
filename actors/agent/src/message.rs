//! What an agent actor is asked and what it tells.

use std::sync::Arc;

use actix::{Addr, Message};
use lttngd_model::{Domain, NameList, SessionId, ust::AgentDomain};

use crate::{Agent, AgentError};

/// An agent's number in the daemon's life. Process ids come again, these do not.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct AgentId(pub u64);

/// What is known of an agent.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct AgentInfo {
    /// Its number.
    pub id: AgentId,
    /// Its domain.
    pub domain: Domain,
    /// Process id, as it says.
    pub pid: u32,
}

/// Makes the agent what `want` says. The reply comes when it is so.
///
/// Errors: `Refused` with the first of what it refused now; it is not tried again until the session has
/// not wanted it for a while.
#[derive(Debug, Message)]
#[rtype(result = "Result<(), AgentError>")]
pub struct Synchronise {
    /// The session.
    pub session: SessionId,
    /// Its wish.
    pub want: Arc<AgentDomain>,
}

/// Takes everything back that the session wanted.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "Result<(), AgentError>")]
pub struct Forget {
    /// The session.
    pub session: SessionId,
}

/// Lets the program go on: every session has synchronised its agent.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "Result<(), AgentError>")]
pub struct RegistrationDone;

/// Asks for the names of all loggers. Before [`RegistrationDone`] there are none.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "Result<NameList<()>, AgentError>")]
pub struct ListLoggers;

/// An agent registered. It waits for [`RegistrationDone`].
#[derive(Clone, Debug, Message)]
#[rtype(result = "()")]
pub struct AgentRegistered {
    /// What it is.
    pub info: AgentInfo,
    /// Its actor.
    pub agent: Addr<Agent>,
}

/// An agent is gone.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct AgentUnregistered {
    /// Which.
    pub id: AgentId,
}
