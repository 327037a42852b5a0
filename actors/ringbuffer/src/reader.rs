//! Getting packets, and putting them back.

use std::sync::atomic::{Ordering, fence};

use crate::error::{Corruption, Damage, GetError};
use crate::geometry::is_behind;
use crate::packet::{self, HeaderBytes, Packet, PacketHeader, RawHeader};
use crate::stream::{Held, Positions, Stream};

impl Stream {
    /// Takes the oldest packet and returns its header. It is held until it is put, and returned again
    /// until then; [`packet`](Self::packet) is the whole of it.
    ///
    /// # Errors
    /// Why there is none. After [`GetError::Damaged`] the next call looks at the next packet.
    pub fn get_next(&mut self) -> Result<&PacketHeader, GetError> {
        if self.held.is_some() {
            self.check()?;
        } else {
            let Positions { consumed, produced } = self.look()?;
            if self.layout.geometry.trunc(produced) == consumed {
                return Err(GetError::Empty);
            }
            let taken = self.hold(consumed);
            // What was looked at may not have been there.
            self.check()?;
            if let Err(GetError::Damaged(_)) = taken {
                self.advance(consumed)?;
            }
            self.held = Some(taken?);
            self.check()?;
        }
        let held = self.held.as_mut().ok_or(GetError::Empty)?;
        if self.losses.mend(&mut held.header) {
            packet::put_events_discarded(&mut held.header_bytes, held.header.events_discarded);
        }
        Ok(&held.header)
    }

