//! Where things are in a stream's shared memory (LTTng-UST 2.12 to 2.16,
//! `src/common/ringbuffer/{frontend_types,backend_types}.h`, for little-endian x86 machines, of 64 and of 32 bits). What
//! differs from ABI to ABI and by the size of applications' words is told here and nowhere else.

use lttngd_model::{Bitness, BufferLayout};

use crate::config::ChannelConfig;
use crate::error::{ConfigError, CreateError};
use crate::geometry::Geometry;

/// LTTng-UST aligns what several CPUs write to this (`CAA_CACHE_LINE_SIZE` of liburcu).
#[cfg(target_arch = "x86_64")]
pub(crate) const CACHE_LINE: Option<u64> = Some(128);
#[cfg(not(target_arch = "x86_64"))]
pub(crate) const CACHE_LINE: Option<u64> = None;

/// Alignment and size in bytes of what has 64 bits in either kind of application.
const WIDE: u64 = 8;

/// Size in bytes of an application's word.
pub(crate) const fn word_len(bitness: Bitness) -> u64 {
    match bitness {
        Bitness::Bits32 => 4,
        Bitness::Bits64 => 8,
    }
}

/// Size in bytes of a reference to a place in shared memory, two words: which object, offset there.
pub(crate) const fn ref_len(bitness: Bitness) -> u64 {
    2 * word_len(bitness)
}

/// Size in bytes of a packet's header, of which one member is a word.
pub(crate) const fn packet_header_len(bitness: Bitness) -> u64 {
    76 + word_len(bitness)
}

/// Offsets in the control structure, which is at the beginning.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Control {
    /// The writers' position.
    pub offset: u64,
    pub commit_hot_ref: u64,
    /// The reader's position.
    pub consumed: u64,
    pub last_timestamp: u64,
    pub writer_ids_ref: u64,
    pub reader_id: u64,
    pub sequences_ref: u64,
    pub pages_refs_ref: u64,
    pub data_ref: u64,
    pub cpu: u64,
    pub allocated: u64,
    pub commit_cold_ref: u64,
    /// Not from ABI 11 on.
    pub end_times_ref: Option<u64>,
    /// Whether there is a reader: without one writers do not write to the wake-up pipe.
    pub active_readers: u64,
    /// Counts of lost events, one behind the other: the buffer was full, writers met, an event was too big.
    pub lost: u64,
    /// The stream itself.
    pub self_ref: u64,
    /// Size in bytes of the structure.
    pub len: u64,
}

/// Of 64-bit applications of ABI 8 to 10.
const UST8_64: Control = Control {
    offset: 128,
    commit_hot_ref: 136,
    consumed: 152,
    last_timestamp: 168,
    writer_ids_ref: 176,
    reader_id: 192,
    sequences_ref: 200,
    pages_refs_ref: 216,
    data_ref: 232,
    cpu: 264,
    allocated: 280,
    commit_cold_ref: 352,
    end_times_ref: Some(368),
    active_readers: 384,
    lost: 392,
    self_ref: 472,
    len: 640,
};
/// Of 64-bit applications of ABI 11.
const UST11_64: Control =
    Control { end_times_ref: None, active_readers: 368, lost: 376, self_ref: 456, ..UST8_64 };
/// Of 32-bit applications of ABI 8 to 10.
const UST8_32: Control = Control {
    offset: 128,
    commit_hot_ref: 132,
    consumed: 140,
    last_timestamp: 148,
    writer_ids_ref: 152,
    reader_id: 160,
    sequences_ref: 164,
    pages_refs_ref: 172,
    data_ref: 180,
    cpu: 196,
    allocated: 204,
    commit_cold_ref: 272,
    end_times_ref: Some(280),
    active_readers: 288,
    lost: 292,
    self_ref: 332,
    len: 512,
};
/// Of 32-bit applications of ABI 11.
const UST11_32: Control =
    Control { end_times_ref: None, active_readers: 280, lost: 284, self_ref: 328, ..UST8_32 };

