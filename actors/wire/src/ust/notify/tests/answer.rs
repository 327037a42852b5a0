//! Answers.

use crate::ust::Abi;
use proptest::prelude::*;

use super::*;
use crate::ust::layout::{u32_at, u64_at};

#[test]
fn offsets() {
    let answer = Answer::Event { ret_code: 0, event_id: 7 };
    let bytes = answer.encode(Abi::V9);
    assert_eq!(bytes.len(), 44);
    assert_eq!([0, 4, 8].map(|at| u32_at(&bytes, at)), [0, 0, 7]);
    assert_eq!(Answer::decode(&bytes, Abi::V9), Ok(answer));
    let answer = Answer::Channel { ret_code: 0, chan_id: 2, header_type: HeaderType::Large };
    let bytes = answer.encode(Abi::V9);
    assert_eq!(bytes.len(), 48);
    assert_eq!([0, 4, 8, 12].map(|at| u32_at(&bytes, at)), [1, 0, 2, 2]);
    assert_eq!(Answer::decode(&bytes, Abi::V9), Ok(answer));
    let answer = Answer::Enumeration { ret_code: 0, enum_id: u64::MAX - 1 };
    let bytes = answer.encode(Abi::V9);
    assert_eq!(bytes.len(), 48);
    assert_eq!((u32_at(&bytes, 0), u64_at(&bytes, 8)), (2, u64::MAX - 1));
    assert_eq!(Answer::decode(&bytes, Abi::V9), Ok(answer));
}

#[test]
fn refusals_are_negative_errnos() {
    for kind in [Kind::Event, Kind::Channel, Kind::Enumeration] {
        for errno in [EINVAL, -EINVAL] {
            let bytes = Answer::refusal(kind, errno).encode(Abi::V9);
            assert_eq!(bytes.len(), Answer::len(kind, Abi::V9));
            assert_eq!([0, 4].map(|at| u32_at(&bytes, at)), [kind as u32, (-22_i32) as u32]);
            assert_eq!(Answer::decode(&bytes, Abi::V9).unwrap().kind(), kind);
        }
    }
}

proptest! {
    #[test]
    fn no_bytes_break_the_decoder(
        kind in 0_u32..4,
        rest in prop::collection::vec(0_u8..3, 36..48),
    ) {
        let bytes = [&kind.to_ne_bytes()[..], &rest].concat();
        if let Ok(answer) = Answer::decode(&bytes, Abi::V9) {
            prop_assert_eq!(bytes.len(), Answer::len(answer.kind(), Abi::V9));
            prop_assert_eq!(Answer::decode(&answer.encode(Abi::V9), Abi::V9), Ok(answer));
        }
    }
}
