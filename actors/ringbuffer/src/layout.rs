//! Where things are in a stream's shared memory (LTTng-UST 2.12 to 2.16,
//! `src/common/ringbuffer/{frontend_types,backend_types}.h`, for 64-bit little-endian machines). What differs from
//! ABI to ABI is told here and nowhere else.

use lttngd_model::BufferLayout;

use crate::config::ChannelConfig;
use crate::error::{ConfigError, CreateError};
use crate::geometry::Geometry;

/// LTTng-UST aligns what several CPUs write to this (`CAA_CACHE_LINE_SIZE` of liburcu).
#[cfg(target_arch = "x86_64")]
pub(crate) const CACHE_LINE: Option<u64> = Some(128);
#[cfg(not(target_arch = "x86_64"))]
pub(crate) const CACHE_LINE: Option<u64> = None;

/// Size in bytes of a reference to a place in shared memory: which object, offset there.
pub(crate) const REF_LEN: u64 = 16;
/// Size in bytes of a packet's header.
pub(crate) const PACKET_HEADER_LEN: u64 = 84;

/// Offsets in the control structure, which is at the beginning.
pub(crate) mod control {
    pub const OFFSET: u64 = 128;
    pub const COMMIT_HOT_REF: u64 = 136;
    pub const CONSUMED: u64 = 152;
    pub const LAST_TIMESTAMP: u64 = 168;
    pub const WRITER_IDS_REF: u64 = 176;
    pub const READER_ID: u64 = 192;
    pub const SEQUENCES_REF: u64 = 200;
    pub const PAGES_REFS_REF: u64 = 216;
    pub const DATA_REF: u64 = 232;
    pub const CPU: u64 = 264;
    pub const ALLOCATED: u64 = 280;
    pub const COMMIT_COLD_REF: u64 = 352;
    /// Not from ABI 11 on.
    pub const END_TIMES_REF: u64 = 368;
    pub const LEN: u64 = 640;
}

/// Counts of lost events, one behind the other: the buffer was full, writers met, an event was too big.
const LOST_COUNTS: u64 = 3;

/// Offsets and sizes of what there is one of for each sub-buffer.
pub(crate) mod element {
    /// A hot commit counter: bytes committed, then the highest consistent count.
    pub const COMMIT_SEQUENCE: u64 = 8;
    /// Behind them, from ABI 11 on: whose the sub-buffer is.
    pub const COMMIT_OWNER: u64 = 16;
    /// A description of a sub-buffer's pages.
    pub const PAGES_DATA_SIZE: u64 = 24;
    pub const PAGES_DATA_REF: u64 = 32;
    /// From ABI 11 on: events that were lost when its packet began and ended, these times, and whether it has memory.
    pub const PAGES_BEGIN_LOST: u64 = 48;
    pub const PAGES_END_LOST: u64 = 56;
    pub const PAGES_BEGIN_TIME: u64 = 64;
    pub const PAGES_END_TIME: u64 = 72;
    pub const PAGES_ALLOCATED: u64 = 80;
    pub const WORD_LEN: u64 = 8;
}

