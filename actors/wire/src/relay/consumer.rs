//! Commands that a consumer daemon sends.

use lttngd_model::{ChunkId, RelaySessionId, RelayStreamHandle};

use super::{
    AddStream, CloseTraceChunk, CreateTraceChunk, HEADER_LEN, Header, RotateStreams, SendIndex,
    number,
};
use crate::{DecodeError, Reader, Writer};

/// A command that a consumer daemon sends, once the session daemon announced the session.
///
/// Every one but [`Self::SendMetadata`] has a reply; what it looks like is [`super::ReplyKind`].
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum ConsumerCommand {
    /// ADD_STREAM.
    AddStream(AddStream),
    /// STREAMS_SENT, from 2.4 on: viewers may see what was added.
    StreamsSent,
    /// SEND_INDEX, from 2.4 on.
    SendIndex(SendIndex),
    /// SEND_METADATA, a packet of it. The only command without a reply.
    SendMetadata {
        /// The metadata stream.
        handle: RelayStreamHandle,
        /// Zero bytes that the relay daemon appends.
        padding_len: u32,
        /// The packet without its padding.
        content: Vec<u8>,
    },
    /// RESET_METADATA, from 2.8 on: the text begins anew.
    ResetMetadata {
        /// The metadata stream.
        handle: RelayStreamHandle,
        /// Version of the text that follows.
        version: u64,
    },
    /// CLOSE_STREAM.
    CloseStream {
        /// The stream.
        handle: RelayStreamHandle,
        /// Number of the last packet on the data connection, `u64::MAX` when there was none.
        last_net_seq_num: u64,
    },
    /// ROTATE_STREAMS, from 2.11 on.
    RotateStreams(RotateStreams),
    /// CREATE_TRACE_CHUNK, from 2.11 on.
    CreateTraceChunk(CreateTraceChunk),
    /// CLOSE_TRACE_CHUNK, from 2.11 on.
    CloseTraceChunk(CloseTraceChunk),
    /// TRACE_CHUNK_EXISTS, from 2.11 on, of a chunk.
    TraceChunkExists(ChunkId),
    /// BEGIN_DATA_PENDING of the session in the relay daemon.
    BeginDataPending(RelaySessionId),
    /// DATA_PENDING: whether a data stream was written up to a packet.
    DataPending {
        /// The stream.
        handle: RelayStreamHandle,
        /// Number of the packet on the data connection, `u64::MAX` for before the first.
        last_net_seq_num: u64,
    },
    /// QUIESCENT_CONTROL: a metadata stream is up to here.
    QuiescentControl {
        /// The stream.
        handle: RelayStreamHandle,
    },
    /// END_DATA_PENDING of the session in the relay daemon.
    EndDataPending(RelaySessionId),
}

const ADD_STREAM: u32 = 1;
const SEND_METADATA: u32 = 6;
const CLOSE_STREAM: u32 = 7;
const DATA_PENDING: u32 = 8;
const QUIESCENT_CONTROL: u32 = 9;
const BEGIN_DATA_PENDING: u32 = 10;
const END_DATA_PENDING: u32 = 11;
const SEND_INDEX: u32 = 13;
const STREAMS_SENT: u32 = 16;
const RESET_METADATA: u32 = 17;
const ROTATE_STREAMS: u32 = 18;
const CREATE_TRACE_CHUNK: u32 = 19;
const CLOSE_TRACE_CHUNK: u32 = 20;
const TRACE_CHUNK_EXISTS: u32 = 21;

impl ConsumerCommand {
    /// Its number.
    #[must_use]
    pub fn number(&self) -> u32 {
        match self {
            Self::AddStream(_) => ADD_STREAM,
            Self::StreamsSent => STREAMS_SENT,
            Self::SendIndex(_) => SEND_INDEX,
            Self::SendMetadata { .. } => SEND_METADATA,
            Self::ResetMetadata { .. } => RESET_METADATA,
            Self::CloseStream { .. } => CLOSE_STREAM,
            Self::RotateStreams(_) => ROTATE_STREAMS,
            Self::CreateTraceChunk(_) => CREATE_TRACE_CHUNK,
            Self::CloseTraceChunk(_) => CLOSE_TRACE_CHUNK,
            Self::TraceChunkExists(_) => TRACE_CHUNK_EXISTS,
            Self::BeginDataPending(_) => BEGIN_DATA_PENDING,
            Self::DataPending { .. } => DATA_PENDING,
            Self::QuiescentControl { .. } => QUIESCENT_CONTROL,
            Self::EndDataPending(_) => END_DATA_PENDING,
        }
    }

