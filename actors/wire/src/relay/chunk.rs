//! Commands about trace chunks.

use lttngd_model::{ChunkId, NAME_MAX, PATH_MAX};

use super::{RelayRefusal, ReplyError, number, reply, text};
use crate::{DecodeError, Reader, Writer, consumer::CloseCommand};

/// CREATE_TRACE_CHUNK (`struct lttcomm_relayd_create_trace_chunk`).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CreateTraceChunk {
    /// The chunk, counted by the session daemon.
    pub chunk_id: ChunkId,
    /// When it began, in seconds since 1970.
    pub created_at_s: u64,
    /// Name of its directory where that is not made of its times: of a snapshot.
    pub name: Option<String>,
}

impl CreateTraceChunk {
    pub(super) fn encode(&self, writer: &mut Writer) {
        number::put_u64(writer, self.chunk_id.0);
        number::put_u64(writer, self.created_at_s);
        match &self.name {
            Some(name) => {
                let name = text::cut(name, NAME_MAX);
                text::put_len(writer, name);
                writer.string(name);
            }
            None => number::put_u32(writer, 0),
        }
    }

    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let chunk_id = ChunkId(number::u64(reader, "chunk_id")?);
        let created_at_s = number::u64(reader, "creation_timestamp")?;
        let name = match text::read_len(reader, "override_name_length", NAME_MAX)? {
            0 => None,
            len => Some(reader.string(len, "override_name")?),
        };
        Ok(Self { chunk_id, created_at_s, name })
    }
}

/// CLOSE_TRACE_CHUNK (`struct lttcomm_relayd_close_trace_chunk`).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct CloseTraceChunk {
    /// The chunk.
    pub chunk_id: ChunkId,
    /// When it ended, in seconds since 1970.
    pub closed_at_s: u64,
    /// What becomes of it, when anything.
    pub command: Option<CloseCommand>,
}

impl CloseTraceChunk {
    pub(super) fn encode(&self, writer: &mut Writer) {
        number::put_u64(writer, self.chunk_id.0);
        number::put_u64(writer, self.closed_at_s);
        writer.u8(self.command.is_some().into());
        number::put_u32(writer, self.command.map_or(0, |command| command as u32));
    }

    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let chunk_id = ChunkId(number::u64(reader, "chunk_id")?);
        let closed_at_s = number::u64(reader, "close_timestamp")?;
        let is_set = text::flag(reader, "close_command set")?;
        let value = number::u32(reader, "close_command")?;
        let command = if is_set { Some(CloseCommand::from_raw(value)?) } else { None };
        Ok(Self { chunk_id, closed_at_s, command })
    }
}

/// The reply to CLOSE_TRACE_CHUNK before its path
/// (`struct lttcomm_relayd_close_trace_chunk_reply`).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ClosedChunkHead {
    code: u32,
    /// Size in bytes of the path that follows, its NUL included; at most [`PATH_MAX`].
    pub path_len: usize,
}

impl ClosedChunkHead {
    /// Size in bytes.
    pub const LEN: usize = 8;

    /// Reads the head. The path follows a refusal too.
    ///
    /// # Errors
    /// A wrong size, or a path over the limit.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let code = number::u32(&mut reader, "close trace chunk code")?;
        let path_len = text::read_len(&mut reader, "path_length", PATH_MAX)?;
        reader.finish("close trace chunk reply")?;
        Ok(Self { code, path_len })
    }

    /// Reads the path that follows, relative to the relay's output directory.
    ///
    /// # Errors
    /// [`ReplyError`].
    pub fn decode_path(self, bytes: &[u8]) -> Result<String, ReplyError> {
        reply::check(self.code)?;
        if self.path_len == 0 && bytes.is_empty() {
            return Ok(String::new());
        }
        let mut reader = Reader::new(bytes);
        let path = reader.string(self.path_len, "path")?;
        reader.finish("path")?;
        Ok(path)
    }

    /// The whole reply.
    #[must_use]
    pub fn encode(outcome: Result<&str, RelayRefusal>) -> Vec<u8> {
        let mut writer = Writer::default();
        match outcome {
            Ok(path) => {
                number::put_u32(&mut writer, reply::OK);
                text::put_len(&mut writer, path);
                writer.string(path);
            }
            Err(RelayRefusal(code)) => {
                number::put_u32(&mut writer, code);
                number::put_u32(&mut writer, 0);
            }
        }
        writer.into_bytes()
    }
}
