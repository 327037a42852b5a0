//! How many packets were recorded of a session. No input or output.

/// What the samples of its channels told.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct RecordedPackets {
    told: Option<u64>,
    /// Whether a consumer daemon that does not tell has written something.
    has_others: bool,
}

impl RecordedPackets {
    /// A channel was sampled: so much more was written of it.
    pub(crate) fn sampled(&mut self, bytes: u64, packets: Option<u64>) {
        match packets {
            Some(packets) => self.told = Some(self.told.unwrap_or(0).saturating_add(packets)),
            None => self.has_others |= bytes > 0,
        }
    }

    /// How many there are; `None` when it is not known of all.
    pub(crate) fn count(self) -> Option<u64> {
        self.told.filter(|_| !self.has_others)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_counted_when_all_who_write_tell() {
        let mut packets = RecordedPackets::default();
        assert_eq!(packets.count(), None, "nobody told anything");
        packets.sampled(0, Some(0));
        assert_eq!(packets.count(), Some(0));
        packets.sampled(8192, Some(2));
        packets.sampled(4096, Some(1));
        packets.sampled(0, None);
        assert_eq!(packets.count(), Some(3), "who does not tell has written nothing");
        packets.sampled(4096, None);
        packets.sampled(4096, Some(1));
        assert_eq!(packets.count(), None, "3 would not be all");
    }
}
