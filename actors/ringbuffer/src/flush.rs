//! Closing packets that writers have not filled: the reader does to the shared memory what a writer
//! does that goes on to the next sub-buffer.

use std::sync::atomic::{Ordering, fence};

use lttngd_model::BufferLayout;

use crate::clock::Clock;
use crate::config::Mode;
use crate::error::Corruption;
use crate::geometry::is_behind;
use crate::layout::{PACKET_HEADER_LEN, control, element};
use crate::packet::{self, Closing};
use crate::stream::{NO_READER_OR_WRITER, Quiescent, Stream, free_id};

/// How often a word is tried that writers change at the same time. Honest writers let a few tries
/// fail.
const TRIES_MAX: u32 = 1000;

/// What to flush.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum FlushMode {
    /// A packet that has events, in a buffer of which snapshots are taken.
    Filled,
    /// A packet that writers are in, while applications trace: timers, clear, rotation. It is empty only
    /// when the stream is new.
    Active,
    /// As well one that has none, so that the trace reaches to this time: stop, end, snapshot.
    Full,
}

/// What a flush did.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum FlushOutcome {
    /// It closed a packet. When writers still write in it, the last of them makes it readable.
    Closed,
    /// There was nothing to close.
    Nothing,
    /// There is no room for a packet without events: the buffer is full, or waits for a writer.
    NoRoom,
    /// Writers were faster, many times: to be tried again later.
    Contended,
}

/// What the begin of a packet came to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum BeginOutcome {
    /// There is one, now or since before.
    Begun,
    /// There is no room for one, unless writers make some: the buffer is full, or waits for a writer.
    NoRoom,
}

/// A switch of sub-buffers, agreed with the writers.
pub(crate) struct Switch {
    /// The position before it.
    pub from: u64,
    pub now: u64,
    pub events_discarded: u64,
    /// Whether the packet was not begun by a writer.
    pub unopened: bool,
}

impl Stream {
    /// Closes the packet that writers are in.
    ///
    /// # Errors
    /// A corrupt stream.
    pub fn flush(
        &mut self,
        mode: FlushMode,
        clock: &impl Clock,
    ) -> Result<FlushOutcome, Corruption> {
        for _ in 0..TRIES_MAX {
            let from = self.look()?.produced;
            // Within the loop, so that times of writers and of this are in the order of positions.
            let now = clock.now();
            let in_subbuf = self.layout.geometry.offset_in_subbuf(from);
            let unopened = in_subbuf == 0;
            let has_nothing = match mode {
                FlushMode::Full => false,
                FlushMode::Active => unopened,
                FlushMode::Filled => in_subbuf <= PACKET_HEADER_LEN,
            };
            if has_nothing {
                return Ok(FlushOutcome::Nothing);
            }
            if unopened && !self.has_room_at(from) {
                return Ok(FlushOutcome::NoRoom);
            }
            let events_discarded = self.events_discarded();
            let to = self.layout.geometry.align(from);
            let word = self.memory.u64(control::OFFSET);
            if word.compare_exchange(from, to, Ordering::SeqCst, Ordering::SeqCst).is_ok() {
                self.produced = to;
                match self.layout.of {
                    BufferLayout::Ust8 => {
                        self.finish(&Switch { from, now, events_discarded, unopened })?;
                    }
                    BufferLayout::Ust11 => {
                        self.memory.u64(control::LAST_TIMESTAMP).store(now, Ordering::Relaxed);
                        self.complete_left(self.layout.geometry.index(from), now)?;
                    }
                }
                return Ok(FlushOutcome::Closed);
            }
        }
        Ok(FlushOutcome::Contended)
    }

    /// Flushes a stream that is not traced to any more, once: until
    /// [`clear_quiescent`](Self::clear_quiescent) further calls do nothing, so that a session that is
    /// stopped gets no empty packet by each command.
    ///
    /// # Errors
    /// A corrupt stream.
    pub fn flush_quiescent(&mut self, clock: &impl Clock) -> Result<FlushOutcome, Corruption> {
        if self.quiescent.is_some() {
            return Ok(FlushOutcome::Nothing);
        }
        let outcome = self.flush(FlushMode::Full, clock)?;
        if outcome != FlushOutcome::Contended {
            self.set_quiescent(clock)?;
        }
        Ok(outcome)
    }

    /// The stream is not traced to any more. Its open packet stays open: a snapshot has it all the same,
    /// and ends at this time.
    ///
    /// # Errors
    /// A corrupt stream.
    pub fn set_quiescent(&mut self, clock: &impl Clock) -> Result<(), Corruption> {
        if self.quiescent.is_none() {
            let produced = self.look()?.produced;
            self.quiescent = Some(Quiescent { since: clock.now(), produced });
        }
        Ok(())
    }

