//! What the registry is asked, and what is asked of the daemon as a whole.

use std::path::PathBuf;

use actix::{Message, dev::MessageResponse};
use lttngd_model::{Credentials, Domain, ErrorCode, EventField, EventListing, SessionDescriptor};
use lttngd_session::{Consumers, Destroyed, KeptSession};
use serde::{Deserialize, Serialize};

/// CREATE_SESSION_EXT: makes a session. Replies with the descriptor, name and place filled in.
///
/// Errors: `Invalid`, `NotSupported`, `ExistSess`, `SessionInvalidChar`, `SetUrl`, `SessionFail`.
#[derive(Clone, Debug, Deserialize, Message, Serialize)]
#[rtype(result = "Result<SessionDescriptor, ErrorCode>")]
pub struct CreateSession {
    /// Who asks, and will own it.
    pub requester: Credentials,
    /// Their home directory, for the default output.
    pub home: Option<String>,
    /// The session.
    pub descriptor: SessionDescriptor,
}

/// DESTROY_SESSION. Its name is free at once; the reply comes when it is gone.
///
/// Errors: `SessNotFound`, `Eperm`, else the last one met on the way; the session is gone all the same.
#[derive(Clone, Debug, Deserialize, Message, Serialize)]
#[rtype(result = "Result<Destroyed, ErrorCode>")]
pub struct DestroySession {
    /// Who asks.
    pub requester: Credentials,
    /// Its name.
    pub name: String,
}

/// LIST_SESSIONS: the sessions that the requester may access, newest first. No mailbox takes it: the
/// sessions show how they look, see [`SessionListings`](lttngd_session::SessionListings).
///
/// Errors: none of its own.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub struct ListSessions;

/// LIST_TRACEPOINTS: the tracepoints of every application, in agent domains the loggers of every agent, in the
/// kernel's those of the kernel.
///
/// Errors: `Nomem` when there are more than a listing may have; `KernNa`, `KernVersion`, `NeedRootSessiond`, `KernListFail`, `AgentTracingDisabled`, `Und` for other
/// domains.
#[derive(Clone, Copy, Debug, Deserialize, Message, Serialize)]
#[rtype(result = "Result<Vec<EventListing>, ErrorCode>")]
pub struct ListTracepoints {
    /// The domain; `None` for a number that no domain has.
    pub domain: Option<Domain>,
}

/// LIST_TRACEPOINT_FIELDS: the fields of the tracepoints of every application.
///
/// Errors: `Nomem` when there are more than a listing may have; `KernNa`, `NeedRootSessiond`, `AgentTracingDisabled`, `Und` for other domains.
#[derive(Clone, Copy, Debug, Deserialize, Message, Serialize)]
#[rtype(result = "Result<Vec<EventField>, ErrorCode>")]
pub struct ListTracepointFields {
    /// The domain; `None` for a number that no domain has.
    pub domain: Option<Domain>,
}

/// CALIBRATE: nothing since LTTng 2.9, whose client library answers it by itself. No mailbox takes it.
///
/// Errors: always `Und`.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub struct Calibrate;

/// REGISTER_CONSUMER: would have a consumer daemon that somebody else started write the traces of
/// the kernel domain, the only one for which there is such a thing. The session's mailbox takes
/// [`PrepareDomain`](lttngd_session::PrepareDomain) for it.
///
/// Errors: always, `KernNa`, `NeedRootSessiond`, `KernConsumerFail` where the daemon has its own, else `Und`.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct RegisterConsumer {
    /// Name of the session.
    pub session: String,
    /// The domain; `None` for a number that no domain has.
    pub domain: Option<Domain>,
}

/// SAVE_SESSION of every session that the requester may access, but for files that the requester
/// may not write. The mailbox of each takes [`Save`](lttngd_session::Save) for it.
///
/// Errors: those of [`Save`](lttngd_session::Save); the first one ends it.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct SaveAllSessions {
    /// As in [`Save`](lttngd_session::Save).
    pub directory: Option<PathBuf>,
    /// Whether files that are there are written anew.
    pub overwrite: bool,
}

/// Ends every session and takes no new one. What of a session is not over after 5 s is left.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "Ended")]
pub struct Shutdown {
    /// Whether the next daemon is to make the sessions again.
    pub keep: bool,
}

/// What is left when all sessions have ended.
#[derive(Clone, Debug, MessageResponse)]
pub struct Ended {
    /// The consumer daemons, which are to be ended next.
    pub consumers: Consumers,
    /// What the next daemon makes sessions of, if that was asked for.
    pub kept: Vec<KeptSession>,
}
