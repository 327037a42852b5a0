//! How much a stream may do before others get their turn.

/// Packets after which another stream gets its turn.
const PACKETS_MAX: usize = 32;
/// Bytes after which another stream gets its turn.
pub(super) const BYTES_MAX: u64 = 4 << 20;

/// A turn of one stream.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Turn {
    packets: usize,
    bytes: u64,
}

impl Turn {
    /// Begins another packet. Whether the turn is not over.
    pub(super) fn begins_packet(&mut self) -> bool {
        let goes_on = self.packets < PACKETS_MAX && self.bytes < BYTES_MAX;
        self.packets += 1;
        goes_on
    }

    /// Bytes were written.
    pub(super) fn wrote(&mut self, bytes: u64) {
        self.bytes = self.bytes.saturating_add(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_with_many_small_packets_lets_others_have_their_turn() {
        let mut turn = Turn::default();
        let packets =
            std::iter::repeat_with(|| turn.begins_packet()).take_while(|goes_on| *goes_on);
        assert_eq!(packets.count(), PACKETS_MAX);
    }

    #[test]
    fn a_stream_with_large_packets_lets_others_have_their_turn() {
        let mut turn = Turn::default();
        assert!(turn.begins_packet());
        turn.wrote(BYTES_MAX - 1);
        assert!(turn.begins_packet(), "there is room for a byte");
        turn.wrote(1);
        assert!(!turn.begins_packet());
    }

    #[test]
    fn a_packet_larger_than_a_turn_goes_alone() {
        let mut turn = Turn::default();
        assert!(turn.begins_packet(), "it is never put off");
        turn.wrote(u64::MAX);
        turn.wrote(1);
        assert!(!turn.begins_packet());
    }
}
