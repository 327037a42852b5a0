//! What is to be done after something came of relay daemons, to what they know nothing of.

use std::{sync::Arc, time::Instant};

use lttngd_model::{ChannelKey, NetIndex, RelayStreamHandle};
use lttngd_relaystream::{RelayConnection, RelayStream};

use crate::{
    chunk::Chunk,
    worker::{order::Answer, remote::RemoteStream, snapshot::JobId, timers::Due},
};

/// Something to be done.
#[derive(Debug)]
pub(in crate::worker) enum Effect {
    /// A stream gets a turn.
    MakeReady(usize),
    /// A snapshot goes on.
    ResumeSnapshot(JobId),
    /// A metadata channel sends the text that it has not sent.
    SendMetadata(ChannelKey),
    /// A stream of a channel, by its slot, has an output: a relay daemon knows it.
    OpenStream { key: ChannelKey, slot: usize, remote: RemoteStream },
    /// A relay daemon knows all streams of a channel, or has not taken one.
    ChannelAdded { key: ChannelKey, taken: bool, answer: Answer },
    /// The same of streams that came later.
    StreamsAdded { relay: NetIndex, taken: bool, answer: Answer },
    /// The same of the streams of a snapshot.
    SnapshotOpened { id: JobId, taken: bool },
    /// A metadata channel has an output.
    OpenMetadata { key: ChannelKey, remote: RemoteStream },
    /// Viewers were told of all streams of a metadata channel's trace, or were not.
    MetadataAnnounced { key: ChannelKey, told: bool, answer: Answer },
    /// A relay daemon goes to another trace chunk with the streams of a channel, or does not.
    ChannelRotated { key: ChannelKey, goes: bool, answer: Answer },
    /// The same of a metadata channel, which goes to `to` or stays where it was, `from`.
    MetadataRotated {
        key: ChannelKey,
        goes: bool,
        from: Option<Arc<Chunk>>,
        to: Option<Arc<Chunk>>,
        answer: Answer,
    },
    /// A relay daemon takes the metadata of a snapshot.
    RecordText { net_index: NetIndex, handle: RelayStreamHandle, key: ChannelKey, answer: Answer },
    /// A relay daemon is to be asked for what it has not written.
    AskUnwritten(NetIndex),
    /// Something is due.
    Schedule(Instant, Due),
    /// A relay daemon is lost: what goes there goes nowhere from now on.
    Lost(Box<LostRelay>),
}

/// A relay daemon that is lost.
#[derive(Debug)]
pub(in crate::worker) struct LostRelay {
    pub(in crate::worker) net_index: NetIndex,
    pub(super) connection: RelayConnection,
}

impl LostRelay {
    /// Of how many packets of a stream it has not said that it has them.
    pub(in crate::worker) fn unanswered_of(&self, stream: &RelayStream) -> u64 {
        self.connection.unanswered_of(stream)
    }
}
