//! Snapshots: what a buffer holds at one time, taken without taking anything away. Complete packets are
//! taken out of the writers' reach first, for which their reader has sub-buffers to give; then the packet
//! that they are in is copied as far as it is written. It stays open, and one that has no events is told
//! by a packet that is made outside of the buffer, so that old events make place for new ones alone.

mod part;

use std::collections::VecDeque;

use crate::bytes::SharedBytes;
use crate::clock::Clock;
use crate::error::{Corruption, GetError};
use crate::packet::{self, HeaderBytes, Packet, PacketHeader};
use crate::stream::{Held, Positions, Stream};

/// Bytes of packets that are copied to free sub-buffers of the reader for more packets. Beyond it they are
/// taken only when others were put, and may be gone then.
const COPIES_MAX_LEN: u64 = 64 << 20;
/// How often a snapshot is begun anew because writers were faster, which they are when its thread was put
/// off. At last it is taken with what is missing.
const ATTEMPTS_MAX: u32 = 16;

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
    fn keep_newest(self, count: u64) -> Self {
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

/// What a snapshot has of a stream.
#[derive(Debug, Default)]
pub(crate) struct Taken {
    packets: VecDeque<TakenPacket>,
    /// Those for which there was no sub-buffer to give.
    left: Option<SnapshotPositions>,
    /// The packet that writers are in, or an empty one.
    newest: Option<CopiedPacket>,
    /// No packet tells fewer discarded events than one before.
    events_discarded: u64,
}

#[derive(Debug)]
enum TakenPacket {
    Held(Held),
    Copied(CopiedPacket),
}

#[derive(Debug)]
struct CopiedPacket {
    header: PacketHeader,
    header_bytes: HeaderBytes,
    body: Vec<u8>,
}

impl CopiedPacket {
    fn packet(&self) -> Packet<'_> {
        Packet {
            header: &self.header,
            header_bytes: &self.header_bytes,
            body: SharedBytes::from(self.body.as_slice()),
        }
    }
}

impl TakenPacket {
    fn header(&mut self) -> (&mut PacketHeader, &mut HeaderBytes) {
        match self {
            Self::Held(Held { header, header_bytes, .. })
            | Self::Copied(CopiedPacket { header, header_bytes, .. }) => (header, header_bytes),
        }
    }
}

/// How many of `complete` packets a snapshot takes that may have `packets_max`, 0 for all: the packet that
/// writers are in is one of them when it has events.
fn share(packets_max: u64, complete: u64, has_events: bool) -> u64 {
    match packets_max {
        0 => complete,
        max => complete.min(max - u64::from(has_events)),
    }
}

/// Whether an empty packet of `len` bytes goes with `count` packets that have `sum` bytes: it may not make
/// a snapshot larger than `packets_max` whole sub-buffers, 0 for any number, of `subbuf_size` bytes.
fn has_room(packets_max: u64, subbuf_size: u64, sum: u64, len: u64) -> bool {
    packets_max == 0 || sum + len <= packets_max.saturating_mul(subbuf_size)
}

impl Stream {
    /// The positions between reader and writers. None when all was read.
    ///
    /// # Errors
    /// A corrupt stream.
    pub fn snapshot_positions(&mut self) -> Result<SnapshotPositions, Corruption> {
        let positions = self.sample_positions()?;
        Ok(self.positions_between(positions))
    }

    fn positions_between(&self, positions: Positions) -> SnapshotPositions {
        let Positions { consumed, produced } = positions;
        let geometry = self.layout.geometry;
        let end = geometry.trunc(produced);
        // Overwriting writers can be further ahead than there is memory, for a moment.
        let count = end.wrapping_sub(consumed).min(geometry.buf_size());
        SnapshotPositions {
            next: end.wrapping_sub(count),
            end,
            subbuf_size: geometry.subbuf_size(),
        }
    }

    /// Takes what the stream holds now, at most the newest `packets_max` packets, 0 for all. From then on
    /// [`packet`](Self::packet) is the oldest that is not put by
    /// [`put_snapshot_packet`](Self::put_snapshot_packet). Reader and writers stay where they are. A packet
    /// that is held is put before.
    ///
    /// Whether writers left something unfinished, so that events behind it are missing.
    ///
    /// # Errors
    /// A corrupt stream.
    pub fn take_snapshot(
        &mut self,
        packets_max: u64,
        clock: &impl Clock,
    ) -> Result<bool, Corruption> {
        self.put_subbuf()?;
        for attempt in 1..=ATTEMPTS_MAX {
            self.drop_snapshot();
            if let Some(unfinished) = self.try_take(packets_max, attempt == ATTEMPTS_MAX, clock)? {
                return Ok(unfinished);
            }
        }
        Ok(false)
    }

