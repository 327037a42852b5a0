//! Metadata streams, whose packets are those of a file.

use std::{
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::{Arc, Mutex},
};

use lttngd_wire::kernel::ReaderCall;
use rustix::io::Errno;

use crate::{Calls, Mapped, MetadataError, MetadataStream, MetadataText};

const UUID: [u8; 16] = [7; 16];
const PACKET_LEN: usize = 256;

/// Packets, all mapped from the beginning: the version of each, and whether it ends a statement.
#[derive(Debug)]
struct FakeMetadata {
    packets: Vec<(u64, bool)>,
    bytes: Vec<u8>,
    next: Mutex<usize>,
    /// Whether it does not know whether text is whole.
    is_old: bool,
    is_ended: bool,
    wakeup: OwnedFd,
}

impl FakeMetadata {
    fn new(packets: &[(u64, &str, bool)]) -> Self {
        let mut bytes = Vec::new();
        for (_, text, _) in packets {
            let begin = bytes.len();
            let content = u32::try_from((37 + text.len()) * 8).unwrap().to_ne_bytes();
            bytes.extend(0x75D1_1D57_u32.to_ne_bytes());
            bytes.extend(UUID);
            bytes.extend([[0; 4], content, [0; 4]].concat());
            bytes.extend([0, 0, 0, 1, 8]);
            bytes.extend(text.as_bytes());
            bytes.resize(begin + PACKET_LEN, 0);
        }
        let packets = packets.iter().map(|(version, _, whole)| (*version, *whole)).collect();
        let wakeup = std::fs::File::open("/dev/null").unwrap().into();
        let (is_old, is_ended) = (false, false);
        Self { packets, bytes, next: Mutex::new(0), is_old, is_ended, wakeup }
    }

    fn stream(self) -> MetadataStream {
        MetadataStream::new(Arc::new(self)).unwrap()
    }
}

impl Calls for FakeMetadata {
    fn call(&self, call: ReaderCall, told: &mut u64) -> Result<(), Errno> {
        let mut next = self.next.lock().unwrap();
        let none = if self.is_ended { Errno::NODATA } else { Errno::AGAIN };
        *told = match call {
            ReaderCall::MmapLen => self.bytes.len() as u64,
            ReaderCall::GetNextMetadata if self.is_old => return Err(Errno::NOTTY),
            ReaderCall::GetNextMetadata => u64::from(self.packets.get(*next).ok_or(none)?.1),
            ReaderCall::GetNext => self.packets.get(*next).map(|_| 0).ok_or(none)?,
            ReaderCall::MmapReadOffset => (*next * PACKET_LEN) as u64,
            ReaderCall::SubbufSize => PACKET_LEN as u64,
            ReaderCall::MetadataVersion => self.packets[*next].0,
            ReaderCall::PutSubbuf => 0,
            ReaderCall::PutNext => {
                *next += 1;
                0
            }
            other => panic!("{other:?}"),
        };
        Ok(())
    }

    fn map(&self, len: usize) -> Result<Mapped, Errno> {
        assert_eq!(len, self.bytes.len());
        Ok(Mapped::own(self.bytes.clone().into()))
    }

    fn splice(&self, _: u64, _: BorrowedFd<'_>, _: usize) -> Result<usize, Errno> {
        unreachable!("metadata is mapped")
    }

    fn descriptor(&self) -> BorrowedFd<'_> {
        self.wakeup.as_fd()
    }
}

fn text(version: u64, offset: u64, text: &str) -> Option<MetadataText> {
    Some(MetadataText { version, offset, uuid: UUID, bytes: text.as_bytes().to_vec() })
}

#[test]
fn text_comes_in_whole_statements() {
    let mut stream =
        FakeMetadata::new(&[(0, "trace {", false), (0, "};", true), (0, "event {", false)])
            .stream();
    // The last one is not whole: it waits, and so does what came with it.
    assert_eq!(stream.read().unwrap(), None);
    let mut whole = FakeMetadata::new(&[(0, "trace {", false), (0, "};", true)]).stream();
    assert_eq!(whole.read().unwrap(), text(0, 0, "trace {};"));
    assert_eq!(whole.read().unwrap(), None);
    assert!(!whole.is_ended());
}

#[test]
fn text_that_is_made_anew_begins_anew() {
    let packets = [(0, "old;", true), (1, "new", false), (1, "er;", true)];
    let mut stream = FakeMetadata::new(&packets).stream();
    assert_eq!(stream.read().unwrap(), text(0, 0, "old;"));
    assert_eq!(stream.read().unwrap(), text(1, 0, "newer;"));
    assert_eq!(stream.read().unwrap(), None);
    let mut broken_off = FakeMetadata::new(&[(0, "ol", false), (1, "new;", true)]).stream();
    assert_eq!(broken_off.read().unwrap(), text(1, 0, "new;"), "nobody needs what it replaces");
}

#[test]
fn an_older_tracer_does_not_tell_whether_text_is_whole() {
    let old = FakeMetadata { is_old: true, ..FakeMetadata::new(&[(0, "a;", false)]) };
    let mut stream = old.stream();
    assert_eq!(stream.read().unwrap(), text(0, 0, "a;"));
}

#[test]
fn the_end_of_the_session_is_seen_after_its_text() {
    let ended = FakeMetadata { is_ended: true, ..FakeMetadata::new(&[(0, "a;", true)]) };
    let mut stream = ended.stream();
    assert_eq!(stream.read().unwrap(), text(0, 0, "a;"));
    assert!(stream.is_ended());
}

#[test]
fn a_packet_that_is_none_is_an_error() {
    let mut broken = FakeMetadata::new(&[(0, "a;", true)]);
    broken.bytes[24..28].copy_from_slice(&u32::MAX.to_ne_bytes());
    assert_eq!(broken.stream().read(), Err(MetadataError::Packet));
}
