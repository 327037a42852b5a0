//! What is almost a file of saved sessions: files that the stock daemon has written, cut and changed at random. They are read,
//! or refused with an error, and what is read is written and read again as the same.

#![allow(clippy::unwrap_used)]

use lttngd_sessionfile::{decode, read, read_any, write};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

macro_rules! recorded {
    ($($name:literal),*) => {
        [$(include_str!(concat!("../../../tests/recorded/save/", $name, ".lttng"))),*]
    };
}

/// Files of the stock daemon.
const RECORDED: [&str; 9] =
    recorded!("empty", "escaped", "events", "net", "newer", "noout", "snap", "snapnone", "started");
/// What means something in such files.
const PARTS: [&str; 18] = [
    "<",
    "</",
    ">",
    "/>",
    "&",
    "&amp;",
    "&#0;",
    "&#x110000;",
    "<!--",
    "<![CDATA[",
    "]]>",
    "<?xml?>",
    "<!DOCTYPE a [<!ENTITY b \"bb\">]>",
    "xmlns:a=\"",
    "\"",
    "-1",
    "99999999999999999999",
    "\0",
];

#[derive(Clone, Debug)]
enum Change {
    Cut(Index),
    Removed(Index, usize),
    Inserted(Index, &'static str),
    /// A part of the file is there again elsewhere.
    Repeated(Index, Index, usize),
    Byte(Index, u8),
}

fn change() -> impl Strategy<Value = Change> {
    let index = any::<Index>;
    prop_oneof![
        1 => index().prop_map(Change::Cut),
        2 => (index(), 1_usize..80).prop_map(|(at, len)| Change::Removed(at, len)),
        3 => (index(), select(&PARTS[..])).prop_map(|(at, part)| Change::Inserted(at, part)),
        2 => (index(), index(), 1_usize..200).prop_map(|(at, from, len)| Change::Repeated(at, from, len)),
        2 => (index(), any::<u8>()).prop_map(|(at, byte)| Change::Byte(at, byte)),
    ]
}

fn changed(mut bytes: Vec<u8>, changes: &[Change]) -> Vec<u8> {
    for change in changes {
        let len = bytes.len();
        let place = |at: &Index| at.index(len + 1);
        match change {
            Change::Cut(at) => bytes.truncate(place(at)),
            Change::Removed(at, count) => {
                let at = place(at);
                bytes.drain(at..len.min(at + count));
            }
            Change::Inserted(at, part) => {
                let at = place(at);
                bytes.splice(at..at, part.bytes());
            }
            Change::Repeated(at, from, count) => {
                let from = place(from);
                let part = bytes[from..len.min(from + count)].to_vec();
                let at = place(at);
                bytes.splice(at..at, part);
            }
            Change::Byte(at, byte) if len > 0 => *at.get_mut(&mut bytes) = *byte,
            Change::Byte(..) => {}
        }
    }
    bytes
}

proptest! {
    #[test]
    fn no_file_fails_the_reader(seed in select(&RECORDED[..]), changes in vec(change(), 0..6)) {
        let bytes = changed(seed.as_bytes().to_vec(), &changes);
        let Ok(text) = decode(&bytes) else { return Ok(()) };
        let _ = read_any(&text);
        if let Ok(sessions) = read(&text) {
            // What is left out is written as what it means.
            let written = write(&sessions);
            prop_assert_eq!(write(&read(&written).unwrap()), written);
        }
    }
}

#[test]
fn a_document_type_within_an_element_is_refused() {
    let text = RECORDED[1].replacen("x&amp;", "x<!DOCTYPE a [<!ENTITY b \"bb\">]>&amp;", 1);
    assert_ne!(text, RECORDED[1]);
    read(&text).unwrap_err();
    let before = RECORDED[1].replacen("<sessions>", "<!DOCTYPE sessions><sessions>", 1);
    assert_eq!(read(&before).unwrap(), read(RECORDED[1]).unwrap());
}
