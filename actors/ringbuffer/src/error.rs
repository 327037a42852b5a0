//! Everything that can be wrong.

use std::io;

use crate::limits::CPU_COUNT_MAX;

/// A channel that cannot be made as it was asked for.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ConfigError {
    /// Size of a sub-buffer, in bytes.
    #[error("a sub-buffer of {value} bytes: it needs a power of two of at least {page_size}")]
    SubbufSize {
        /// What was asked for.
        value: u64,
        /// Size of a page of memory.
        page_size: u64,
    },
    /// Count of sub-buffers.
    #[error("{value} sub-buffers: a power of two from {fewest} to {most} is needed")]
    SubbufCount {
        /// What was asked for.
        value: u64,
        /// The fewest in this mode.
        fewest: u64,
        /// The most for these applications.
        most: u64,
    },
    /// Size of a stream's sub-buffers together.
    #[error("{count} sub-buffers of {subbuf_size} bytes are more than {max} bytes")]
    BufferSize {
        /// Size of a sub-buffer in bytes.
        subbuf_size: u64,
        /// Count of sub-buffers.
        count: u64,
        /// The most for these applications, in bytes.
        max: u64,
    },
    /// Count of streams.
    #[error("{value} streams: from 1 to {CPU_COUNT_MAX} are possible")]
    CpuCount {
        /// What was asked for.
        value: u32,
    },
}

/// A channel or a stream that could not be made.
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    /// It was asked for wrongly.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The applications of this machine lay buffers out in a way this crate does not know.
    #[error("the layout of buffers is not known for {}", std::env::consts::ARCH)]
    Architecture,
    /// A CPU that the channel has no stream for.
    #[error("stream {cpu} of a channel with {cpu_count} streams")]
    Cpu {
        /// What was asked for.
        cpu: u32,
        /// Streams of the channel.
        cpu_count: u32,
    },
    /// The system refused something.
    #[error("cannot {what}")]
    System {
        /// What was tried.
        what: &'static str,
        /// Why not.
        source: io::Error,
    },
}

impl CreateError {
    /// For `map_err` after a system call.
    pub(crate) fn system<E: Into<io::Error>>(what: &'static str) -> impl FnOnce(E) -> Self {
        move |error| Self::System { what, source: error.into() }
    }
}

/// Control words of a stream that no application's LTTng-UST leaves behind. Nothing more can be read
/// from the stream: see [`Stream`](crate::Stream).
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Corruption {
    /// The write position went back, stands inside a packet header, or further ahead than there is
    /// room for.
    #[error("write position {offset} cannot be, with the reader at {consumed}")]
    Offset {
        /// The position as it was found.
        offset: u64,
        /// The reader's position.
        consumed: u64,
    },
    /// The read position was changed by somebody else, in a way that writers do not.
    #[error("read position {found} instead of {expected}")]
    Consumed {
        /// The position as it was found.
        found: u64,
        /// What it was before.
        expected: u64,
    },
    /// A position's sub-buffer is none of the stream's.
    #[error("sub-buffer {id} of {count}")]
    SubbufId {
        /// The sub-buffer as it was found.
        id: u32,
        /// How many there are.
        count: u32,
    },
    /// The file behind the stream was made shorter by somebody.
    #[error("the buffer's file was truncated")]
    Truncated,
}

/// A packet that cannot be used; those after it can.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Damage {
    /// The count of bytes in the sub-buffer is smaller than a packet's header or larger than the
    /// sub-buffer.
    #[error("{data_size} bytes in a sub-buffer")]
    DataSize {
        /// Count of bytes as it was found.
        data_size: u64,
    },
    /// The header is not one of this stream, or contradicts the sub-buffer.
    #[error("packet header with {member} {value:#x}")]
    Header {
        /// Which member is wrong.
        member: &'static str,
        /// What it is.
        value: u64,
    },
}

/// No packet.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum GetError {
    /// There is none yet: the writers are still in this sub-buffer, or before it.
    #[error("no packet yet")]
    Empty,
    /// The writers have left the sub-buffer but somebody has not finished its event. It will be soon,
    /// unless that writer died: try again after some milliseconds. Where the stock consumer daemon
    /// sleeps, the caller waits for a timer.
    #[error("packet not finished by its writers yet")]
    Uncommitted,
    /// The packet was overwritten, or was read already.
    #[error("packet is gone")]
    Overwritten,
    /// The packet cannot be used, and was let go. By [`Stream::get_next`](crate::Stream::get_next) it
    /// was passed over as well; it counts as lost when the next one comes.
    #[error("damaged packet: {0}")]
    Damaged(Damage),
    /// The stream cannot be used any more.
    #[error("corrupt stream: {0}")]
    Corrupt(#[from] Corruption),
}
