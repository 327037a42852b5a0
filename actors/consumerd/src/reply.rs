//! What the session daemon is answered.

use std::os::fd::OwnedFd;

use lttngd_ringbuffer::StreamObject;
use lttngd_runtime::Held;
use lttngd_wire::consumer::{ChannelStatus, ConsumerError as Code, TraceChunkPresence};

/// The answer to a command.
#[derive(Debug)]
pub(crate) enum Reply {
    /// A status.
    Status(i32),
    /// The answer to ASK_CHANNEL_CREATION.
    Channel(ChannelStatus),
    /// The answer to GET_CHANNEL.
    Object(Box<ChannelObject>),
    /// The answer to DATA_PENDING.
    Pending(bool),
    /// The answer to DISCARDED_EVENTS and LOST_PACKETS.
    Count(u64),
    /// The answer to CLOSE_TRACE_CHUNK.
    ChunkClosed {
        /// A status.
        code: i32,
        /// What a relay daemon calls the closed chunk.
        path: String,
    },
}

/// A data channel, for applications.
#[derive(Debug)]
pub(crate) struct ChannelObject {
    pub(crate) image: Vec<u8>,
    pub(crate) wakeup: OwnedFd,
    pub(crate) streams: Vec<StreamObject>,
    /// The place of its descriptors in the budget.
    pub(crate) _held: Held,
}

/// A trace chunk was closed; its path at the relay daemon, empty for one that is here.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct ChunkClosed(pub(crate) String);

impl Reply {
    /// Success.
    pub(crate) const OK: Self = Self::Status(0);
}

impl From<()> for Reply {
    fn from((): ()) -> Self {
        Self::OK
    }
}

impl From<ChannelStatus> for Reply {
    fn from(status: ChannelStatus) -> Self {
        Self::Channel(status)
    }
}

impl From<Box<ChannelObject>> for Reply {
    fn from(object: Box<ChannelObject>) -> Self {
        Self::Object(object)
    }
}

impl From<bool> for Reply {
    fn from(pending: bool) -> Self {
        Self::Pending(pending)
    }
}

impl From<u64> for Reply {
    fn from(count: u64) -> Self {
        Self::Count(count)
    }
}

impl From<ChunkClosed> for Reply {
    fn from(ChunkClosed(path): ChunkClosed) -> Self {
        Self::ChunkClosed { code: 0, path }
    }
}

impl From<TraceChunkPresence> for Reply {
    fn from(presence: TraceChunkPresence) -> Self {
        Self::Status(presence.status().0)
    }
}

/// A status that is no refusal, as INIT's.
impl From<Code> for Reply {
    fn from(Code(code): Code) -> Self {
        Self::Status(code)
    }
}
