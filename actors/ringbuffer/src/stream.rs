//! A stream as its reader has it: what it consists of, and how it begins.

use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use lttngd_model::{Bitness, BufferLayout};

use crate::clock::Clock;
use crate::config::{ChannelConfig, Mode};
use crate::crash;
use crate::error::{Corruption, CreateError};
use crate::gauge::{Gauge, Memory};
use crate::geometry::is_behind;
use crate::guard::Guard;
use crate::image::stream_object;
use crate::layout::Layout;
use crate::losses::{LossCounter, Losses};
use crate::memory::Mapping;
use crate::owned::HeldOn;
use crate::packet::{self, HeaderBytes, PacketHeader, PacketIdentity};
use crate::snapshot::Taken;
use crate::wakeup::{Wakeup, WakeupReader};

/// After how many bytes a position of 32 bits is the same.
const WORD_32_SPAN: u64 = 1 << 32;

/// A stream of packets that applications write: the reader's half, and the only one.
///
/// Nothing in it blocks. Nothing that stands in the shared memory is trusted: it can make packets or
/// counts wrong, or end the stream. The end is a [`Corruption`], which happens when control words are
/// as no application's LTTng-UST leaves them. It stays: every later call answers with it, nothing is
/// written to the shared memory any more, and the owner drops the stream. Applications then fill the
/// buffer up and count what they lose.
#[derive(Debug)]
pub struct Stream {
    pub(crate) memory: Arc<Memory>,
    pub(crate) layout: Layout,
    pub(crate) identity: PacketIdentity,
    wakeup: WakeupReader,
    /// The reader's position when it was last looked at. In discard mode nobody else moves it.
    pub(crate) consumed: u64,
    /// The writers' position when it was last looked at.
    pub(crate) produced: u64,
    /// Where sub-buffers are exchanged, those that the reader gives for others.
    pub(crate) spares: Vec<u32>,
    pub(crate) held: Option<Held>,
    pub(crate) taken: Taken,
    pub(crate) quiescent: Option<Quiescent>,
    /// Sub-buffers that may have been left by somebody who died.
    pub(crate) held_on: Vec<HeldOn>,
    pub(crate) losses: LossCounter,
    pub(crate) corruption: Option<Corruption>,
}

/// Since when nobody traces to a stream.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Quiescent {
    pub since: u64,
    /// Where the writers are, unless they go on all the same.
    pub produced: u64,
}

/// A packet that the reader holds.
#[derive(Debug)]
pub(crate) struct Held {
    pub position: u64,
    pub physical: u32,
    /// Where sub-buffers are exchanged, the one that was given for it.
    pub given: u32,
    pub header: PacketHeader,
    pub header_bytes: HeaderBytes,
}

impl Stream {
    pub(crate) fn create(
        config: &ChannelConfig,
        layout: Layout,
        cpu: u32,
        memory: BorrowedFd<'_>,
        guarded: bool,
        wakeup: WakeupReader,
        clock: &impl Clock,
    ) -> Result<Self, CreateError> {
        let memory = Mapping::new(memory, layout.len as usize, config.bitness)
            .map_err(CreateError::system("map the memory of a stream"))?;
        let guard = guarded
            .then(|| Guard::new(memory.range()))
            .transpose()
            .map_err(CreateError::system("guard the file of a stream"))?;
        let identity =
            PacketIdentity { trace_uuid: config.trace_uuid, channel_id: config.channel_id, cpu };
        let geometry = layout.geometry;
        let stream = Self {
            memory: Arc::new(Memory::new(memory, guard)),
            layout,
            identity,
            wakeup,
            consumed: 0,
            produced: layout.header_len,
            spares: (geometry.num_subbuf()..geometry.physical_count())
                .map(|physical| physical as u32)
                .collect(),
            held: None,
            taken: Taken::default(),
            quiescent: None,
            held_on: Vec::new(),
            losses: LossCounter::default(),
            corruption: None,
        };
        stream.initialise(clock);
        Ok(stream)
    }

