//! Messages to bytes and back.

use lttngd_model::{ChannelKey, ChunkId, Credentials, NAME_MAX, NetIndex, SessionId};

use super::super::{
    AddChannel, AddRelaydSocket, AskChannel, CloseCommand, MESSAGE_LEN, Message, SnapshotChannel,
    packed,
};
use crate::{DecodeError, Reader, Writer};

impl Message {
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
                writer.u64(net_index.0);
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
                packed::put_optional(writer, relayd_id.map(|id| id.0));
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
                packed::put_optional(writer, relayd_id.map(|id| id.0));
                writer.u64(session_id.0).u64(chunk_id.0).u64(*close_timestamp_s);
                writer.u8(command.is_some().into()).u32(command.map_or(0, |c| c as u32));
            }
            Self::TraceChunkExists { relayd_id, session_id, chunk_id } => {
                packed::put_optional(writer, relayd_id.map(|id| id.0));
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
            5 => Self::DestroyRelayd { net_index: NetIndex(reader.u64("net_seq_idx")?) },
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
                relayd_id: packed::optional(reader, "relayd_id")?.map(NetIndex),
                override_name: reader.padded_string(NAME_MAX, "override_name")?,
                session_id: session_id(reader)?,
                chunk_id: chunk_id(reader)?,
                creation_timestamp_s: reader.u64("creation_timestamp")?,
                owner: owner(reader)?,
            },
            24 => Self::CloseTraceChunk {
                relayd_id: packed::optional(reader, "relayd_id")?.map(NetIndex),
                session_id: session_id(reader)?,
                chunk_id: chunk_id(reader)?,
                close_timestamp_s: reader.u64("close_timestamp")?,
                command: close_command(reader)?,
            },
            25 => Self::TraceChunkExists {
                relayd_id: packed::optional(reader, "relayd_id")?.map(NetIndex),
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
