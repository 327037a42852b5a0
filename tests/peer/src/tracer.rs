//! A writer of ring buffers, as liblttng-ust is one in a traced application: what it knows it takes
//! from the channel object and from the references in shared memory, and nothing from the consumer
//! daemon's code. It writes events of a format of its own, see [`Event`].
//!
//! A slot can be left open between its reservation and its commit, as a thread can be preempted or
//! killed there.

mod event;
mod reserve;
mod shared;
mod switch;

use std::os::fd::{BorrowedFd, OwnedFd};

pub use event::{EVENT_HEADER_LEN, Event, events};
pub use reserve::{Refused, Slot};

use shared::Shared;

/// Size in bytes of a packet's header.
const PACKET_HEADER_LEN: u64 = 84;

/// What an application reads out of a channel object.
#[derive(Clone, Debug)]
pub struct TracerChannel {
    overwrite: bool,
    wakes: bool,
    subbuf_size: u64,
    subbuf_order: u32,
    num_order: u32,
    stream_offsets: Vec<u64>,
    id: u32,
    uuid: [u8; 16],
}

impl TracerChannel {
    /// Reads the channel object, which is as an application would take it.
    pub fn new(image: &[u8]) -> Self {
        let half = |offset: usize| u32::from_ne_bytes(image[offset..][..4].try_into().unwrap());
        let word = |offset: usize| u64::from_ne_bytes(image[offset..][..8].try_into().unwrap());
        let private = word(64) as usize;
        let stream_count = half(72) as usize;
        assert_eq!(image.len(), private + 120);
        assert_eq!(half(196), 1, "output is by mmap");
        let stream_offsets = (0..stream_count).map(|cpu| {
            assert_eq!(word(664 + 16 * cpu), cpu as u64 + 1, "the object of a stream");
            word(664 + 16 * cpu + 8)
        });
        let (subbuf_order, num_order) = (half(136), half(140));
        assert_eq!((1 << subbuf_order, 1 << num_order), (word(128), word(152)));
        assert_eq!(word(120), word(128) * word(152));
        let overwrite = half(192) == 0;
        assert_eq!(image[148] & 1 == 1, overwrite, "the reader has a sub-buffer of its own");
        Self {
            overwrite,
            wakes: half(212) == 1,
            subbuf_size: word(128),
            subbuf_order,
            num_order,
            stream_offsets: stream_offsets.collect(),
            id: half(private + 92),
            uuid: image[private + 100..][..16].try_into().unwrap(),
        }
    }

    fn in_subbuf(&self, position: u64) -> u64 {
        position & (self.subbuf_size - 1)
    }

    fn index(&self, position: u64) -> u64 {
        (position >> self.subbuf_order) & ((1 << self.num_order) - 1)
    }

    fn trunc(&self, position: u64) -> u64 {
        position & !(self.subbuf_size - 1)
    }

    fn align(&self, position: u64) -> u64 {
        self.trunc(position) + self.subbuf_size
    }

    fn buf_order(&self) -> u32 {
        self.subbuf_order + self.num_order
    }

    fn buf_size(&self) -> u64 {
        1 << self.buf_order()
    }

    /// The commit count that a sub-buffer has when the writers come to `position`.
    fn commit_base(&self, position: u64) -> u64 {
        position >> self.buf_order() << self.subbuf_order
    }

    fn commit_mask(&self) -> u64 {
        u64::MAX >> self.num_order
    }
}

/// A stream, as the threads of an application on one CPU share it.
#[derive(Debug)]
pub struct Tracer {
    channel: TracerChannel,
    shared: Shared,
    wakeup: OwnedFd,
}

impl Tracer {
    /// Maps the stream of `cpu`, as an application does with the objects that it is sent.
    pub fn map(
        channel: &TracerChannel,
        cpu: u32,
        memory_map_size: u64,
        memory: BorrowedFd<'_>,
        wakeup: BorrowedFd<'_>,
    ) -> Self {
        let object = u64::from(cpu) + 1;
        let control = channel.stream_offsets[cpu as usize];
        let shared = Shared::map(memory, memory_map_size as usize, object, control);
        assert_eq!(shared.cpu(), cpu);
        Self { channel: channel.clone(), shared, wakeup: wakeup.try_clone_to_owned().unwrap() }
    }

    /// Events that were refused so far, of all writers of the stream.
    pub fn events_discarded(&self) -> u64 {
        self.shared.lost().iter().fold(0, |sum, count| sum.wrapping_add(*count))
    }

    /// The position of the writers.
    pub fn position(&self) -> u64 {
        self.shared.offset().load(std::sync::atomic::Ordering::SeqCst)
    }

    /// Writes a word anywhere in the shared memory, which only a hostile application does.
    pub fn scribble(&self, word: usize, value: u64) {
        self.shared.scribble(word, value);
    }

    /// Where the shared memory is mapped here.
    pub fn address(&self) -> usize {
        self.shared.address()
    }

    /// Count of words of shared memory.
    pub fn words(&self) -> usize {
        self.shared.words()
    }
}
