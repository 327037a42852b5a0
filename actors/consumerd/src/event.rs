//! What data threads tell the control thread.

use lttngd_model::{ChannelKey, ChunkId, SessionId};

/// Told without an answer; nobody listens when the consumer ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Event {
    /// A channel's last stream has ended.
    ChannelEnded { session: SessionId, key: ChannelKey },
    /// Nobody holds a trace chunk any more.
    ChunkEnded { session: SessionId, chunk: ChunkId },
    /// Newer text is wanted for a metadata channel.
    MetadataWanted { session: SessionId, key: ChannelKey },
}
