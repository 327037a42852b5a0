//! Closing packets that writers have not filled: the reader does to the shared memory what a writer
//! does that goes on to the next sub-buffer.

use std::sync::atomic::{Ordering, fence};

use lttngd_model::{Bitness, BufferLayout};

use crate::clock::Clock;
use crate::config::Mode;
use crate::error::Corruption;
use crate::image::TIMESTAMP_BITS;
use crate::packet::{self, Closing};
use crate::stream::{Quiescent, Stream};

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
                FlushMode::Filled => in_subbuf <= self.layout.header_len,
            };
            if has_nothing {
                return Ok(FlushOutcome::Nothing);
            }
            if unopened && !self.has_room_at(from) {
                return Ok(FlushOutcome::NoRoom);
            }
            let events_discarded = self.events_discarded();
            let to = self.layout.geometry.align(from);
            let word = self.memory.word(self.layout.control.offset);
            if word.exchange(from, to).is_ok() {
                self.produced = to;
                match self.layout.of {
                    BufferLayout::Ust8 => {
                        self.finish(&Switch { from, now, events_discarded, unopened })?;
                    }
                    BufferLayout::Ust11 => {
                        self.note_time(now);
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
            let to = from.wrapping_add(self.layout.header_len);
            let word = self.memory.word(self.layout.control.offset);
            if word.exchange(from, to).is_err() {
                self.let_go(index, now)?;
                continue;
            }
            self.produced = to;
            self.note_time(now);
            if self.layout.geometry.exchanges {
                self.enter(index);
            }
            let physical = self.physical_at(index)?;
            self.begin(physical, index, now);
            let count = self.commit(index, self.layout.header_len);
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
        let number = self.next_number(next);
        self.losses.skip_to(number);
        Ok(outcome)
    }

    /// The number of the packet that begins at `position`, as its writers count, who have filled those before.
    fn next_number(&self, position: u64) -> u64 {
        match self.layout.geometry.bitness {
            Bitness::Bits32 => self.counted_number(self.layout.geometry.index(position)),
            Bitness::Bits64 => self.number_of(position),
        }
    }

    /// The number of the next packet in a sub-buffer, by how many were delivered there.
    fn counted_number(&self, index: u64) -> u64 {
        let delivered =
            self.memory.word(self.layout.delivered_count(index)).load(Ordering::Acquire);
        let passes = self.memory.u64(self.layout.sequence(index, delivered));
        let passes = passes.load(Ordering::Relaxed);
        passes.wrapping_mul(self.layout.geometry.num_subbuf()).wrapping_add(index)
    }

    /// Events that writers lost so far, for whatever reason.
    pub(crate) fn events_discarded(&self) -> u64 {
        self.layout
            .lost_counts()
            .map(|offset| self.memory.word(offset).load(Ordering::Relaxed))
            .fold(0, u64::wrapping_add)
    }

    /// Whether a packet can be begun at `position`, the beginning of a sub-buffer. One that may be empty
    /// takes no packet's place that was not read, whatever writers would do.
    fn has_room_at(&self, position: u64) -> bool {
        let geometry = self.layout.geometry;
        let delivered = self.memory.word(self.layout.delivered_count(geometry.index(position)));
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
        self.note_time(switch.now);
        if geometry.mode == Mode::Overwrite {
            self.push_reader(position)?;
        }
        if geometry.exchanges {
            self.enter(index);
        }
        let physical = self.physical_at(index)?;
        if switch.unopened {
            self.begin(physical, index, switch.now);
            let count = self.commit(index, self.layout.header_len);
            position = position.wrapping_add(self.layout.header_len);
            self.note_sequence(position, index, count);
        }
        let data_size = geometry.offset_in_subbuf(position.wrapping_sub(1)) + 1;
        let word = |offset, value: u64| self.memory.word(offset).store(value, Ordering::Relaxed);
        word(self.layout.data_size(physical.into()), data_size);
        let end_time = self.memory.u64(self.layout.end_time(index, physical));
        end_time.store(switch.now, Ordering::Relaxed);
        if self.layout.of == BufferLayout::Ust11 {
            word(self.layout.pages_end_lost(physical.into()), switch.events_discarded);
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
        let word = self.memory.word(self.layout.control.consumed);
        for _ in 0..TRIES_MAX {
            let found = word.load(Ordering::SeqCst);
            if self.layout.geometry.ahead(target, found) <= 0 {
                break;
            }
            if word.exchange(found, target).is_ok() {
                break;
            }
        }
        self.look().map(|_| ())
    }

    /// Tells writers the time of what was written last, by which they know how much of it an event needs. A word of 32
    /// bits has what an event's own time has not.
    fn note_time(&self, now: u64) {
        let value = match self.layout.geometry.bitness {
            Bitness::Bits32 => now >> TIMESTAMP_BITS,
            Bitness::Bits64 => now,
        };
        self.memory.word(self.layout.control.last_timestamp).store(value, Ordering::Relaxed);
    }

    /// Where sub-buffers are exchanged, tells the reader that somebody writes in this one.
    fn enter(&self, index: u64) {
        let word = self.memory.word(self.layout.writer_id(index));
        word.remove_bits(self.layout.geometry.free_bit(), Ordering::SeqCst);
    }

    /// Writes the header of an empty packet.
    fn begin(&self, physical: u32, index: u64, now: u64) {
        let number = self.counted_number(index);
        packet::open(
            &self.memory,
            self.layout.subbuf(physical.into()),
            &self.identity,
            now,
            number,
        );
        if self.layout.of == BufferLayout::Ust11 {
            let begin_time = self.memory.u64(self.layout.pages_begin_time(physical.into()));
            begin_time.store(now, Ordering::Relaxed);
            let lost = self.memory.word(self.layout.pages_begin_lost(physical.into()));
            lost.store(self.events_discarded(), Ordering::Relaxed);
        }
    }

    /// Counts bytes as written, and says how many there are.
    fn commit(&self, index: u64, count: u64) -> u64 {
        fence(Ordering::SeqCst);
        let word = self.memory.word(self.layout.commit_count(index));
        word.add(count, Ordering::SeqCst)
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
        let before = geometry.in_word(count.wrapping_sub(geometry.subbuf_size()));
        let delivered = self.layout.delivered_count(index);
        // An odd count keeps others out until the packet is whole.
        let taken = self.memory.word(delivered).exchange(before, before.wrapping_add(1));
        if taken.is_err() {
            return Ok(());
        }
        fence(Ordering::SeqCst);
        let physical = self.physical_at(index)?;
        let data_size = self.memory.word(self.layout.data_size(physical.into()));
        let data_size = data_size.load(Ordering::Acquire);
        let end_time = self.memory.u64(self.layout.end_time(index, physical));
        let closing = Closing {
            timestamp_end: end_time.load(Ordering::Acquire),
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
            let id = geometry.free_id(physical, geometry.generation(position));
            self.memory.word(self.layout.writer_id(index)).store(id, Ordering::SeqCst);
        }
        self.memory.word(delivered).store(count, Ordering::SeqCst);
        self.memory.word(self.layout.commit_sequence(index)).store(count, Ordering::Release);
        Ok(())
    }

    /// Tells `lttng-crash` up to where everything is written, when that is known.
    fn note_sequence(&self, position: u64, index: u64, count: u64) {
        if self.layout.geometry.offset_in_subbuf(position.wrapping_sub(count)) != 0 {
            return;
        }
        let word = self.memory.word(self.layout.commit_sequence(index));
        if self.layout.geometry.ahead(count, word.load(Ordering::Relaxed)) > 0 {
            word.store(count, Ordering::Release);
        }
    }
}
