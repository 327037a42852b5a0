//! Live sessions: viewers see a packet only when the metadata that describes it was sent, and where there is none
//! they are told the time.

use lttngd_ringbuffer::FlushMode;

use super::stream_source::{SourceLost, StreamSource};
use crate::clock::PacketClock;

/// What viewers of a stream learn when its live timer comes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Tick {
    /// What is in a packet that is closed.
    Packet,
    /// That there is nothing until then, in the clock of its packets.
    Quiet { until: u64 },
}

/// Closes the open packet of a stream whose live timer came.
///
/// # Errors
/// Those of a stream that is lost.
pub(super) fn tick(source: &mut dyn StreamSource, clock: &PacketClock) -> Result<Tick, SourceLost> {
    // The time before: what is recorded from the flush on, and seen later, is not older than what viewers are told.
    let until = source.now(clock)?;
    source.flush(FlushMode::Active, clock)?;
    Ok(if source.is_readable()? { Tick::Packet } else { Tick::Quiet { until } })
}

/// What is to be done with the next packet of a stream.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Held {
    /// Metadata that describes it was asked for: it waits.
    Waits,
    /// Metadata has to be asked for first.
    Undescribed,
}

/// How far viewers have the metadata of a stream's packets.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Described {
    is_live: bool,
    /// The position up to which they have it.
    until: Option<u64>,
    /// Whether metadata was asked for.
    is_awaited: bool,
}

impl Described {
    /// Of a stream whose viewers look on, or else of one that nobody sees before it is whole.
    pub(super) fn new(is_live: bool) -> Self {
        Self { is_live, until: None, is_awaited: false }
    }

    /// Whether packets are held back at all.
    pub(super) fn is_live(&self) -> bool {
        self.is_live
    }

    /// Whether packets must not be sent yet; `next` is the position of the next one, if there is one.
    pub(super) fn held_back(&self, next: Option<u64>) -> Option<Held> {
        if !self.is_live {
            return None;
        }
        if self.is_awaited {
            return Some(Held::Waits);
        }
        let next = next?;
        let described = self.until.is_some_and(|until| until.wrapping_sub(next).cast_signed() > 0);
        (!described).then_some(Held::Undescribed)
    }

    /// Metadata was asked for.
    pub(super) fn awaits(&mut self) {
        self.is_awaited = true;
    }

    /// What describes packets up to there was sent, or there is nothing to wait for.
    pub(super) fn described(&mut self, until: u64) {
        self.until = Some(until);
    }

    /// The same for one that waits. Whether it did.
    pub(super) fn released(&mut self, until: u64) -> bool {
        let waited = std::mem::take(&mut self.is_awaited);
        if waited {
            self.until = Some(until);
        }
        waited
    }
}

/// Where the packet begins that is open while writers are at `produced`: it may get what is described later.
pub(super) fn closed_until(produced: u64, subbuf_size_bytes: u64) -> u64 {
    produced - produced % subbuf_size_bytes.max(1)
}

/// A stream that waits, by its slot, and the position up to which its packets will be described.
pub(super) type Waiter = (usize, u64);

/// Streams of a trace that wait for metadata.
#[derive(Debug, Default)]
pub(super) struct Waiters {
    /// Those that the request under way is for.
    asked: Vec<Waiter>,
    /// Those that the next one is for.
    waiting: Vec<Waiter>,
    under_way: bool,
}

impl Waiters {
    /// A stream waits for what describes its packets up to `until`.
    pub(super) fn wait(&mut self, slot: usize, until: u64) {
        self.waiting.push((slot, until));
    }

    /// Whether metadata is to be asked for now; it is under way then.
    pub(super) fn asks(&mut self) -> bool {
        if self.under_way || self.waiting.is_empty() {
            return false;
        }
        self.under_way = true;
        self.asked = std::mem::take(&mut self.waiting);
        true
    }

