//! Replies.

use lttngd_model::{PATH_MAX, RelaySessionId};
use thiserror::Error;

use super::number;
use crate::{DecodeError, Reader, Writer};

/// `LTTNG_OK`.
pub(super) const OK: u32 = 10;
/// Size in bytes of a [`Configuration`].
pub const CONFIGURATION_LEN: usize = 12;
/// Size in bytes of the longest [`SessionHead`].
pub const SESSION_HEAD_LEN_MAX: usize = 16;
/// The one flag of the configuration (`LTTCOMM_RELAYD_CONFIGURATION_FLAG_CLEAR_ALLOWED`).
const CLEAR_ALLOWED: u64 = 1;

/// The relay daemon refused a command. The number is an `enum lttng_error_code`.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[error("the relay daemon answered {0}")]
pub struct RelayRefusal(pub u32);

/// Why a reply is not a success.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum ReplyError {
    /// The reply is not one.
    #[error(transparent)]
    Malformed(#[from] DecodeError),
    /// The relay daemon refused.
    #[error(transparent)]
    Refused(#[from] RelayRefusal),
}

pub(super) fn check(code: u32) -> Result<(), RelayRefusal> {
    if code == OK { Ok(()) } else { Err(RelayRefusal(code)) }
}

/// The reply to GET_CONFIGURATION (`struct lttcomm_relayd_get_configuration_reply`).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Configuration {
    /// Whether sessions may be cleared.
    pub clear_allowed: bool,
}

impl Configuration {
    /// Reads the reply. Flags without a meaning are ignored.
    ///
    /// # Errors
    /// [`ReplyError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, ReplyError> {
        let mut reader = Reader::new(bytes);
        let code = number::u32(&mut reader, "configuration code")?;
        let flags = number::u64(&mut reader, "configuration flags")?;
        reader.finish("configuration")?;
        check(code)?;
        Ok(Self { clear_allowed: flags & CLEAR_ALLOWED != 0 })
    }

    /// The bytes.
    #[must_use]
    pub fn encode(self) -> Vec<u8> {
        let mut writer = Writer::with_capacity(CONFIGURATION_LEN);
        number::put_u32(&mut writer, OK);
        number::put_u64(&mut writer, if self.clear_allowed { CLEAR_ALLOWED } else { 0 });
        writer.into_bytes()
    }
}

/// The reply to CREATE_SESSION before its path (`struct lttcomm_relayd_create_session_reply_2_11`,
/// and `struct lttcomm_relayd_status_session` before that, which no path follows).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SessionHead {
    /// The session in the relay daemon.
    pub session_id: RelaySessionId,
    /// Size in bytes of the path that follows, its NUL included; at most [`PATH_MAX`].
    pub path_len: usize,
}

impl SessionHead {
    /// Size in bytes in a minor version.
    #[must_use]
    pub fn len(minor: u32) -> usize {
        if minor < 11 { 12 } else { SESSION_HEAD_LEN_MAX }
    }

    /// Reads the head.
    ///
    /// # Errors
    /// [`ReplyError`]; a path over the limit is malformed.
    pub fn decode(bytes: &[u8], minor: u32) -> Result<Self, ReplyError> {
        let mut reader = Reader::new(bytes);
        let session_id = RelaySessionId(number::u64(&mut reader, "relay session_id")?);
        let code = number::u32(&mut reader, "relay session code")?;
        let path_len = match minor {
            0..11 => 0,
            11.. => number::u32(&mut reader, "output_path_length")? as usize,
        };
        reader.finish("relay session")?;
        check(code)?;
        if path_len > PATH_MAX {
            let (value, limit) = (path_len as u64, PATH_MAX as u64);
            let what = "output_path_length";
            return Err(DecodeError::TooLarge { what, value, limit }.into());
        }
        Ok(Self { session_id, path_len })
    }

    /// Reads the path that follows, relative to the relay's output directory; empty when there is
    /// none.
    ///
    /// # Errors
    /// Another size than announced, or text that is none.
    pub fn decode_path(self, bytes: &[u8]) -> Result<String, DecodeError> {
        if self.path_len == 0 && bytes.is_empty() {
            return Ok(String::new());
        }
        let mut reader = Reader::new(bytes);
        let path = reader.string(self.path_len, "output_path")?;
        reader.finish("output_path")?;
        Ok(path)
    }

    /// The whole reply.
    #[must_use]
    pub fn encode(session_id: RelaySessionId, path: &str, minor: u32) -> Vec<u8> {
        let mut writer = Writer::default();
        number::put_u64(&mut writer, session_id.0);
        number::put_u32(&mut writer, OK);
        if minor >= 11 {
            number::put_u32(&mut writer, u32::try_from(path.len() + 1).unwrap_or(u32::MAX));
            writer.string(path);
        }
        writer.into_bytes()
    }

    /// The whole reply of a relay daemon that refuses.
    #[must_use]
    pub fn encode_refusal(refusal: RelayRefusal, minor: u32) -> Vec<u8> {
        let mut writer = Writer::default();
        number::put_u64(&mut writer, 0);
        number::put_u32(&mut writer, refusal.0);
        if minor >= 11 {
            number::put_u32(&mut writer, 0);
        }
        writer.into_bytes()
    }
}
