//! What an application actor is asked and what it tells.

use std::sync::Arc;

use actix::{Addr, Message};
use lttngd_buffers::{BufferObjects, BufferSet};
use lttngd_metadata::ustregistry::KnownIds;
use lttngd_model::{Bitness, EventFieldKind, NameList, SessionId, Timestamp, ust::Channel};
use lttngd_runtime::{Attention, Hold};
use lttngd_wire::ust::{Abi, command::FieldEntry, registration::Alignments};

use crate::{App, AppError, Owing};

/// An application's number in the daemon's life. Process ids come again, these do not.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct AppId(pub u64);

impl AppId {
    /// Who it is among those that own sub-buffers, from ABI 11 on: neither 0, which is nobody, nor 1, which is the consumer
    /// daemon. Two applications have the same one when billions came between them.
    #[must_use]
    pub fn owner_id(self) -> u32 {
        const FIRST: u32 = 2;
        FIRST + (self.0 % u64::from(u32::MAX - FIRST)) as u32
    }
}

/// What is known of an application.
#[derive(Clone, Debug)]
pub struct AppInfo {
    /// Its number.
    pub id: AppId,
    /// Process id, from the socket.
    pub pid: u32,
    /// Effective user, from the socket.
    pub uid: u32,
    /// Effective group, from the socket.
    pub gid: u32,
    /// Process name, as it says.
    pub name: String,
    /// Word size.
    pub bitness: Bitness,
    /// Alignments of basic types.
    pub alignments: Alignments,
    /// Its ABI.
    pub abi: Abi,
    /// Version of its LTTng-UST.
    pub tracer_version: (u32, u32, u32),
    /// When it registered.
    pub registered_at: Timestamp,
    /// What it owes.
    pub owing: Owing,
}

/// What a session wants of an application.
#[derive(Clone, Debug)]
pub struct SessionWish {
    /// Whether it records. An inactive session that the application does not have yet is not made.
    pub active: bool,
    /// The channels, with their contexts and event rules.
    pub channels: Arc<[Channel]>,
    /// Whose buffers it records into. An address is not cheap to clone.
    pub buffers: Arc<Addr<BufferSet>>,
    /// Their objects.
    pub objects: Arc<BufferObjects>,
    /// Ids that they have given: what the application asks for is answered by these, if it is among them.
    pub known: Arc<KnownIds>,
}

/// Makes the application what `want` says. The reply comes when it is so.
#[derive(Debug, Message)]
#[rtype(result = "Result<(), AppError>")]
pub struct Synchronise {
    /// The session.
    pub session: SessionId,
    /// Its wish.
    pub want: SessionWish,
}

/// The same for an application that has just registered: its `main` waits until it is so, or the application
/// has not answered in time.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct SynchroniseArrived {
    /// The session.
    pub session: SessionId,
    /// Its wish.
    pub want: SessionWish,
    /// What its `main` waits for.
    pub hold: Hold,
}

/// Takes the session out of the application.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "Result<(), AppError>")]
pub struct Forget {
    /// The session.
    pub session: SessionId,
}

/// Makes the application record its state dump again. The reply comes when it is recorded, or at
/// once when the application does not have the session.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "Result<(), AppError>")]
pub struct RegenerateStatedump {
    /// The session.
    pub session: SessionId,
}

/// Lets the application's `main` begin: every session that is active has synchronised it.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "Result<(), AppError>")]
pub struct RegisterDone;

/// Asks for all tracepoints: `provider:event`, and the log level.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "Result<NameList<i32>, AppError>")]
pub struct ListTracepoints;

/// Asks for all fields of all tracepoints.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "Result<NameList<TracepointField>, AppError>")]
pub struct ListTracepointFields;

/// A field of a tracepoint. Its name in a list is that of the tracepoint and, behind it, its own.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct TracepointField {
    /// Bytes of the tracepoint's name.
    event_name_len: usize,
    /// Its type.
    pub kind: EventFieldKind,
    /// The tracepoint's log level.
    pub loglevel: i32,
    /// Whether the field is only there for filters.
    pub nowrite: bool,
}

impl TracepointField {
    /// An entry as an application gives it, and its name in a list.
    pub(crate) fn of(entry: FieldEntry) -> (String, Self) {
        let FieldEntry { event_name, field_name, kind, loglevel, nowrite } = entry;
        let event_name_len = event_name.len();
        (event_name + &field_name, Self { event_name_len, kind, loglevel, nowrite })
    }

    /// The name of the tracepoint, and its own, which is empty for a tracepoint without fields.
    #[must_use]
    pub fn names<'a>(&self, listed: &'a str) -> (&'a str, &'a str) {
        listed.split_at_checked(self.event_name_len).unwrap_or((listed, ""))
    }
}

/// An application registered. It waits for [`RegisterDone`].
#[derive(Clone, Debug, Message)]
#[rtype(result = "()")]
pub struct AppRegistered {
    /// What it is.
    pub info: Arc<AppInfo>,
    /// Its actor.
    pub app: Addr<App>,
}

/// An application is gone.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct AppUnregistered {
    /// Which.
    pub id: AppId,
}

/// Nobody waits for an application any more until it answers, or it does again.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct AppAttended {
    /// Which.
    pub id: AppId,
    /// What changed.
    pub attention: Attention,
}
