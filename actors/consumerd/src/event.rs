//! What the control thread is told.

use lttngd_model::{ChannelKey, ChunkId, SessionId};

/// Told without an answer, by data threads if it does not say by whom; nobody listens when the consumer ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Event {
    /// A channel's last stream has ended.
    ChannelEnded { session: SessionId, key: ChannelKey },
    /// Nobody holds a trace chunk any more.
    ChunkEnded { session: SessionId, chunk: ChunkId },
    /// Newer text is wanted for a metadata channel.
    MetadataWanted { session: SessionId, key: ChannelKey },
    /// The actor that has channels made failed: no more are made.
    MakersFailed,
}
