//! Commands and their header.

use super::{CreateSession, Version, number};
use crate::{DecodeError, Reader, Writer};

/// Size in bytes of a [`Header`].
pub const HEADER_LEN: usize = 24;
/// Largest payload that a relay daemon takes.
const PAYLOAD_MAX: u64 = 128 << 20;

/// What goes before every payload (`struct lttcomm_relayd_hdr`).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Header {
    /// Size of the payload in bytes.
    pub data_size: u64,
    /// Number of the command (`enum lttcomm_relayd_command`).
    pub command: u32,
}

impl Header {
    pub(super) fn encode(self, writer: &mut Writer) {
        // The circuit and the version of the command are not used.
        number::put_u64(writer, 0);
        number::put_u64(writer, self.data_size);
        number::put_u32(writer, self.command);
        number::put_u32(writer, 0);
    }

    /// Reads a header.
    ///
    /// # Errors
    /// Wrong size, or a payload over the limit of relay daemons, 128 MiB.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        number::u64(&mut reader, "circuit_id")?;
        let data_size = number::u64(&mut reader, "data_size")?;
        let command = number::u32(&mut reader, "cmd")?;
        number::u32(&mut reader, "cmd_version")?;
        reader.finish("relay header")?;
        if data_size > PAYLOAD_MAX {
            let what = "data_size";
            return Err(DecodeError::TooLarge { what, value: data_size, limit: PAYLOAD_MAX });
        }
        Ok(Self { data_size, command })
    }
}

/// A command that a session daemon sends.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Command {
    /// VERSION, the first one. Answered by a [`Version`].
    Version(Version),
    /// GET_CONFIGURATION, from 2.12 on. Answered by a [`super::Configuration`].
    GetConfiguration,
    /// CREATE_SESSION. Answered by a [`super::SessionHead`] and a path.
    CreateSession(Box<CreateSession>),
}

const CREATE_SESSION: u32 = 2;
const VERSION: u32 = 5;
const GET_CONFIGURATION: u32 = 22;

impl Command {
    /// Its number.
    #[must_use]
    pub fn number(&self) -> u32 {
        match self {
            Self::CreateSession(_) => CREATE_SESSION,
            Self::Version(_) => VERSION,
            Self::GetConfiguration => GET_CONFIGURATION,
        }
    }

    /// Header and payload, in the layout of a minor version.
    #[must_use]
    pub fn encode(&self, minor: u32) -> Vec<u8> {
        let payload = match self {
            Self::Version(version) => version.encode(),
            // No query flag is defined.
            Self::GetConfiguration => vec![0; 8],
            Self::CreateSession(session) => session.encode(minor),
        };
        let mut writer = Writer::with_capacity(HEADER_LEN + payload.len());
        Header { data_size: payload.len() as u64, command: self.number() }.encode(&mut writer);
        writer.bytes(&payload);
        writer.into_bytes()
    }

    /// Reads the payload of a command, in the layout of a minor version. A session before 2.4, which
    /// has no payload, is `None`.
    ///
    /// # Errors
    /// Another command, wrong sizes, texts that are not, query flags.
    pub fn decode(command: u32, payload: &[u8], minor: u32) -> Result<Option<Self>, DecodeError> {
        Ok(Some(match command {
            VERSION => Self::Version(Version::decode(payload)?),
            GET_CONFIGURATION => {
                let mut reader = Reader::new(payload);
                let flags = number::u64(&mut reader, "query_flags")?;
                reader.finish("get configuration")?;
                if flags != 0 {
                    let value = flags.cast_signed();
                    return Err(DecodeError::BadValue { what: "query_flags", value });
                }
                Self::GetConfiguration
            }
            CREATE_SESSION => {
                let Some(session) = CreateSession::decode(payload, minor)? else { return Ok(None) };
                Self::CreateSession(Box::new(session))
            }
            other => return Err(DecodeError::BadValue { what: "cmd", value: other.into() }),
        }))
    }
}
