//! Replies to the commands of a consumer daemon.

use lttngd_model::RelayStreamHandle;

use super::{ClosedChunkHead, ConsumerCommand, RelayRefusal, ReplyError, number, reply, text};
use crate::{DecodeError, Reader, Writer};

/// What a reply looks like. Replies have no header: they come in the order of the commands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ReplyKind {
    /// A code.
    Code,
    /// A stream's handle and a code.
    Stream,
    /// 0 or 1, or anything else for a failure.
    Pending,
    /// A code and whether the chunk exists.
    ChunkExists,
    /// A [`ClosedChunkHead`] and a path.
    ChunkClosed,
}

/// A reply that tells of success.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum ConsumerReply {
    /// It was done.
    Done,
    /// The stream was added.
    StreamAdded {
        /// By which it is known from now on.
        handle: RelayStreamHandle,
    },
    /// Whether data is still on its way.
    Pending(bool),
    /// Whether the trace chunk exists.
    ChunkExists(bool),
    /// The trace chunk was closed.
    ChunkClosed {
        /// Where it is, relative to the relay's output directory.
        path: String,
    },
}

impl ReplyKind {
    /// What the reply to a command looks like; SEND_METADATA has none.
    #[must_use]
    pub fn of(command: &ConsumerCommand) -> Option<Self> {
        Some(match command {
            ConsumerCommand::SendMetadata { .. } => return None,
            ConsumerCommand::AddStream(_) => Self::Stream,
            ConsumerCommand::DataPending { .. } | ConsumerCommand::EndDataPending(_) => {
                Self::Pending
            }
            ConsumerCommand::TraceChunkExists(_) => Self::ChunkExists,
            ConsumerCommand::CloseTraceChunk(_) => Self::ChunkClosed,
            _ => Self::Code,
        })
    }

    /// Size in bytes; of [`Self::ChunkClosed`] that of the head alone.
    #[must_use]
    pub fn head_len(self) -> usize {
        match self {
            Self::Code | Self::Pending => 4,
            Self::ChunkExists => 5,
            Self::ChunkClosed => ClosedChunkHead::LEN,
            Self::Stream => 12,
        }
    }

    /// Size in bytes of what follows the first [`Self::head_len`] bytes.
    ///
    /// # Errors
    /// A size over its limit.
    pub fn rest_len(self, head: &[u8]) -> Result<usize, DecodeError> {
        match self {
            Self::ChunkClosed => Ok(ClosedChunkHead::decode(head)?.path_len),
            _ => Ok(0),
        }
    }

    /// Reads a whole reply.
    ///
    /// # Errors
    /// [`ReplyError`].
    pub fn decode(self, bytes: &[u8]) -> Result<ConsumerReply, ReplyError> {
        let mut reader = Reader::new(bytes);
        let r = &mut reader;
        let decoded = match self {
            Self::Code => {
                reply::check(number::u32(r, "code")?)?;
                ConsumerReply::Done
            }
            Self::Stream => {
                let handle = RelayStreamHandle(number::u64(r, "stream handle")?);
                reply::check(number::u32(r, "add stream code")?)?;
                ConsumerReply::StreamAdded { handle }
            }
            Self::Pending => match number::u32(r, "pending")? {
                0 => ConsumerReply::Pending(false),
                1 => ConsumerReply::Pending(true),
                // All ones for a stream that the relay daemon does not know.
                other => return Err(RelayRefusal(other).into()),
            },
            Self::ChunkExists => {
                reply::check(number::u32(r, "trace chunk exists code")?)?;
                ConsumerReply::ChunkExists(text::flag(r, "trace_chunk_exists")?)
            }
            Self::ChunkClosed => {
                let head = ClosedChunkHead::decode(r.bytes(ClosedChunkHead::LEN, "reply")?)?;
                let path = head.decode_path(r.bytes(r.left(), "path")?)?;
                ConsumerReply::ChunkClosed { path }
            }
        };
        reader.finish("relay reply")?;
        Ok(decoded)
    }

    /// The bytes of a reply of this kind that refuses.
    #[must_use]
    pub fn encode_refusal(self, refusal: RelayRefusal) -> Vec<u8> {
        let mut writer = Writer::default();
        let w = &mut writer;
        match self {
            Self::Code | Self::Pending => number::put_u32(w, refusal.0),
            Self::Stream => {
                number::put_u64(w, u64::MAX);
                number::put_u32(w, refusal.0);
            }
            Self::ChunkExists => {
                number::put_u32(w, refusal.0);
                w.u8(0);
            }
            Self::ChunkClosed => return ClosedChunkHead::encode(Err(refusal)),
        }
        writer.into_bytes()
    }
}

impl ConsumerReply {
    /// The bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        let w = &mut writer;
        match self {
            Self::Done => number::put_u32(w, reply::OK),
            Self::StreamAdded { handle } => {
                number::put_u64(w, handle.0);
                number::put_u32(w, reply::OK);
            }
            Self::Pending(pending) => number::put_u32(w, (*pending).into()),
            Self::ChunkExists(exists) => {
                number::put_u32(w, reply::OK);
                w.u8((*exists).into());
            }
            Self::ChunkClosed { path } => return ClosedChunkHead::encode(Ok(path)),
        }
        writer.into_bytes()
    }
}