    /// The stream is traced to again.
    pub fn clear_quiescent(&mut self) {
        self.quiescent = None;
    }

    /// Whether the stream is not traced to, as [`set_quiescent`](Self::set_quiescent) or
    /// [`flush_quiescent`](Self::flush_quiescent) said.
    #[must_use]
    pub fn is_quiescent(&self) -> bool {
        self.quiescent.is_some()
    }

    /// Makes sure that a packet was begun by now. It stays open, so that writers go on in it: it costs no
    /// packet of its own, and when it is closed and has no events it has told the time until then.
    ///
    /// # Errors
    /// A corrupt stream.
    pub fn begin_packet(&mut self, clock: &impl Clock) -> Result<BeginOutcome, Corruption> {
        for _ in 0..TRIES_MAX {
            let from = self.look()?.produced;
            if self.layout.geometry.offset_in_subbuf(from) != 0 {
                return Ok(BeginOutcome::Begun);
            }
            if !self.has_room_at(from) {
                return Ok(BeginOutcome::NoRoom);
            }
            let index = self.layout.geometry.index(from);
            if !self.own(index) {
                continue;
            }
            let now = clock.now();
            let to = from.wrapping_add(PACKET_HEADER_LEN);
            let word = self.memory.u64(control::OFFSET);
            if word.compare_exchange(from, to, Ordering::SeqCst, Ordering::SeqCst).is_err() {
                self.let_go(index, now)?;
                continue;
            }
            self.produced = to;
            self.memory.u64(control::LAST_TIMESTAMP).store(now, Ordering::Relaxed);
            if self.layout.geometry.exchanges {
                self.enter(index);
            }
            let physical = self.physical_at(index)?;
            self.begin(physical, index, now);
            let count = self.commit(index, PACKET_HEADER_LEN);
            self.note_sequence(to, index, count);
            self.let_go(index, now)?;
            return Ok(BeginOutcome::Begun);
        }
        Ok(BeginOutcome::NoRoom)
    }

    /// Drops all packets. What is not put yet is put; writers should be quiet.
    ///
    /// # Errors
    /// A corrupt stream.
    pub fn clear(&mut self, clock: &impl Clock) -> Result<FlushOutcome, Corruption> {
        self.put_subbuf()?;
        self.drop_snapshot();
        let outcome = self.flush(FlushMode::Active, clock)?;
        let produced = self.look()?.produced;
        let next = self.layout.geometry.trunc(produced);
        self.move_consumed(next)?;
        let number = self.number_of(next);
        self.losses.skip_to(number);
        Ok(outcome)
    }

    /// Events that writers lost so far, for whatever reason.
    pub(crate) fn events_discarded(&self) -> u64 {
        self.layout
            .lost_counts()
            .map(|offset| self.memory.u64(offset).load(Ordering::Relaxed))
            .fold(0, u64::wrapping_add)
    }

    /// Whether a packet can be begun at `position`, the beginning of a sub-buffer. One that may be empty
    /// takes no packet's place that was not read, whatever writers would do.
    fn has_room_at(&self, position: u64) -> bool {
        let geometry = self.layout.geometry;
        let delivered = self.memory.u64(self.layout.delivered_count(geometry.index(position)));
        let is_clean = delivered.load(Ordering::SeqCst) & geometry.commit_mask()
            == geometry.commit_base(position);
        let is_full = position.wrapping_sub(self.consumed) >= geometry.buf_size();
        is_clean && !is_full && !self.is_owned(geometry.index(position))
    }

    /// Writes what belongs to a switch.
    pub(crate) fn finish(&mut self, switch: &Switch) -> Result<(), Corruption> {
        let geometry = self.layout.geometry;
        let mut position = switch.from;
        let index = geometry.index(position);
        self.memory.u64(control::LAST_TIMESTAMP).store(switch.now, Ordering::Relaxed);
        if geometry.mode == Mode::Overwrite {
            self.push_reader(position)?;
        }
        if geometry.exchanges {
            self.enter(index);
        }
        let physical = self.physical_at(index)?;
        if switch.unopened {
            self.begin(physical, index, switch.now);
            let count = self.commit(index, PACKET_HEADER_LEN);
            position = position.wrapping_add(PACKET_HEADER_LEN);
            self.note_sequence(position, index, count);
        }
        let data_size = geometry.offset_in_subbuf(position.wrapping_sub(1)) + 1;
        let word = |offset, value: u64| self.memory.u64(offset).store(value, Ordering::Relaxed);
        word(self.layout.data_size(physical.into()), data_size);
        word(self.layout.end_time(index, physical), switch.now);
        if self.layout.of == BufferLayout::Ust11 {
            let pages = self.layout.pages(physical.into());
            word(pages + element::PAGES_END_LOST, switch.events_discarded);
        }
        let rest = geometry.subbuf_size() - data_size;
        let count = self.commit(index, rest);
        self.deliver(position.wrapping_sub(1), count, switch.events_discarded)?;
        self.note_sequence(position.wrapping_add(rest), index, count);
        Ok(())
    }

