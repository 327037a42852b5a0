//! Whole requests.

use lttngd_model::{EnumerationEntry, EnumerationValue, Field, SYMBOL_NAME_LEN};
use thiserror::Error;

use super::{FieldError, Head, Kind, field};
use crate::{
    DecodeError, Reader,
    ust::{self, Abi},
};

/// Size in bytes of an entry of an enumeration (`struct lttng_ust_ctl_enum_entry`).
pub const ENUMERATION_ENTRY_LEN: usize = 336;
/// Unused bytes after each bound of an entry.
pub(super) const BOUND_PADDING: usize = 15;
/// Unused bytes at the end of an entry.
pub(super) const ENTRY_PADDING: usize = 28;
/// The option bit of an entry without a value of its own.
pub(super) const ENTRY_AUTO: u32 = 1;

/// The enumeration of the types that an application context may have.
const DYNAMIC_TYPES: &str = "dynamic_type_enum";
/// Its labels from ABI 10 on.
const DYNAMIC_TYPE_LABELS: [&str; 12] = [
    "none", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float",
    "double", "string",
];

/// A request of an application.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Request {
    /// Asks for an id for an event.
    Event {
        /// The application's handle of the session.
        session_objd: u32,
        /// The application's handle of the channel.
        channel_objd: u32,
        /// `provider:event`.
        name: String,
        /// Log level.
        loglevel: i32,
        /// Types and names of the tracepoint's arguments as text.
        signature: String,
        /// Payload.
        fields: Vec<Field>,
        /// Address of the event's model.
        model_emf_uri: Option<String>,
    },
    /// Asks for the id of a channel.
    Channel {
        /// The application's handle of the session.
        session_objd: u32,
        /// The application's handle of the channel.
        channel_objd: u32,
        /// Context fields, before [`super::to_nestable`].
        context: Vec<Field>,
    },
    /// Asks for an id for an enumeration.
    Enumeration {
        /// The application's handle of the session.
        session_objd: u32,
        /// `provider_enum`.
        name: String,
        /// Entries.
        entries: Vec<EnumerationEntry>,
    },
}

/// Why a request cannot be read.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum RequestError {
    /// This request fails: answer [`super::Answer::refusal`] with [`FieldError::errno`].
    #[error(transparent)]
    Refused(#[from] FieldError),
    /// The stream is lost: close the socket.
    #[error(transparent)]
    Broken(#[from] DecodeError),
}

impl Request {
    /// What it asks.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::Event { .. } => Kind::Event,
            Self::Channel { .. } => Kind::Channel,
            Self::Enumeration { .. } => Kind::Enumeration,
        }
    }
}

impl Head {
    /// Reads the variable part, [`Head::variable_len`] bytes of an application of an ABI, and so ends the request.
    /// The labels of the types of application contexts are those of ABI 9 in all, so that applications of several ABIs
    /// can share a channel.
    ///
    /// # Errors
    /// [`RequestError`], which tells faults of this request from those of the stream.
    pub fn decode_variable(self, bytes: &[u8], abi: Abi) -> Result<Request, RequestError> {
        let len = self.variable_len()?;
        let mut rest = Reader::new(bytes);
        let mut reader = Reader::new(rest.bytes(len, "notify variable part")?);
        rest.finish("notify variable part")?;
        Ok(match self {
            Self::Event {
                session_objd,
                channel_objd,
                name,
                loglevel,
                signature_len,
                fields_len,
                model_emf_uri_len,
            } => {
                let signature = ust::name(&mut reader, signature_len as usize, "signature")?;
                let records = reader.bytes(fields_len as usize, "fields")?;
                let model_emf_uri = match model_emf_uri_len {
                    0 => None,
                    len => Some(ust::name(&mut reader, len as usize, "model_emf_uri")?),
                };
                let fields = field::decode(records)?;
                Request::Event {
                    session_objd,
                    channel_objd,
                    name,
                    loglevel,
                    signature,
                    fields,
                    model_emf_uri,
                }
            }
            Self::Channel { session_objd, channel_objd, ctx_fields_len } => {
                let records = reader.bytes(ctx_fields_len as usize, "context fields")?;
                Request::Channel { session_objd, channel_objd, context: field::decode(records)? }
            }
            Self::Enumeration { session_objd, name, entries_len } => {
                let count = entries_len as usize / ENUMERATION_ENTRY_LEN;
                let mut entries = Vec::with_capacity(count);
                for _ in 0..count {
                    entries.push(entry(&mut reader)?);
                }
                if abi >= Abi::V10 && name == DYNAMIC_TYPES {
                    entries.iter_mut().for_each(level);
                }
                Request::Enumeration { session_objd, name, entries }
            }
        })
    }
}

/// Puts before a label what ABI 9 has there: what stands before all choices in the text of metadata.
fn level(EnumerationEntry { label, .. }: &mut EnumerationEntry) {
    // One that the provider of another enumeration of this name wrote so is left as it is.
    if DYNAMIC_TYPE_LABELS.contains(&label.as_str()) {
        label.insert(0, '_');
    }
}

fn entry(reader: &mut Reader<'_>) -> Result<EnumerationEntry, DecodeError> {
    let start = bound(reader)?;
    let end = bound(reader)?;
    let label = ust::name(reader, SYMBOL_NAME_LEN, "entry label")?;
    let auto = reader.u32("entry options")? & ENTRY_AUTO != 0;
    reader.bytes(ENTRY_PADDING, "entry padding")?;
    Ok(EnumerationEntry { start, end, label, auto })
}

fn bound(reader: &mut Reader<'_>) -> Result<EnumerationValue, DecodeError> {
    let value = reader.u64("entry value")?;
    let signed = reader.u8("entry signedness")? != 0;
    reader.bytes(BOUND_PADDING, "entry padding")?;
    Ok(EnumerationValue { value, signed })
}
