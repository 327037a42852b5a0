//! The entries of a list of tracepoints' fields.

use lttngd_model::{EventFieldKind, SYMBOL_NAME_LEN};

use crate::{
    DecodeError, Reader, Writer,
    ust::{self, Abi},
};

/// Size in bytes of a [`FieldEntry`] up to ABI 10.
pub const FIELD_ENTRY_LEN: usize = 808;
/// The same in ABI 11.
const FRAMED_FIELD_ENTRY_LEN: usize = 640;
/// Bytes of it that have a meaning.
const USED_LEN: usize = 2 * SYMBOL_NAME_LEN + 3 * size_of::<i32>();

/// Size in bytes of a [`FieldEntry`] in an ABI.
#[must_use]
pub fn field_entry_len(abi: Abi) -> usize {
    if abi == Abi::V11 { FRAMED_FIELD_ENTRY_LEN } else { FIELD_ENTRY_LEN }
}

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
    /// Reads an entry in the form of an ABI.
    ///
    /// # Errors
    /// Wrong size.
    pub fn decode(bytes: &[u8], abi: Abi) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let entry = Self {
            event_name: ust::name(&mut reader, SYMBOL_NAME_LEN, "event_name")?,
            field_name: ust::name(&mut reader, SYMBOL_NAME_LEN, "field_name")?,
            kind: EventFieldKind::from_raw(reader.i32("field type")?),
            loglevel: reader.i32("loglevel")?,
            nowrite: reader.i32("nowrite")? != 0,
        };
        reader.bytes(field_entry_len(abi) - USED_LEN, "field entry padding")?;
        reader.finish("field entry")?;
        Ok(entry)
    }

    /// The entry's bytes in the form of an ABI.
    #[must_use]
    pub fn encode(&self, abi: Abi) -> Vec<u8> {
        let mut writer = Writer::with_capacity(field_entry_len(abi));
        writer.padded_string(&self.event_name, SYMBOL_NAME_LEN);
        writer.padded_string(&self.field_name, SYMBOL_NAME_LEN);
        writer.i32(self.kind as i32).i32(self.loglevel).i32(self.nowrite.into());
        writer.zeros(field_entry_len(abi) - USED_LEN);
        writer.into_bytes()
    }
}