impl Control {
    fn of(layout: BufferLayout, bitness: Bitness) -> &'static Self {
        match (layout, bitness) {
            (BufferLayout::Ust8, Bitness::Bits64) => &UST8_64,
            (BufferLayout::Ust8, Bitness::Bits32) => &UST8_32,
            (BufferLayout::Ust11, Bitness::Bits64) => &UST11_64,
            (BufferLayout::Ust11, Bitness::Bits32) => &UST11_32,
        }
    }
}

/// How many counts of lost events there are.
const LOST_COUNTS: u64 = 3;

/// Offsets and sizes of what there is one of for each sub-buffer, in words of applications where nothing else is said.
mod element {
    /// A hot commit counter: bytes committed, then the highest consistent count.
    pub const COMMIT_SEQUENCE: u64 = 1;
    /// Behind them, from ABI 11 on: whose the sub-buffer is.
    pub const COMMIT_OWNER: u64 = 2;
    /// A description of a sub-buffer's pages.
    pub const PAGES_DATA_SIZE: u64 = 3;
    pub const PAGES_DATA_REF: u64 = 4;
    /// From ABI 11 on: events that were lost when its packet began and ended; then, of 64 bits each, these times; then
    /// whether it has memory.
    pub const PAGES_BEGIN_LOST: u64 = 6;
    pub const PAGES_END_LOST: u64 = 7;
    pub const PAGES_TIMES: u64 = 8;
}

/// Offsets of the areas of a stream object, in bytes from its beginning.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Layout {
    pub of: BufferLayout,
    pub control: &'static Control,
    pub geometry: Geometry,
    /// Bytes of a word of applications, and of a packet's header.
    pub word_len: u64,
    pub header_len: u64,
    pub page_size: u64,
    pub commit_stride: u64,
    pub commit_hot: u64,
    pub commit_cold: u64,
    /// Of no meaning from ABI 11 on.
    pub end_times: u64,
    pub pages_refs: u64,
    pub data: u64,
    pub pages: u64,
    pub pages_len: u64,
    pub writer_ids: u64,
    pub sequences: u64,
    /// Size of the whole object.
    pub len: u64,
}

impl Layout {
    /// The layout of the channel's streams, the areas in the order in which the stock consumer daemon
    /// has them.
    pub fn new(config: &ChannelConfig) -> Result<Self, CreateError> {
        let page_size = rustix::param::page_size() as u64;
        config.check(page_size)?;
        let cache_line = CACHE_LINE.ok_or(CreateError::Architecture)?;
        let geometry = Geometry::new(config);
        let (count, physical) = (geometry.num_subbuf(), geometry.physical_count());
        let control = Control::of(config.layout, config.bitness);
        let word_len = word_len(config.bitness);
        let mut end = control.len;
        let mut place = |align: u64, len: u64| {
            let start = end.next_multiple_of(align);
            end = start + len;
            start
        };
        let (end_time_len, sequence_len) = match config.layout {
            BufferLayout::Ust8 => (WIDE, WIDE),
            // Of the packets' numbers there are the last one and the next one.
            BufferLayout::Ust11 => (0, 2 * WIDE),
        };
        let pages_len = match (config.layout, config.bitness) {
            (BufferLayout::Ust8, Bitness::Bits64) => 64,
            (BufferLayout::Ust8, Bitness::Bits32) => 40,
            (BufferLayout::Ust11, Bitness::Bits64) => 176,
            (BufferLayout::Ust11, Bitness::Bits32) => 152,
        };
        let layout = Self {
            of: config.layout,
            control,
            geometry,
            word_len,
            header_len: packet_header_len(config.bitness),
            page_size,
            commit_stride: cache_line,
            commit_hot: place(cache_line, cache_line * count),
            commit_cold: place(cache_line, cache_line * count),
            end_times: place(WIDE, end_time_len * count),
            pages_refs: place(WIDE, ref_len(config.bitness) * physical),
            data: place(page_size, geometry.subbuf_size() * physical),
            pages: place(WIDE, pages_len * physical),
            pages_len,
            writer_ids: place(WIDE, word_len * count),
            sequences: place(WIDE, sequence_len * count),
            len: 0,
        };
        // It is mapped as a whole.
        if usize::try_from(end).is_err() {
            let subbuf_size = geometry.subbuf_size();
            let max = usize::MAX as u64;
            return Err(ConfigError::BufferSize { subbuf_size, count, max }.into());
        }
        Ok(Self { len: end, ..layout })
    }

