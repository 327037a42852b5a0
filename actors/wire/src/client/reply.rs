//! Replies (`struct lttcomm_lttng_msg`, packed).

use lttngd_model::ErrorCode;

use super::mirror::{limited, wire_len};
use super::request::FDS_MAX;
use super::{Dialect, Request};
use crate::{DecodeError, Reader, Writer};

/// Size of the fixed part in bytes, where it has the number that it repeats.
const LONG_HEADER_LEN: usize = 24;
/// Largest data of a reply in bytes. Room for a listing of fifteen thousand sessions.
pub const REPLY_DATA_MAX_LEN: usize = 64 << 20;
/// Largest command header of a reply in bytes; there are none but of 4 bytes.
const COMMAND_HEADER_MAX_LEN: usize = 64;
/// `pid` of replies that were put off, to DESTROY_SESSION and CLEAR_SESSION.
const DEFERRED_PID: i32 = -1;

/// The fixed part of a reply.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ReplyHeader {
    /// Raw number of the command.
    pub command: u32,
    /// [`ErrorCode::OK`] or a raw error code.
    pub code: u32,
    /// Repeated from the request.
    pub pid: i32,
    /// Size of the command header that follows, in bytes.
    pub header_len: usize,
    /// Size of the data behind it, in bytes.
    pub data_len: usize,
    /// Count of descriptors behind that.
    pub fd_count: u32,
}

impl ReplyHeader {
    /// Decodes as a client of this version the [`Dialect::reply_header_len`] bytes that it reads.
    ///
    /// # Errors
    /// When there are fewer or more, or a size or count is over its limit.
    pub fn decode(bytes: &[u8], dialect: Dialect) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let header = Self::read(&mut reader, dialect)?;
        reader.finish("reply header")?;
        Ok(header)
    }

    fn read(reader: &mut Reader<'_>, dialect: Dialect) -> Result<Self, DecodeError> {
        let (command, code) = (reader.u32("reply cmd_type")?, reader.u32("reply ret_code")?);
        let pid = match dialect.reply_header_len() {
            LONG_HEADER_LEN => reader.i32("reply pid")?,
            _ => 0,
        };
        let header_len = reader.u32("reply cmd_header_size")?;
        let data_len = reader.u32("reply data_size")?;
        let fd_count = reader.u32("reply fd_count")?;
        limited(fd_count, FDS_MAX, "reply fd_count")?;
        Ok(Self {
            command,
            code,
            pid,
            header_len: limited(header_len, COMMAND_HEADER_MAX_LEN, "reply cmd_header_size")?,
            data_len: limited(data_len, REPLY_DATA_MAX_LEN, "reply data_size")?,
            fd_count,
        })
    }
}

/// A reply. Descriptors, if any, follow it with one more byte.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Reply {
    /// The version of who is answered.
    pub dialect: Dialect,
    /// Raw number of the command that is answered.
    pub command: u32,
    /// [`ErrorCode::OK`] or a raw error code.
    pub code: u32,
    /// Repeated from the request.
    pub pid: i32,
    /// Command header: a count with listings, the rotation's state with DESTROY_SESSION, else empty.
    pub header: Vec<u8>,
    /// Data of the command. A client takes its size for the result of a command that has none.
    pub data: Vec<u8>,
    /// Count of descriptors that follow.
    pub fd_count: u32,
}

impl Reply {
    /// The reply to a command that did what it was asked.
    #[must_use]
    pub fn ok(request: &Request) -> Self {
        Self {
            dialect: request.dialect,
            command: request.command,
            code: ErrorCode::OK,
            pid: request.pid,
            header: Vec::new(),
            data: Vec::new(),
            fd_count: 0,
        }
    }

    /// The reply to a command that failed.
    #[must_use]
    pub fn error(request: &Request, error: ErrorCode) -> Self {
        Self { code: error.to_raw(), ..Self::ok(request) }
    }

    /// With data.
    #[must_use]
    pub fn with_data(self, data: Vec<u8>) -> Self {
        Self { data, ..self }
    }

    /// With the data of a listing of `count` items.
    #[must_use]
    pub fn with_list(self, count: usize, data: Vec<u8>) -> Self {
        let header = wire_len(count).to_ne_bytes().to_vec();
        Self { header, data, ..self }
    }

    /// With a command header.
    #[must_use]
    pub fn with_header(self, header: Vec<u8>) -> Self {
        Self { header, ..self }
    }

    /// Marked as put off, as the replies to DESTROY_SESSION and CLEAR_SESSION are that had to wait.
    #[must_use]
    pub fn deferred(self) -> Self {
        Self { pid: DEFERRED_PID, ..self }
    }

    /// The bytes, to be sent at once.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        [&*self.encode_head(self.pid), &self.data].concat()
    }

    /// The bytes before the data, as the reply to another request of the same command: the one with this `pid`.
    #[must_use]
    pub fn encode_head(&self, pid: i32) -> Vec<u8> {
        self.encode_head_of(pid, self.data.len())
    }

    /// The same before data of this length, which the reply does not hold itself.
    ///
    /// A reply without data, and so each that says what went wrong, is one that clients of all versions read: in what
    /// those with a shorter header read of it there is nothing either.
    #[must_use]
    pub fn encode_head_of(&self, pid: i32, data_len: usize) -> Vec<u8> {
        let is_empty = self.header.is_empty() && data_len == 0 && self.fd_count == 0;
        let is_long = is_empty || self.dialect.reply_header_len() == LONG_HEADER_LEN;
        let pid = if self.dialect.reply_header_len() == LONG_HEADER_LEN { pid } else { 0 };
        let mut writer = Writer::with_capacity(LONG_HEADER_LEN + self.header.len());
        writer.u32(self.command).u32(self.code);
        if is_long {
            writer.i32(pid);
        }
        writer.u32(wire_len(self.header.len())).u32(wire_len(data_len)).u32(self.fd_count);
        writer.bytes(&self.header);
        writer.into_bytes()
    }

    /// Decodes a whole reply to a client of this version.
    ///
    /// # Errors
    /// As [`ReplyHeader::decode`], or when command header and data are not of the announced sizes.
    pub fn decode(bytes: &[u8], dialect: Dialect) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let header = ReplyHeader::read(&mut reader, dialect)?;
        let reply = Self {
            dialect,
            command: header.command,
            code: header.code,
            pid: header.pid,
            header: reader.bytes(header.header_len, "reply command header")?.to_vec(),
            data: reader.bytes(header.data_len, "reply data")?.to_vec(),
            fd_count: header.fd_count,
        };
        if reader.left() > 0 && bytes.len() == LONG_HEADER_LEN {
            // One that all versions read.
            reader.bytes(LONG_HEADER_LEN - dialect.reply_header_len(), "reply")?;
        }
        reader.finish("reply")?;
        Ok(reply)
    }

    /// Why the command failed, `None` when it did not. A code that LTTng does not have counts as
    /// [`ErrorCode::Unk`], as in `liblttng-ctl`.
    #[must_use]
    pub fn failure(&self) -> Option<ErrorCode> {
        (self.code != ErrorCode::OK)
            .then(|| ErrorCode::from_raw(self.code).unwrap_or(ErrorCode::Unk))
    }

    /// The count of a listing's items.
    ///
    /// # Errors
    /// When the command header is not 4 bytes.
    pub fn count(&self) -> Result<u32, DecodeError> {
        let mut reader = Reader::new(&self.header);
        let count = reader.u32("list count")?;
        reader.finish("list count")?;
        Ok(count)
    }
}
