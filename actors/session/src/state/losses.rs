//! What the channels of a session lost. No input or output.

use std::collections::BTreeMap;

use lttngd_buffers::ChannelCounters;

/// Counters summed for each channel, by its index.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Losses(BTreeMap<u32, Lost>);

/// What one channel lost.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Lost {
    pub(crate) discarded_events: u64,
    pub(crate) lost_packets: u64,
}

impl Losses {
    /// What a channel lost.
    pub(crate) fn of(&self, index: u32) -> Lost {
        self.0.get(&index).copied().unwrap_or_default()
    }
}

impl Extend<ChannelCounters> for Losses {
    fn extend<I: IntoIterator<Item = ChannelCounters>>(&mut self, counters: I) {
        for ChannelCounters { index, discarded_events, lost_packets } in counters {
            let sum = self.0.entry(index).or_default();
            // Applications may tell any numbers.
            sum.discarded_events = sum.discarded_events.saturating_add(discarded_events);
            sum.lost_packets = sum.lost_packets.saturating_add(lost_packets);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_summed_by_channel_and_take_no_more_room_for_more_applications() {
        let counters = |index, discarded_events, lost_packets| ChannelCounters {
            index,
            discarded_events,
            lost_packets,
        };
        let mut losses = Losses::default();
        for _ in 0..1000 {
            losses.extend([counters(0, 1, 2), counters(7, 0, u64::MAX)]);
        }
        assert_eq!(losses.of(0), Lost { discarded_events: 1000, lost_packets: 2000 });
        assert_eq!(losses.of(7), Lost { discarded_events: 0, lost_packets: u64::MAX });
        assert_eq!(losses.of(1), Lost::default());
        assert_eq!(losses.0.len(), 2);
    }
}
