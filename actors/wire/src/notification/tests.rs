//! Tests of the codec.

#![allow(clippy::unwrap_used)]

use proptest::{collection::vec, prelude::*};

use super::*;
use crate::client::{self, tests::triggers};

fn header(kind: i8, size: u32, fds: u32) -> [u8; HEADER_LEN] {
    let mut bytes = [0; HEADER_LEN];
    bytes[0] = kind.cast_unsigned();
    bytes[1..5].copy_from_slice(&size.to_ne_bytes());
    bytes[5..].copy_from_slice(&fds.to_ne_bytes());
    bytes
}

#[test]
fn what_begins_a_message_of_a_client() {
    for kind in -1..8 {
        assert_eq!(Header::of_client(&header(kind, 1, 0)).is_ok(), (0..3).contains(&kind));
    }
    assert!(Header::of_client(&header(1, 0, 0)).is_err());
    assert_eq!(Header::of_client(&header(1, 65536, 2)).unwrap().len, 65536);
    assert!(Header::of_client(&header(1, 65537, 0)).is_err());
    assert!(Header::of_client(&header(1, u32::MAX, 0)).is_err());
    assert!(Header::of_daemon(&header(5, 0, 0)).is_ok());
}

#[test]
fn messages_as_the_stock_daemon_sends_them() {
    // Recorded from a stock daemon.
    assert_eq!(encode_handshake(), [0, 2, 0, 0, 0, 0, 0, 0, 0, 1, 1]);
    assert_eq!(encode_status(Status::AlreadySubscribed), [3, 1, 0, 0, 0, 0, 0, 0, 0, 0xfd]);
    assert_eq!(encode_dropped(), [5, 0, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(decode_handshake(&[1, 9, 7]), Ok(1));
    assert!(decode_handshake(&[]).is_err());
    for status in [Status::Ok, Status::Error, Status::UnknownCondition, Status::UnsupportedVersion]
    {
        assert_eq!(decode_status(&encode_status(status)[HEADER_LEN..]), Ok(status));
    }
    assert!(decode_status(&[1]).is_err());
}

/// What a stock tracer sent: an integer, a text, a missing field, a float, an array, a missing enumeration.
const RECORDED: &[u8] = &[
    0x96, 0xd1, 0x01, 0xb7, 0xa4, b't', b'e', b's', b't', 0xc0, 0xcb, 0x40, 0x91, 0x58, 0, 0, 0, 0,
    0, 0x93, 1, 2, 3, 0xc0,
];

#[test]
fn values_that_were_captured() {
    use CapturedValue as V;
    let array = V::Array(vec![V::Unsigned(1), V::Unsigned(2), V::Unsigned(3)]);
    let expected = [
        V::Signed(439),
        V::Text("test".to_owned()),
        V::Unavailable,
        V::Float(1110.0),
        array,
        V::Unavailable,
    ];
    assert_eq!(decode_captures(RECORDED).unwrap(), expected);
    assert_eq!(decode_captures(&[]), Ok(Vec::new()));
    let text = |text: &str| [&[0xa0 | u8::try_from(text.len()).unwrap()], text.as_bytes()].concat();
    let enumeration = [
        &[0x91, 0x83][..],
        &text("type"),
        &text("enum"),
        &text("value"),
        &[0xff],
        &text("labels"),
        &[0x92],
        &text("a"),
        &text("b"),
    ]
    .concat();
    let labels = vec!["a".to_owned(), "b".to_owned()];
    let value = V::Enumeration { value: Box::new(V::Signed(-1)), labels };
    assert_eq!(decode_captures(&enumeration).unwrap(), [value]);
}

#[test]
fn what_is_no_msgpack_is_refused() {
    for wrong in [
        &[0x92, 1][..],
        &[0x91, 1, 2],
        &[1],
        &[0x91, 0xc1],
        &[0x91, 0xc2],
        &[0x91, 0xdd, 0xff, 0xff, 0xff, 0xff],
        &[0xdd, 0xff, 0xff, 0xff, 0xff],
        &[0x91, 0xdb, 0xff, 0xff, 0xff, 0xff],
        &[0x91, 0x81, 0xa4, b't', b'y', b'p', b'e', 0xa4, b'e', b'n', b'u', b'm'],
        &[0x91; 100_000],
    ] {
        assert!(decode_captures(wrong).is_err(), "{wrong:?}");
    }
}

proptest! {
    #[test]
    fn notifications_there_and_back(
        trigger in triggers::trigger(),
        evaluation in triggers::evaluation(),
    ) {
        let bytes = encode_notification(&client::encode_trigger(&trigger, client::Dialect::V2_13), &evaluation, 0);
        if let Some(bytes) = bytes {
            let (head, payload) = bytes.split_at(HEADER_LEN);
            let head = Header::of_daemon(head.try_into().unwrap()).unwrap();
            prop_assert_eq!((head.kind, head.len), (MessageKind::Notification, payload.len()));
            let decoded = decode_notification(payload).unwrap();
            prop_assert_eq!(decoded, Notification { trigger, evaluation });
            for cut in 0..payload.len().min(64) {
                prop_assert!(decode_notification(&payload[..cut]).is_err());
            }
        }
    }

    #[test]
    fn any_bytes_are_decoded_or_refused(bytes in vec(any::<u8>(), 0..200)) {
        let _ = decode_notification(&bytes);
        let _ = decode_captures(&bytes);
        let _ = decode_status(&bytes);
        if let Some(head) = bytes.first_chunk() {
            let _ = Header::of_client(head);
            let _ = Header::of_daemon(head);
        }
    }
}
