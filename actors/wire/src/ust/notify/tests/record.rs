//! Records against the offsets of `struct lttng_ust_ctl_field`.

use crate::ust::Abi;
use lttngd_model::FloatType;

use super::*;
use crate::ust::layout::{text_at, u32_at, u64_at};

/// The records of one field.
fn records(kind: FieldType) -> Vec<u8> {
    let bytes = event(vec![named("f", kind)]).encode(Abi::V9);
    let len = u32_at(&bytes, 4 + 272) as usize;
    bytes[EVENT_RECORDS..EVENT_RECORDS + len].to_vec()
}

/// Type numbers of records.
fn atypes(records: &[u8]) -> Vec<u32> {
    records.chunks(FIELD_RECORD_LEN).map(|record| u32_at(record, 256)).collect()
}

#[test]
fn integer() {
    let integer = IntegerType {
        size_bits: 32,
        signed: true,
        reverse_byte_order: true,
        base: 16,
        encoding: Encoding::Ascii,
        alignment_bits: 0x0810,
    };
    let record = records(FieldType::Integer(integer));
    assert_eq!((record.len(), text_at(&record, 0)), (920, "f"));
    let members = [256, 260, 264, 268, 272, 276, 280].map(|at| u32_at(&record, at));
    assert_eq!(members, [0, 32, 1, 1, 16, 2, 0x0810]);
}

#[test]
fn text_and_float() {
    let record = records(FieldType::String(Encoding::Utf8));
    assert_eq!([256, 260].map(|at| u32_at(&record, at)), [4, 1]);
    let float =
        FloatType { exp_dig: 8, mant_dig: 24, reverse_byte_order: true, alignment_bits: 32 };
    let record = records(FieldType::Float(float));
    assert_eq!([256, 260, 264, 268, 272].map(|at| u32_at(&record, at)), [5, 8, 24, 1, 32]);
}

#[test]
fn enumeration() {
    let enumeration = |legacy| {
        let name = "demo_color".to_owned();
        FieldType::Enumeration { name, id: 0x0102_0304_0506, container: int(32, true), legacy }
    };
    let record = records(enumeration(false));
    assert_eq!((atypes(&record), text_at(&record, 260)), (vec![8, 0], "demo_color"));
    assert_eq!((u64_at(&record, 516), u32_at(&record, 920 + 260)), (0x0102_0304_0506, 32));
    let record = records(enumeration(true));
    assert_eq!((atypes(&record), text_at(&record, 260)), (vec![1], "demo_color"));
    assert_eq!([516, 520, 524, 528].map(|at| u32_at(&record, at)), [32, 1, 0, 10]);
    assert_eq!(u64_at(&record, 564), 0x0102_0304_0506);
}

#[test]
fn array_and_sequence() {
    let element = || Box::new(FieldType::Integer(int(8, true)));
    let array = |legacy, alignment_bytes| FieldType::Array {
        length: 5,
        alignment_bytes,
        element: element(),
        legacy,
    };
    let record = records(array(false, 2));
    assert_eq!(atypes(&record), [9, 0]);
    assert_eq!([260, 264, 920 + 260].map(|at| u32_at(&record, at)), [5, 2, 8]);
    let record = records(array(true, 0));
    assert_eq!(atypes(&record), [2]);
    assert_eq!([260, 264, 268, 576].map(|at| u32_at(&record, at)), [0, 8, 1, 5]);
    let length_name = "_f_length".to_owned();
    let record =
        records(FieldType::Sequence { length_name, alignment_bytes: 4, element: element() });
    assert_eq!((atypes(&record), text_at(&record, 260)), (vec![10, 0], "_f_length"));
    assert_eq!((u32_at(&record, 516), u32_at(&record, 920 + 260)), (4, 8));
    let record =
        records(FieldType::LegacySequence { length: int(64, false), element: int(16, true) });
    assert_eq!(atypes(&record), [3]);
    assert_eq!([260, 264, 576, 580, 584].map(|at| u32_at(&record, at)), [0, 64, 0, 16, 1]);
}

