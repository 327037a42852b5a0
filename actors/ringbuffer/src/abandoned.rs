//! Packets that writers left unfinished: they reserved room in it and died before they wrote there.
//! Nobody completes such a packet; the reader stops there, and in the next pass of the buffer the
//! writers do.

use std::sync::atomic::{Ordering, fence};

use lttngd_model::BufferLayout;

use crate::clock::Clock;
use crate::config::Mode;
use crate::error::Corruption;
use crate::geometry::is_behind;
use crate::packet::{self, Closing, RawHeader};
use crate::stream::Stream;

impl Stream {
    /// The position of the writers, when packets that they left behind are not finished, or somebody has a sub-buffer
    /// still that he left. Most are within microseconds.
    ///
    /// # Errors
    /// A corrupt stream.
    pub fn unfinished_until(&mut self) -> Result<Option<u64>, Corruption> {
        let produced = self.look()?.produced;
        if self.layout.of == BufferLayout::Ust11 {
            for position in self.left_positions(produced) {
                self.note_owner(position);
            }
        }
        let unfinished = self.awaits_owners()
            || self.is_left_behind(produced)
            || self.left_positions(produced).any(|at| !self.is_delivered(at));
        Ok(unfinished.then_some(produced))
    }

    /// Whether overwriting writers at `produced` should have pushed the reader on, which they do after
    /// they went ahead.
    fn is_left_behind(&self, produced: u64) -> bool {
        let geometry = self.layout.geometry;
        let end = geometry.trunc(produced);
        geometry.mode == Mode::Overwrite
            && is_behind(self.consumed, end.wrapping_sub(geometry.buf_size()))
    }

    /// Completes the packets before `until` that their writers left unfinished, in place of writers
    /// that are dead; says how many. Each is cut off before its first unfinished event, and what is
    /// cut off counts as one discarded event.
    ///
    /// Whether a writer is dead cannot be seen in the shared memory: the caller knows, or guesses by
    /// the time since `until` was the position of the writers. One that goes on after all makes a later
    /// packet unreadable.
    ///
    /// # Errors
    /// A corrupt stream.
    pub fn finish_abandoned(
        &mut self,
        until: u64,
        clock: &impl Clock,
    ) -> Result<usize, Corruption> {
        let produced = self.look()?.produced;
        let until = if is_behind(produced, until) { produced } else { until };
        if self.is_left_behind(until) {
            let geometry = self.layout.geometry;
            self.move_consumed(geometry.trunc(until).wrapping_sub(geometry.buf_size()))?;
        }
        // From the newest to the oldest: a packet ends before the one behind it begins.
        let mut later = self.begin_of(produced)?.unwrap_or(clock.now());
        let mut finished = 0;
        for position in self.left_positions(produced).rev() {
            if is_behind(position, until) && !self.is_delivered(position) {
                finished += usize::from(self.finish_packet(position, later)?);
            }
            later = self.begin_of(position)?.unwrap_or(later);
        }
        self.free_held_on(produced);
        self.check()?;
        Ok(finished)
    }

    /// The beginnings of the packets in the buffer that writers have left.
    fn left_positions(&self, produced: u64) -> impl DoubleEndedIterator<Item = u64> + use<> {
        let geometry = self.layout.geometry;
        let end = geometry.trunc(produced);
        let start = end.saturating_sub(geometry.buf_size());
        let order = geometry.subbuf_order;
        (start >> order..end >> order).map(move |number| number << order)
    }

    /// Completes one packet, whose writer's sub-buffer is taken from it, which ends at `later` at the latest. `false` when a writer did something
    /// meanwhile.
    fn finish_packet(&mut self, position: u64, later: u64) -> Result<bool, Corruption> {
        let geometry = self.layout.geometry;
        let index = geometry.index(position);
        let physical = self.physical_at(index)?;
        self.seize(index);
        let counter = self.memory.word(self.layout.commit_count(index));
        let found = counter.load(Ordering::SeqCst);
        let full = geometry.full_count(position, found);
        let written = self.written_len(position, physical, found == full);
        // From here on no writer finds its packet complete.
        if counter.exchange(found, full).is_err() {
            self.disown(index);
            return Ok(false);
        }
        if found != full {
            // Later packets are to show it as well.
            self.memory.word(self.layout.lost_full()).add(1, Ordering::Relaxed);
        }
        let subbuf = self.layout.subbuf(physical.into());
        if written < self.layout.header_len {
            packet::open(&self.memory, subbuf, &self.identity, later, self.number_of(position));
        }
        let data_size = written.max(self.layout.header_len);
        let begin = RawHeader::load(&self.memory, subbuf).timestamp_begin();
        let end = self.memory.u64(self.layout.end_time(index, physical)).load(Ordering::Acquire);
        let closing = Closing {
            // The one who was to write it may be the one who died: then it is that of a pass before.
            timestamp_end: if begin < end && end <= later { end } else { later.max(begin) },
            data_size,
            packet_size: data_size.next_multiple_of(self.layout.page_size),
            events_discarded: self.events_discarded(),
        };
        packet::close(&self.memory, subbuf, &closing);
        let word = |offset, value: u64| self.memory.word(offset).store(value, Ordering::SeqCst);
        word(self.layout.data_size(physical.into()), data_size);
        let passes = (position >> geometry.buf_order()).wrapping_add(1);
        self.memory.u64(self.layout.sequence(index, full)).store(passes, Ordering::SeqCst);
        fence(Ordering::SeqCst);
        if geometry.exchanges {
            let id = geometry.free_id(physical, geometry.generation(position));
            word(self.layout.writer_id(index), id);
        }
        word(self.layout.delivered_count(index), full);
        word(self.layout.commit_sequence(index), full);
        self.disown(index);
        Ok(true)
    }

    /// Bytes from the beginning of the packet at `position` that are written without a gap, as far as LTTng-UST tells.
    /// It does when as much is written as there is up to the end of the event that was written last. So an event in it
    /// may be missing if what was written behind it before is just as long: the counts are the same as those of a
    /// packet that lacks another event, and nothing else in shared memory says more.
    pub(crate) fn written_len(&self, position: u64, physical: u32, is_full: bool) -> u64 {
        let geometry = self.layout.geometry;
        let len = if is_full {
            // Whoever was to deliver it died; nothing in it is missing.
            self.memory.word(self.layout.data_size(physical.into())).load(Ordering::Acquire)
        } else {
            let sequence = self.memory.word(self.layout.commit_sequence(geometry.index(position)));
            let count = sequence.load(Ordering::Acquire);
            count.wrapping_sub(geometry.commit_base(position)) & geometry.commit_mask()
        };
        // It may be that of a pass before.
        if len <= geometry.subbuf_size() { len } else { 0 }
    }

    /// When the packet at `position` began, if it has a header.
    pub(crate) fn begin_of(&mut self, position: u64) -> Result<Option<u64>, Corruption> {
        let geometry = self.layout.geometry;
        let physical = self.physical_at(geometry.index(position))?;
        let header = RawHeader::load(&self.memory, self.layout.subbuf(physical.into()));
        let is_there = header.sequence_number() == self.number_of(position);
        Ok(is_there.then(|| header.timestamp_begin()))
    }

    /// The sequence number of the packet at `position`.
    pub(crate) fn number_of(&self, position: u64) -> u64 {
        position >> self.layout.geometry.subbuf_order
    }
}
