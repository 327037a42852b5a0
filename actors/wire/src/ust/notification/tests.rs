#![allow(clippy::unwrap_used)]

use crate::ust::Abi;
use lttngd_model::TracerToken;
use proptest::prelude::*;

use super::{EventNotification, NOTIFICATION_MAX_LEN, check_captures, head_len};
use crate::{DecodeError, ust::layout::u64_at};

/// What LTTng-UST 2.13.5 wrote for captures of `i_dec`, `str`, `q_int`, `e_col`, `f` and `$ctx.vpid`.
const RECORDED: &[u8] = b"\x96\x03\xabhello world\x93\x01\x02\x03\x82\xa4type\xa4enum\xa5value\x01\
    \xcb\x40\x08\x00\x00\x00\x00\x00\x00\xd1\x21\x97";

fn notification(token: u64, captures: &[u8]) -> EventNotification<'_> {
    EventNotification { token: TracerToken(token), captures }
}

#[test]
fn a_head_is_laid_out_as_in_the_tracer() {
    let bytes = notification(1, RECORDED).encode(Abi::V9);
    assert_eq!(RECORDED.len(), 0x30);
    assert_eq!(bytes.len(), head_len(Abi::V9) + RECORDED.len());
    assert_eq!(u64_at(&bytes, 0), 1);
    assert_eq!(bytes[8..10], 0x30_u16.to_ne_bytes());
    assert_eq!(bytes[10..42], [0; 32]);
    assert_eq!(bytes[42..], *RECORDED);
}

#[test]
fn notifications_are_split_wherever_the_bytes_end() {
    let all =
        [notification(1, RECORDED), notification(u64::MAX, b""), notification(3, b"\x91\xc0")];
    let bytes: Vec<u8> = all.iter().flat_map(|event| event.encode(Abi::V9)).collect();
    let ends: Vec<usize> = all
        .iter()
        .scan(0, |end, one| {
            *end += one.encode(Abi::V9).len();
            Some(*end)
        })
        .collect();
    for len in 0..=bytes.len() {
        let mut rest = &bytes[..len];
        let mut seen = Vec::new();
        while let Some((one, behind)) = EventNotification::split_off(rest, Abi::V9).unwrap() {
            seen.push(one);
            rest = behind;
        }
        let whole = ends.iter().filter(|end| **end <= len).count();
        assert_eq!(seen, all[..whole], "{len} bytes");
        assert_eq!(rest.len(), len - whole.checked_sub(1).map_or(0, |last| ends[last]));
    }
}

#[test]
fn captures_beyond_what_a_pipe_takes_in_one_piece_are_refused() {
    let largest = vec![0; NOTIFICATION_MAX_LEN - head_len(Abi::V9)];
    let bytes = notification(1, &largest).encode(Abi::V9);
    assert_eq!(bytes.len(), NOTIFICATION_MAX_LEN);
    assert!(EventNotification::split_off(&bytes, Abi::V9).unwrap().is_some());
    for len in [largest.len() + 1, usize::from(u16::MAX)] {
        let bytes = notification(1, &vec![0; len]).encode(Abi::V9);
        let refused = EventNotification::split_off(&bytes[..head_len(Abi::V9)], Abi::V9);
        assert!(matches!(refused, Err(DecodeError::TooLarge { .. })), "{len}");
    }
}

#[test]
fn what_the_tracer_writes_passes() {
    check_captures(RECORDED, 6).unwrap();
    check_captures(b"", 0).unwrap();
    check_captures(b"\x91\xc0", 1).unwrap();
    // Numbers of every size, and texts and arrays with lengths of every size.
    let numbers: [&[u8]; 10] = [
        b"\x7f",
        b"\xe0",
        b"\xcc\xff",
        b"\xcd\xff\xff",
        b"\xce\xff\xff\xff\xff",
        b"\xcf\xff\xff\xff\xff\xff\xff\xff\xff",
        b"\xd0\x80",
        b"\xd2\x80\0\0\0",
        b"\xd3\x80\0\0\0\0\0\0\0",
        b"\xca\0\0\0\0",
    ];
    let values: [&[u8]; 6] = [
        b"\xd9\x01a",
        b"\xda\0\x01a",
        b"\xdb\0\0\0\x01a",
        b"\xdc\0\x01\x01",
        b"\xdd\0\0\0\x01\x01",
        b"\xde\0\x03\xa5value\xff\xa4type\xa4enum\xa6labels\x92\xa1a\xa1b",
    ];
    for value in numbers.into_iter().chain(values) {
        check_captures(&[b"\x91", value].concat(), 1).unwrap();
        check_captures(&[b"\x91\x91", value].concat(), 1).unwrap();
    }
}

#[test]
fn anything_else_is_refused() {
    let wrong: [(&[u8], usize); 21] = [
        (b"", 1),
        (b"\x90", 0),
        (b"\x90", 1),
        (b"\x91\x01", 2),
        (b"\x92\x01\x01", 1),
        (b"\x91\x01\x01", 1),
        (b"\x01", 1),
        (b"\x81\xa1a\x01", 1),
        (b"\x91", 1),
        (b"\x91\xa2a", 1),
        (b"\x91\xdb\xff\xff\xff\xffa", 1),
        (b"\x91\xdd\xff\xff\xff\xff\x01", 1),
        (b"\x91\xc1", 1),
        (b"\x91\xc2", 1),
        (b"\x91\xc4\x01a", 1),
        (b"\x91\xd4\x01a", 1),
        (b"\x91\x80", 1),
        (b"\x91\x81\xa4type\xa4enum", 1),
        (b"\x91\x82\xa4type\xa4enum\xa5value\xa1a", 1),
        (b"\x91\x83\xa4type\xa4enum\xa5value\x01\xa6labels\x91\x01", 1),
        (b"\x91\x84\xa4type\xa4enum\xa5value\x01\xa5value\x01\xa5value\x01", 1),
    ];
    for (bytes, count) in wrong {
        assert!(check_captures(bytes, count).is_err(), "{bytes:x?} for {count}");
    }
    let deep = |depth: usize| [vec![0x91; depth], vec![1]].concat();
    check_captures(&deep(8), 1).unwrap();
    for depth in [9, 4000] {
        assert!(matches!(check_captures(&deep(depth), 1), Err(DecodeError::TooLarge { .. })));
    }
}

#[test]
fn every_cut_of_what_the_tracer_writes_is_refused() {
    for len in 0..RECORDED.len() {
        assert!(check_captures(&RECORDED[..len], 6).is_err(), "{len}");
    }
}

proptest! {
    #[test]
    fn arbitrary_bytes_do_no_harm(bytes in prop::collection::vec(any::<u8>(), 0..200), count in 0_usize..5) {
        let _ = check_captures(&bytes, count);
        let mut rest = bytes.as_slice();
        while let Ok(Some((_, behind))) = EventNotification::split_off(rest, Abi::V9) {
            prop_assert!(behind.len() < rest.len());
            rest = behind;
        }
    }
}