#[test]
fn structure_and_variant() {
    let empty = FieldType::Struct { nr_fields: 0, alignment_bytes: 4, legacy: false };
    let record = records(empty.clone());
    assert_eq!([256, 260, 264].map(|at| u32_at(&record, at)), [11, 0, 4]);
    let record = records(FieldType::Variant {
        tag: "f_tag".to_owned(),
        alignment_bytes: 8,
        choices: vec![named("none", empty), named("text", FieldType::String(Encoding::Utf8))],
        legacy: false,
    });
    assert_eq!((atypes(&record), text_at(&record, 264)), (vec![12, 11, 4], "f_tag"));
    assert_eq!((u32_at(&record, 260), u32_at(&record, 520)), (2, 8));
    assert_eq!((text_at(&record, 920), text_at(&record, 1840)), ("none", "text"));
}

/// A record out of a name, a type number, numbers and texts at their offsets.
fn raw(name: &str, atype: u32, numbers: &[(usize, u32)], text: Option<(usize, &str)>) -> Vec<u8> {
    let mut record = vec![0; FIELD_RECORD_LEN];
    record[..name.len()].copy_from_slice(name.as_bytes());
    for (offset, number) in numbers.iter().chain(&[(256, atype)]) {
        record[*offset..offset + 4].copy_from_slice(&number.to_ne_bytes());
    }
    if let Some((offset, text)) = text {
        record[offset..offset + text.len()].copy_from_slice(text.as_bytes());
    }
    record
}

#[test]
fn flat_records_become_a_tree() {
    // int i_dec; uint32_t i_net in network order; char a_txt[5]; int q_int[]; enum e_col.
    let raw_int = |name, size, signed, reverse, encoding| {
        let numbers =
            [(260, size), (264, signed), (268, reverse), (272, 10), (276, encoding), (280, 8)];
        raw(name, 0, &numbers, None)
    };
    let records = [
        raw_int("i_dec", 32, 1, 0, 0),
        raw_int("i_net", 32, 0, 1, 0),
        raw("a_txt", 9, &[(260, 5)], None),
        raw_int("", 8, 1, 0, 1),
        raw_int("_q_int_length", 64, 0, 0, 0),
        raw("q_int", 10, &[], Some((260, "_q_int_length"))),
        raw_int("", 32, 1, 0, 0),
        raw("e_col", 8, &[], Some((260, "h3prov_color"))),
        raw_int("", 32, 1, 0, 0),
    ]
    .concat();
    let head =
        Head::Channel { session_objd: 3, channel_objd: 4, ctx_fields_len: records.len() as u32 };
    let Request::Channel { context, .. } = head.decode_variable(&records, Abi::V9).unwrap() else {
        panic!()
    };
    let text = IntegerType { encoding: Encoding::Utf8, ..int(8, true) };
    let network = IntegerType { reverse_byte_order: true, ..int(32, false) };
    let expected = [
        named("i_dec", FieldType::Integer(int(32, true))),
        named("i_net", FieldType::Integer(network)),
        named(
            "a_txt",
            FieldType::Array {
                length: 5,
                alignment_bytes: 0,
                element: Box::new(FieldType::Integer(text)),
                legacy: false,
            },
        ),
        named("_q_int_length", FieldType::Integer(int(64, false))),
        named(
            "q_int",
            FieldType::Sequence {
                length_name: "_q_int_length".to_owned(),
                alignment_bytes: 0,
                element: Box::new(FieldType::Integer(int(32, true))),
            },
        ),
        named(
            "e_col",
            FieldType::Enumeration {
                name: "h3prov_color".to_owned(),
                id: 0,
                container: int(32, true),
                legacy: false,
            },
        ),
    ];
    assert_eq!(context, expected);
}