    /// As [`take_snapshot`](Self::take_snapshot); `None` when a packet was overwritten before it was taken,
    /// unless this is the last attempt.
    fn try_take(
        &mut self,
        packets_max: u64,
        is_last: bool,
        clock: &impl Clock,
    ) -> Result<Option<bool>, Corruption> {
        let positions = self.sample_positions()?;
        let geometry = self.layout.geometry;
        let produced = positions.produced;
        let has_events = geometry.offset_in_subbuf(produced) > self.layout.header_len;
        let complete = self.positions_between(positions);
        let count = share(packets_max, complete.len() as u64, has_events);
        let complete = complete.keep_newest(count);
        let Some(mut unfinished) = self.take_complete(complete, is_last, clock)? else {
            return Ok(None);
        };
        let open = geometry.trunc(produced);
        if has_events {
            unfinished |= self.take_part(open, produced, clock)?;
        } else if has_room(
            packets_max,
            geometry.subbuf_size(),
            self.taken_len(),
            self.layout.page_size,
        ) {
            self.taken.newest = self.empty_packet(produced, clock)?;
        }
        self.take_more()?;
        Ok(Some(unfinished))
    }

    /// The oldest packet of the snapshot that is not put.
    pub(crate) fn snapshot_packet(&self) -> Option<Packet<'_>> {
        match self.taken.packets.front()? {
            TakenPacket::Held(held) => Some(self.packet_of(held)),
            TakenPacket::Copied(copied) => Some(copied.packet()),
        }
    }

    /// Goes on to the next packet of the snapshot.
    ///
    /// # Errors
    /// A corrupt stream. The packet was whole all the same.
    pub fn put_snapshot_packet(&mut self) -> Result<(), Corruption> {
        self.check()?;
        if let Some(TakenPacket::Held(held)) = self.taken.packets.pop_front() {
            self.give_back(&held);
        }
        self.take_more()
    }

    /// Puts all that is left of the snapshot.
    pub fn drop_snapshot(&mut self) {
        for packet in std::mem::take(&mut self.taken).packets {
            if let TakenPacket::Held(held) = packet
                && !self.is_given_up()
            {
                self.give_back(&held);
            }
        }
    }

    /// Takes complete packets, oldest first: it is the next to be overwritten. Whether writers have not
    /// finished one of them; `None` when one was overwritten and it costs little to begin anew.
    fn take_complete(
        &mut self,
        mut positions: SnapshotPositions,
        is_last: bool,
        clock: &impl Clock,
    ) -> Result<Option<bool>, Corruption> {
        let mut unfinished = false;
        let mut copies = 0;
        let mut copied_len = 0;
        loop {
            let before = positions;
            let Some(position) = positions.next() else { break };
            while self.lacks_spare() && copied_len < COPIES_MAX_LEN {
                let Some(len) = self.copy_taken(copies) else { break };
                copied_len += len;
                copies += 1;
            }
            if self.lacks_spare() {
                self.taken.left = Some(before);
                break;
            }
            match self.take_at(position)? {
                Ok(()) => {}
                Err(GetError::Uncommitted) => {
                    unfinished |= self.take_part(position, before.end, clock)?;
                }
                Err(GetError::Overwritten) if !is_last && copied_len == 0 => return Ok(None),
                Err(_) => self.count_lost_packet(),
            }
        }
        Ok(Some(unfinished))
    }

    /// Takes those for which there was no sub-buffer, and at last the newest.
    fn take_more(&mut self) -> Result<(), Corruption> {
        while let Some(positions) = &mut self.taken.left {
            if self.spares.is_empty() {
                break;
            }
            match positions.next() {
                Some(position) => {
                    if self.take_at(position)?.is_err() {
                        self.count_lost_packet();
                    }
                }
                None => self.taken.left = None,
            }
        }
        if self.taken.packets.is_empty()
            && let Some(newest) = self.taken.newest.take()
        {
            self.add_taken(TakenPacket::Copied(newest));
        }
        Ok(())
    }

    /// Takes the packet at `position`; why not, unless the stream is corrupt.
    fn take_at(&mut self, position: u64) -> Result<Result<(), GetError>, Corruption> {
        let taken = self.hold(position);
        // What was looked at may not have been there.
        self.check()?;
        match taken {
            Ok(held) => {
                self.add_taken(TakenPacket::Held(held));
                Ok(Ok(()))
            }
            Err(GetError::Corrupt(corruption)) => Err(corruption),
            Err(error) => Ok(Err(error)),
        }
    }

    fn add_taken(&mut self, mut packet: TakenPacket) {
        let (header, bytes) = packet.header();
        if header.events_discarded < self.taken.events_discarded {
            header.events_discarded = self.taken.events_discarded;
            packet::put_events_discarded(bytes, header.events_discarded);
        }
        self.taken.events_discarded = header.events_discarded;
        self.taken.packets.push_back(packet);
    }

    fn lacks_spare(&self) -> bool {
        self.layout.geometry.exchanges && self.spares.is_empty()
    }

    /// Copies a packet that was taken, so that its sub-buffer can be given for another one; `None` when
    /// there is none at `index`.
    fn copy_taken(&mut self, index: usize) -> Option<u64> {
        let TakenPacket::Held(held) = self.taken.packets.get(index)? else { return Some(0) };
        let packet = self.packet_of(held);
        let mut body = vec![0; packet.body.len()];
        packet.body.copy_to(&mut body);
        let len = packet.size_bytes() as u64;
        let (header, header_bytes) = (held.header, held.header_bytes);
        let copied = TakenPacket::Copied(CopiedPacket { header, header_bytes, body });
        let held = std::mem::replace(self.taken.packets.get_mut(index)?, copied);
        if let TakenPacket::Held(held) = held {
            self.give_back(&held);
        }
        Some(len)
    }

    /// Bytes of the packets that were taken, and of those that are left at most.
    fn taken_len(&self) -> u64 {
        let len = |packet: &TakenPacket| match packet {
            TakenPacket::Held(Held { header, .. })
            | TakenPacket::Copied(CopiedPacket { header, .. }) => header.packet_size_bits / 8,
        };
        let left = self.taken.left.map_or(0, |left| left.len() as u64);
        self.taken.packets.iter().map(len).sum::<u64>() + left * self.layout.geometry.subbuf_size()
    }

    /// Takes what there is of a packet that its writers have not finished, who were at `produced` when this
    /// began: all of it, if they have finished it meanwhile. Whether they left something in it unfinished.
    fn take_part(
        &mut self,
        position: u64,
        produced: u64,
        clock: &impl Clock,
    ) -> Result<bool, Corruption> {
        let is_open = self.layout.geometry.trunc(produced) == position;
        let (len, is_all) = self.written_part(position)?;
        if self.is_delivered(position) && !self.lacks_spare() && self.taken.left.is_none() {
            if self.take_at(position)?.is_err() {
                self.count_lost_packet();
            }
            return Ok(false);
        }
        let made = match (len >= self.layout.header_len, is_open) {
            (true, _) => self.copy_part(position, len, produced, clock)?,
            (false, true) => self.empty_packet(position, clock)?,
            (false, false) => self.unwritten_packet(position, clock)?,
        };
        match (made, is_open) {
            (Some(copied), true) => self.taken.newest = Some(copied),
            (Some(copied), false) => self.add_taken(TakenPacket::Copied(copied)),
            (None, _) => self.count_lost_packet(),
        }
        // Writers that are alive have gone on since.
        Ok(!is_all && !self.is_delivered(position) && self.written_part(position)? == (len, false))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limited_snapshot_has_the_newest_packets() {
        for (packets_max, complete, has_events, expected) in [
            (0, 4, true, 4),
            (0, 4, false, 4),
            (1, 4, true, 0),
            (1, 4, false, 1),
            (3, 4, true, 2),
            (3, 4, false, 3),
            (9, 4, true, 4),
        ] {
            assert_eq!(share(packets_max, complete, has_events), expected);
        }
    }

    #[test]
    fn an_empty_packet_makes_no_snapshot_too_large() {
        assert!(has_room(0, 16, 1000, 4));
        assert!(has_room(2, 16, 28, 4));
        assert!(!has_room(2, 16, 29, 4));
        assert!(has_room(u64::MAX, 16, 1000, 4));
    }
}
