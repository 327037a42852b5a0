//! Requests: offsets, limits, hostile lengths.

use crate::ust::Abi;
use lttngd_model::{EnumerationEntry, EnumerationValue};
use proptest::prelude::*;

use super::field::{every_type, trees};
use super::*;
use crate::ust::layout::{text_at, u32_at, u64_at};

fn enumeration() -> Request {
    let value = |value: i64, signed| EnumerationValue { value: value as u64, signed };
    let entry = |start, end, label: &str, auto| EnumerationEntry {
        start,
        end,
        label: label.to_owned(),
        auto,
    };
    Request::Enumeration {
        session_objd: 3,
        name: "demo_color".to_owned(),
        entries: vec![
            entry(value(1, false), value(4, false), "warm", false),
            entry(value(-3, true), value(-2, true), "negative", false),
            entry(value(-1, false), value(-1, false), "next", true),
        ],
    }
}

fn channel(context: Vec<Field>) -> Request {
    Request::Channel { session_objd: 3, channel_objd: 4, context }
}

#[test]
fn event_offsets() {
    let request = event(vec![]);
    let bytes = request.encode(Abi::V9);
    assert_eq!(bytes.len(), 4 + 312 + 7 + 19);
    let at = |offset: usize| u32_at(&bytes, 4 + offset);
    assert_eq!((u32_at(&bytes, 0), at(0), at(4), at(264)), (0, 3, 4, 13));
    assert_eq!((at(268), at(272), at(276)), (7, 0, 19));
    assert_eq!((text_at(&bytes, 12), text_at(&bytes, 316)), ("demo:all", "int, v"));
    assert_eq!(text_at(&bytes, 323), "http://example.com");
    assert_eq!(decode(&bytes), Ok(request));
}

#[test]
fn channel_offsets() {
    let request = channel(every_type());
    let bytes = request.encode(Abi::V9);
    let records = (bytes.len() - 48) as u32;
    assert_eq!([0, 4, 8, 12].map(|at| u32_at(&bytes, at)), [1, 3, 4, records]);
    assert_eq!(text_at(&bytes, 48), "integer");
    assert_eq!(decode(&bytes), Ok(request));
}

#[test]
fn enumeration_offsets() {
    let bytes = enumeration().encode(Abi::V9);
    assert_eq!(bytes.len(), 4 + 296 + 3 * ENUMERATION_ENTRY_LEN);
    assert_eq!((u32_at(&bytes, 0), u32_at(&bytes, 4), text_at(&bytes, 8)), (2, 3, "demo_color"));
    assert_eq!(u32_at(&bytes, 4 + 260), 3 * 336);
    let entry = &bytes[300..636];
    assert_eq!((u64_at(entry, 0), entry[8], u64_at(entry, 24), entry[32]), (1, 0, 4, 0));
    assert_eq!((text_at(entry, 48), u32_at(entry, 304)), ("warm", 0));
    let entry = &bytes[636..972];
    assert_eq!((u64_at(entry, 0), entry[8]), (-3_i64 as u64, 1));
    assert_eq!(u32_at(&bytes[972..], 304), 1, "auto");
    assert_eq!(decode(&bytes), Ok(enumeration()));
}

#[test]
fn kinds() {
    for kind in [Kind::Event, Kind::Channel, Kind::Enumeration] {
        assert_eq!(Kind::from_raw(kind as u32), Some(kind));
        let short = vec![0; kind.fixed_len(Abi::V9) - 1];
        let long = vec![0; kind.fixed_len(Abi::V9) + 1];
        assert!(matches!(Head::decode(kind, &short, Abi::V9), Err(DecodeError::Truncated { .. })));
        assert!(matches!(Head::decode(kind, &long, Abi::V9), Err(DecodeError::Trailing { .. })));
        assert_eq!(
            Head::decode(kind, &short.repeat(2)[..kind.fixed_len(Abi::V9)], Abi::V9)
                .unwrap()
                .kind(),
            kind
        );
    }
    assert_eq!(Kind::from_raw(3), None);
}

/// The error of an event's lengths.
fn event_len(signature_len: u32, fields_len: u32, model_emf_uri_len: u32) -> DecodeError {
    let head = Head::Event {
        session_objd: 0,
        channel_objd: 0,
        name: String::new(),
        loglevel: 0,
        signature_len,
        fields_len,
        model_emf_uri_len,
    };
    let error = head.variable_len().unwrap_err();
    assert_eq!(head.decode_variable(&[], Abi::V9), Err(RequestError::Broken(error.clone())));
    error
}

