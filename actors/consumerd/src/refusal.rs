//! How each command of the session daemon is refused: one table.
//!
//! A command's own reasons are codes that stand at its request's type. What can be wrong with any command,
//! or with any that names a channel, is a [`Refusal`] of its own, and each command says it in its own way.

use lttngd_model::ChannelKey;
use lttngd_runtime::NotRun;
use lttngd_wire::consumer::{ChannelStatus, ConsumerError as Code};

use crate::{reply::Reply, workers::WorkerGone};

/// Why a command is not carried out, or not to its end.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Refusal {
    /// For a reason of the command's own.
    Because(Code),
    /// Its members have no meaning.
    Malformed,
    /// The descriptor that belongs to it did not come.
    NoDescriptor,
    /// There is no channel of its key, or none that such a command is for.
    UnknownChannel,
    /// It announces more text than a trace may have.
    TooLarge,
    /// Too many sessions are known, or too many commands of its session wait.
    NoRoom,
    /// Its session failed: what is recorded of it is not whole, and nothing more is.
    Failed,
    /// The consumer daemon ends, or the session's data thread has.
    Ending,
}

impl From<Code> for Refusal {
    fn from(code: Code) -> Self {
        Self::Because(code)
    }
}

impl From<NotRun> for Refusal {
    fn from(reason: NotRun) -> Self {
        match reason {
            NotRun::Full => Self::NoRoom,
            NotRun::Ended => Self::Failed,
        }
    }
}

impl From<WorkerGone> for Refusal {
    fn from(_: WorkerGone) -> Self {
        Self::Ending
    }
}

/// What the answer to a command consists of.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Shape {
    /// A status.
    Status,
    /// A status, a channel's key and its count of streams.
    Channel,
    /// Whether data is pending: a status of 0 or 1.
    Pending,
    /// A count, and no status.
    Count,
    /// A status and a path.
    ChunkClosed,
}

/// Command's number, what its answer consists of, and the status that it has when its channel is not known;
/// as those of the stock consumer, which has three.
type Row = (u32, Shape, i32);

/// For commands that name no channel.
const NONE: i32 = Code::INVALID_PARAMETERS.0;
/// Of the stock consumer's codes for it, the one of commands for both domains.
const CHANNEL: i32 = Code::CHAN_NOT_FOUND.0;
/// The one of commands for applications alone.
const UST_CHANNEL: i32 = Code::UST_CHAN_NOT_FOUND.0;

/// Every command that is answered, those of [`is_of_kernel`] by the kernel's consumer daemon. Numbers of none are
/// not.
const COMMANDS: [Row; 25] = [
    (0, Shape::Status, NONE),                  // ADD_CHANNEL
    (1, Shape::Status, CHANNEL),               // ADD_STREAM
    (4, Shape::Status, NONE),                  // ADD_RELAYD_SOCKET
    (5, Shape::Status, NONE),                  // DESTROY_RELAYD
    (6, Shape::Pending, NONE),                 // DATA_PENDING
    (7, Shape::Channel, NONE),                 // ASK_CHANNEL_CREATION
    (8, Shape::Status, CHANNEL),               // GET_CHANNEL
    (9, Shape::Status, 0),                     // DESTROY_CHANNEL: what is not there is destroyed
    (10, Shape::Status, Code::CHANNEL_FAIL.0), // PUSH_METADATA
    (11, Shape::Status, UST_CHANNEL),          // CLOSE_METADATA
    (12, Shape::Status, UST_CHANNEL),          // SETUP_METADATA
    (13, Shape::Status, UST_CHANNEL),          // FLUSH_CHANNEL
    (14, Shape::Status, CHANNEL),              // SNAPSHOT_CHANNEL
    (16, Shape::Status, CHANNEL),              // STREAMS_SENT
    (17, Shape::Count, NONE), // DISCARDED_EVENTS: what is not there has lost nothing
    (18, Shape::Count, NONE), // LOST_PACKETS: likewise
    (19, Shape::Status, UST_CHANNEL), // CLEAR_QUIESCENT_CHANNEL
    (20, Shape::Status, NONE), // SET_CHANNEL_MONITOR_PIPE
    (21, Shape::Status, CHANNEL), // ROTATE_CHANNEL
    (22, Shape::Status, NONE), // INIT
    (23, Shape::Status, NONE), // CREATE_TRACE_CHUNK
    (24, Shape::ChunkClosed, NONE), // CLOSE_TRACE_CHUNK
    (25, Shape::Status, NONE), // TRACE_CHUNK_EXISTS
    (26, Shape::Status, CHANNEL), // CLEAR_CHANNEL
    (27, Shape::Status, CHANNEL), // OPEN_CHANNEL_PACKETS
];

/// Whether a command is of the kernel's domain alone: no other consumer daemon answers it, whatever it holds.
pub(crate) fn is_of_kernel(number: u32) -> bool {
    matches!(number, 0 | 1 | 16)
}

/// PUSH_METADATA, which the session daemon also answers a request for text with.
const PUSH_METADATA: u32 = 10;

fn row_of(number: u32) -> Option<&'static Row> {
    COMMANDS.iter().find(|(row, ..)| *row == number)
}

fn status(refusal: Refusal, unknown_channel: i32) -> i32 {
    match refusal {
        Refusal::Because(Code(code)) => code,
        Refusal::Malformed => Code::INVALID_PARAMETERS.0,
        Refusal::NoDescriptor => Code::ERROR_RECV_FD.0,
        Refusal::UnknownChannel => unknown_channel,
        Refusal::TooLarge => Code::ERROR_METADATA.0,
        Refusal::NoRoom => Code::ENOMEM.0,
        Refusal::Failed | Refusal::Ending => Code::FATAL.0,
    }
}

/// The answer that refuses the command of this number. `None` when it has no answer in the protocol.
pub(crate) fn refuse(number: u32, refusal: Refusal) -> Option<Reply> {
    let (_, shape, unknown_channel) = *row_of(number)?;
    let status = status(refusal, unknown_channel);
    Some(match shape {
        Shape::Status => Reply::Status(status),
        Shape::Channel => {
            Reply::Channel(ChannelStatus { ret_code: status, key: ChannelKey(0), stream_count: 0 })
        }
        // Nothing is pending of a session that failed, but not all of it was written either. The stock session
        // daemon takes any status but 1 for no.
        Shape::Pending if refusal == Refusal::Failed => Reply::Status(status),
        Shape::Pending => Reply::Pending(false),
        Shape::Count => Reply::Count(0),
        Shape::ChunkClosed => Reply::ChunkClosed { code: status, path: String::new() },
    })
}

/// The answer to the command of this number, by how it went.
pub(crate) fn answer(number: u32, outcome: Result<impl Into<Reply>, Refusal>) -> Option<Reply> {
    match outcome {
        Ok(done) => Some(done.into()),
        Err(refusal) => refuse(number, refusal),
    }
}

/// What the session daemon is told of text that it was asked for.
pub(crate) fn status_of_text(taken: Result<(), Refusal>) -> i32 {
    let Err(refusal) = taken else { return 0 };
    row_of(PUSH_METADATA).map_or(Code::UNKNOWN_ERROR.0, |row| status(refusal, row.2))
}

#[cfg(test)]
mod tests;