    /// Writes all that is not zero in a new stream; applications write nothing but events.
    fn initialise(&self, clock: &impl Clock) {
        let Self { memory, layout, identity, .. } = self;
        let geometry = layout.geometry;
        let object = stream_object(identity.cpu);
        let word = |offset, value: u64| memory.word(offset).store(value, Ordering::Relaxed);
        let reference = |offset, target: u64| {
            word(offset, object);
            word(offset + layout.word_len, target);
        };
        let is_owned = layout.of == BufferLayout::Ust11;
        // That of a sub-buffer which was never written: in ABI 11 of a pass before all.
        let pass = if is_owned { u64::MAX } else { 0 };
        let initial_id = |physical: u64| {
            if geometry.exchanges { geometry.free_id(physical as u32, pass) } else { physical }
        };
        let now = clock.now();
        let control = layout.control;

        reference(control.commit_hot_ref, layout.commit_hot);
        reference(control.commit_cold_ref, layout.commit_cold);
        if let Some(end_times_ref) = control.end_times_ref {
            reference(end_times_ref, layout.end_times);
        }
        reference(control.pages_refs_ref, layout.pages_refs);
        reference(control.data_ref, layout.data);
        reference(control.writer_ids_ref, layout.writer_ids);
        reference(control.sequences_ref, layout.sequences);
        reference(control.self_ref, 0);
        memory.u32(control.cpu).store(identity.cpu, Ordering::Relaxed);
        memory.u32(control.allocated).store(1, Ordering::Relaxed);
        word(control.active_readers, 1);
        let spare = if geometry.exchanges { initial_id(geometry.num_subbuf()) } else { 0 };
        word(control.reader_id, spare);
        for physical in 0..geometry.physical_count() {
            reference(layout.pages_ref(physical), layout.pages(physical));
            word(layout.pages(physical), geometry.subbuf_size() * physical);
            reference(layout.data_ref(physical), layout.subbuf(physical));
            if is_owned {
                for time in [layout.pages_begin_time(physical), layout.end_time(0, physical as u32)]
                {
                    memory.u64(time).store(now, Ordering::Relaxed);
                }
                memory.u32(layout.pages_allocated(physical)).store(1, Ordering::Relaxed);
            }
        }
        for index in 0..geometry.num_subbuf() {
            word(layout.writer_id(index), initial_id(index));
        }

        // The first packet is open: the writers are in the first sub-buffer, behind its header.
        word(layout.writer_id(0), initial_id(0) & !geometry.free_bit());
        packet::open(memory, layout.subbuf(0), identity, now, 0);
        word(layout.commit_count(0), layout.header_len);
        word(layout.commit_sequence(0), layout.header_len);
        word(control.offset, layout.header_len);
        crash::write(memory, layout);
    }

    /// Whether nothing was ever written to it, and no packet of it closed.
    pub fn is_untouched(&mut self) -> bool {
        self.look().is_ok_and(|positions| positions.produced == self.layout.header_len)
    }

    /// The stream's CPU.
    #[must_use]
    pub fn cpu(&self) -> u32 {
        self.identity.cpu
    }

    /// Bytes of a sub-buffer: the most that a packet can have.
    #[must_use]
    pub fn subbuf_size_bytes(&self) -> u64 {
        self.layout.geometry.subbuf_size()
    }

    /// Sub-buffers that the writers have.
    #[must_use]
    pub fn num_subbuf(&self) -> u64 {
        self.layout.geometry.num_subbuf()
    }

