//! Who waits for a relay daemon to take more, or to answer.

use std::collections::{HashSet, VecDeque};

use lttngd_model::ChannelKey;

use super::recorded_text::RecordedText;
use crate::worker::snapshot::JobId;

/// All that wait for one relay daemon.
#[derive(Debug, Default)]
pub(super) struct Parking {
    /// Streams whose packets it does not take now. One of which a part is sent stands first.
    streams: VecDeque<usize>,
    /// Streams whose next packets are of a trace chunk that it is not at.
    rotating: HashSet<usize>,
    snapshots: Vec<JobId>,
    /// Metadata of snapshots that it does not take now.
    recorded: Vec<RecordedText>,
    /// Metadata channels with text that it does not take now.
    behind: HashSet<ChannelKey>,
}

/// Those that go on when it takes more: all but streams, of which the first one lets the next one.
#[derive(Debug, Default)]
pub(super) struct GoingOn {
    pub(super) snapshots: Vec<JobId>,
    pub(super) stream: Option<usize>,
    pub(super) behind: Vec<ChannelKey>,
    pub(super) recorded: Vec<RecordedText>,
}

impl Parking {
    /// A stream waits for room. When a part of its packet is sent, no other packet can go before.
    pub(super) fn park(&mut self, slot: usize, partly: bool) {
        if partly {
            self.streams.push_front(slot);
        } else {
            self.streams.push_back(slot);
        }
    }

    /// A stream waits for what is answered next.
    pub(super) fn wait_for_indexes(&mut self, slot: usize) {
        self.rotating.insert(slot);
    }

    /// A snapshot waits for room.
    pub(super) fn park_snapshot(&mut self, id: JobId) {
        self.snapshots.push(id);
    }

    /// A metadata channel waits for room.
    pub(super) fn text_is_behind(&mut self, key: ChannelKey) {
        self.behind.insert(key);
    }

    /// Metadata of a snapshot waits for room.
    pub(super) fn keep(&mut self, text: RecordedText) {
        self.recorded.push(text);
    }

    /// Something was answered: those that wait for that.
    pub(super) fn answered(&mut self) -> HashSet<usize> {
        std::mem::take(&mut self.rotating)
    }

    /// There may be room: those that go on.
    pub(super) fn has_room(&mut self) -> GoingOn {
        GoingOn {
            snapshots: std::mem::take(&mut self.snapshots),
            stream: self.streams.pop_front(),
            behind: self.behind.drain().collect(),
            recorded: std::mem::take(&mut self.recorded),
        }
    }

    /// Whether a stream or text waits for room.
    pub(super) fn has_waiting(&self) -> bool {
        !self.streams.is_empty() || !self.behind.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn streams(parking: &mut Parking) -> Vec<usize> {
        std::iter::from_fn(|| parking.has_room().stream).collect()
    }

    #[test]
    fn streams_go_on_in_the_order_in_which_they_came() {
        let mut parking = Parking::default();
        for slot in [3, 1, 2] {
            parking.park(slot, false);
        }
        assert_eq!(streams(&mut parking), [3, 1, 2]);
    }

    #[test]
    fn a_packet_that_is_partly_sent_comes_before_all_others() {
        let mut parking = Parking::default();
        parking.park(3, false);
        parking.park(1, true);
        assert_eq!(streams(&mut parking), [1, 3]);
    }

    #[test]
    fn one_stream_goes_on_at_a_time_and_everybody_else_with_it() {
        let mut parking = Parking::default();
        parking.park(3, false);
        parking.park(4, false);
        parking.park_snapshot(JobId(1));
        parking.park_snapshot(JobId(2));
        parking.text_is_behind(ChannelKey(9));
        let going_on = parking.has_room();
        assert_eq!(going_on.stream, Some(3));
        assert_eq!(going_on.snapshots, [JobId(1), JobId(2)]);
        assert_eq!(going_on.behind, [ChannelKey(9)]);
        assert!(parking.has_waiting(), "the other stream");
        assert!(parking.has_room().snapshots.is_empty());
    }

    #[test]
    fn text_of_a_channel_is_behind_once() {
        let mut parking = Parking::default();
        parking.text_is_behind(ChannelKey(9));
        parking.text_is_behind(ChannelKey(9));
        assert!(parking.has_waiting());
        assert_eq!(parking.has_room().behind, [ChannelKey(9)]);
        assert!(!parking.has_waiting());
    }

    #[test]
    fn a_stream_that_rotates_waits_for_an_answer_and_not_for_room() {
        let mut parking = Parking::default();
        parking.wait_for_indexes(3);
        assert_eq!(parking.has_room().stream, None);
        assert!(parking.answered().contains(&3));
        assert!(parking.answered().is_empty());
    }

    #[test]
    fn what_rotates_or_is_recorded_does_not_hold_up_the_end() {
        let mut parking = Parking::default();
        parking.wait_for_indexes(3);
        parking.park_snapshot(JobId(1));
        assert!(!parking.has_waiting());
    }
}
