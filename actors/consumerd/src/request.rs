//! What the session daemon asks, whole, and what it is answered.

use std::os::fd::OwnedFd;

use lttngd_ringbuffer::StreamObject;
use lttngd_runtime::Held;
use lttngd_wire::consumer::{ChannelStatus, ConsumerError as Code, Message};

/// A command with what belongs to it.
#[derive(Debug, actix::Message)]
#[rtype(result = "Reply")]
pub(crate) struct Request {
    pub(crate) message: Message,
    /// The descriptor of CREATE_TRACE_CHUNK, SET_CHANNEL_MONITOR_PIPE or ADD_RELAYD_SOCKET.
    pub(crate) descriptor: Option<OwnedFd>,
    /// The text of PUSH_METADATA.
    pub(crate) text: Vec<u8>,
}

impl From<Message> for Request {
    fn from(message: Message) -> Self {
        Self { message, descriptor: None, text: Vec::new() }
    }
}

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

impl Reply {
    /// Success.
    pub(crate) const OK: Self = Self::Status(0);

    /// The answer of this kind of command that says `code`.
    pub(crate) fn refusal(message: &Message, code: Code) -> Self {
        match message {
            Message::AskChannelCreation(_) => Self::Channel(ChannelStatus {
                ret_code: code.0,
                key: lttngd_model::ChannelKey(0),
                stream_count: 0,
            }),
            Message::DataPending { .. } => Self::Pending(false),
            Message::DiscardedEvents { .. } | Message::LostPackets { .. } => Self::Count(0),
            Message::CloseTraceChunk { .. } => {
                Self::ChunkClosed { code: code.0, path: String::new() }
            }
            _ => Self::Status(code.0),
        }
    }
}

impl From<Code> for Reply {
    fn from(code: Code) -> Self {
        Self::Status(code.0)
    }
}

impl From<Result<(), Code>> for Reply {
    fn from(outcome: Result<(), Code>) -> Self {
        Self::Status(outcome.map_or_else(|code| code.0, |()| 0))
    }
}
