//! Commands and their header.

use lttngd_model::{AppContext, FILTER_MAX_LEN, LogLevelRule, SYMBOL_NAME_LEN, ust::AgentRule};

use crate::{DecodeError, Reader, Writer, number};

/// Size in bytes of a [`Header`].
pub const HEADER_LEN: usize = 16;
/// Largest payload of a command in bytes: two texts as long as the longest filter.
pub const PAYLOAD_MAX_LEN: u64 = 2 * (FILTER_MAX_LEN as u64 + SYMBOL_NAME_LEN as u64);

const LIST: u32 = 1;
const ENABLE: u32 = 2;
const DISABLE: u32 = 3;
const REGISTRATION_DONE: u32 = 4;
const APP_CONTEXT_ENABLE: u32 = 5;
const APP_CONTEXT_DISABLE: u32 = 6;

/// What goes before every payload (`struct lttcomm_agent_hdr`).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Header {
    /// Size of the payload in bytes.
    pub data_size: u64,
    /// Number of the command (`enum lttcomm_agent_command`).
    pub command: u32,
}

impl Header {
    fn encode(self, writer: &mut Writer) {
        number::put_u64(writer, self.data_size);
        number::put_u32(writer, self.command);
        // The version of the command is not used.
        number::put_u32(writer, 0);
    }

    /// Reads a header.
    ///
    /// # Errors
    /// Wrong size, or a payload over [`PAYLOAD_MAX_LEN`].
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let data_size = number::u64(&mut reader, "data_size")?;
        let command = number::u32(&mut reader, "cmd")?;
        number::u32(&mut reader, "cmd_version")?;
        reader.finish("agent header")?;
        if data_size > PAYLOAD_MAX_LEN {
            let what = "data_size";
            return Err(DecodeError::TooLarge { what, value: data_size, limit: PAYLOAD_MAX_LEN });
        }
        Ok(Self { data_size, command })
    }
}

/// The rule of ENABLE (`struct lttcomm_agent_enable_event`).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct EnableEvent {
    /// Logger name or pattern.
    pub name: String,
    /// Raw log level type, see [`LogLevelRule::from_raw`].
    pub loglevel_type: u32,
    /// Log level.
    pub loglevel: i32,
    /// Text of the filter.
    pub filter: Option<String>,
}

impl From<&AgentRule> for EnableEvent {
    fn from(rule: &AgentRule) -> Self {
        Self {
            name: rule.name.clone(),
            loglevel_type: match rule.loglevel {
                LogLevelRule::All => 0,
                LogLevelRule::Range(_) => 1,
                LogLevelRule::Single(_) => 2,
            },
            loglevel: rule.loglevel_value,
            filter: rule.filter.as_ref().map(|filter| filter.expression.clone()),
        }
    }
}

/// A command that the daemon sends.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Command {
    /// Asks for the names of all loggers. Answered by a [`super::ListHead`] behind the code, and names.
    List,
    /// Lets a logger's events pass. An agent counts how often it was told so.
    EnableEvent(EnableEvent),
    /// Takes back one ENABLE of this name.
    DisableEvent {
        /// Logger name or pattern.
        name: String,
    },
    /// Every session that is there has told the agent what it wants. Not answered.
    RegistrationDone,
    /// Attaches an application context. An agent counts how often it was told so.
    EnableAppContext(AppContext),
    /// Takes back one of those.
    DisableAppContext(AppContext),
}

impl Command {
    /// Its number.
    #[must_use]
    pub fn number(&self) -> u32 {
        match self {
            Self::List => LIST,
            Self::EnableEvent(_) => ENABLE,
            Self::DisableEvent { .. } => DISABLE,
            Self::RegistrationDone => REGISTRATION_DONE,
            Self::EnableAppContext(_) => APP_CONTEXT_ENABLE,
            Self::DisableAppContext(_) => APP_CONTEXT_DISABLE,
        }
    }

    /// Header and payload.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut payload = Writer::default();
        match self {
            Self::List | Self::RegistrationDone => {}
            Self::EnableEvent(event) => {
                number::put_u32(&mut payload, event.loglevel.cast_unsigned());
                number::put_u32(&mut payload, event.loglevel_type);
                payload.padded_string(&event.name, SYMBOL_NAME_LEN);
                match &event.filter {
                    Some(filter) => put_text(&mut payload, filter),
                    None => number::put_u32(&mut payload, 0),
                }
            }
            Self::DisableEvent { name } => {
                payload.padded_string(name, SYMBOL_NAME_LEN);
            }
            Self::EnableAppContext(context) | Self::DisableAppContext(context) => {
                put_text(&mut payload, &context.provider);
                put_text(&mut payload, &context.name);
            }
        }
        let payload = payload.into_bytes();
        let mut writer = Writer::with_capacity(HEADER_LEN + payload.len());
        Header { data_size: payload.len() as u64, command: self.number() }.encode(&mut writer);
        writer.bytes(&payload);
        writer.into_bytes()
    }

    /// Reads the payload of a command.
    ///
    /// # Errors
    /// Another command, wrong sizes, texts that are not.
    pub fn decode(command: u32, payload: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(payload);
        let decoded = match command {
            LIST => Self::List,
            REGISTRATION_DONE => Self::RegistrationDone,
            ENABLE => {
                let loglevel = number::u32(&mut reader, "loglevel_value")?.cast_signed();
                let loglevel_type = number::u32(&mut reader, "loglevel_type")?;
                let name = reader.padded_string(SYMBOL_NAME_LEN, "name")?;
                let filter = match number::u32(&mut reader, "filter_expression_length")? {
                    0 => None,
                    len => Some(text_of(&mut reader, len, "filter_expression")?),
                };
                Self::EnableEvent(EnableEvent { name, loglevel_type, loglevel, filter })
            }
            DISABLE => Self::DisableEvent { name: reader.padded_string(SYMBOL_NAME_LEN, "name")? },
            APP_CONTEXT_ENABLE => Self::EnableAppContext(context(&mut reader)?),
            APP_CONTEXT_DISABLE => Self::DisableAppContext(context(&mut reader)?),
            other => return Err(DecodeError::BadValue { what: "cmd", value: other.into() }),
        };
        reader.finish("agent command")?;
        Ok(decoded)
    }
}

fn context(reader: &mut Reader<'_>) -> Result<AppContext, DecodeError> {
    let len = number::u32(reader, "provider name length")?;
    let provider = text_of(reader, len, "provider name")?;
    let len = number::u32(reader, "context name length")?;
    Ok(AppContext { provider, name: text_of(reader, len, "context name")? })
}

/// Appends the length of a text with its NUL, and the text.
fn put_text(writer: &mut Writer, text: &str) {
    number::put_u32(writer, u32::try_from(text.len() + 1).unwrap_or(u32::MAX));
    writer.string(text);
}

fn text_of(reader: &mut Reader<'_>, len: u32, what: &'static str) -> Result<String, DecodeError> {
    reader.string(usize::try_from(len).unwrap_or(usize::MAX), what)
}
