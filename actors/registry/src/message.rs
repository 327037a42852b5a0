//! What the registry is asked.

use actix::{Addr, Message};
use lttngd_model::{Credentials, Domain, ErrorCode, EventField, EventListing, SessionDescriptor};
use lttngd_session::{Destroyed, Session};

/// CREATE_SESSION_EXT.
#[derive(Clone, Debug, Message)]
#[rtype(result = "Result<SessionDescriptor, ErrorCode>")]
pub struct CreateSession {
    /// Who asks, and will own it.
    pub requester: Credentials,
    /// Their home directory, for the default output.
    pub home: Option<String>,
    /// The session.
    pub descriptor: SessionDescriptor,
}

/// Asks for a session by name.
#[derive(Clone, Debug, Message)]
#[rtype(result = "Option<FoundSession>")]
pub struct FindSession {
    /// Its name.
    pub name: String,
}

/// A session and its owner.
#[derive(Clone, Debug)]
pub struct FoundSession {
    /// Its actor.
    pub session: Addr<Session>,
    /// Its owner.
    pub owner: Credentials,
}

/// DESTROY_SESSION. Its name is free at once; the reply comes when it is gone.
#[derive(Clone, Debug, Message)]
#[rtype(result = "Result<Destroyed, ErrorCode>")]
pub struct DestroySession {
    /// Who asks.
    pub requester: Credentials,
    /// Its name.
    pub name: String,
}

/// LIST_TRACEPOINTS of all applications.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "Vec<EventListing>")]
pub struct ListTracepoints;

/// LIST_TRACEPOINTS of an agent domain: the loggers of all agents.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "Vec<EventListing>")]
pub struct ListLoggers {
    /// The domain.
    pub domain: Domain,
}

/// LIST_TRACEPOINT_FIELDS of all applications.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "Vec<EventField>")]
pub struct ListTracepointFields;

/// Ends every session and takes no new one.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct Shutdown;
