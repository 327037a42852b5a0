//! Replies.

use thiserror::Error;

use crate::{DecodeError, Reader, Writer, number};

/// Size in bytes of the code that every reply begins with (`struct lttcomm_agent_generic_reply`).
pub const REPLY_LEN: usize = 4;
/// Size in bytes of a [`ListHead`].
pub const LIST_HEAD_LEN: usize = 8;
/// Most bytes of the names in a listing.
pub const LOGGERS_MAX_LEN: u32 = 16 << 20;
/// Most names in a listing. A name takes more memory than its bytes, which may be none.
pub const LOGGERS_MAX: u32 = 1 << 18;

const SUCCESS: u32 = 1;
const INVALID: u32 = 2;
const UNKNOWN_NAME: u32 = 3;

/// Why an agent did not do what it was told (`enum lttcomm_agent_ret_code`).
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum Refusal {
    /// It does not know the command, or could not do it.
    #[error("the agent does not take the command")]
    Invalid,
    /// There is no logger of this name.
    #[error("the agent does not know the logger")]
    UnknownName,
    /// A code that has no meaning.
    #[error("the agent answered {0}, which has no meaning")]
    Unknown(u32),
}

/// The code that every reply begins with.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Reply(pub Result<(), Refusal>);

impl Reply {
    /// Reads the code.
    #[must_use]
    pub fn decode(bytes: [u8; REPLY_LEN]) -> Self {
        Self(match u32::from_be_bytes(bytes) {
            SUCCESS => Ok(()),
            INVALID => Err(Refusal::Invalid),
            UNKNOWN_NAME => Err(Refusal::UnknownName),
            other => Err(Refusal::Unknown(other)),
        })
    }

    /// Its bytes.
    #[must_use]
    pub fn encode(self) -> [u8; REPLY_LEN] {
        let code = match self.0 {
            Ok(()) => SUCCESS,
            Err(Refusal::Invalid) => INVALID,
            Err(Refusal::UnknownName) => UNKNOWN_NAME,
            Err(Refusal::Unknown(code)) => code,
        };
        code.to_be_bytes()
    }
}

/// What follows the code in a successful reply to LIST.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ListHead {
    /// Size in bytes of the names that follow.
    pub data_size: u32,
    /// Count of names.
    pub count: u32,
}

impl ListHead {
    /// Reads a head.
    ///
    /// # Errors
    /// Wrong size, more bytes than [`LOGGERS_MAX_LEN`], more names than [`LOGGERS_MAX`] or than bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let data_size = number::u32(&mut reader, "data_size")?;
        let count = number::u32(&mut reader, "nb_event")?;
        reader.finish("agent list head")?;
        for (what, value, limit) in [
            ("data_size", data_size, LOGGERS_MAX_LEN),
            ("nb_event", count, data_size.min(LOGGERS_MAX)),
        ] {
            if value > limit {
                let (value, limit) = (value.into(), limit.into());
                return Err(DecodeError::TooLarge { what, value, limit });
            }
        }
        Ok(Self { data_size, count })
    }
}

/// Reads `count` names of loggers, each with its NUL.
///
/// # Errors
/// A name without NUL, bytes behind the last one.
pub fn decode_loggers(count: u32, bytes: &[u8]) -> Result<Vec<String>, DecodeError> {
    let mut rest = bytes;
    let mut names = Vec::new();
    for _ in 0..count {
        let Some(len) = rest.iter().position(|byte| *byte == 0) else {
            return Err(DecodeError::BadString { what: "logger name" });
        };
        names.push(String::from_utf8_lossy(&rest[..len]).into_owned());
        rest = &rest[len + 1..];
    }
    match rest.len() {
        0 => Ok(names),
        left => Err(DecodeError::Trailing { what: "agent list", left }),
    }
}

/// A whole successful reply to LIST.
#[must_use]
pub fn encode_loggers(names: &[String]) -> Vec<u8> {
    let mut data = Writer::default();
    for name in names {
        data.string(name);
    }
    let mut writer = Writer::default();
    writer.bytes(&Reply(Ok(())).encode());
    number::put_u32(&mut writer, u32::try_from(data.len()).unwrap_or(u32::MAX));
    number::put_u32(&mut writer, u32::try_from(names.len()).unwrap_or(u32::MAX));
    writer.bytes(&data.into_bytes());
    writer.into_bytes()
}
