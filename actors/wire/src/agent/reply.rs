//! Replies.

use std::ffi::CStr;

use lttngd_model::{NameList, SYMBOL_NAME_LEN};
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

/// Names of loggers, each with its NUL, as they come. One that no listing has room for, since it is too long
/// ([`SYMBOL_NAME_LEN`]), is left out.
#[derive(Debug, Default)]
pub struct Loggers {
    /// How many are to come.
    left: u32,
    names: NameList<()>,
    /// What has come of the next one, as far as it may be one.
    begun: Vec<u8>,
    /// Whether something has come of it.
    is_begun: bool,
}

impl Loggers {
    /// So many are to come.
    #[must_use]
    pub fn new(count: u32) -> Self {
        Self { left: count, ..Self::default() }
    }

    /// Those that have come.
    #[must_use]
    pub fn names(&self) -> &NameList<()> {
        &self.names
    }

    /// Takes the next bytes: how many names end in them.
    ///
    /// # Errors
    /// Bytes behind the last name.
    pub fn take(&mut self, bytes: &[u8]) -> Result<usize, DecodeError> {
        let mut rest = bytes;
        let mut ended = 0;
        while !rest.is_empty() {
            if self.left == 0 {
                return Err(DecodeError::Trailing { what: "agent list", left: rest.len() });
            }
            let Ok(name) = CStr::from_bytes_until_nul(rest) else {
                self.begin(rest);
                break;
            };
            let name = name.to_bytes();
            rest = rest.get(name.len() + 1..).unwrap_or_default();
            if self.is_begun {
                self.begin(name);
                let whole = std::mem::take(&mut self.begun);
                self.push(&whole);
                self.is_begun = false;
            } else {
                self.push(name);
            }
            self.left -= 1;
            ended += 1;
        }
        Ok(ended)
    }

    /// More of a name that does not end yet. Of one that is too long no more is kept than shows that.
    fn begin(&mut self, part: &[u8]) {
        let kept = part.len().min(SYMBOL_NAME_LEN - self.begun.len().min(SYMBOL_NAME_LEN));
        self.begun.extend_from_slice(part.get(..kept).unwrap_or_default());
        self.is_begun = true;
    }

    fn push(&mut self, name: &[u8]) {
        // What stands in for bytes that are no text makes it no shorter.
        if name.len() < SYMBOL_NAME_LEN {
            let name = String::from_utf8_lossy(name);
            if name.len() < SYMBOL_NAME_LEN {
                self.names.push(&name, ());
            }
        }
    }

    /// All have come.
    ///
    /// # Errors
    /// A name without NUL, fewer names than were to come.
    pub fn finish(self) -> Result<NameList<()>, DecodeError> {
        match (self.left, self.is_begun) {
            (0, false) => Ok(self.names),
            _ => Err(DecodeError::BadString { what: "logger name" }),
        }
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
