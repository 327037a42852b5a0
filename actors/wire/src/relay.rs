//! The protocols of relay daemons (`src/common/sessiond-comm/relayd.h` of lttng-tools 2.13 to 2.16). On the
//! control connection the session daemon sends a [`Command`] or some: version, configuration and
//! session. The consumer daemon, which gets the connection then, sends [`ConsumerCommand`]s, and the
//! packets of streams on the data connection, each behind a [`DataHeader`].
//!
//! All numbers are big-endian. A command is a [`Header`] and a payload; a reply has no header. Both
//! sides use the lower of their two minor versions, and the layouts depend on it.

mod chunk;
mod command;
mod consumer;
mod outcome;
mod packet;
mod reply;
mod session;
mod stream;
#[cfg(test)]
mod tests;
mod text;

pub use chunk::{CloseTraceChunk, ClosedChunkHead, CreateTraceChunk};
pub use command::{Command, HEADER_LEN, Header};
pub use consumer::ConsumerCommand;
pub use outcome::{ConsumerReply, ReplyKind};
pub use packet::{DATA_HEADER_LEN, DataHeader};
pub use reply::{
    CONFIGURATION_LEN, Configuration, RelayRefusal, ReplyError, SESSION_HEAD_LEN_MAX, SessionHead,
};
pub use session::{BASE_PATH_MAX, CreateSession, HOST_NAME_MAX};
pub use stream::{
    AddStream, RotateStreams, RotationPosition, STREAM_NAME_MAX, STREAM_PATH_MAX, SendIndex,
};

use crate::{DecodeError, Reader, Writer, number};

/// The version that this side speaks.
pub const OWN_VERSION: Version = Version { major: 2, minor: 15 };
/// Size in bytes of a [`Version`].
pub const VERSION_LEN: usize = 8;

/// A version of the protocol (`struct lttcomm_relayd_version`): request and reply of VERSION.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Version {
    /// Different ones do not understand each other.
    pub major: u32,
    /// The lower one of both sides is used.
    pub minor: u32,
}

impl Version {
    /// The version that both sides use, `None` when they do not understand each other.
    #[must_use]
    pub fn common(self, other: Self) -> Option<Self> {
        (self.major == other.major)
            .then_some(Self { major: self.major, minor: self.minor.min(other.minor) })
    }

    /// Whether metadata can be written anew.
    #[must_use]
    pub fn can_reset_metadata(self) -> bool {
        self.minor >= 8
    }

    /// Whether sessions have names of any length, and trace chunks.
    #[must_use]
    pub fn has_trace_chunks(self) -> bool {
        self.minor >= 11
    }

    /// Whether the relay tells its configuration and can clear a session.
    #[must_use]
    pub fn has_clear(self) -> bool {
        self.minor >= 12
    }

    /// The bytes.
    #[must_use]
    pub fn encode(self) -> Vec<u8> {
        let mut writer = Writer::with_capacity(VERSION_LEN);
        number::put_u32(&mut writer, self.major);
        number::put_u32(&mut writer, self.minor);
        writer.into_bytes()
    }

    /// Reads the bytes.
    ///
    /// # Errors
    /// Wrong size.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let major = number::u32(&mut reader, "relay major version")?;
        let minor = number::u32(&mut reader, "relay minor version")?;
        reader.finish("relay version")?;
        Ok(Self { major, minor })
    }
}
