//! What a consumer actor is asked and what it tells.

use std::{os::fd::OwnedFd, sync::Arc};

use actix::Message;
use lttngd_model::{
    ChannelKey, ChunkId, ConsumerKind, Credentials, NetIndex, RelaySessionId, SessionId, Tracer,
};
use lttngd_runtime::{Held, Outlet};
use lttngd_wire::consumer::{
    AddChannel, AskChannel, CloseCommand, MonitorSample, TraceChunkPresence,
};
use tokio::sync::oneshot;

use crate::{ConsumerError, Remains};

/// Starts the consumer daemon unless it runs.
#[derive(Debug, Message)]
#[rtype(result = "Result<(), ConsumerError>")]
pub struct EnsureRunning;

/// Hands a relay daemon's connections over (ADD_RELAYD_SOCKET, control then data).
#[derive(Debug, Message)]
#[rtype(result = "Result<(), ConsumerError>")]
pub struct AddRelayd {
    /// What the connection is called from now on.
    pub net_index: NetIndex,
    /// The version that the relay daemon speaks, major and minor.
    pub version: (u32, u32),
    /// The session.
    pub session: SessionId,
    /// The session in the relay daemon.
    pub relayd_session_id: RelaySessionId,
    /// The control connection.
    pub control: OwnedFd,
    /// The data connection.
    pub data: OwnedFd,
}

/// Gives a relay daemon's connections up; they close with the last stream that uses them
/// (DESTROY_RELAYD).
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "Result<(), ConsumerError>")]
pub struct DestroyRelayd {
    /// The session.
    pub session: SessionId,
    /// The connection.
    pub net_index: NetIndex,
}

/// Where the streams of a trace chunk are written.
#[derive(Clone, Debug)]
pub enum ChunkPlace {
    /// On this machine.
    Directory {
        /// Who will own the files.
        owner: Credentials,
        /// The directory of the chunk's domain.
        directory: Arc<OwnedFd>,
    },
    /// By a relay daemon.
    Relayd(NetIndex),
}

/// Publishes a trace chunk of a session (CREATE_TRACE_CHUNK).
#[derive(Debug, Message)]
#[rtype(result = "Result<(), ConsumerError>")]
pub struct CreateTraceChunk {
    /// The session.
    pub session: SessionId,
    /// The chunk.
    pub chunk: ChunkId,
    /// When it began, seconds since the Epoch, not 0.
    pub created_at_s: u64,
    /// Where it is written.
    pub place: ChunkPlace,
    /// Name of the chunk when it is not made of its times (snapshots), else empty.
    pub override_name: String,
}

/// Throws away what the channel's buffers hold (CLEAR_CHANNEL); nothing may record into them now.
#[derive(Debug, Message)]
#[rtype(result = "Result<(), ConsumerError>")]
pub struct ClearChannel {
    /// The session.
    pub session: SessionId,
    /// The channel.
    pub key: ChannelKey,
}

/// Copies what an unmonitored channel holds into the session's newest chunk (SNAPSHOT_CHANNEL).
#[derive(Debug, Message)]
#[rtype(result = "Result<(), ConsumerError>")]
pub struct RecordChannel {
    /// The session.
    pub session: SessionId,
    /// The channel.
    pub key: ChannelKey,
    /// Whether it is a metadata channel.
    pub metadata: bool,
    /// Directory below the chunk's domain.
    pub path: String,
    /// Most packets of one stream, the newest ones; 0 for all.
    pub packets_per_stream: u64,
    /// The relay daemon that writes it, `None` for this machine.
    pub relayd: Option<NetIndex>,
}

/// Ends a trace chunk (CLOSE_TRACE_CHUNK). Replies with what the relay daemon calls it, relative to its
/// output directory; empty for a chunk on this machine.
#[derive(Debug, Message)]
#[rtype(result = "Result<String, ConsumerError>")]
pub struct CloseTraceChunk {
    /// The session.
    pub session: SessionId,
    /// The chunk.
    pub chunk: ChunkId,
    /// When it ended, seconds since the Epoch.
    pub closed_at_s: u64,
    /// What becomes of it.
    pub command: Option<CloseCommand>,
    /// The relay daemon that writes it, `None` for this machine.
    pub relayd: Option<NetIndex>,
}

/// Who still writes to the chunk (TRACE_CHUNK_EXISTS).
#[derive(Debug, Message)]
#[rtype(result = "Result<TraceChunkPresence, ConsumerError>")]
pub struct TraceChunkExists {
    /// The session.
    pub session: SessionId,
    /// The chunk.
    pub chunk: ChunkId,
    /// The relay daemon that writes it, `None` for this machine.
    pub relayd: Option<NetIndex>,
}

/// Creates a data channel and fetches its objects (ASK_CHANNEL_CREATION, GET_CHANNEL).
#[derive(Debug, Message)]
#[rtype(result = "Result<Arc<ChannelObject>, ConsumerError>")]
pub struct CreateChannel {
    /// The channel.
    pub ask: Box<AskChannel>,
    /// Is told how the channel's buffers are used, until [`EndSampling`].
    pub sampled: Outlet<ChannelSampled>,
}

