//! The commands.

use lttngd_model::{ChannelKey, ChunkId, Credentials, NAME_MAX, SessionId};

use super::{AddChannel, AddRelaydSocket, AskChannel, CloseCommand, SnapshotChannel, packed};
use crate::{DecodeError, Reader, Writer};

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
        net_index: u64,
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
        relayd_id: Option<u64>,
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
        relayd_id: Option<u64>,
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
        relayd_id: Option<u64>,
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
        relayd_id: Option<u64>,
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
        relayd_id: Option<u64>,
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
    /// Opens a packet in each stream of a channel that is not monitored.
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

    /// The message: [`MESSAGE_LEN`] bytes, zero where the command has nothing to say. Text that is
    /// too long for its member is cut.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::with_capacity(MESSAGE_LEN);
        writer.u32(self.number());
        self.encode_body(&mut writer);
        let mut bytes = writer.into_bytes();
        bytes.resize(MESSAGE_LEN, 0);
        bytes
    }

    fn encode_body(&self, writer: &mut Writer) {
        match self {
            Self::AddChannel(channel) => channel.encode(writer),
            Self::AddStream { stream_key, channel_key, cpu, no_monitor } => {
                writer.u64(*stream_key).u64(channel_key.0).i32(*cpu).u32((*no_monitor).into());
            }
            Self::AddRelaydSocket(socket) => socket.encode(writer),
            Self::DestroyRelayd { net_index } => {
                writer.u64(*net_index);
            }
            Self::DataPending { session_id } => {
                writer.u64(session_id.0);
            }
            Self::AskChannelCreation(channel) => channel.encode(writer),
            Self::GetChannel { key }
            | Self::DestroyChannel { key }
            | Self::CloseMetadata { key }
            | Self::SetupMetadata { key }
            | Self::FlushChannel { key }
            | Self::ClearQuiescentChannel { key }
            | Self::ClearChannel { key }
            | Self::OpenChannelPackets { key } => {
                writer.u64(key.0);
            }
            Self::PushMetadata { key, target_offset, len, version } => {
                writer.u64(key.0).u64(*target_offset).u64(*len).u64(*version);
            }
            Self::SnapshotChannel(snapshot) => snapshot.encode(writer),
            Self::StreamsSent { channel_key, relayd_id } => {
                writer.u64(channel_key.0);
                packed::put_relayd_id(writer, *relayd_id);
            }
            Self::DiscardedEvents { session_id, key } | Self::LostPackets { session_id, key } => {
                writer.u64(session_id.0).u64(key.0);
            }
            Self::SetChannelMonitorPipe => {}
            Self::RotateChannel { metadata, relayd_id, key } => {
                writer.u32((*metadata).into());
                packed::put_relayd_id(writer, *relayd_id);
                writer.u64(key.0);
            }
            Self::Init { sessiond_uuid } => {
                writer.bytes(sessiond_uuid);
            }
            Self::CreateTraceChunk {
                relayd_id,
                override_name,
                session_id,
                chunk_id,
                creation_timestamp_s,
                owner,
            } => {
                packed::put_optional(writer, *relayd_id);
                writer.padded_string(override_name, NAME_MAX);
                writer.u64(session_id.0).u64(chunk_id.0).u64(*creation_timestamp_s);
                let Credentials { uid, gid } = owner.unwrap_or(Credentials { uid: 0, gid: 0 });
                writer.u8(owner.is_some().into()).u32(uid).u32(gid);
            }
            Self::CloseTraceChunk {
                relayd_id,
                session_id,
                chunk_id,
                close_timestamp_s,
                command,
            } => {
                packed::put_optional(writer, *relayd_id);
                writer.u64(session_id.0).u64(chunk_id.0).u64(*close_timestamp_s);
                writer.u8(command.is_some().into()).u32(command.map_or(0, |c| c as u32));
            }
            Self::TraceChunkExists { relayd_id, session_id, chunk_id } => {
                packed::put_optional(writer, *relayd_id);
                writer.u64(session_id.0).u64(chunk_id.0);
            }
        }
    }

    /// Reads a message.
    ///
    /// # Errors
    /// A size that is not [`MESSAGE_LEN`], a number that is no command (or one that consumers do not
    /// survive: UPDATE_STREAM, STOP), or a member without meaning.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut message = Reader::new(bytes);
        let mut reader = Reader::new(message.bytes(MESSAGE_LEN, "consumer message")?);
        message.finish("consumer message")?;
        let number = reader.u32("cmd_type")?;
        Self::decode_body(number, &mut reader)
    }

    fn decode_body(number: u32, reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(match number {
            0 => Self::AddChannel(Box::new(AddChannel::decode(reader)?)),
            1 => Self::AddStream {
                stream_key: reader.u64("stream_key")?,
                channel_key: key(reader)?,
                cpu: reader.i32("cpu")?,
                no_monitor: packed::flag(reader.u32("no_monitor")?, "no_monitor")?,
            },
            4 => Self::AddRelaydSocket(AddRelaydSocket::decode(reader)?),
            5 => Self::DestroyRelayd { net_index: reader.u64("net_seq_idx")? },
            6 => Self::DataPending { session_id: session_id(reader)? },
            7 => Self::AskChannelCreation(Box::new(AskChannel::decode(reader)?)),
            8 => Self::GetChannel { key: key(reader)? },
            9 => Self::DestroyChannel { key: key(reader)? },
            10 => Self::PushMetadata {
                key: key(reader)?,
                target_offset: reader.u64("target_offset")?,
                len: reader.u64("len")?,
                version: reader.u64("version")?,
            },
            11 => Self::CloseMetadata { key: key(reader)? },
            12 => Self::SetupMetadata { key: key(reader)? },
            13 => Self::FlushChannel { key: key(reader)? },
            14 => Self::SnapshotChannel(Box::new(SnapshotChannel::decode(reader)?)),
            16 => Self::StreamsSent {
                channel_key: key(reader)?,
                relayd_id: packed::relayd_id(reader)?,
            },
            17 => Self::DiscardedEvents { session_id: session_id(reader)?, key: key(reader)? },
            18 => Self::LostPackets { session_id: session_id(reader)?, key: key(reader)? },
            19 => Self::ClearQuiescentChannel { key: key(reader)? },
            20 => Self::SetChannelMonitorPipe,
            21 => Self::RotateChannel {
                metadata: packed::flag(reader.u32("metadata")?, "metadata")?,
                relayd_id: packed::relayd_id(reader)?,
                key: key(reader)?,
            },
            22 => Self::Init { sessiond_uuid: packed::uuid(reader)? },
            23 => Self::CreateTraceChunk {
                relayd_id: packed::optional(reader, "relayd_id")?,
                override_name: reader.padded_string(NAME_MAX, "override_name")?,
                session_id: session_id(reader)?,
                chunk_id: chunk_id(reader)?,
                creation_timestamp_s: reader.u64("creation_timestamp")?,
                owner: owner(reader)?,
            },
            24 => Self::CloseTraceChunk {
                relayd_id: packed::optional(reader, "relayd_id")?,
                session_id: session_id(reader)?,
                chunk_id: chunk_id(reader)?,
                close_timestamp_s: reader.u64("close_timestamp")?,
                command: close_command(reader)?,
            },
            25 => Self::TraceChunkExists {
                relayd_id: packed::optional(reader, "relayd_id")?,
                session_id: session_id(reader)?,
                chunk_id: chunk_id(reader)?,
            },
            26 => Self::ClearChannel { key: key(reader)? },
            27 => Self::OpenChannelPackets { key: key(reader)? },
            number => {
                return Err(DecodeError::BadValue { what: "cmd_type", value: number.into() });
            }
        })
    }
}

fn key(reader: &mut Reader<'_>) -> Result<ChannelKey, DecodeError> {
    reader.u64("key").map(ChannelKey)
}

fn session_id(reader: &mut Reader<'_>) -> Result<SessionId, DecodeError> {
    reader.u64("session_id").map(SessionId)
}

fn chunk_id(reader: &mut Reader<'_>) -> Result<ChunkId, DecodeError> {
    reader.u64("chunk_id").map(ChunkId)
}

fn owner(reader: &mut Reader<'_>) -> Result<Option<Credentials>, DecodeError> {
    let set = packed::flag(reader.u8("credentials")?.into(), "credentials")?;
    let credentials = Credentials { uid: reader.u32("uid")?, gid: reader.u32("gid")? };
    Ok(set.then_some(credentials))
}

fn close_command(reader: &mut Reader<'_>) -> Result<Option<CloseCommand>, DecodeError> {
    let set = packed::flag(reader.u8("close_command")?.into(), "close_command")?;
    let raw = reader.u32("close_command")?;
    set.then(|| CloseCommand::from_raw(raw)).transpose()
}