    pub fn commit_count(&self, index: u64) -> u64 {
        self.commit_hot + self.commit_stride * index
    }

    pub fn commit_sequence(&self, index: u64) -> u64 {
        self.commit_count(index) + self.word_len * element::COMMIT_SEQUENCE
    }

    pub fn delivered_count(&self, index: u64) -> u64 {
        self.commit_cold + self.commit_stride * index
    }

    /// Whose the sub-buffer is, from ABI 11 on; `None` before, when it is nobody's alone.
    pub fn owner(&self, index: u64) -> Option<u64> {
        let owner = self.commit_count(index) + self.word_len * element::COMMIT_OWNER;
        (self.of == BufferLayout::Ust11).then_some(owner)
    }

    /// When the last event of the sub-buffer was, which is `physical` in memory.
    pub fn end_time(&self, index: u64, physical: u32) -> u64 {
        match self.of {
            BufferLayout::Ust8 => self.end_times + WIDE * index,
            BufferLayout::Ust11 => self.pages_begin_time(physical.into()) + WIDE,
        }
    }

    /// Events that are lost since the buffer was full.
    pub fn lost_full(&self) -> u64 {
        self.control.lost
    }

    /// All counts of lost events.
    pub fn lost_counts(&self) -> impl Iterator<Item = u64> + use<> {
        let (first, len) = (self.control.lost, self.word_len);
        (0..LOST_COUNTS).map(move |number| first + len * number)
    }

    pub fn writer_id(&self, index: u64) -> u64 {
        self.writer_ids + self.word_len * index
    }

    /// How many packets were delivered in the sub-buffer when it has this commit count: from ABI 11 on the number of
    /// the next packet is written beside that of the last one.
    pub fn sequence(&self, index: u64, commit_count: u64) -> u64 {
        match self.of {
            BufferLayout::Ust8 => self.sequences + WIDE * index,
            BufferLayout::Ust11 => {
                let slot = (commit_count >> self.geometry.subbuf_order) & 1;
                self.sequences + WIDE * (2 * index + slot)
            }
        }
    }

    pub fn pages_ref(&self, physical: u64) -> u64 {
        self.pages_refs + 2 * self.word_len * physical
    }

    pub fn pages(&self, physical: u64) -> u64 {
        self.pages + self.pages_len * physical
    }

    pub fn data_size(&self, physical: u64) -> u64 {
        self.pages(physical) + self.word_len * element::PAGES_DATA_SIZE
    }

    /// Where the sub-buffer's bytes begin, a reference.
    pub fn data_ref(&self, physical: u64) -> u64 {
        self.pages(physical) + self.data_ref_in_pages()
    }

    /// The place of that in a description of pages.
    pub fn data_ref_in_pages(&self) -> u64 {
        self.word_len * element::PAGES_DATA_REF
    }

    /// From ABI 11 on: events that were lost when the packet in a sub-buffer began.
    pub fn pages_begin_lost(&self, physical: u64) -> u64 {
        self.pages(physical) + self.word_len * element::PAGES_BEGIN_LOST
    }

    /// From ABI 11 on: the same when it ended.
    pub fn pages_end_lost(&self, physical: u64) -> u64 {
        self.pages(physical) + self.word_len * element::PAGES_END_LOST
    }

    /// From ABI 11 on: when it began; behind that, when it ended.
    pub fn pages_begin_time(&self, physical: u64) -> u64 {
        self.pages(physical) + self.word_len * element::PAGES_TIMES
    }

    /// From ABI 11 on: whether the sub-buffer has memory.
    pub fn pages_allocated(&self, physical: u64) -> u64 {
        self.pages_begin_time(physical) + 2 * WIDE
    }

    pub fn subbuf(&self, physical: u64) -> u64 {
        self.data + self.geometry.subbuf_size() * physical
    }
}
