//! Requests as applications write them.

use lttngd_model::{
    EnumerationEntry, EnumerationValue, Field, FieldType, FloatType, IntegerType, SYMBOL_NAME_LEN,
};

use super::Request;
use super::field::{FIELD_RECORD_LEN, INTEGER_SIZE, LEGACY_BASIC_SIZE, LEGACY_INTEGER_SIZE, atype};
use super::request::{BOUND_PADDING, ENTRY_AUTO, ENTRY_PADDING};
use crate::{Writer, ust::Abi};

impl Request {
    /// The request's bytes in an ABI, its number included. Names that are too long for their members are cut.
    #[must_use]
    pub fn encode(&self, abi: Abi) -> Vec<u8> {
        let mut writer = Writer::default();
        let padding = self.kind().padding(abi);
        writer.u32(self.kind() as u32);
        match self {
            Self::Event {
                session_objd,
                channel_objd,
                name,
                loglevel,
                signature,
                fields,
                model_emf_uri,
            } => {
                let records = records(fields);
                let uri_len = model_emf_uri.as_ref().map_or(0, |uri| uri.len() + 1);
                writer.u32(*session_objd).u32(*channel_objd);
                writer.padded_string(name, SYMBOL_NAME_LEN).i32(*loglevel);
                writer.u32(len(signature.len() + 1)).u32(len(records.len())).u32(len(uri_len));
                writer.zeros(padding).string(signature).bytes(&records);
                if let Some(uri) = model_emf_uri {
                    writer.string(uri);
                }
            }
            Self::Channel { session_objd, channel_objd, context } => {
                let records = records(context);
                writer.u32(*session_objd).u32(*channel_objd).u32(len(records.len()));
                writer.zeros(padding).bytes(&records);
            }
            Self::Enumeration { session_objd, name, entries } => {
                let mut list = Writer::default();
                entries.iter().for_each(|entry| put_entry(&mut list, entry));
                writer.u32(*session_objd).padded_string(name, SYMBOL_NAME_LEN);
                writer.u32(len(list.len())).zeros(padding).bytes(&list.into_bytes());
            }
        }
        writer.into_bytes()
    }
}

fn len(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}

fn put_entry(writer: &mut Writer, entry: &EnumerationEntry) {
    for EnumerationValue { value, signed } in [entry.start, entry.end] {
        writer.u64(value).u8(signed.into()).zeros(BOUND_PADDING);
    }
    writer.padded_string(&entry.label, SYMBOL_NAME_LEN);
    writer.u32(if entry.auto { ENTRY_AUTO } else { 0 }).zeros(ENTRY_PADDING);
}

fn records(fields: &[Field]) -> Vec<u8> {
    let mut writer = Writer::default();
    for field in fields {
        put_field(&mut writer, &field.name, &field.kind);
    }
    writer.into_bytes()
}

fn put_field(records: &mut Writer, name: &str, kind: &FieldType) {
    let mut record = Writer::with_capacity(FIELD_RECORD_LEN);
    record.padded_string(name, SYMBOL_NAME_LEN);
    let mut nested = Writer::default();
    match kind {
        FieldType::Integer(integer) => {
            record.i32(atype::INTEGER);
            put_integer(&mut record, integer);
        }
        FieldType::Float(FloatType { exp_dig, mant_dig, reverse_byte_order, alignment_bits }) => {
            record.i32(atype::FLOAT).u32(*exp_dig).u32(*mant_dig);
            record.u32((*reverse_byte_order).into()).u16(*alignment_bits);
        }
        FieldType::String(encoding) => {
            record.i32(atype::STRING).i32(*encoding as i32);
        }
        FieldType::Enumeration { name, id, container, legacy: true } => {
            record.i32(atype::LEGACY_ENUM).padded_string(name, SYMBOL_NAME_LEN);
            put_integer(&mut record, container);
            record.zeros(LEGACY_INTEGER_SIZE - INTEGER_SIZE).u64(*id);
        }
        FieldType::Enumeration { name, id, container, legacy: false } => {
            record.i32(atype::ENUM).padded_string(name, SYMBOL_NAME_LEN).u64(*id);
            put_field(&mut nested, "", &FieldType::Integer(*container));
        }
        FieldType::Array { length, alignment_bytes, element, legacy: false } => {
            record.i32(atype::ARRAY).u32(*length).u32(*alignment_bytes);
            put_field(&mut nested, "", element);
        }
        FieldType::Array { length, element, legacy: true, .. } => {
            record.i32(atype::LEGACY_ARRAY);
            put_legacy_element(&mut record, element);
            record.u32(*length);
        }
        FieldType::Sequence { length_name, alignment_bytes, element } => {
            record.i32(atype::SEQUENCE).padded_string(length_name, SYMBOL_NAME_LEN);
            record.u32(*alignment_bytes);
            put_field(&mut nested, "", element);
        }
        FieldType::LegacySequence { length, element } => {
            record.i32(atype::LEGACY_SEQUENCE);
            put_legacy_element(&mut record, &FieldType::Integer(*length));
            put_legacy_element(&mut record, &FieldType::Integer(*element));
        }
        FieldType::Struct { nr_fields, legacy: true, .. } => {
            record.i32(atype::LEGACY_STRUCT).u32(*nr_fields);
        }
        FieldType::Struct { nr_fields, alignment_bytes, legacy: false } => {
            record.i32(atype::STRUCT).u32(*nr_fields).u32(*alignment_bytes);
        }
        FieldType::Variant { tag, alignment_bytes, choices, legacy } => {
            record.i32(if *legacy { atype::LEGACY_VARIANT } else { atype::VARIANT });
            record.u32(len(choices.len())).padded_string(tag, SYMBOL_NAME_LEN);
            record.u32(if *legacy { 0 } else { *alignment_bytes });
            for choice in choices {
                put_field(&mut nested, &choice.name, &choice.kind);
            }
        }
    }
    let mut record = record.into_bytes();
    record.resize(FIELD_RECORD_LEN, 0);
    records.bytes(&record).bytes(&nested.into_bytes());
}

fn put_integer(record: &mut Writer, integer: &IntegerType) {
    record.u32(integer.size_bits).u32(integer.signed.into());
    record.u32(integer.reverse_byte_order.into()).u32(integer.base);
    record.i32(integer.encoding as i32).u16(integer.alignment_bits);
}

/// An element of an ABI 8 array or sequence; anything but an integer is written by its number alone.
fn put_legacy_element(record: &mut Writer, element: &FieldType) {
    if let FieldType::Integer(integer) = element {
        record.i32(atype::INTEGER);
        put_integer(record, integer);
        record.zeros(LEGACY_BASIC_SIZE - INTEGER_SIZE);
    } else {
        record.i32(atype::STRING).zeros(LEGACY_BASIC_SIZE);
    }
}
