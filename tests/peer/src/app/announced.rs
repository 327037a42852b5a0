//! What an application announces at its largest.

use lttngd_model::{Encoding, EnumerationEntry, EnumerationValue, Field, FieldType, IntegerType};
use lttngd_wire::ust::notify::{ENUMERATION_ENTRY_COUNT_MAX, FIELD_COUNT_MAX, Request};

/// A number of 32 bits, as most fields are.
#[must_use]
pub fn integer() -> IntegerType {
    IntegerType {
        size_bits: 32,
        signed: true,
        reverse_byte_order: false,
        base: 10,
        encoding: Encoding::None,
        alignment_bits: 8,
    }
}

/// A field that is one.
#[must_use]
pub fn integer_field(name: impl Into<String>) -> Field {
    Field { name: name.into(), kind: FieldType::Integer(integer()) }
}

/// An event with as many fields as there may be, for a channel that is not there.
#[must_use]
pub fn large_event() -> Request {
    Request::Event {
        session_objd: 1,
        channel_objd: 77,
        name: "p:large".to_owned(),
        loglevel: 13,
        signature: "void".to_owned(),
        fields: (0..FIELD_COUNT_MAX).map(|number| integer_field(format!("f{number}"))).collect(),
        model_emf_uri: None,
    }
}

/// An enumeration with as many entries as there may be, for a session that is not there.
#[must_use]
pub fn large_enumeration() -> Request {
    enumeration(99, "large")
}

/// The same for a session that may be.
#[must_use]
pub fn enumeration(session_objd: u32, name: &str) -> Request {
    let value = |number: usize| EnumerationValue { value: number as u64, signed: false };
    let entry = |number| EnumerationEntry {
        start: value(number),
        end: value(number),
        label: format!("e{number}"),
        auto: false,
    };
    Request::Enumeration {
        session_objd,
        name: name.to_owned(),
        entries: (0..ENUMERATION_ENTRY_COUNT_MAX).map(entry).collect(),
    }
}
