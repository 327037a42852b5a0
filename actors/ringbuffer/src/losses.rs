//! What writers lost, told by the packets that came.

use crate::packet::PacketHeader;

/// What is missing from a stream so far. Writers are believed: a wrong writer has wrong counts.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Losses {
    /// Events for which there was no room.
    pub discarded_events: u64,
    /// Packets that were overwritten before they were read, or damaged.
    pub lost_packets: u64,
}

/// Counts [`Losses`] from headers, in the order of packets.
#[derive(Debug, Default)]
pub(crate) struct LossCounter {
    losses: Losses,
    /// The number that the next packet should have; that of the first one of a buffer is 0.
    next_sequence_number: u64,
    last_events_discarded: u64,
}

impl LossCounter {
    pub fn losses(&self) -> Losses {
        self.losses
    }

    /// The same, when writers lost that many events in all: what no packet has told yet is among them.
    pub fn losses_of(&self, events_discarded: u64) -> Losses {
        let untold = events_discarded.saturating_sub(self.last_events_discarded);
        let discarded_events = self.losses.discarded_events.saturating_add(untold);
        Losses { discarded_events, ..self.losses }
    }

    /// A header as it should be. LTTng-UST 2.13 writes 0 discarded events when a packet is
    /// finished by an event that was reserved before the packet was closed; counts do not go back.
    pub fn mend(&self, header: &mut PacketHeader) -> bool {
        let is_wrong = header.events_discarded < self.last_events_discarded;
        if is_wrong {
            header.events_discarded = self.last_events_discarded;
        }
        is_wrong
    }

    /// A packet was read.
    pub fn count(&mut self, header: &PacketHeader) {
        let number = header.sequence_number;
        // Numbers that do not grow are no loss.
        let gap = number.saturating_sub(self.next_sequence_number);
        self.losses.lost_packets = self.losses.lost_packets.saturating_add(gap);
        self.next_sequence_number = number.saturating_add(1);
        let discarded = header.events_discarded.saturating_sub(self.last_events_discarded);
        self.losses.discarded_events = self.losses.discarded_events.saturating_add(discarded);
        self.last_events_discarded = header.events_discarded;
    }

    /// The packets before this number are dropped, since nobody wants them.
    pub fn skip_to(&mut self, number: u64) {
        self.next_sequence_number = number;
    }

    /// A packet of a snapshot could not be read.
    pub fn count_lost_packet(&mut self) {
        self.losses.lost_packets = self.losses.lost_packets.saturating_add(1);
    }
}
