//! The packets of a snapshot.

use crate::error::{Corruption, GetError};
use crate::stream::{Positions, Stream};

/// Packets that were complete at one time: their positions, oldest first.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SnapshotPositions {
    next: u64,
    end: u64,
    subbuf_size: u64,
}

impl SnapshotPositions {
    /// Leaves out the oldest packets, so that there are at most `count`.
    #[must_use]
    pub fn keep_newest(self, count: u64) -> Self {
        let surplus = (self.len() as u64).saturating_sub(count);
        Self { next: self.next.wrapping_add(surplus * self.subbuf_size), ..self }
    }
}

impl Iterator for SnapshotPositions {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        let position = self.next;
        (position != self.end).then(|| {
            self.next = position.wrapping_add(self.subbuf_size);
            position
        })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let count = (self.end.wrapping_sub(self.next) / self.subbuf_size) as usize;
        (count, Some(count))
    }
}

impl ExactSizeIterator for SnapshotPositions {}

impl Stream {
    /// The positions between reader and writers, each for [`get_subbuf`](Self::get_subbuf). None when
    /// all was read. Packets that writers overwrite meanwhile, or never finished, fail there and
    /// count as lost: [`count_lost_packet`](Self::count_lost_packet).
    ///
    /// # Errors
    /// A corrupt stream.
    pub fn snapshot_positions(&mut self) -> Result<SnapshotPositions, Corruption> {
        let Positions { consumed, produced } = self.sample_positions()?;
        let geometry = self.layout.geometry;
        let end = geometry.trunc(produced);
        // Overwriting writers can be further ahead than there is memory, for a moment.
        let count = end.wrapping_sub(consumed).min(geometry.buf_size());
        Ok(SnapshotPositions {
            next: end.wrapping_sub(count),
            end,
            subbuf_size: geometry.subbuf_size(),
        })
    }

    /// Whether a failure to get a packet of a snapshot means that the packet is lost.
    #[must_use]
    pub fn is_lost(error: GetError) -> bool {
        !matches!(error, GetError::Empty | GetError::Corrupt(_))
    }
}