/// How the buffers of a channel are used, each time the channel's monitor timer fires, and that this is told no
/// longer.
#[derive(Clone, Debug, Message)]
#[rtype(result = "()")]
pub struct ChannelSampled {
    /// The channel.
    pub channel: Arc<SampledChannel>,
    /// What the consumer says; `None` when nothing more will come of the channel.
    pub sample: Option<MonitorSample>,
    /// What was written out since the sample before, in bytes.
    pub newly_consumed_bytes: u64,
    /// How many packets that was; `None` when the consumer daemon does not tell.
    pub newly_consumed_packets: Option<u64>,
}

/// A channel whose use is told.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SampledChannel {
    /// Its key.
    pub key: ChannelKey,
    /// Whose events it has.
    pub tracer: Tracer,
    /// Its name.
    pub name: String,
    /// What each of its streams can hold, in bytes.
    pub capacity_bytes: u64,
}

/// Nobody wants to hear any more how the buffers of these channels are used.
#[derive(Clone, Debug, Message)]
#[rtype(result = "()")]
pub struct EndSampling {
    /// The channels.
    pub keys: Vec<ChannelKey>,
}

/// Hands a channel of the kernel over with the streams that it has (ADD_CHANNEL, ADD_STREAM, and
/// STREAMS_SENT for data that is to be written as it comes). The consumer daemon has copies of the
/// descriptors then. One that is not written as it comes and of which it refuses a stream is destroyed.
#[derive(Debug, Message)]
#[rtype(result = "Result<(), ConsumerError>")]
pub struct AddKernelChannel {
    /// The channel.
    pub add: Box<AddChannel>,
    /// Its streams.
    pub streams: Vec<KernelStream>,
    /// What each of them can hold, in bytes.
    pub capacity_bytes: u64,
    /// Is told how the channel's buffers are used, until [`EndSampling`].
    pub sampled: Outlet<ChannelSampled>,
    /// Is told when the consumer daemon has it with its streams, also when nobody waits for the reply any more.
    pub taken: Outlet<KernelChannelTaken>,
}

/// The consumer daemon has a channel of the kernel with the streams that were handed over with it.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct KernelChannelTaken {
    /// The channel.
    pub key: ChannelKey,
}

/// Hands streams of a kernel's channel over that came later (ADD_STREAM), as those of processors do.
#[derive(Debug, Message)]
#[rtype(result = "Result<(), ConsumerError>")]
pub struct AddKernelStreams {
    /// The session.
    pub session: SessionId,
    /// The channel.
    pub key: ChannelKey,
    /// The streams.
    pub streams: Vec<KernelStream>,
}

/// The reader's side of a buffer of the kernel.
#[derive(Clone, Debug)]
pub struct KernelStream {
    /// The processor; 0 for metadata.
    pub cpu: u32,
    /// What it is read by.
    pub descriptor: Arc<OwnedFd>,
}

/// Deletes a kernel's channel that is not written as it comes (DESTROY_CHANNEL). Others end with the kernel's
/// own.
#[derive(Debug, Message)]
#[rtype(result = "Result<(), ConsumerError>")]
pub struct DestroyChannel {
    /// The session.
    pub session: SessionId,
    /// The channel.
    pub key: ChannelKey,
}

/// Creates a metadata channel and hands its stream to the consumer's writer (ASK_CHANNEL_CREATION,
/// SETUP_METADATA). From then on the consumer's requests for its text go to `source`.
#[derive(Debug, Message)]
#[rtype(result = "Result<(), ConsumerError>")]
pub struct CreateMetadata {
    /// The channel.
    pub ask: Box<AskChannel>,
    /// Who has the text.
    pub source: MetadataSource,
}

/// Adds text to a metadata channel (PUSH_METADATA). The consumer answers when it has written it.
#[derive(Debug, Message)]
#[rtype(result = "Result<(), ConsumerError>")]
pub struct PushMetadata {
    /// The session.
    pub session: SessionId,
    /// The metadata channel.
    pub key: ChannelKey,
    /// The text.
    pub text: MetadataText,
}

/// Ends a metadata channel (CLOSE_METADATA).
#[derive(Debug, Message)]
#[rtype(result = "Result<(), ConsumerError>")]
pub struct CloseMetadata {
    /// The session.
    pub session: SessionId,
    /// The metadata channel.
    pub key: ChannelKey,
}

/// Produces a packet in every stream that is not quiescent and marks it quiescent (FLUSH_CHANNEL).
#[derive(Debug, Message)]
#[rtype(result = "Result<(), ConsumerError>")]
pub struct FlushChannel {
    /// The session.
    pub session: SessionId,
    /// The data channel.
    pub key: ChannelKey,
}

/// Unmarks the streams (CLEAR_QUIESCENT_CHANNEL).
#[derive(Debug, Message)]
#[rtype(result = "Result<(), ConsumerError>")]
pub struct ClearQuiescentChannel {
    /// The session.
    pub session: SessionId,
    /// The data channel.
    pub key: ChannelKey,
}