    /// The packet that is held, or else the oldest that a snapshot has.
    #[must_use]
    pub fn packet(&self) -> Option<Packet<'_>> {
        if self.corruption.is_none() { self.last_packet() } else { None }
    }

    /// The same, also of a stream that was given up since: for whoever has sent a part of it.
    #[must_use]
    pub fn last_packet(&self) -> Option<Packet<'_>> {
        match &self.held {
            Some(held) => Some(self.packet_of(held)),
            None => self.snapshot_packet(),
        }
    }

    pub(crate) fn packet_of<'a>(&'a self, held: &'a Held) -> Packet<'a> {
        let Held { physical, header, header_bytes, .. } = held;
        let start = self.layout.subbuf((*physical).into()) + self.layout.header_len;
        let len = header.packet_size_bits / 8 - self.layout.header_len;
        Packet { header, header_bytes, body: self.memory.bytes(start, len as usize) }
    }

    /// Gives the packet that is held back to the writers; the reader goes on behind it.
    ///
    /// # Errors
    /// A corrupt stream. The packet was whole all the same.
    pub fn put_next(&mut self) -> Result<(), Corruption> {
        self.check()?;
        let Some(held) = self.held.take() else {
            return Ok(());
        };
        self.losses.count(&held.header);
        self.give_back(&held);
        self.note_owner(held.position);
        self.advance(held.position)
    }

    /// Gives the packet that is held back to the writers; the reader stays where it is.
    ///
    /// # Errors
    /// As of [`put_next`](Self::put_next).
    pub fn put_subbuf(&mut self) -> Result<(), Corruption> {
        self.check()?;
        if let Some(held) = self.held.take() {
            self.give_back(&held);
        }
        Ok(())
    }

    /// Whether there is a packet that is not put yet.
    ///
    /// # Errors
    /// A corrupt stream.
    pub fn is_readable(&mut self) -> Result<bool, Corruption> {
        let Positions { consumed, produced } = self.look()?;
        let behind = self.layout.geometry.trunc(produced) != consumed;
        Ok(self.held.is_some() || behind && self.is_delivered(consumed))
    }

    /// Whether all writers have finished the packet at `position`.
    pub(crate) fn is_delivered(&self, position: u64) -> bool {
        let geometry = self.layout.geometry;
        let count = self.memory.word(self.layout.delivered_count(geometry.index(position)));
        geometry.is_committed(position, count.load(Ordering::SeqCst))
    }

    /// Takes the packet at `position`, which is between reader and writers. Where sub-buffers are exchanged it
    /// takes one to give for it.
    pub(crate) fn hold(&mut self, position: u64) -> Result<Held, GetError> {
        if !self.is_delivered(position) {
            return Err(self.why_not_delivered(position)?);
        }
        let index = self.layout.geometry.index(position);
        let (physical, given) = if self.layout.geometry.exchanges {
            self.swap_in(position, index)?
        } else {
            (index as u32, index as u32)
        };
        match self.inspect(physical) {
            Ok((header, header_bytes)) => {
                Ok(Held { position, physical, given, header, header_bytes })
            }
            Err(damage) => {
                self.swap_back(position, physical, given);
                Err(GetError::Damaged(damage))
            }
        }
    }

    /// A packet of overwriting writers may be gone as well as not there yet.
    fn why_not_delivered(&mut self, position: u64) -> Result<GetError, Corruption> {
        let Positions { consumed, .. } = self.look()?;
        let gone = is_behind(position, consumed);
        Ok(if gone { GetError::Overwritten } else { GetError::Uncommitted })
    }

    /// Gives a spare sub-buffer for that of `position`: the one that the reader has then, and the one that it
    /// gave.
    fn swap_in(&mut self, position: u64, index: u64) -> Result<(u32, u32), GetError> {
        let Some(given) = self.spares.last().copied() else { return Err(GetError::Empty) };
        let geometry = self.layout.geometry;
        let generation = geometry.generation(position);
        let slot = self.memory.word(self.layout.writer_id(index));
        let found = slot.load(Ordering::SeqCst);
        if found != geometry.free_id(geometry.physical_of(found), generation) {
            // A writer entered it, or has not left it as it should be left.
            return Err(self.why_not_delivered(position)?);
        }
        let spare = geometry.free_id(given, generation);
        if slot.exchange(found, spare).is_err() {
            return Err(self.why_not_delivered(position)?);
        }
        self.spares.pop();
        Ok((self.physical(found)?, given))
    }

    /// Looks at a sub-buffer that the reader has.
    fn inspect(&self, physical: u32) -> Result<(PacketHeader, HeaderBytes), Damage> {
        let subbuf_size = self.layout.geometry.subbuf_size();
        let data_size = self.memory.word(self.layout.data_size(physical.into()));
        let data_size = data_size.load(Ordering::Acquire);
        if !(self.layout.header_len..=subbuf_size).contains(&data_size) {
            return Err(Damage::DataSize { data_size });
        }
        let packet_size = data_size.next_multiple_of(self.layout.page_size);
        let raw = RawHeader::load(&self.memory, self.layout.subbuf(physical.into()));
        let header = raw.check(&self.identity, data_size, packet_size)?;
        Ok((header, raw.bytes()))
    }

    /// Gives a packet back to the writers.
    pub(crate) fn give_back(&mut self, held: &Held) {
        self.swap_back(held.position, held.physical, held.given);
    }

    /// Where sub-buffers are exchanged, gives one back for the one that was given for it. When a writer has
    /// taken that meanwhile the reader keeps what it has, which is a spare one then.
    fn swap_back(&mut self, position: u64, physical: u32, given: u32) {
        let geometry = self.layout.geometry;
        if !geometry.exchanges {
            return;
        }
        let generation = geometry.generation(position);
        let slot = self.memory.word(self.layout.writer_id(geometry.index(position)));
        let spare = geometry.free_id(given, generation);
        let own = geometry.free_id(physical, generation);
        // What the reader read must have been read before a writer gets the sub-buffer.
        fence(Ordering::SeqCst);
        let swapped = slot.exchange(spare, own);
        self.spares.push(if swapped.is_ok() { given } else { physical });
    }

    /// Moves the reader behind `position`, unless writers have pushed it further.
    pub(crate) fn advance(&mut self, position: u64) -> Result<(), Corruption> {
        let target = self.layout.geometry.align(position);
        self.move_consumed(target)
    }

    /// Moves the reader to `target`, unless it is there already.
    pub(crate) fn move_consumed(&mut self, target: u64) -> Result<(), Corruption> {
        // Each failure is another writer's step ahead, of which there are few before one overtakes.
        for _ in 0..=self.layout.geometry.num_subbuf() {
            let found = self.look_at_consumed()?;
            if !is_behind(found, target) {
                return Ok(());
            }
            let word = self.memory.word(self.layout.control.consumed);
            if word.exchange(found, target).is_ok() {
                self.consumed = target;
                return Ok(());
            }
        }
        let found = self.memory.word(self.layout.control.consumed).load(Ordering::SeqCst);
        self.give_up(Corruption::Consumed { found, expected: self.consumed })
    }
}
