//! What a session tells of what happens to it.

use std::sync::Arc;

use actix::Message;
use lttngd_consumer::SampledChannel;
use lttngd_model::{ChannelKey, Credentials, Domain, ErrorCode, SessionId};
use serde::{Deserialize, Serialize};

use crate::TraceArchive;

/// Something happened to a session.
#[derive(Clone, Debug, Message)]
#[rtype(result = "()")]
pub struct SessionChanged {
    /// Its id.
    pub id: SessionId,
    /// Its name.
    pub session: String,
    /// Its owner, who may know.
    pub owner: Credentials,
    /// What happened.
    pub event: SessionEvent,
}

/// What happens to a session.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub enum SessionEvent {
    /// It was made.
    Created,
    /// It was started: what applications do from now on is recorded.
    Started,
    /// It was stopped. What it recorded may not be written yet, see
    /// [`DataPending`](crate::DataPending).
    Stopped,
    /// A rotation is over: everything is in the archived trace chunk.
    RotationCompleted {
        /// The rotation's id.
        rotation_id: u64,
        /// Where the trace chunk is.
        archive: TraceArchive,
    },
    /// A rotation is over and failed; what was recorded stays in the session's directory.
    RotationFailed {
        /// The rotation's id.
        rotation_id: u64,
        /// Why.
        error: ErrorCode,
    },
    /// A snapshot was recorded: it can be read.
    SnapshotRecorded {
        /// Name of the output.
        output: String,
    },
    /// A channel lost more than was told before. It is looked for when its buffers may have been full, when the
    /// session stops, when a rotation or a snapshot is over, and whenever its channels are listed.
    EventsLost {
        /// The channel's domain. One that was written down without is that of user space, which still is.
        #[serde(default = "user_space", skip_serializing_if = "is_user_space")]
        domain: Domain,
        /// Name of the channel.
        channel: String,
        /// Events dropped since the session began.
        discarded_events: u64,
        /// Packets overwritten since the session began.
        lost_packets: u64,
    },
    /// It failed, by a fault of the daemon: it can be listed and destroyed, and does nothing else any more.
    Failed,
    /// It is gone, and its trace is as whole as it gets. Another of its name may have been made since its
    /// end began.
    Destroyed,
}

fn user_space() -> Domain {
    Domain::Ust
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives it so")]
fn is_user_space(domain: &Domain) -> bool {
    *domain == user_space()
}

/// What triggers are told of a session.
#[derive(Clone, Debug, Message)]
#[rtype(result = "()")]
pub struct SessionObserved {
    /// Its id.
    pub id: SessionId,
    /// Its name.
    pub session: String,
    /// Its owner.
    pub owner: Credentials,
    /// What of it.
    pub observation: Observation,
}

/// Whether triggers are to be told how buffers are used. When that begins they are told what was seen last.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct WatchUse(pub bool);

/// What triggers look at.
#[derive(Clone, Debug)]
pub enum Observation {
    /// It is gone. Not told of a session of which nothing else was.
    Ended,
    /// The use of a channel was looked at, and is to be told, see [`WatchUse`].
    ChannelUsed {
        /// The channel.
        channel: Arc<SampledChannel>,
        /// What the fullest of its buffers holds, in bytes.
        usage_bytes: u64,
        /// What all channels of the session have written so far, in bytes.
        consumed_bytes: u64,
    },
    /// The use of a channel that was told is not looked at any more.
    ChannelGone(ChannelKey),
    /// A rotation began.
    RotationOngoing {
        /// Its id.
        rotation_id: u64,
    },
    /// A rotation is over.
    RotationOver {
        /// Its id.
        rotation_id: u64,
        /// Where the archived trace chunk is; `None` when it failed.
        archive: Option<TraceArchive>,
    },
}
