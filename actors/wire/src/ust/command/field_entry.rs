//! The entries of a list of tracepoints' fields.

use lttngd_model::{EventFieldKind, SYMBOL_NAME_LEN};

use crate::{DecodeError, Reader, Writer, ust};

/// Size in bytes of a [`FieldEntry`].
pub const FIELD_ENTRY_LEN: usize = 808;
/// Unused bytes at its end.
const PADDING: usize = 284;

/// A field of a tracepoint (`struct lttng_ust_abi_field_iter`); follows a successful reply to
/// TRACEPOINT_FIELD_LIST_GET.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct FieldEntry {
    /// The tracepoint's name.
    pub event_name: String,
    /// The field's name; empty for a tracepoint without fields.
    pub field_name: String,
    /// Its type.
    pub kind: EventFieldKind,
    /// The tracepoint's log level.
    pub loglevel: i32,
    /// Whether the field is only there for filters.
    pub nowrite: bool,
}

impl FieldEntry {
    /// Reads an entry.
    ///
    /// # Errors
    /// Wrong size.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let entry = Self {
            event_name: ust::name(&mut reader, SYMBOL_NAME_LEN, "event_name")?,
            field_name: ust::name(&mut reader, SYMBOL_NAME_LEN, "field_name")?,
            kind: EventFieldKind::from_raw(reader.i32("field type")?),
            loglevel: reader.i32("loglevel")?,
            nowrite: reader.i32("nowrite")? != 0,
        };
        reader.bytes(PADDING, "field entry padding")?;
        reader.finish("field entry")?;
        Ok(entry)
    }

    /// The entry's bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::with_capacity(FIELD_ENTRY_LEN);
        writer.padded_string(&self.event_name, SYMBOL_NAME_LEN);
        writer.padded_string(&self.field_name, SYMBOL_NAME_LEN);
        writer.i32(self.kind as i32).i32(self.loglevel).i32(self.nowrite.into()).zeros(PADDING);
        writer.into_bytes()
    }
}