    /// The minor version that it came with.
    #[must_use]
    pub fn since_minor(&self) -> u32 {
        match self {
            Self::StreamsSent | Self::SendIndex(_) => 4,
            Self::ResetMetadata { .. } => 8,
            Self::RotateStreams(_)
            | Self::CreateTraceChunk(_)
            | Self::CloseTraceChunk(_)
            | Self::TraceChunkExists(_) => 11,
            _ => 1,
        }
    }

    /// Header and payload, in the layout of a minor version that has the command.
    #[must_use]
    pub fn encode(&self, minor: u32) -> Vec<u8> {
        let mut payload = Writer::default();
        let w = &mut payload;
        match self {
            Self::AddStream(stream) => stream.encode(w, minor),
            Self::StreamsSent => {}
            Self::SendIndex(index) => index.encode(w, minor),
            Self::SendMetadata { handle, padding_len, content } => {
                number::put_u64(w, handle.0);
                number::put_u32(w, *padding_len);
                w.bytes(content);
            }
            Self::ResetMetadata { handle, version: last }
            | Self::CloseStream { handle, last_net_seq_num: last }
            | Self::DataPending { handle, last_net_seq_num: last } => {
                number::put_u64(w, handle.0);
                number::put_u64(w, *last);
            }
            Self::RotateStreams(rotation) => rotation.encode(w),
            Self::CreateTraceChunk(chunk) => chunk.encode(w),
            Self::CloseTraceChunk(chunk) => chunk.encode(w),
            Self::BeginDataPending(RelaySessionId(id))
            | Self::EndDataPending(RelaySessionId(id))
            | Self::QuiescentControl { handle: RelayStreamHandle(id) }
            | Self::TraceChunkExists(ChunkId(id)) => number::put_u64(w, *id),
        }
        let mut writer = Writer::with_capacity(HEADER_LEN + payload.len());
        Header { data_size: payload.len() as u64, command: self.number() }.encode(&mut writer);
        writer.bytes(&payload.into_bytes());
        writer.into_bytes()
    }

    /// Reads the payload of a command, in the layout of a minor version.
    ///
    /// # Errors
    /// Another command, wrong sizes, texts that are not, numbers without a meaning.
    pub fn decode(command: u32, payload: &[u8], minor: u32) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(payload);
        let r = &mut reader;
        let decoded = match command {
            ADD_STREAM => Self::AddStream(AddStream::decode(r, minor)?),
            STREAMS_SENT => Self::StreamsSent,
            SEND_INDEX => Self::SendIndex(SendIndex::decode(r, minor)?),
            SEND_METADATA => {
                let handle = stream(r)?;
                let padding_len = number::u32(r, "padding_size")?;
                let content = r.bytes(r.left(), "metadata")?.to_vec();
                Self::SendMetadata { handle, padding_len, content }
            }
            RESET_METADATA => {
                let handle = stream(r)?;
                Self::ResetMetadata { handle, version: number::u64(r, "version")? }
            }
            CLOSE_STREAM | DATA_PENDING => {
                let handle = stream(r)?;
                let last_net_seq_num = number::u64(r, "last_net_seq_num")?;
                if command == CLOSE_STREAM {
                    Self::CloseStream { handle, last_net_seq_num }
                } else {
                    Self::DataPending { handle, last_net_seq_num }
                }
            }
            ROTATE_STREAMS => Self::RotateStreams(RotateStreams::decode(r)?),
            CREATE_TRACE_CHUNK => Self::CreateTraceChunk(CreateTraceChunk::decode(r)?),
            CLOSE_TRACE_CHUNK => Self::CloseTraceChunk(CloseTraceChunk::decode(r)?),
            TRACE_CHUNK_EXISTS => Self::TraceChunkExists(ChunkId(number::u64(r, "chunk_id")?)),
            BEGIN_DATA_PENDING => Self::BeginDataPending(session(r)?),
            QUIESCENT_CONTROL => Self::QuiescentControl { handle: stream(r)? },
            END_DATA_PENDING => Self::EndDataPending(session(r)?),
            other => return Err(DecodeError::BadValue { what: "cmd", value: other.into() }),
        };
        reader.finish("relay command")?;
        Ok(decoded)
    }
}

fn stream(reader: &mut Reader<'_>) -> Result<RelayStreamHandle, DecodeError> {
    number::u64(reader, "stream_id").map(RelayStreamHandle)
}

fn session(reader: &mut Reader<'_>) -> Result<RelaySessionId, DecodeError> {
    number::u64(reader, "session_id").map(RelaySessionId)
}