    /// The read end of the wake-up pipe, for epoll.
    #[must_use]
    pub fn wakeup_reader(&self) -> BorrowedFd<'_> {
        self.wakeup.as_fd()
    }

    /// Takes what was written to the wake-up pipe. To be done before packets are read until there is
    /// none: a packet that comes later then wakes again. After [`Wakeup::HungUp`] nobody writes to the
    /// stream any more; what is in it can still be flushed and read.
    #[must_use]
    pub fn drain_wakeups(&self) -> Wakeup {
        self.wakeup.drain()
    }

    /// What the packets that were put with [`put_next`](Self::put_next) tell of losses. Those of a
    /// packet that is being written to are not in it yet.
    #[must_use]
    pub fn losses(&self) -> Losses {
        self.losses.losses()
    }

    /// The same, and the events that writers lost since: the buffer of a processor on which nothing is recorded any more
    /// has no packet that would tell them.
    #[must_use]
    pub fn losses_now(&self) -> Losses {
        self.losses.losses_of(self.events_discarded())
    }

    /// What its writers do when there is no room.
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.layout.geometry.mode
    }

    /// Shows how full the buffer is, to whoever is not the reader.
    #[must_use]
    pub fn gauge(&self) -> Gauge {
        Gauge::new(&self.memory, &self.layout)
    }

    /// Counts a packet that a snapshot should have had.
    pub fn count_lost_packet(&mut self) {
        self.losses.count_lost_packet();
    }

    /// Whether the stream is usable. To be called when a packet's bytes could not be written for
    /// `EFAULT`: it tells whether that is because the stream's file was truncated.
    ///
    /// # Errors
    /// What is wrong with it, for ever.
    #[inline]
    pub fn check(&mut self) -> Result<(), Corruption> {
        if let Some(corruption) = self.corruption {
            return Err(corruption);
        }
        if self.memory.guard.is_some() { self.check_file() } else { Ok(()) }
    }

    /// Whether it is known that the stream is of no use any more.
    #[must_use]
    pub fn is_given_up(&self) -> bool {
        self.corruption.is_some()
    }

    /// Looks at each page of the packet that is held, and whether any page was missing so far.
    fn check_file(&mut self) -> Result<(), Corruption> {
        if let Some(packet) = self.packet() {
            packet.body.touch(self.layout.page_size as usize);
        }
        if self.is_truncated() { self.give_up(Corruption::Truncated) } else { Ok(()) }
    }

    fn is_truncated(&self) -> bool {
        self.memory.guard.as_ref().is_some_and(Guard::is_truncated)
    }

    /// Nothing is done with the stream any more. Words that were not there look like wrong words. A packet
    /// that is held stays for [`last_packet`](Self::last_packet).
    pub(crate) fn give_up<T>(&mut self, corruption: Corruption) -> Result<T, Corruption> {
        let corruption = if self.is_truncated() { Corruption::Truncated } else { corruption };
        Err(*self.corruption.insert(corruption))
    }

    /// A sub-buffer's number from an id that writers may have changed.
    pub(crate) fn physical(&mut self, id: u64) -> Result<u32, Corruption> {
        let count = self.layout.geometry.physical_count() as u32;
        let physical = self.layout.geometry.physical_of(id);
        if physical < count {
            return Ok(physical);
        }
        self.give_up(Corruption::SubbufId { id: physical, count })
    }

    /// The sub-buffer that is at `index` for the writers.
    pub(crate) fn physical_at(&mut self, index: u64) -> Result<u32, Corruption> {
        if !self.layout.geometry.exchanges {
            return Ok(index as u32);
        }
        let id = self.memory.word(self.layout.writer_id(index)).load(Ordering::Acquire);
        self.physical(id)
    }

    /// The positions of writers and reader, checked.
    #[inline]
    pub(crate) fn look(&mut self) -> Result<Positions, Corruption> {
        self.check()?;
        // In this order: the writers may push the reader meanwhile, never beyond themselves.
        let consumed = self.look_at_consumed()?;
        let produced = self.memory.word(self.layout.control.offset).load(Ordering::SeqCst);
        let produced = self.note_produced(consumed, produced)?;
        Ok(Positions { consumed: self.consumed, produced })
    }

    pub(crate) fn look_at_consumed(&mut self) -> Result<u64, Corruption> {
        let geometry = self.layout.geometry;
        let found = self.memory.word(self.layout.control.consumed).load(Ordering::SeqCst);
        let found = geometry.extend(found, self.consumed);
        let advance = found.wrapping_sub(self.consumed);
        let possible = match geometry.mode {
            Mode::Discard => advance == 0,
            Mode::Overwrite => advance.cast_signed() >= 0 && geometry.offset_in_subbuf(found) == 0,
        };
        if !possible {
            return self.give_up(Corruption::Consumed { found, expected: self.consumed });
        }
        self.consumed = found;
        Ok(found)
    }

    /// Checks what was found of the writers' position against what is known, and says which position it is.
    fn note_produced(&mut self, consumed: u64, found: u64) -> Result<u64, Corruption> {
        let geometry = self.layout.geometry;
        let ahead = geometry.ahead(found, consumed);
        let mut produced = consumed.wrapping_add_signed(ahead);
        if geometry.mode == Mode::Overwrite
            && geometry.bitness == Bitness::Bits32
            && is_behind(produced, self.produced)
        {
            // Writers came round to where a word tells less than before, while nobody looked.
            produced = produced.wrapping_add(WORD_32_SPAN);
            self.consumed = self.consumed.wrapping_add(WORD_32_SPAN);
        }
        let in_subbuf = geometry.offset_in_subbuf(produced);
        let went_back = is_behind(produced, self.produced);
        // Overwriting writers first go ahead, then push the reader.
        let too_far = match geometry.mode {
            Mode::Discard => ahead.cast_unsigned() > geometry.buf_size(),
            Mode::Overwrite => ahead < 0,
        };
        if went_back || too_far || (1..self.layout.header_len).contains(&in_subbuf) {
            return self.give_up(Corruption::Offset { offset: produced, consumed: self.consumed });
        }
        self.produced = produced;
        Ok(produced)
    }

    /// Where writers and reader are.
    ///
    /// # Errors
    /// A corrupt stream.
    pub fn sample_positions(&mut self) -> Result<Positions, Corruption> {
        self.look()
    }
}

/// Where writers and reader of a stream are: bytes since it was created, freely running.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Positions {
    /// The reader: up to here packets were read, or overwritten.
    pub consumed: u64,
    /// The writers.
    pub produced: u64,
}

impl Positions {
    /// Bytes between reader and writers.
    #[must_use]
    pub fn used_bytes(&self) -> u64 {
        self.produced.wrapping_sub(self.consumed)
    }
}
