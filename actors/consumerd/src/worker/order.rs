//! Orders: all that a data thread is told to do. Each has the way to answer it in it, where it has an answer.

use std::sync::Arc;

use lttngd_model::{ChannelKey, ChunkId, NetIndex, SessionId};
use lttngd_runtime::{Held, answer};
use lttngd_wire::consumer::ConsumerError as Code;
use tokio::sync::oneshot;

use super::new::{
    ClosingChunk, Counts, NewChannel, NewMetadata, NewRemoteChunk, NewStream, PushedText,
    Recording, RelaySockets,
};
use crate::chunk::Chunk;

/// The way to answer an order. One that is dropped tells the asker that its data thread is gone.
#[derive(Debug)]
pub(crate) struct Reply<T>(oneshot::Sender<T>);

/// Answers a command of the session daemon.
pub(crate) type Answer<T = ()> = Reply<Result<T, Code>>;

impl<T> Reply<T> {
    /// A way to answer, and where the answer comes.
    pub(crate) fn new() -> (Self, oneshot::Receiver<T>) {
        let (reply, outcome) = oneshot::channel();
        (Self(reply), outcome)
    }

    /// Answers.
    pub(crate) fn answer(self, value: T) {
        answer(self.0, value);
    }
}

/// An order. Orders are carried out one after the other; some are answered later than that.
#[derive(Debug)]
pub(crate) enum Order {
    /// Take a channel over. Its streams have their outputs when the answer comes.
    AddChannel(Box<NewChannel>, Answer),
    /// Take more streams of a channel over: those of processors that came. They have their outputs when the
    /// answer comes. What is held is the place of their descriptors in the budget.
    AddStreams(ChannelKey, Vec<NewStream>, Held, Answer),
    /// Tell viewers of all streams of a session that a relay daemon knows.
    AnnounceStreams(NetIndex, Answer),
    /// End a channel of which snapshots are recorded.
    DestroyChannel(ChannelKey, Answer),
    /// Take a metadata channel over.
    AddMetadata(Box<NewMetadata>, Answer),
    /// Take text of a metadata channel, and write it.
    PushMetadata(PushedText, Answer),
    /// The session daemon was asked for metadata, and what it has is here.
    MetadataRefreshed(ChannelKey),
    /// End a metadata channel.
    CloseMetadata(ChannelKey, Answer),
    /// Close the open packets of a channel for good, and mark them so.
    FlushChannel(ChannelKey, Answer),
    /// Take that mark away.
    ClearQuiescent(ChannelKey, Answer),
    /// Begin a packet in each stream of a channel.
    OpenPackets(ChannelKey, Answer),
    /// Drop what is in the buffers of a channel.
    ClearChannel(ChannelKey, Answer),
    /// Move the streams of a channel to its trace chunk.
    RotateChannel(ChannelKey, Answer),
    /// Tell what a channel has lost, when what it has now was written.
    TellCounts(ChannelKey, Reply<Counts>),
    /// Record a snapshot of a channel.
    Record(Box<Recording>, Answer),
    /// Tell whether a session has data that is not written.
    TellDataPending(SessionId, Reply<bool>),
    /// Give the channels of a session their new trace chunk.
    SetChunk(SessionId, Arc<Chunk>, Reply<()>),
    /// Take a trace chunk from the channels of a session.
    LeaveChunk {
        session: SessionId,
        chunk: ChunkId,
        /// What they have instead.
        before: Option<Arc<Chunk>>,
        reply: Reply<()>,
    },
    /// Take a connection to a relay daemon over.
    AddRelay(Box<RelaySockets>, Answer),
    /// Give a connection up once its streams are gone.
    DestroyRelay(NetIndex, Answer),
    /// Give up the connections of snapshots of a session of which nothing is left.
    DestroySnapshotRelays(SessionId),
    /// Write out what a session has, and end its channels: nobody can give commands for it any more.
    GiveUpSession(SessionId),
    /// Make a trace chunk at a relay daemon.
    CreateRemoteChunk(NewRemoteChunk, Answer),
    /// Close a trace chunk at a relay daemon. The answer is the path of what was recorded.
    CloseRemoteChunk(ClosingChunk, Answer<String>),
    /// Ask a relay daemon whether it has a trace chunk.
    RemoteChunkExists(NetIndex, ChunkId, Answer<bool>),
    /// Write out what the buffers hold, and end.
    End,
}
