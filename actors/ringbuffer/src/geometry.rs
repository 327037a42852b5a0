//! Arithmetic over positions. A position counts all bytes that were ever reserved in a stream; it runs
//! freely and wraps, so positions are compared by their signed difference.
//!
//! Applications keep positions and counts in their `long`s. Those of 32 bits are the low half of a position here, which
//! is not cut off: [`Geometry::extend`] finds it again.

use lttngd_model::{Bitness, BufferLayout};

use crate::config::{ChannelConfig, Mode, SPARE_MAX_LEN};

/// Sizes of a stream's buffer, all of them powers of two.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Geometry {
    /// Of the words of applications.
    pub bitness: Bitness,
    pub mode: Mode,
    pub subbuf_order: u32,
    pub num_order: u32,
    /// Whether a reader takes a sub-buffer by giving another one for it: in overwrite mode, and from ABI 11 on always.
    pub exchanges: bool,
    /// The sub-buffers that are the reader's then.
    pub spares: u64,
}

impl Geometry {
    /// Of a checked configuration.
    pub fn new(config: &ChannelConfig) -> Self {
        let exchanges = config.mode == Mode::Overwrite || config.layout == BufferLayout::Ust11;
        let spares = match (exchanges, config.snapshots) {
            (false, _) => 0,
            (true, false) => 1,
            (true, true) => (SPARE_MAX_LEN / config.subbuf_size_bytes).clamp(2, config.num_subbuf),
        };
        Self {
            bitness: config.bitness,
            mode: config.mode,
            subbuf_order: config.subbuf_size_bytes.trailing_zeros(),
            num_order: config.num_subbuf.trailing_zeros(),
            exchanges,
            spares,
        }
    }

    pub fn subbuf_size(&self) -> u64 {
        1 << self.subbuf_order
    }

    pub fn num_subbuf(&self) -> u64 {
        1 << self.num_order
    }

    pub fn buf_order(&self) -> u32 {
        self.subbuf_order + self.num_order
    }

    pub fn buf_size(&self) -> u64 {
        1 << self.buf_order()
    }

    /// Sub-buffers in memory: where they are exchanged the reader has some of its own.
    pub fn physical_count(&self) -> u64 {
        self.num_subbuf() + self.spares
    }

    pub fn offset_in_subbuf(&self, position: u64) -> u64 {
        position & (self.subbuf_size() - 1)
    }

    /// Which of the sub-buffers in turn.
    pub fn index(&self, position: u64) -> u64 {
        (position >> self.subbuf_order) & (self.num_subbuf() - 1)
    }

    /// How often the whole buffer was passed, as far as a word tells.
    pub fn generation(&self, position: u64) -> u64 {
        self.in_word(position) >> self.buf_order()
    }

    /// What applications' words hold of a value.
    #[inline]
    pub fn in_word(&self, value: u64) -> u64 {
        value & self.word_mask()
    }

    #[inline]
    fn word_mask(&self) -> u64 {
        match self.bitness {
            Bitness::Bits32 => u32::MAX.into(),
            Bitness::Bits64 => u64::MAX,
        }
    }

    /// The first position that is not behind `near` and of which a word holds `found`.
    #[inline]
    pub fn extend(&self, found: u64, near: u64) -> u64 {
        near.wrapping_add(self.in_word(found.wrapping_sub(near)))
    }

    /// How far `left` is ahead of `right`, by what words tell; negative when it is behind.
    #[inline]
    pub fn ahead(&self, left: u64, right: u64) -> i64 {
        let difference = left.wrapping_sub(right);
        match self.bitness {
            Bitness::Bits32 => i64::from((difference as u32).cast_signed()),
            Bitness::Bits64 => difference.cast_signed(),
        }
    }

    /// The beginning of the position's sub-buffer.
    pub fn trunc(&self, position: u64) -> u64 {
        position - self.offset_in_subbuf(position)
    }

    /// The beginning of the next sub-buffer.
    pub fn align(&self, position: u64) -> u64 {
        self.trunc(position).wrapping_add(self.subbuf_size())
    }

    /// Commit counters count per sub-buffer in turn, which take a part of each pass; so many of their
    /// bits are meaningful.
    pub fn commit_mask(&self) -> u64 {
        self.word_mask() >> self.num_order
    }

    /// The commit counter of the position's sub-buffer before this pass.
    pub fn commit_base(&self, position: u64) -> u64 {
        (self.in_word(position) & !(self.buf_size() - 1)) >> self.num_order
    }

    /// The commit counter of the position's sub-buffer when it is full, which is `count` now: of the bits that mean
    /// nothing it has the same.
    pub fn full_count(&self, position: u64, count: u64) -> u64 {
        let full = self.commit_base(position).wrapping_add(self.subbuf_size());
        self.in_word(count.wrapping_add(full.wrapping_sub(count) & self.commit_mask()))
    }

    /// Whether a commit counter says that the position's sub-buffer is full.
    pub fn is_committed(&self, position: u64, commit_count: u64) -> bool {
        commit_count.wrapping_sub(self.subbuf_size()) & self.commit_mask()
            == self.commit_base(position)
    }
}

impl Geometry {
    /// Half of a word of a sub-buffer's id: above it is whether nobody is in it, and then the pass.
    fn half_word(&self) -> u32 {
        self.bitness.bits_per_long() / 2
    }

    /// The bit of an id that says that neither reader nor writer is in the sub-buffer.
    pub fn free_bit(&self) -> u64 {
        1 << self.half_word()
    }

    /// The id of a sub-buffer that was written in pass `generation` and is free to be taken.
    pub fn free_id(&self, physical: u32, generation: u64) -> u64 {
        let pass = generation << (self.half_word() + 1);
        self.in_word(u64::from(physical) | self.free_bit() | pass)
    }

    /// The sub-buffer of an id.
    pub fn physical_of(&self, id: u64) -> u32 {
        (id & (self.free_bit() - 1)) as u32
    }
}

/// Whether the position `left` is behind `right`.
pub(crate) fn is_behind(left: u64, right: u64) -> bool {
    left.wrapping_sub(right).cast_signed() < 0
}
