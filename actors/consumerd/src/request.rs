//! What a session is asked: a type for each command, with what it answers and why it may refuse. What can be
//! wrong with any command stands in [`Refusal`].

use std::os::fd::OwnedFd;

use actix::Message;
use lttngd_model::{ChannelKey, ChunkId, Credentials, NetIndex};
use lttngd_wire::consumer::{
    AddChannel, AskChannel, ChannelStatus, CloseCommand, SnapshotChannel, TraceChunkPresence,
};

use crate::{
    refusal::Refusal,
    reply::{ChannelObject, ChunkClosed},
    source::Text,
};

/// Makes a channel, which has no output and no reader before it is fetched or set up
/// (ASK_CHANNEL_CREATION). Answered by its key and the count of its streams.
///
/// Refused with `CHANNEL_FAIL` when there are too many, its trace chunk is not known, or its buffers cannot
/// be made.
#[derive(Debug, Message)]
#[rtype(result = "Result<ChannelStatus, Refusal>")]
pub(crate) struct CreateChannel(pub(crate) Box<AskChannel>);

/// Announces a channel of the kernel, whose streams follow (ADD_CHANNEL).
///
/// Refused with `CHANNEL_FAIL` when there are too many, or its trace chunk is not known.
#[derive(Debug, Message)]
#[rtype(result = "Result<(), Refusal>")]
pub(crate) struct AddKernelChannel(pub(crate) Box<AddChannel>);

/// Gives a stream to a channel of the kernel, which runs when it has all that were announced; later ones are of
/// processors that came (ADD_STREAM).
///
/// Refused with `CHANNEL_FAIL` or `ERROR_METADATA` when it cannot be read, or with what its data thread says when
/// it has no output, upon which the channel is gone.
#[derive(Debug, Message)]
#[rtype(result = "Result<(), Refusal>")]
pub(crate) struct AddKernelStream {
    pub(crate) key: ChannelKey,
    /// Its processor.
    pub(crate) cpu: i32,
    pub(crate) descriptor: OwnedFd,
}

/// All streams of a channel of the kernel were sent (STREAMS_SENT): viewers are told of them.
///
/// Refused with `RELAYD_FAIL` when the relay daemon does not take that.
#[derive(Debug, Message)]
#[rtype(result = "Result<(), Refusal>")]
pub(crate) struct AnnounceStreams {
    pub(crate) key: ChannelKey,
    pub(crate) relay: Option<NetIndex>,
}

/// Starts a data channel that was made, and gives what applications need of it (GET_CHANNEL).
///
/// Refused as an unknown channel when it is metadata or runs already; with what its data thread says when
/// its streams have no output, upon which it is gone.
#[derive(Debug, Message)]
#[rtype(result = "Result<Box<ChannelObject>, Refusal>")]
pub(crate) struct GetChannel {
    pub(crate) key: ChannelKey,
}

/// Starts a metadata channel that was made (SETUP_METADATA).
///
/// Refused with `ERROR_METADATA` when it is a data channel or runs already; with what its data thread says
/// when it has no output, upon which it is gone.
#[derive(Debug, Message)]
#[rtype(result = "Result<(), Refusal>")]
pub(crate) struct SetupMetadata {
    pub(crate) key: ChannelKey,
}

/// Drops a channel that was not fetched, or one of the kernel of which snapshots are recorded (DESTROY_CHANNEL).
/// Others are left alone, as by the stock consumer.
#[derive(Debug, Message)]
#[rtype(result = "Result<(), Refusal>")]
pub(crate) struct DestroyChannel {
    pub(crate) key: ChannelKey,
}

/// Takes text of a metadata channel (PUSH_METADATA).
///
/// Refused with `ERROR_METADATA` when it leaves a hole or cannot be stored.
#[derive(Debug, Message)]
#[rtype(result = "Result<(), Refusal>")]
pub(crate) struct PushMetadata {
    pub(crate) key: ChannelKey,
    pub(crate) text: Text,
}

/// Ends a metadata channel (CLOSE_METADATA).
#[derive(Debug, Message)]
#[rtype(result = "Result<(), Refusal>")]
pub(crate) struct CloseMetadata {
    pub(crate) key: ChannelKey,
}

/// Closes the open packets of a channel for good, and marks its streams quiescent (FLUSH_CHANNEL).
#[derive(Debug, Message)]
#[rtype(result = "Result<(), Refusal>")]
pub(crate) struct FlushChannel {
    pub(crate) key: ChannelKey,
}