/// Offsets of the areas of a stream object, in bytes from its beginning.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Layout {
    pub of: BufferLayout,
    pub geometry: Geometry,
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
        let mut end = control::LEN;
        let mut place = |align: u64, len: u64| {
            let start = end.next_multiple_of(align);
            end = start + len;
            start
        };
        let (end_time_len, pages_len, sequence_len) = match config.layout {
            BufferLayout::Ust8 => (element::WORD_LEN, 64, element::WORD_LEN),
            // Of the packets' numbers there are the last one and the next one.
            BufferLayout::Ust11 => (0, 176, 2 * element::WORD_LEN),
        };
        let layout = Self {
            of: config.layout,
            geometry,
            page_size,
            commit_stride: cache_line,
            commit_hot: place(cache_line, cache_line * count),
            commit_cold: place(cache_line, cache_line * count),
            end_times: place(element::WORD_LEN, end_time_len * count),
            pages_refs: place(element::WORD_LEN, REF_LEN * physical),
            data: place(page_size, geometry.subbuf_size() * physical),
            pages: place(element::WORD_LEN, pages_len * physical),
            pages_len,
            writer_ids: place(element::WORD_LEN, element::WORD_LEN * count),
            sequences: place(element::WORD_LEN, sequence_len * count),
            len: 0,
        };
        // It is mapped as a whole.
        if usize::try_from(end).is_err() {
            let subbuf_size = geometry.subbuf_size();
            return Err(ConfigError::BufferSize { subbuf_size, count }.into());
        }
        Ok(Self { len: end, ..layout })
    }

    pub fn commit_count(&self, index: u64) -> u64 {
        self.commit_hot + self.commit_stride * index
    }

    pub fn commit_sequence(&self, index: u64) -> u64 {
        self.commit_count(index) + element::COMMIT_SEQUENCE
    }

    pub fn delivered_count(&self, index: u64) -> u64 {
        self.commit_cold + self.commit_stride * index
    }

    /// Whose the sub-buffer is, from ABI 11 on; `None` before, when it is nobody's alone.
    pub fn owner(&self, index: u64) -> Option<u64> {
        let owner = self.commit_count(index) + element::COMMIT_OWNER;
        (self.of == BufferLayout::Ust11).then_some(owner)
    }

    /// When the last event of the sub-buffer was, which is `physical` in memory.
    pub fn end_time(&self, index: u64, physical: u32) -> u64 {
        match self.of {
            BufferLayout::Ust8 => self.end_times + element::WORD_LEN * index,
            BufferLayout::Ust11 => self.pages(physical.into()) + element::PAGES_END_TIME,
        }
    }

    /// The first of the counts of lost events.
    fn lost(&self) -> u64 {
        match self.of {
            BufferLayout::Ust8 => 392,
            BufferLayout::Ust11 => 376,
        }
    }

    /// Events that are lost since the buffer was full.
    pub fn lost_full(&self) -> u64 {
        self.lost()
    }

    /// All counts of lost events.
    pub fn lost_counts(&self) -> impl Iterator<Item = u64> + use<> {
        let first = self.lost();
        (0..LOST_COUNTS).map(move |number| first + element::WORD_LEN * number)
    }

    /// Whether there is a reader: without one writers do not write to the wake-up pipe.
    pub fn active_readers(&self) -> u64 {
        match self.of {
            BufferLayout::Ust8 => 384,
            BufferLayout::Ust11 => 368,
        }
    }

    /// The stream itself.
    pub fn self_ref(&self) -> u64 {
        match self.of {
            BufferLayout::Ust8 => 472,
            BufferLayout::Ust11 => 456,
        }
    }

    pub fn writer_id(&self, index: u64) -> u64 {
        self.writer_ids + element::WORD_LEN * index
    }

    /// How many packets were delivered in the sub-buffer when it has this commit count: from ABI 11 on the number of
    /// the next packet is written beside that of the last one.
    pub fn sequence(&self, index: u64, commit_count: u64) -> u64 {
        match self.of {
            BufferLayout::Ust8 => self.sequences + element::WORD_LEN * index,
            BufferLayout::Ust11 => {
                let slot = (commit_count >> self.geometry.subbuf_order) & 1;
                self.sequences + element::WORD_LEN * (2 * index + slot)
            }
        }
    }

    pub fn pages_ref(&self, physical: u64) -> u64 {
        self.pages_refs + REF_LEN * physical
    }

    pub fn pages(&self, physical: u64) -> u64 {
        self.pages + self.pages_len * physical
    }

    pub fn data_size(&self, physical: u64) -> u64 {
        self.pages(physical) + element::PAGES_DATA_SIZE
    }

    pub fn subbuf(&self, physical: u64) -> u64 {
        self.data + self.geometry.subbuf_size() * physical
    }
}