    /// In overwrite mode, moves the reader out of the sub-buffer that is to be written again.
    fn push_reader(&mut self, position: u64) -> Result<(), Corruption> {
        let geometry = self.layout.geometry;
        let target = geometry.align(position).wrapping_sub(geometry.buf_size());
        let word = self.memory.u64(control::CONSUMED);
        for _ in 0..TRIES_MAX {
            let found = word.load(Ordering::SeqCst);
            if !is_behind(found, target) {
                break;
            }
            if word.compare_exchange(found, target, Ordering::SeqCst, Ordering::SeqCst).is_ok() {
                break;
            }
        }
        self.look().map(|_| ())
    }

    /// Where sub-buffers are exchanged, tells the reader that somebody writes in this one.
    fn enter(&self, index: u64) {
        let word = self.memory.u64(self.layout.writer_id(index));
        word.fetch_and(!NO_READER_OR_WRITER, Ordering::SeqCst);
    }

    /// Writes the header of an empty packet.
    fn begin(&self, physical: u32, index: u64, now: u64) {
        let delivered = self.memory.u64(self.layout.delivered_count(index)).load(Ordering::Acquire);
        let passes = self.memory.u64(self.layout.sequence(index, delivered));
        let passes = passes.load(Ordering::Relaxed);
        let number = passes.wrapping_mul(self.layout.geometry.num_subbuf()).wrapping_add(index);
        packet::open(
            &self.memory,
            self.layout.subbuf(physical.into()),
            &self.identity,
            now,
            number,
        );
        if self.layout.of == BufferLayout::Ust11 {
            let pages = self.layout.pages(physical.into());
            let word = |offset, value: u64| self.memory.u64(offset).store(value, Ordering::Relaxed);
            word(pages + element::PAGES_BEGIN_TIME, now);
            word(pages + element::PAGES_BEGIN_LOST, self.events_discarded());
        }
    }

    /// Counts bytes as written, and says how many there are.
    fn commit(&self, index: u64, count: u64) -> u64 {
        fence(Ordering::SeqCst);
        let word = self.memory.u64(self.layout.commit_count(index));
        word.fetch_add(count, Ordering::SeqCst).wrapping_add(count)
    }

    /// Makes the packet at `position` readable if `count`, its commit counter, says that it is full
    /// and nobody else does.
    fn deliver(
        &mut self,
        position: u64,
        count: u64,
        events_discarded: u64,
    ) -> Result<(), Corruption> {
        let geometry = self.layout.geometry;
        if !geometry.is_committed(position, count) {
            return Ok(());
        }
        let index = geometry.index(position);
        let before = count.wrapping_sub(geometry.subbuf_size());
        let delivered = self.layout.delivered_count(index);
        // An odd count keeps others out until the packet is whole.
        let taken = self.memory.u64(delivered).compare_exchange(
            before,
            before.wrapping_add(1),
            Ordering::SeqCst,
            Ordering::SeqCst,
        );
        if taken.is_err() {
            return Ok(());
        }
        fence(Ordering::SeqCst);
        let physical = self.physical_at(index)?;
        let load = |offset| self.memory.u64(offset).load(Ordering::Acquire);
        let data_size = load(self.layout.data_size(physical.into()));
        let closing = Closing {
            timestamp_end: load(self.layout.end_time(index, physical)),
            data_size,
            packet_size: data_size.checked_next_multiple_of(self.layout.page_size).unwrap_or(0),
            events_discarded,
        };
        packet::close(&self.memory, self.layout.subbuf(physical.into()), &closing);
        let passes = self.memory.u64(self.layout.sequence(index, before)).load(Ordering::Relaxed);
        let next = self.memory.u64(self.layout.sequence(index, count));
        next.store(passes.wrapping_add(1), Ordering::Relaxed);
        fence(Ordering::SeqCst);
        if geometry.exchanges {
            let id = free_id(physical, geometry.generation(position));
            self.memory.u64(self.layout.writer_id(index)).store(id, Ordering::SeqCst);
        }
        self.memory.u64(delivered).store(count, Ordering::SeqCst);
        self.memory.u64(self.layout.commit_sequence(index)).store(count, Ordering::Release);
        Ok(())
    }

    /// Tells `lttng-crash` up to where everything is written, when that is known.
    fn note_sequence(&self, position: u64, index: u64, count: u64) {
        if self.layout.geometry.offset_in_subbuf(position.wrapping_sub(count)) != 0 {
            return;
        }
        let word = self.memory.u64(self.layout.commit_sequence(index));
        if is_behind(word.load(Ordering::Relaxed), count) {
            word.store(count, Ordering::Release);
        }
    }
}
