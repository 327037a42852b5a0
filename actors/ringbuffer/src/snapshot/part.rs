//! Packets that are made outside of the buffer: of one that is not finished, and empty ones.

use std::sync::atomic::{Ordering, fence};

use super::{CopiedPacket, TakenPacket};
use crate::clock::Clock;
use crate::error::Corruption;
use crate::packet::{self, Closing, HeaderBytes, RawHeader};
use crate::stream::{Held, Stream};

/// Looks at a packet for one at which all that writers have reserved is written.
const LOOKS_MAX: u32 = 8;

impl Stream {
    /// How many bytes of a packet that is not finished are written without a gap, as
    /// [`written_len`](Self::written_len) knows it, and whether that is all that writers have reserved, which is sure.
    pub(super) fn written_part(&mut self, position: u64) -> Result<(u64, bool), Corruption> {
        let geometry = self.layout.geometry;
        let index = geometry.index(position);
        let physical = self.physical_at(index)?;
        let mut is_full = false;
        for _ in 0..LOOKS_MAX {
            let before = self.look()?.produced;
            let count = self.memory.word(self.layout.commit_count(index)).load(Ordering::SeqCst);
            let written =
                count.wrapping_sub(geometry.commit_base(position)) & geometry.commit_mask();
            is_full = written == geometry.subbuf_size();
            if before == self.look()?.produced
                && geometry.trunc(before) == position
                && before.wrapping_sub(position) == written
            {
                return Ok((written, true));
            }
            std::hint::spin_loop();
        }
        Ok((self.written_len(position, physical, is_full), false))
    }

    /// Copies the first `len` bytes of the packet at `position` and makes a whole packet of them; `None`
    /// when writers have come round to it meanwhile.
    pub(super) fn copy_part(
        &mut self,
        position: u64,
        len: u64,
        produced: u64,
        clock: &impl Clock,
    ) -> Result<Option<CopiedPacket>, Corruption> {
        let geometry = self.layout.geometry;
        if !(self.layout.header_len..=geometry.subbuf_size()).contains(&len) {
            return Ok(None);
        }
        // No event that is written has a later time.
        let now = clock.now();
        let index = geometry.index(position);
        let physical = self.physical_at(index)?;
        let subbuf = self.layout.subbuf(physical.into());
        let mut header_bytes = RawHeader::load(&self.memory, subbuf).bytes();
        let header_len = self.layout.header_len;
        let mut body = vec![0; (self.packet_size(len) - header_len) as usize];
        let content = self.memory.bytes(subbuf + header_len, (len - header_len) as usize);
        content.copy_to(&mut body);
        fence(Ordering::SeqCst);
        let end = self.look()?.produced;
        let is_overwritten = end.wrapping_sub(position) > geometry.buf_size();
        if is_overwritten || self.physical_at(index)? != physical {
            return Ok(None);
        }
        let end = if geometry.trunc(produced) == position {
            self.end_of_snapshot(produced, now)
        } else {
            self.begin_of(geometry.align(position))?.unwrap_or(now)
        };
        let closing = Closing {
            timestamp_end: end.max(RawHeader::of(&header_bytes).timestamp_begin()),
            data_size: len,
            packet_size: self.packet_size(len),
            events_discarded: self.events_discarded(),
        };
        packet::complete(&mut header_bytes, &closing);
        Ok(self.copied(header_bytes, &closing, body))
    }

    /// A packet without events, up to now or to the time when the stream became quiescent. One that was begun
    /// in the buffer begins when that was.
    pub(super) fn empty_packet(
        &mut self,
        produced: u64,
        clock: &impl Clock,
    ) -> Result<Option<CopiedPacket>, Corruption> {
        let position = self.layout.geometry.trunc(produced);
        if produced != position {
            return self.copy_part(position, self.layout.header_len, produced, clock);
        }
        let now = self.end_of_snapshot(produced, clock.now());
        Ok(self.made_packet(position, now))
    }

    /// An empty packet in the place of one that writers have left before they had begun it; `None` when they
    /// have come round to it.
    pub(super) fn unwritten_packet(
        &mut self,
        position: u64,
        clock: &impl Clock,
    ) -> Result<Option<CopiedPacket>, Corruption> {
        let geometry = self.layout.geometry;
        let now = clock.now();
        let time = self.begin_of(geometry.align(position))?.unwrap_or(now);
        if self.look()?.produced.wrapping_sub(position) > geometry.buf_size() {
            return Ok(None);
        }
        Ok(self.made_packet(position, time))
    }

    /// An empty packet of one time, which is none before those that were taken.
    fn made_packet(&self, position: u64, time: u64) -> Option<CopiedPacket> {
        let last = self.taken.packets.back().map_or(0, |packet| match packet {
            TakenPacket::Held(Held { header, .. })
            | TakenPacket::Copied(CopiedPacket { header, .. }) => header.timestamp_end,
        });
        let time = time.max(last);
        let mut header_bytes = packet::begun(
            &self.identity,
            self.layout.geometry.bitness,
            time,
            self.number_of(position),
        );
        let closing = Closing {
            timestamp_end: time,
            data_size: self.layout.header_len,
            packet_size: self.packet_size(self.layout.header_len),
            events_discarded: self.events_discarded(),
        };
        packet::complete(&mut header_bytes, &closing);
        let body = vec![0; (closing.packet_size - self.layout.header_len) as usize];
        self.copied(header_bytes, &closing, body)
    }

    /// When the newest packet of a snapshot ends.
    fn end_of_snapshot(&self, produced: u64, now: u64) -> u64 {
        let quiescent = self.quiescent.filter(|quiescent| quiescent.produced == produced);
        quiescent.map_or(now, |quiescent| quiescent.since)
    }

    fn packet_size(&self, len: u64) -> u64 {
        len.next_multiple_of(self.layout.page_size)
    }

    /// `None` when the header is none of this stream.
    fn copied(
        &self,
        header_bytes: HeaderBytes,
        closing: &Closing,
        body: Vec<u8>,
    ) -> Option<CopiedPacket> {
        let raw = RawHeader::of(&header_bytes);
        let header = raw.check(&self.identity, closing.data_size, closing.packet_size).ok()?;
        Some(CopiedPacket { header, header_bytes, body })
    }
}
