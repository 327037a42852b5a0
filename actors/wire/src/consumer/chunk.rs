//! Trace chunks: the command a chunk closes with, and the replies about chunks.

use lttngd_model::PATH_MAX;

use super::{ConsumerError, ReplyError, status};
use crate::{DecodeError, Reader, Writer};

/// What becomes of a trace chunk that closes (`enum lttng_trace_chunk_command_type`).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u32)]
pub enum CloseCommand {
    /// It moves to the completed ones.
    MoveToCompleted = 0,
    /// Nothing.
    NoOperation = 1,
    /// Its files are deleted.
    Delete = 2,
}

impl CloseCommand {
    pub(crate) fn from_raw(raw: u32) -> Result<Self, DecodeError> {
        match raw {
            0 => Ok(Self::MoveToCompleted),
            1 => Ok(Self::NoOperation),
            2 => Ok(Self::Delete),
            raw => Err(DecodeError::BadValue { what: "close_command", value: raw.into() }),
        }
    }
}

/// The reply to CLOSE_TRACE_CHUNK before its path (`struct
/// lttcomm_consumer_close_trace_chunk_reply`). The path is what a relay daemon calls the closed
/// chunk; ignore the one of a local chunk.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ChunkReplyHead {
    /// 0 or a [`ConsumerError`] code.
    pub ret_code: i32,
    /// Size in bytes of the path that follows, its NUL included; at most
    /// [`PATH_MAX`](lttngd_model::PATH_MAX).
    pub path_length: u32,
}

impl ChunkReplyHead {
    /// Size in bytes.
    pub const LEN: usize = 8;

    /// Reads the head.
    ///
    /// # Errors
    /// Wrong size, or a path over the limit.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let ret_code = reader.i32("ret_code")?;
        let path_length = reader.u32("path_length")?;
        reader.finish("close trace chunk reply")?;
        if path_length as usize > PATH_MAX {
            return Err(DecodeError::TooLarge {
                what: "path_length",
                value: path_length.into(),
                limit: PATH_MAX as u64,
            });
        }
        Ok(Self { ret_code, path_length })
    }

    /// Reads the path that follows: text up to its first NUL, for the rest may be garbage.
    ///
    /// # Errors
    /// Fewer bytes than the head announces, or not UTF-8.
    pub fn decode_path(&self, bytes: &[u8]) -> Result<String, DecodeError> {
        let mut reader = Reader::new(bytes);
        let path = reader.padded_string(self.path_length as usize, "closed trace chunk path")?;
        reader.finish("closed trace chunk path")?;
        Ok(path)
    }

    /// The whole reply: head and path, the latter cut to the limit.
    #[must_use]
    pub fn encode(ret_code: i32, path: &str) -> Vec<u8> {
        let path_size = (path.len() + 1).min(PATH_MAX);
        let mut writer = Writer::with_capacity(Self::LEN + path_size);
        writer.i32(ret_code).u32(u32::try_from(path_size).unwrap_or(u32::MAX));
        writer.padded_string(path, path_size);
        writer.into_bytes()
    }
}

/// The reply to TRACE_CHUNK_EXISTS.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum TraceChunkPresence {
    /// A stream of the consumer still writes to it.
    Local,
    /// The relay daemon still has it open.
    Remote,
    /// Nobody does: it is complete.
    Unknown,
}

impl TraceChunkPresence {
    /// Reads the reply, a status.
    ///
    /// # Errors
    /// [`ReplyError`] for wrong sizes and for statuses that are not one of the three answers.
    pub fn decode(bytes: &[u8]) -> Result<Self, ReplyError> {
        match ConsumerError(status::decode_status(bytes)?) {
            ConsumerError::TRACE_CHUNK_EXISTS_LOCAL => Ok(Self::Local),
            ConsumerError::TRACE_CHUNK_EXISTS_REMOTE => Ok(Self::Remote),
            ConsumerError::UNKNOWN_TRACE_CHUNK => Ok(Self::Unknown),
            error => Err(error.into()),
        }
    }

    /// The status that says this.
    #[must_use]
    pub fn status(self) -> ConsumerError {
        match self {
            Self::Local => ConsumerError::TRACE_CHUNK_EXISTS_LOCAL,
            Self::Remote => ConsumerError::TRACE_CHUNK_EXISTS_REMOTE,
            Self::Unknown => ConsumerError::UNKNOWN_TRACE_CHUNK,
        }
    }
}