#[test]
fn lengths_that_lose_the_stream() {
    let too_large =
        |what, value, limit: usize| DecodeError::TooLarge { what, value, limit: limit as u64 };
    let bad = |what, value| DecodeError::BadValue { what, value };
    let max = (FIELD_COUNT_MAX * FIELD_RECORD_LEN) as u32;
    assert_eq!(event_len(0, 0, 0), bad("signature_len", 0));
    assert_eq!(event_len(65537, 0, 0), too_large("signature_len", 65537, 65536));
    assert_eq!(event_len(1, 921, 0), bad("fields_len", 921));
    let over = too_large("fields_len", u64::from(max) + 920, max as usize);
    assert_eq!(event_len(1, max + 920, 0), over);
    let over = too_large("model_emf_uri_len", u32::MAX.into(), 65536);
    assert_eq!(event_len(1, 0, u32::MAX), over);
    let head = Head::Channel { session_objd: 0, channel_objd: 0, ctx_fields_len: 919 };
    assert_eq!(head.variable_len(), Err(bad("ctx_fields_len", 919)));
    let entries = |entries_len| {
        Head::Enumeration { session_objd: 0, name: String::new(), entries_len }.variable_len()
    };
    assert_eq!(entries(335), Err(bad("entries_len", 335)));
    assert_eq!(entries(336 * 65536), Ok(336 * 65536));
    assert!(matches!(entries(336 * 65537), Err(DecodeError::TooLarge { .. })));
}

#[test]
fn a_cut_request_loses_the_stream() {
    for request in [event(every_type()), channel(every_type()), enumeration()] {
        let bytes = request.encode(Abi::V9);
        for len in (4..bytes.len()).step_by(97) {
            assert!(matches!(decode(&bytes[..len]), Err(RequestError::Broken(_))), "{len}");
        }
        let longer = [&bytes[..], &[0]].concat();
        assert!(matches!(decode(&longer), Err(RequestError::Broken(_))));
    }
}

#[test]
fn text_without_its_nul_loses_its_last_byte() {
    let mut bytes = event(vec![]).encode(Abi::V9);
    bytes[12..268].fill(b'n');
    bytes[316..323].fill(b's');
    bytes[323..342].fill(0xFF);
    let Ok(Request::Event { name, signature, model_emf_uri, .. }) = decode(&bytes) else {
        panic!()
    };
    assert_eq!((name.len(), signature.as_str()), (255, "ssssss"));
    assert_eq!(model_emf_uri, Some("\u{FFFD}".repeat(18)));
}

#[test]
fn the_labels_of_application_contexts_are_those_of_abi_9() {
    let labels = |abi, name: &str, label: &str| {
        let value = EnumerationValue { value: 0, signed: false };
        let entry =
            EnumerationEntry { start: value, end: value, label: label.to_owned(), auto: false };
        let asked =
            Request::Enumeration { session_objd: 1, name: name.to_owned(), entries: vec![entry] };
        let bytes = asked.encode(abi);
        let (fixed, variable) = bytes[KIND_LEN..].split_at(Kind::Enumeration.fixed_len(abi));
        let head = Head::decode(Kind::Enumeration, fixed, abi).unwrap();
        match head.decode_variable(variable, abi).unwrap() {
            Request::Enumeration { entries, .. } => entries[0].label.clone(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(labels(Abi::V9, "dynamic_type_enum", "_none"), "_none");
    for abi in [Abi::V10, Abi::V11] {
        assert_eq!(labels(abi, "dynamic_type_enum", "none"), "_none");
        assert_eq!(labels(abi, "dynamic_type_enum", "mine"), "mine");
        assert_eq!(labels(abi, "provider_enum", "none"), "none");
    }
}

#[test]
fn sizes_in_abi_11() {
    let kinds = [Kind::Event, Kind::Channel, Kind::Enumeration];
    assert_eq!(kinds.map(|kind| kind.fixed_len(Abi::V11)), [320, 32, 320]);
    for kind in kinds {
        let answer = Answer::refusal(kind, EINVAL);
        let bytes = answer.encode(Abi::V11);
        assert_eq!((bytes.len(), Answer::len(kind, Abi::V11)), (36, 36));
        assert_eq!(Answer::decode(&bytes, Abi::V11), Ok(answer));
    }
}

proptest! {
    #[test]
    fn channels_come_back(context in trees()) {
        let request = channel(context);
        prop_assert_eq!(decode(&request.encode(Abi::V9)), Ok(request));
    }

    #[test]
    fn no_fixed_part_breaks_the_decoder(bytes in prop::collection::vec(any::<u8>(), 312)) {
        for kind in [Kind::Event, Kind::Channel, Kind::Enumeration] {
            let head = Head::decode(kind, &bytes[..kind.fixed_len(Abi::V9)], Abi::V9).unwrap();
            if let Ok(len) = head.variable_len() {
                prop_assert!(len <= ENUMERATION_ENTRY_COUNT_MAX * ENUMERATION_ENTRY_LEN);
            }
        }
    }

    #[test]
    fn no_entries_break_the_decoder(bytes in prop::collection::vec(any::<u8>(), 672)) {
        let head = Head::Enumeration { session_objd: 1, name: "e".to_owned(), entries_len: 672 };
        let request = head.decode_variable(&bytes, Abi::V9).unwrap();
        let Request::Enumeration { entries, .. } = &request else { panic!() };
        prop_assert_eq!(entries.len(), 2);
    }
}
