//! Fields and descriptions for tests.

use lttngd_model::{
    Bitness, Encoding, EnumerationEntry, EnumerationValue, Field, FieldType, FloatType,
    IntegerType, Timestamp,
};

use lttngd_wire::ust::registration::Alignments;

use super::{Clock, Scheme, TraceDescription};

pub(crate) fn integer_type(size_bits: u32, signed: bool) -> IntegerType {
    IntegerType {
        size_bits,
        signed,
        reverse_byte_order: false,
        base: 10,
        encoding: Encoding::None,
        alignment_bits: 8,
    }
}

pub(crate) fn field(name: &str, kind: FieldType) -> Field {
    Field { name: name.to_owned(), kind }
}

pub(crate) fn unsigned(name: &str, size_bits: u32) -> Field {
    field(name, FieldType::Integer(integer_type(size_bits, false)))
}

pub(crate) fn signed(name: &str, size_bits: u32) -> Field {
    field(name, FieldType::Integer(integer_type(size_bits, true)))
}

pub(crate) fn float(name: &str, exp_dig: u32, mant_dig: u32) -> Field {
    let reverse_byte_order = false;
    let kind = FloatType { exp_dig, mant_dig, reverse_byte_order, alignment_bits: 8 };
    field(name, FieldType::Float(kind))
}

pub(crate) fn string(name: &str) -> Field {
    field(name, FieldType::String(Encoding::Utf8))
}

pub(crate) fn text_type() -> IntegerType {
    IntegerType { encoding: Encoding::Utf8, ..integer_type(8, true) }
}

pub(crate) fn array(name: &str, length: u32, element: IntegerType) -> Field {
    let element = Box::new(FieldType::Integer(element));
    field(name, FieldType::Array { length, alignment_bytes: 0, element, legacy: false })
}

pub(crate) fn sequence(name: &str, element: IntegerType) -> Field {
    let element = Box::new(FieldType::Integer(element));
    let length_name = format!("_{name}_length");
    field(name, FieldType::Sequence { length_name, alignment_bytes: 0, element })
}

pub(crate) fn enumeration(name: &str, of: &str, id: u64, container: IntegerType) -> Field {
    let name_of = of.to_owned();
    field(name, FieldType::Enumeration { name: name_of, id, container, legacy: false })
}

pub(crate) fn variant(name: &str, tag: &str, choices: Vec<Field>) -> Field {
    let tag = tag.to_owned();
    field(name, FieldType::Variant { tag, alignment_bytes: 0, choices, legacy: false })
}

pub(crate) fn empty_struct(name: &str) -> Field {
    field(name, FieldType::Struct { nr_fields: 0, alignment_bytes: 0, legacy: false })
}

pub(crate) fn range(label: &str, start: i64, end: i64) -> EnumerationEntry {
    let value = |value: i64| EnumerationValue { value: value as u64, signed: true };
    let (start, end) = (value(start), value(end));
    EnumerationEntry { start, end, label: label.to_owned(), auto: false }
}

pub(crate) fn unsigned_range(label: &str, start: u64, end: u64) -> EnumerationEntry {
    let value = |value| EnumerationValue { value, signed: false };
    let (start, end) = (value(start), value(end));
    EnumerationEntry { start, end, label: label.to_owned(), auto: false }
}

pub(crate) fn counted_up(label: &str) -> EnumerationEntry {
    EnumerationEntry { auto: true, ..unsigned_range(label, u64::MAX, u64::MAX) }
}

/// A per-UID trace of a 64-bit machine.
pub(crate) fn description() -> TraceDescription {
    TraceDescription {
        uuid: [0x11; 16],
        alignments: Alignments::PACKED,
        bitness: Bitness::Bits64,
        tracer_version: (2, 13, 5),
        scheme: Scheme::Uid(0),
        session_name: "mysession".to_owned(),
        auto_named: false,
        session_created_at: Timestamp { epoch_s: 1_000_000_000 },
        hostname: "host".to_owned(),
        clock: Clock::monotonic(None, 5),
    }
}
