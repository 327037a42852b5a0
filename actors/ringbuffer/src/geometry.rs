//! Arithmetic over positions. A position counts all bytes that were ever reserved in a stream; it runs
//! freely and wraps, so positions are compared by their signed difference.

use lttngd_model::BufferLayout;

use crate::config::{ChannelConfig, Mode, SPARE_MAX_LEN};

/// Sizes of a stream's buffer, all of them powers of two.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Geometry {
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

    /// How often the whole buffer was passed.
    pub fn generation(&self, position: u64) -> u64 {
        position >> self.buf_order()
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
        u64::MAX >> self.num_order
    }

    /// The commit counter of the position's sub-buffer before this pass.
    pub fn commit_base(&self, position: u64) -> u64 {
        (position & !(self.buf_size() - 1)) >> self.num_order
    }

    /// Whether a commit counter says that the position's sub-buffer is full.
    pub fn is_committed(&self, position: u64, commit_count: u64) -> bool {
        commit_count.wrapping_sub(self.subbuf_size()) & self.commit_mask()
            == self.commit_base(position)
    }
}

/// Whether the position `left` is behind `right`.
pub(crate) fn is_behind(left: u64, right: u64) -> bool {
    left.wrapping_sub(right).cast_signed() < 0
}