/// Opens a packet in streams that have none (OPEN_CHANNEL_PACKETS).
#[derive(Debug, Message)]
#[rtype(result = "Result<(), ConsumerError>")]
pub struct OpenChannelPackets {
    /// The session.
    pub session: SessionId,
    /// The data channel.
    pub key: ChannelKey,
}

/// Moves the channel's streams to the session's current chunk, or to none (ROTATE_CHANNEL).
#[derive(Debug, Message)]
#[rtype(result = "Result<(), ConsumerError>")]
pub struct RotateChannel {
    /// The session.
    pub session: SessionId,
    /// The channel.
    pub key: ChannelKey,
    /// Whether it is a metadata channel.
    pub metadata: bool,
    /// The relay daemon that writes it, `None` for this machine.
    pub relayd: Option<NetIndex>,
}

/// Whether data of a session is not written yet (DATA_PENDING).
#[derive(Debug, Message)]
#[rtype(result = "Result<bool, ConsumerError>")]
pub struct DataPending {
    /// The session.
    pub session: SessionId,
}

/// Events that a channel in discard mode dropped so far (DISCARDED_EVENTS).
#[derive(Debug, Message)]
#[rtype(result = "Result<u64, ConsumerError>")]
pub struct DiscardedEvents {
    /// The session.
    pub session: SessionId,
    /// The data channel.
    pub key: ChannelKey,
}

/// Packets that a channel lost so far: overwritten, or not written by the consumer daemon (LOST_PACKETS).
#[derive(Debug, Message)]
#[rtype(result = "Result<u64, ConsumerError>")]
pub struct LostPackets {
    /// The session.
    pub session: SessionId,
    /// The data channel.
    pub key: ChannelKey,
    /// Whether it is in overwrite mode. Of others the stock consumer daemon is not asked: it does not
    /// count what it could not write, and takes for lost what CLEAR dropped.
    pub overwrite: bool,
}

/// A session has ended: its connection to the consumer daemon, if it has one of its own, is closed, and
/// nobody is told anything of it any more. Later requests answer [`ConsumerError::Ended`], but those that
/// end something, since its id is never used again.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct EndSession {
    /// The session.
    pub session: SessionId,
}

/// Whether the consumer daemon runs, and as which process.
#[derive(Debug, Message)]
#[rtype(result = "Option<u32>")]
pub struct Running;

/// Ends the consumer daemon: its sockets are closed and its exit is awaited.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Stop;

/// A part of a metadata text.
#[derive(Clone, Debug)]
pub struct MetadataText {
    /// Where in the text it begins, in bytes.
    pub offset: u64,
    /// Which text: grows by one at each regeneration.
    pub version: u64,
    /// The bytes.
    pub bytes: Vec<u8>,
}

/// Who answers the consumer's requests for the text of one metadata channel.
#[derive(Clone, Debug)]
pub struct MetadataSource {
    /// Is told that text is wanted.
    pub requested: Outlet<MetadataRequested>,
    /// Is told how far the consumer has it.
    pub accepted: Outlet<MetadataAccepted>,
}

/// The consumer wants the text that it does not have yet. Told, never asked: whoever has the text
/// puts it into `reply` when it likes; a dropped `reply` counts as no text.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct MetadataRequested {
    /// The metadata channel.
    pub key: ChannelKey,
    /// Where the text goes.
    pub reply: oneshot::Sender<MetadataText>,
}

/// The consumer accepted the text up to `end`.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct MetadataAccepted {
    /// The metadata channel.
    pub key: ChannelKey,
    /// Which text.
    pub version: u64,
    /// Count of bytes that it has.
    pub end: u64,
}

/// A consumer daemon ended without being told to.
#[derive(Clone, Debug, Message)]
#[rtype(result = "()")]
pub struct ConsumerExited {
    /// Which.
    pub kind: ConsumerKind,
    /// Why, for people.
    pub reason: String,
    /// When its actor failed and is gone as well: of which another one is made.
    pub remains: Option<Remains>,
}

/// A data channel as applications get it. Dropping it closes the descriptors, which, with the
/// applications' own copies gone, ends the channel in the consumer.
#[derive(Debug)]
pub struct ChannelObject {
    /// The consumer's key.
    pub key: ChannelKey,
    /// Type number (`enum lttng_ust_abi_chan_type`).
    pub kind: i32,
    /// Memory image, passed on unchanged.
    pub image: Vec<u8>,
    /// Write end of the channel's pipe.
    pub wakeup: OwnedFd,
    /// Streams in the order of their numbers.
    pub streams: Vec<StreamObject>,
    /// The place of its descriptors in the budget.
    pub(crate) _held: Option<Held>,
}

/// A stream of a [`ChannelObject`].
#[derive(Debug)]
pub struct StreamObject {
    /// Size of the shared memory in bytes.
    pub len: u64,
    /// Number: the CPU.
    pub number: u32,
    /// The shared memory.
    pub memory: OwnedFd,
    /// Write end of the stream's pipe.
    pub wakeup: OwnedFd,
}
