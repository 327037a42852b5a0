//! What is missing from a stream, told by the packets that came.

use lttngd_ringbuffer::Losses;
use lttngd_wire::ctf::PacketIndex;

#[derive(Debug, Default)]
pub(crate) struct LossCounter {
    losses: Losses,
    /// The number that the next packet should have; that of the first one of a buffer is 0.
    next_number: u64,
    last_discarded: u64,
}

impl LossCounter {
    pub(crate) fn losses(&self) -> Losses {
        self.losses
    }

    /// A packet was read.
    pub(crate) fn count(&mut self, index: &PacketIndex) {
        let number = index.packet_seq_num;
        // Numbers that do not grow are no loss.
        let gap = number.saturating_sub(self.next_number);
        self.losses.lost_packets = self.losses.lost_packets.saturating_add(gap);
        self.next_number = number.saturating_add(1);
        let discarded = index.events_discarded.saturating_sub(self.last_discarded);
        self.losses.discarded_events = self.losses.discarded_events.saturating_add(discarded);
        self.last_discarded = index.events_discarded.max(self.last_discarded);
    }

    /// The packets before this number are dropped, since nobody wants them.
    pub(crate) fn skip_to(&mut self, number: u64) {
        self.next_number = self.next_number.max(number);
    }

    /// A packet of a snapshot could not be read.
    pub(crate) fn count_lost_packet(&mut self) {
        self.losses.lost_packets = self.losses.lost_packets.saturating_add(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(number: u64, discarded: u64) -> PacketIndex {
        PacketIndex {
            packet_seq_num: number,
            events_discarded: discarded,
            ..PacketIndex::default()
        }
    }

    #[test]
    fn numbers_that_are_left_out_are_lost_packets() {
        let mut counter = LossCounter::default();
        for packet in [packet(0, 0), packet(3, 7), packet(4, 7)] {
            counter.count(&packet);
        }
        assert_eq!(counter.losses(), Losses { discarded_events: 7, lost_packets: 2 });
        counter.skip_to(9);
        counter.count(&packet(9, 10));
        assert_eq!(counter.losses(), Losses { discarded_events: 10, lost_packets: 2 });
    }
}