/// Takes the mark of [`FlushChannel`] away (CLEAR_QUIESCENT_CHANNEL).
#[derive(Debug, Message)]
#[rtype(result = "Result<(), Refusal>")]
pub(crate) struct ClearQuiescentChannel {
    pub(crate) key: ChannelKey,
}

/// Drops what is in the buffers of a channel (CLEAR_CHANNEL).
#[derive(Debug, Message)]
#[rtype(result = "Result<(), Refusal>")]
pub(crate) struct ClearChannel {
    pub(crate) key: ChannelKey,
}

/// Begins a packet in each stream of a channel that has none open (OPEN_CHANNEL_PACKETS).
///
/// Refused with `INVALID_PARAMETERS` for metadata.
#[derive(Debug, Message)]
#[rtype(result = "Result<(), Refusal>")]
pub(crate) struct OpenChannelPackets {
    pub(crate) key: ChannelKey,
}

/// Moves the streams of a channel to the session's trace chunk (ROTATE_CHANNEL).
///
/// Refused with `ROTATION_FAIL` when there is none, or a stream cannot leave the one that it has.
#[derive(Debug, Message)]
#[rtype(result = "Result<(), Refusal>")]
pub(crate) struct RotateChannel {
    pub(crate) key: ChannelKey,
}

/// Records a snapshot of a channel (SNAPSHOT_CHANNEL).
///
/// Refused with `SNAPSHOT_FAILED` without a trace chunk, or when it cannot be written.
#[derive(Debug, Message)]
#[rtype(result = "Result<(), Refusal>")]
pub(crate) struct RecordSnapshot(pub(crate) Box<SnapshotChannel>);

/// Events that a channel has discarded (DISCARDED_EVENTS); of a channel that is not known, none.
#[derive(Debug, Message)]
#[rtype(result = "Result<u64, Refusal>")]
pub(crate) struct GetDiscardedEvents {
    pub(crate) key: ChannelKey,
}

/// Packets that a channel has lost (LOST_PACKETS); of a channel that is not known, none.
#[derive(Debug, Message)]
#[rtype(result = "Result<u64, Refusal>")]
pub(crate) struct GetLostPackets {
    pub(crate) key: ChannelKey,
}

/// Whether the session has data that is not where it should be (DATA_PENDING).
#[derive(Debug, Message)]
#[rtype(result = "Result<bool, Refusal>")]
pub(crate) struct GetDataPending;

/// Makes a trace chunk known and the current one of all channels (CREATE_TRACE_CHUNK).
///
/// Refused with `CREATE_TRACE_CHUNK_FAILED` when it is known already, or cannot be used.
#[derive(Debug, Message)]
#[rtype(result = "Result<(), Refusal>")]
pub(crate) struct CreateTraceChunk {
    pub(crate) id: ChunkId,
    /// Its name when it is not made of its times; empty otherwise.
    pub(crate) name: String,
    /// Seconds since the Epoch.
    pub(crate) created_at_s: u64,
    pub(crate) place: NewChunkPlace,
}

/// Where a trace chunk is to be.
#[derive(Debug)]
pub(crate) enum NewChunkPlace {
    /// In this directory, with these rights; with the consumer's own without any.
    Local(OwnedFd, Option<Credentials>),
    /// At the relay daemon.
    Remote(NetIndex),
}

/// Takes a trace chunk from the channels that have it (CLOSE_TRACE_CHUNK). What is still written to it keeps
/// it.
///
/// Refused with `UNKNOWN_TRACE_CHUNK`; with `CLOSE_TRACE_CHUNK_FAILED` or another code when its relay daemon
/// did not close it, upon which it is gone all the same.
#[derive(Debug, Message)]
#[rtype(result = "Result<ChunkClosed, Refusal>")]
pub(crate) struct CloseTraceChunk {
    pub(crate) id: ChunkId,
    pub(crate) relay: Option<NetIndex>,
    /// Seconds since the Epoch.
    pub(crate) closed_at_s: u64,
    /// What becomes of it.
    pub(crate) command: Option<CloseCommand>,
}

/// Whether somebody still has a trace chunk (TRACE_CHUNK_EXISTS).
///
/// Refused with `RELAYD_FAIL` or another code when the relay daemon does not say.
#[derive(Debug, Message)]
#[rtype(result = "Result<TraceChunkPresence, Refusal>")]
pub(crate) struct FindTraceChunk {
    pub(crate) id: ChunkId,
    pub(crate) relay: Option<NetIndex>,
}
