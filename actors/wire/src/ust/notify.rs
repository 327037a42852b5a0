//! The notify socket: the application sends a request, the daemon an [`Answer`].
//!
//! A request is read in three steps, each of which says how many bytes the next one needs: its number
//! ([`Kind::from_raw`]), its fixed part ([`Head::decode`]), its variable part
//! ([`Head::decode_variable`]).

mod answer;
mod encode;
mod field;
mod request;
#[cfg(test)]
mod tests;

use lttngd_model::SYMBOL_NAME_LEN;

pub use answer::{Answer, EINVAL, EOVERFLOW, HeaderType};
pub use field::{FIELD_DEPTH_MAX, FIELD_RECORD_LEN, FieldError, to_nestable};
pub use request::{ENUMERATION_ENTRY_LEN, Request, RequestError};

use crate::{
    DecodeError, Reader,
    ust::{self, Abi},
};

/// Size in bytes of the number that begins a request.
pub const KIND_LEN: usize = 4;
/// Largest count of field records in a request.
pub const FIELD_COUNT_MAX: usize = 4096;
/// Largest count of entries of an enumeration.
pub const ENUMERATION_ENTRY_COUNT_MAX: usize = 65536;
/// Largest signature of an event in bytes, its NUL included.
pub const SIGNATURE_MAX_LEN: usize = 65536;
/// Largest model EMF URI of an event in bytes, its NUL included.
pub const MODEL_EMF_URI_MAX_LEN: usize = 65536;

/// What an application asks (`enum lttng_ust_ctl_notify_cmd`).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[repr(u32)]
pub enum Kind {
    /// An id for an event of a channel.
    Event = 0,
    /// An id for a channel, when its session becomes active.
    Channel = 1,
    /// An id for an enumeration.
    Enumeration = 2,
}

impl Kind {
    /// The kind of a wire value, `None` when no kind has it: the socket has to be closed.
    #[must_use]
    pub fn from_raw(raw: u32) -> Option<Self> {
        Some(match raw {
            0 => Self::Event,
            1 => Self::Channel,
            2 => Self::Enumeration,
            _ => return None,
        })
    }

    /// Size in bytes of the fixed part that follows the number, in an ABI.
    #[must_use]
    pub fn fixed_len(self, abi: Abi) -> usize {
        match (self, abi) {
            (Self::Event | Self::Enumeration, Abi::V11) => 320,
            (Self::Channel, Abi::V11) => 32,
            (Self::Event, _) => 312,
            (Self::Channel, _) => 44,
            (Self::Enumeration, _) => 296,
        }
    }

    /// How many bytes of it have a meaning: those are in all ABIs the same.
    fn used_len(self) -> usize {
        match self {
            Self::Event => 280,
            Self::Channel => 12,
            Self::Enumeration => 264,
        }
    }

    /// Unused bytes at the end of the fixed part. From ABI 10 on an event has a token there, which is 0 without maps.
    fn padding(self, abi: Abi) -> usize {
        self.fixed_len(abi) - self.used_len()
    }
}

/// The fixed part of a request.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Head {
    /// `struct ustcomm_notify_event_msg`.
    Event {
        /// The application's handle of the session.
        session_objd: u32,
        /// The application's handle of the channel.
        channel_objd: u32,
        /// `provider:event`.
        name: String,
        /// Log level.
        loglevel: i32,
        /// Size of the signature in bytes.
        signature_len: u32,
        /// Size of the field records in bytes.
        fields_len: u32,
        /// Size of the model EMF URI in bytes, 0 for none.
        model_emf_uri_len: u32,
    },
    /// `struct ustcomm_notify_channel_msg`.
    Channel {
        /// The application's handle of the session.
        session_objd: u32,
        /// The application's handle of the channel.
        channel_objd: u32,
        /// Size of the context's field records in bytes.
        ctx_fields_len: u32,
    },
    /// `struct ustcomm_notify_enum_msg`.
    Enumeration {
        /// The application's handle of the session.
        session_objd: u32,
        /// `provider_enum`.
        name: String,
        /// Size of the entries in bytes.
        entries_len: u32,
    },
}

impl Head {
    /// Reads the [`Kind::fixed_len`] bytes that follow the number.
    ///
    /// # Errors
    /// Wrong size: the socket has to be closed.
    pub fn decode(kind: Kind, bytes: &[u8], abi: Abi) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let session_objd = reader.u32("session_objd")?;
        let head = match kind {
            Kind::Event => Self::Event {
                session_objd,
                channel_objd: reader.u32("channel_objd")?,
                name: ust::name(&mut reader, SYMBOL_NAME_LEN, "event name")?,
                loglevel: reader.i32("loglevel")?,
                signature_len: reader.u32("signature_len")?,
                fields_len: reader.u32("fields_len")?,
                model_emf_uri_len: reader.u32("model_emf_uri_len")?,
            },
            Kind::Channel => Self::Channel {
                session_objd,
                channel_objd: reader.u32("channel_objd")?,
                ctx_fields_len: reader.u32("ctx_fields_len")?,
            },
            Kind::Enumeration => Self::Enumeration {
                session_objd,
                name: ust::name(&mut reader, SYMBOL_NAME_LEN, "enumeration name")?,
                entries_len: reader.u32("entries_len")?,
            },
        };
        reader.bytes(kind.padding(abi), "notify padding")?;
        reader.finish("notify request")?;
        Ok(head)
    }

    /// What it asks.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::Event { .. } => Kind::Event,
            Self::Channel { .. } => Kind::Channel,
            Self::Enumeration { .. } => Kind::Enumeration,
        }
    }

    /// Size in bytes of the variable part.
    ///
    /// # Errors
    /// A size over its limit, or that is no multiple of what it holds, or a signature without its
    /// NUL: the socket has to be closed.
    pub fn variable_len(&self) -> Result<usize, DecodeError> {
        match self {
            Self::Event { signature_len, fields_len, model_emf_uri_len, .. } => {
                if *signature_len == 0 {
                    return Err(DecodeError::BadValue { what: "signature_len", value: 0 });
                }
                let signature = text_len(*signature_len, SIGNATURE_MAX_LEN, "signature_len")?;
                let fields = fields_len_checked(*fields_len, "fields_len")?;
                let uri = text_len(*model_emf_uri_len, MODEL_EMF_URI_MAX_LEN, "model_emf_uri_len")?;
                Ok(signature + fields + uri)
            }
            Self::Channel { ctx_fields_len, .. } => {
                fields_len_checked(*ctx_fields_len, "ctx_fields_len")
            }
            Self::Enumeration { entries_len, .. } => {
                let limit = ENUMERATION_ENTRY_COUNT_MAX;
                records_len(*entries_len, ENUMERATION_ENTRY_LEN, limit, "entries_len")
            }
        }
    }
}

fn text_len(len: u32, limit: usize, what: &'static str) -> Result<usize, DecodeError> {
    let value = len as usize;
    if value > limit {
        return Err(DecodeError::TooLarge { what, value: len.into(), limit: limit as u64 });
    }
    Ok(value)
}

fn fields_len_checked(len: u32, what: &'static str) -> Result<usize, DecodeError> {
    records_len(len, FIELD_RECORD_LEN, FIELD_COUNT_MAX, what)
}

fn records_len(
    len: u32,
    record: usize,
    max: usize,
    what: &'static str,
) -> Result<usize, DecodeError> {
    let value = text_len(len, record * max, what)?;
    if value % record != 0 {
        return Err(DecodeError::BadValue { what, value: len.into() });
    }
    Ok(value)
}
