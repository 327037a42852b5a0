//! What is almost what peers send: recorded messages of the stock programs, cut, joined and changed at random, are read by
//! every decoder of the crate. None panics, and none takes more memory or time than its limits allow, or the test would
//! not end.
//!
//! `PROPTEST_CASES` in the environment has more of them tried. docs/fuzzing.md has the table; `tests/tidy` sees to it that
//! no decoder is missing here.

#![allow(clippy::unwrap_used)]

mod decoders;
mod seeds;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use lttngd_wire::client::Dialect;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use decoders::DECODERS;
use seeds::seeds;

/// What a decoder is given.
#[derive(Clone, Debug)]
pub struct Fed {
    /// The message.
    pub bytes: Vec<u8>,
    /// The number that came with it in a head: of a command, a kind, or of elements.
    pub number: u32,
    /// The client's version.
    pub dialect: Dialect,
    /// The relay daemon's minor version.
    pub minor: u32,
}

/// Numbers at which lengths and counts go wrong.
const EDGES: [u64; 14] = [
    0,
    1,
    2,
    0x7f,
    0xff,
    0x7fff,
    0xffff,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_fffe,
    0xffff_ffff,
    0x7fff_ffff_ffff_ffff,
    0xffff_ffff_ffff_fff0,
    u64::MAX,
];
/// The most that is put into a message at once, in bytes.
const INSERTED_MAX: usize = 64;
/// The most changes of one message.
const CHANGES_MAX: usize = 8;

/// A change of a message.
#[derive(Clone, Debug)]
enum Change {
    Byte(Index, u8),
    /// A number of so many bytes, in either byte order.
    Number(Index, u64, usize, bool),
    Cut(Index),
    Removed(Index, usize),
    Inserted(Index, Vec<u8>),
    /// The rest is that of another recorded message.
    Joined(Index, Index, Index),
}

fn change() -> impl Strategy<Value = Change> {
    let index = any::<Index>;
    prop_oneof![
        3 => (index(), any::<u8>()).prop_map(|(at, byte)| Change::Byte(at, byte)),
        4 => (index(), select(&EDGES[..]), select(vec![2, 4, 8]), any::<bool>())
            .prop_map(|(at, value, len, is_big)| Change::Number(at, value, len, is_big)),
        2 => index().prop_map(Change::Cut),
        1 => (index(), 1..INSERTED_MAX).prop_map(|(at, len)| Change::Removed(at, len)),
        1 => (index(), vec(any::<u8>(), 1..INSERTED_MAX))
            .prop_map(|(at, bytes)| Change::Inserted(at, bytes)),
        1 => (index(), index(), index()).prop_map(|(at, other, from)| Change::Joined(at, other, from)),
    ]
}

impl Change {
    fn apply(&self, bytes: &mut Vec<u8>) {
        let all = seeds();
        match self {
            _ if bytes.is_empty() => bytes.extend_from_slice(&[0; 8]),
            Change::Byte(at, byte) => *at.get_mut(bytes) = *byte,
            Change::Number(at, value, len, is_big) => {
                let number = if *is_big { value.to_be_bytes() } else { value.to_le_bytes() };
                let number = if *is_big { &number[8 - len..] } else { &number[..*len] };
                let at = at.index(bytes.len());
                let end = bytes.len().min(at + len);
                bytes[at..end].copy_from_slice(&number[..end - at]);
            }
            Change::Cut(at) => bytes.truncate(at.index(bytes.len())),
            Change::Removed(at, len) => {
                let at = at.index(bytes.len());
                bytes.drain(at..bytes.len().min(at + len));
            }
            Change::Inserted(at, more) => {
                let at = at.index(bytes.len());
                bytes.splice(at..at, more.iter().copied());
            }
            Change::Joined(at, other, from) => {
                bytes.truncate(at.index(bytes.len()));
                let other = other.get(all);
                bytes.extend_from_slice(
                    &other.bytes[from.index(other.bytes.len().max(1)).min(other.bytes.len())..],
                );
            }
        }
    }
}

/// A recorded message that was changed so.
fn mutated() -> impl Strategy<Value = Fed> {
    let number = prop_oneof![0_u32..80, select(vec![0x1000, 0x7fff_ffff, u32::MAX])];
    let version = (select(&Dialect::ALL[..]), 1_u32..15);
    let seed = any::<Index>().prop_map(|index| index.get(seeds()).clone());
    (seed, vec(change(), 0..CHANGES_MAX), proptest::option::of(number), version).prop_map(
        |(seed, changes, number, (dialect, minor))| {
            let mut fed = Fed { dialect, minor, ..seed };
            fed.number = number.unwrap_or(fed.number);
            changes.iter().for_each(|change| change.apply(&mut fed.bytes));
            fed
        },
    )
}

proptest! {
    #[test]
    fn no_decoder_fails_at_what_is_almost_a_message(fed in mutated()) {
        for (_, decode) in DECODERS {
            decode(&fed);
        }
    }
}

proptest! {
    // Each case is hundreds of messages.
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases / 16, ..ProptestConfig::default() })]

    /// Where each length is, and each count: one of them after the other is at its worst.
    #[test]
    fn no_decoder_fails_at_any_number_at_an_edge(seed in any::<Index>(), edge in select(&EDGES[..])) {
        let seed = seed.get(seeds());
        // Lengths stand near the beginning of what is long.
        for at in (0..seed.bytes.len().min(1024)).step_by(4) {
            let mut fed = seed.clone();
            let end = fed.bytes.len().min(at + 4);
            fed.bytes[at..end].copy_from_slice(&edge.to_le_bytes()[..end - at]);
            for (_, decode) in DECODERS {
                decode(&fed);
            }
        }
    }
}

/// How many messages each decoder takes as they are.
static TAKEN: LazyLock<BTreeMap<&str, usize>> = LazyLock::new(|| {
    let count = |decode: fn(&Fed) -> bool| seeds().iter().filter(|seed| decode(seed)).count();
    DECODERS.iter().map(|(name, decode)| (*name, count(*decode))).collect()
});

/// Else what is changed a little would be far from what it reads.
#[test]
fn each_decoder_takes_a_message_as_it_is() {
    let never: Vec<_> = TAKEN.iter().filter(|(_, count)| **count == 0).collect();
    assert!(never.is_empty(), "these take none: {never:?}");
}

#[test]
fn names_of_decoders_are_told_once() {
    assert_eq!(TAKEN.len(), DECODERS.len());
}