    /// What was asked for is here: those that waited for it. Text that nobody asked for here may have been
    /// told to the session daemon before they waited.
    pub(super) fn refreshed(&mut self) -> Vec<Waiter> {
        if std::mem::take(&mut self.under_way) {
            std::mem::take(&mut self.asked)
        } else {
            Vec::new()
        }
    }

    /// All that wait: nobody will send what they wait for.
    pub(super) fn into_all(self) -> Vec<Waiter> {
        let mut all = self.asked;
        all.extend(self.waiting);
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_that_nobody_looks_at_before_they_are_whole_are_never_held_back() {
        assert_eq!(Described::new(false).held_back(Some(0)), None);
    }

    #[test]
    fn the_first_packet_of_a_live_stream_waits_for_its_description() {
        let mut described = Described::new(true);
        assert_eq!(described.held_back(Some(0)), Some(Held::Undescribed));
        described.awaits();
        assert_eq!(described.held_back(Some(0)), Some(Held::Waits));
    }

    #[test]
    fn a_stream_without_packets_asks_for_nothing() {
        let mut described = Described::new(true);
        assert_eq!(described.held_back(None), None);
        described.awaits();
        assert_eq!(described.held_back(None), Some(Held::Waits), "what it asked for may come");
    }

    #[test]
    fn packets_are_described_up_to_where_they_were_when_metadata_was_asked_for() {
        let mut described = Described::new(true);
        described.awaits();
        assert!(described.released(8192));
        assert_eq!(described.held_back(Some(4096)), None);
        assert_eq!(described.held_back(Some(8192)), Some(Held::Undescribed), "it came later");
    }

    #[test]
    fn a_packet_that_was_open_when_metadata_was_asked_for_may_have_events_that_came_later() {
        let mut described = Described::new(true);
        described.awaits();
        assert!(described.released(closed_until(4096 + 100, 4096)));
        assert_eq!(described.held_back(Some(0)), None);
        assert_eq!(described.held_back(Some(4096)), Some(Held::Undescribed));
        described.described(closed_until(8192, 4096));
        assert_eq!(described.held_back(Some(4096)), None, "it was closed");
    }

    #[test]
    fn positions_that_ran_over_are_compared_all_the_same() {
        let mut described = Described::new(true);
        described.described(4096);
        assert_eq!(described.held_back(Some(u64::MAX - 4095)), None);
    }

    #[test]
    fn a_stream_that_does_not_wait_is_not_released() {
        let mut described = Described::new(true);
        assert!(!described.released(4096));
        assert_eq!(described.held_back(Some(0)), Some(Held::Undescribed));
    }

    #[test]
    fn many_streams_ask_once() {
        let mut waiters = Waiters::default();
        waiters.wait(1, 10);
        waiters.wait(2, 20);
        assert!(waiters.asks());
        assert!(!waiters.asks(), "it is under way");
        assert_eq!(waiters.refreshed(), [(1, 10), (2, 20)]);
        assert!(!waiters.asks(), "nobody waits");
    }

    #[test]
    fn who_comes_while_a_request_is_under_way_is_served_by_the_next_one() {
        let mut waiters = Waiters::default();
        waiters.wait(1, 10);
        assert!(waiters.asks());
        waiters.wait(2, 20);
        assert!(!waiters.asks());
        assert_eq!(waiters.refreshed(), [(1, 10)], "what came may not describe the other");
        assert!(waiters.asks());
        assert_eq!(waiters.refreshed(), [(2, 20)]);
    }

    #[test]
    fn text_that_came_for_another_reason_releases_nobody() {
        let mut waiters = Waiters::default();
        waiters.wait(1, 10);
        assert_eq!(waiters.refreshed(), []);
        assert!(waiters.asks());
    }

    #[test]
    fn all_are_released_at_the_end_of_the_metadata() {
        let mut waiters = Waiters::default();
        waiters.wait(1, 10);
        assert!(waiters.asks());
        waiters.wait(2, 20);
        assert_eq!(waiters.into_all(), [(1, 10), (2, 20)]);
    }
}
