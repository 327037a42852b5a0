//! The commands.

mod body;

use lttngd_model::{ChannelKey, ChunkId, Credentials, NetIndex, SessionId};

use super::{AddChannel, AddRelaydSocket, AskChannel, CloseCommand, SnapshotChannel};

/// Size in bytes of every message (`struct lttcomm_consumer_msg`).
pub const MESSAGE_LEN: usize = 12690;

/// A command to a consumer daemon. Answered by a status unless the variant says otherwise.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Message {
    /// Announces a channel of the kernel domain. Its status comes before the work is done.
    AddChannel(Box<AddChannel>),
    /// Announces a stream of the kernel domain: status, descriptor, status.
    AddStream {
        /// A number for log messages.
        stream_key: u64,
        /// The channel.
        channel_key: ChannelKey,
        /// CPU, 0 for metadata.
        cpu: i32,
        /// Not used by consumers.
        no_monitor: bool,
    },
    /// Hands over a relay daemon's socket: status, descriptor, status.
    AddRelaydSocket(AddRelaydSocket),
    /// Gives a pair of relay daemon's sockets up.
    DestroyRelayd {
        /// The pair.
        net_index: NetIndex,
    },
    /// Asks whether data of a session is still to be written. Answered by 0 or 1, see
    /// [`super::decode_data_pending`].
    DataPending {
        /// The session.
        session_id: SessionId,
    },
    /// Creates a channel of the user-space domain. Answered by a [`super::ChannelStatus`].
    AskChannelCreation(Box<AskChannel>),
    /// Fetches a channel that was created: status, objects, status.
    GetChannel {
        /// The channel.
        key: ChannelKey,
    },
    /// Deletes a channel that was created and never fetched, or a kernel channel that is not
    /// monitored.
    DestroyChannel {
        /// The channel.
        key: ChannelKey,
    },
    /// Metadata text: status, and when `len` is not 0 the text and a second status.
    PushMetadata {
        /// The metadata channel.
        key: ChannelKey,
        /// Position of the first byte in the metadata text.
        target_offset: u64,
        /// Count of bytes that follow.
        len: u64,
        /// Version of the text: 0, then one more each time it is regenerated.
        version: u64,
    },
    /// Closes a metadata channel.
    CloseMetadata {
        /// The metadata channel.
        key: ChannelKey,
    },
    /// Starts a metadata channel, as GET_CHANNEL does for others.
    SetupMetadata {
        /// The metadata channel.
        key: ChannelKey,
    },
    /// Ends the current packet of each stream and marks the streams quiescent.
    FlushChannel {
        /// The channel.
        key: ChannelKey,
    },
    /// Records a snapshot.
    SnapshotChannel(Box<SnapshotChannel>),
    /// Says that every stream of a kernel channel was sent.
    StreamsSent {
        /// The channel.
        channel_key: ChannelKey,
        /// The relay daemon that gets the trace.
        relayd_id: Option<NetIndex>,
    },
    /// Asks for the count of dropped events. Answered by a number, see [`super::decode_counter`].
    DiscardedEvents {
        /// The session.
        session_id: SessionId,
        /// The channel.
        key: ChannelKey,
    },
    /// Asks for the count of overwritten packets. Answered by a number, see
    /// [`super::decode_counter`].
    LostPackets {
        /// The session.
        session_id: SessionId,
        /// The channel.
        key: ChannelKey,
    },
    /// Takes back the mark of [`Message::FlushChannel`].
    ClearQuiescentChannel {
        /// The channel.
        key: ChannelKey,
    },
    /// Hands over the write end of the monitor pipe: status, descriptor, status.
    SetChannelMonitorPipe,
    /// Moves the streams of a channel to the session's current trace chunk.
    RotateChannel {
        /// Whether this is the metadata channel.
        metadata: bool,
        /// The relay daemon that gets the trace.
        relayd_id: Option<NetIndex>,
        /// The channel.
        key: ChannelKey,
    },
    /// Names the session daemon; the first command.
    Init {
        /// UUID of the session daemon.
        sessiond_uuid: [u8; 16],
    },
    /// Makes a trace chunk the current one of its session: status, and for a local chunk the
    /// descriptor of its domain directory and a second status.
    CreateTraceChunk {
        /// The relay daemon that has the chunk, `None` for a local one.
        relayd_id: Option<NetIndex>,
        /// Name of the chunk when it is not made of its times; empty otherwise.
        override_name: String,
        /// The session.
        session_id: SessionId,
        /// The chunk.
        chunk_id: ChunkId,
        /// When it was created, in seconds since the Epoch; not 0.
        creation_timestamp_s: u64,
        /// With whose rights a local chunk is written.
        owner: Option<Credentials>,
    },
    /// Closes a trace chunk. Answered by a [`super::ChunkReplyHead`] and a path.
    CloseTraceChunk {
        /// The relay daemon that has the chunk, `None` for a local one.
        relayd_id: Option<NetIndex>,
        /// The session.
        session_id: SessionId,
        /// The chunk.
        chunk_id: ChunkId,
        /// When it was closed, in seconds since the Epoch.
        close_timestamp_s: u64,
        /// What becomes of it.
        command: Option<CloseCommand>,
    },
    /// Asks whether a trace chunk is still written to. Answered by a
    /// [`super::TraceChunkPresence`].
    TraceChunkExists {
        /// The relay daemon that has the chunk, `None` for a local one.
        relayd_id: Option<NetIndex>,
        /// The session.
        session_id: SessionId,
        /// The chunk.
        chunk_id: ChunkId,
    },
    /// Drops what is in a channel's buffers.
    ClearChannel {
        /// The channel.
        key: ChannelKey,
    },
    /// Opens a packet in each stream of a channel that has none open; the stock consumer daemon does so in streams
    /// for snapshots alone.
    OpenChannelPackets {
        /// The channel.
        key: ChannelKey,
    },
}

impl Message {
    /// The command's number (`enum lttng_consumer_command`).
    #[must_use]
    pub fn number(&self) -> u32 {
        match self {
            Self::AddChannel(_) => 0,
            Self::AddStream { .. } => 1,
            Self::AddRelaydSocket(_) => 4,
            Self::DestroyRelayd { .. } => 5,
            Self::DataPending { .. } => 6,
            Self::AskChannelCreation(_) => 7,
            Self::GetChannel { .. } => 8,
            Self::DestroyChannel { .. } => 9,
            Self::PushMetadata { .. } => 10,
            Self::CloseMetadata { .. } => 11,
            Self::SetupMetadata { .. } => 12,
            Self::FlushChannel { .. } => 13,
            Self::SnapshotChannel(_) => 14,
            Self::StreamsSent { .. } => 16,
            Self::DiscardedEvents { .. } => 17,
            Self::LostPackets { .. } => 18,
            Self::ClearQuiescentChannel { .. } => 19,
            Self::SetChannelMonitorPipe => 20,
            Self::RotateChannel { .. } => 21,
            Self::Init { .. } => 22,
            Self::CreateTraceChunk { .. } => 23,
            Self::CloseTraceChunk { .. } => 24,
            Self::TraceChunkExists { .. } => 25,
            Self::ClearChannel { .. } => 26,
            Self::OpenChannelPackets { .. } => 27,
        }
    }
}
