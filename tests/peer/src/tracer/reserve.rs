//! Reserving room for an event, and committing it.

use std::sync::atomic::Ordering::SeqCst;

use super::event::{EVENT_HEADER_LEN, Event};
use super::{PACKET_HEADER_LEN, Tracer};

/// Why an event was not recorded. It was counted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Refused {
    /// The reader has not read the oldest packet.
    Full,
    /// Another writer has not finished the pass before.
    Wrap,
    /// The event is longer than a packet.
    Big,
}

/// Room for an event. Whoever drops it without [`Tracer::commit`] died there.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Slot {
    /// Where its event begins.
    pub position: u64,
    /// What is to be written.
    pub event: Event,
}

impl Tracer {
    /// Reserves room for an event of `len` bytes. The clock is read as often as it is tried.
    ///
    /// # Errors
    /// Why there is no room.
    pub fn reserve(
        &self,
        writer: u32,
        number: u64,
        len: usize,
        clock: &dyn Fn() -> u64,
    ) -> Result<Slot, Refused> {
        assert!(len >= EVENT_HEADER_LEN);
        let (channel, shared) = (&self.channel, &self.shared);
        let size = len as u64;
        loop {
            let old = shared.offset().load(SeqCst);
            let now = clock();
            let discarded = self.events_discarded();
            let fits = channel.in_subbuf(old) + size <= channel.subbuf_size;
            let opens = channel.in_subbuf(old) == 0 || !fits;
            let closes = opens && channel.in_subbuf(old) != 0;
            let start = if closes { channel.align(old) } else { old };
            let begin = if opens { start + PACKET_HEADER_LEN } else { old };
            if opens {
                let delivered = shared.delivered(channel.index(start)).load(SeqCst);
                if shared.offset().load(SeqCst) != old {
                    continue;
                }
                if delivered & channel.commit_mask() != channel.commit_base(start) {
                    shared.lost_wrap().fetch_add(1, SeqCst);
                    return Err(Refused::Wrap);
                }
                let ahead = start.wrapping_sub(channel.trunc(shared.consumed().load(SeqCst)));
                if !channel.overwrite && ahead >= channel.buf_size() {
                    shared.lost_full().fetch_add(1, SeqCst);
                    return Err(Refused::Full);
                }
                if PACKET_HEADER_LEN + size > channel.subbuf_size {
                    shared.lost_big().fetch_add(1, SeqCst);
                    return Err(Refused::Big);
                }
            }
            let end = begin + size;
            if shared.offset().compare_exchange(old, end, SeqCst, SeqCst).is_err() {
                continue;
            }
            shared.last_timestamp().store(now, SeqCst);
            self.push_reader(end - 1);
            self.enter(channel.index(end - 1));
            if closes {
                self.close_packet(old, now, discarded);
            }
            if opens {
                self.open_packet(start, now);
            }
            if channel.in_subbuf(end) == 0 {
                self.fill_packet(end, now);
            }
            let event = Event { writer, number, time: now, len };
            return Ok(Slot { position: begin, event });
        }
    }

    /// Dies as soon as there is room for an event of `len` bytes, before anything else is done.
    pub fn die_after_reservation(&self, len: usize, clock: &dyn Fn() -> u64) {
        let (channel, shared) = (&self.channel, &self.shared);
        let old = shared.offset().load(SeqCst);
        let _ = clock();
        let fits = channel.in_subbuf(old) + len as u64 <= channel.subbuf_size;
        assert!(!fits, "it is to die between two packets");
        let end = channel.align(old) + PACKET_HEADER_LEN + len as u64;
        shared.offset().compare_exchange(old, end, SeqCst, SeqCst).unwrap();
    }

    /// Writes the event and dies before it tells the reader that the packet is whole, as it is then.
    pub fn die_after_commit(&self, slot: Slot) {
        let index = self.channel.index(slot.position);
        let data = self.shared.data(self.physical(index)) + self.channel.in_subbuf(slot.position);
        self.shared.write(data, &slot.event.encode());
        self.count_committed(index, slot.event.len as u64);
    }

    /// Writes the event and tells that it is written.
    pub fn commit(&self, slot: Slot) {
        let (channel, shared) = (&self.channel, &self.shared);
        let index = channel.index(slot.position);
        let data = shared.data(self.physical(index)) + channel.in_subbuf(slot.position);
        shared.write(data, &slot.event.encode());
        let end = slot.position + slot.event.len as u64;
        let count = self.count_committed(index, slot.event.len as u64);
        self.deliver(end - 1, count, self.events_discarded());
        self.note_sequence(end, index, count);
    }

    /// Records an event.
    ///
    /// # Errors
    /// Why there is no room.
    pub fn record(
        &self,
        writer: u32,
        number: u64,
        len: usize,
        clock: &dyn Fn() -> u64,
    ) -> Result<Slot, Refused> {
        let slot = self.reserve(writer, number, len, clock)?;
        self.commit(slot);
        Ok(slot)
    }
}
