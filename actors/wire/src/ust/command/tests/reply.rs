//! What applications reply.

use crate::ust::Abi;
use lttngd_model::EventFieldKind;
use proptest::prelude::*;

use super::super::*;
use crate::ust::layout::{text_at, u32_at};

#[test]
fn reply_offsets() {
    let reply = Reply::new(3, 0x41, 0, 9).with_tracer_version((2, 13, 5));
    let bytes = reply.encode(Abi::V9);
    assert_eq!(bytes.len(), REPLY_LEN);
    assert_eq!([0, 4, 8, 12].map(|at| u32_at(&bytes, at)), [3, 0x41, 0, 9]);
    assert_eq!([48, 52, 56].map(|at| u32_at(&bytes, at)), [2, 13, 5]);
    let read = Reply::decode(&bytes, Abi::V9).unwrap();
    assert_eq!((read.tracer_version(), &read), ((2, 13, 5), &reply));
    let bytes = Reply::new(3, 0x90, 0, 0).with_tracepoint("demo:empty", -4).encode(Abi::V9);
    assert_eq!((text_at(&bytes, 48), u32_at(&bytes, 304)), ("demo:empty", (-4_i32) as u32));
    assert_eq!(Reply::decode(&bytes, Abi::V9).unwrap().tracepoint(), ("demo:empty".to_owned(), -4));
}

#[test]
fn names_are_taken_as_they_come() {
    let mut bytes = Reply::new(3, 0x90, 0, 0).encode(Abi::V9);
    bytes[48..304].fill(b'x');
    bytes[48] = 0xFF;
    let (name, _) = Reply::decode(&bytes, Abi::V9).unwrap().tracepoint();
    assert_eq!(name, format!("\u{FFFD}{}", "x".repeat(254)));
}

#[test]
fn a_reply_is_for_its_request_and_a_success() {
    let reply = |ret_code, ret_val: i32| Reply::new(3, 0x60, ret_code, ret_val as u32);
    assert_eq!(reply(0, 17).check(3, 0x60), Ok(17));
    let mismatch = UstError::Mismatch { handle: 3, command: 0x60 };
    assert_eq!(reply(0, 17).check(4, 0x60), Err(mismatch));
    assert_eq!(reply(0, 17).check(3, 0x61), Err(mismatch));
    assert_eq!(reply(-1024, -19).check(3, 0x60), Err(UstError::Unspecified { errno: 19 }));
    assert_eq!(reply(-1024, 7).check(3, 0x60), Err(UstError::Unspecified { errno: 0 }));
    assert_eq!(reply(-1024, i32::MIN).check(3, 0x60), Err(UstError::Unspecified { errno: 0 }));
    assert_eq!(reply(5, 0).check(3, 0x60), Err(UstError::Unknown(5)));
}

#[test]
fn every_error_has_a_name() {
    for ret_code in -1035..=-1024 {
        let error = Reply::new(0, 1, ret_code, 0).check(0, 1).unwrap_err();
        assert!(!matches!(error, UstError::Unknown(_)), "{ret_code}");
        assert_eq!(error.ret_code(), Some(ret_code));
    }
    assert_eq!(Reply::new(0, 1, -1025, 0).check(0, 1), Err(UstError::NoEntry));
    assert_eq!(Reply::new(0, 1, -1030, 0).check(0, 1), Err(UstError::Exiting));
    assert_eq!(Reply::new(0, 1, -1036, 0).check(0, 1), Err(UstError::Unknown(-1036)));
}

#[test]
fn field_entry_offsets() {
    let entry = FieldEntry {
        event_name: "demo:all".to_owned(),
        field_name: "i_hidden".to_owned(),
        kind: EventFieldKind::Integer,
        loglevel: 13,
        nowrite: true,
    };
    let bytes = entry.encode(Abi::V9);
    assert_eq!(bytes.len(), FIELD_ENTRY_LEN);
    assert_eq!((text_at(&bytes, 0), text_at(&bytes, 256)), ("demo:all", "i_hidden"));
    assert_eq!([512, 516, 520].map(|at| u32_at(&bytes, at)), [1, 13, 1]);
    assert_eq!(FieldEntry::decode(&bytes, Abi::V9), Ok(entry));
    assert!(FieldEntry::decode(&bytes[..807], Abi::V9).is_err());
    let mut unknown = bytes;
    unknown[512] = 77;
    assert_eq!(FieldEntry::decode(&unknown, Abi::V9).unwrap().kind, EventFieldKind::Other);
}

proptest! {
    #[test]
    fn no_bytes_break_a_decoder(bytes in prop::collection::vec(any::<u8>(), REPLY_LEN)) {
        let reply = Reply::decode(&bytes, Abi::V9).unwrap();
        let _ = (reply.tracer_version(), reply.tracepoint(), reply.check(0, 0));
        prop_assert_eq!(&reply.encode(Abi::V9)[..16], &bytes[..16]);
        prop_assert_eq!(&reply.encode(Abi::V9)[48..], &bytes[48..]);
        prop_assert!(Reply::decode(&bytes[1..], Abi::V9).is_err());
    }

    #[test]
    fn no_entry_breaks_a_decoder(bytes in prop::collection::vec(any::<u8>(), 800..820)) {
        prop_assert_eq!(FieldEntry::decode(&bytes, Abi::V9).is_ok(), bytes.len() == FIELD_ENTRY_LEN);
    }
}
