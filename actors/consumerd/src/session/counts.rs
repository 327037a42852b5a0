//! What channels have lost, as their data threads said it last. No input or output.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use lttngd_model::ChannelKey;

use crate::worker::Counts;

/// Longest wait for a data thread to say it. What comes behind the question in the session's line, as the text of its
/// metadata, is not to wait for a file system that does not answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// The same in [`LATE_PERIOD`] after one has not said it in time.
const PATIENCE_LATE: Duration = Duration::from_millis(50);
/// See [`PATIENCE_LATE`].
const LATE_PERIOD: Duration = Duration::from_secs(30);

/// What is known of a session's channels.
#[derive(Debug, Default)]
pub(super) struct KnownCounts {
    known: HashMap<ChannelKey, Counts>,
    /// When one was not told in time, and none was since.
    late: Option<Instant>,
}

impl KnownCounts {
    /// How long a question may be waited for now.
    pub(super) fn patience(&self, now: Instant) -> Duration {
        match self.late {
            Some(late) if now.saturating_duration_since(late) < LATE_PERIOD => PATIENCE_LATE,
            _ => PATIENCE,
        }
    }

    /// It was told in time.
    pub(super) fn are(&mut self, key: ChannelKey, counts: Counts) {
        self.known.insert(key, counts);
        self.late = None;
    }

    /// It was not told in time: what was known before.
    pub(super) fn were(&mut self, key: ChannelKey, now: Instant) -> Counts {
        if self.patience(now) == PATIENCE {
            self.late = Some(now);
        }
        self.known.get(&key).copied().unwrap_or_default()
    }

    /// A channel has ended.
    pub(super) fn forget(&mut self, key: ChannelKey) {
        self.known.remove(&key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: ChannelKey = ChannelKey(1);

    #[test]
    fn a_thread_that_says_nothing_is_waited_for_once_in_a_while_and_what_it_said_stands() {
        let (mut counts, now) = (KnownCounts::default(), Instant::now());
        let said = Counts { discarded_events: 7, lost_packets: 1 };
        counts.are(KEY, said);
        assert_eq!(counts.patience(now), PATIENCE);
        assert_eq!(counts.were(KEY, now), said);
        let soon = now + LATE_PERIOD / 2;
        assert_eq!(counts.patience(soon), PATIENCE_LATE);
        assert_eq!(counts.were(KEY, soon), said);
        assert_eq!(counts.patience(now + LATE_PERIOD), PATIENCE, "it counts from the first time");
        counts.are(KEY, said);
        assert_eq!(counts.patience(soon), PATIENCE, "it answers again");
        counts.forget(KEY);
        assert_eq!(counts.were(KEY, soon), Counts::default());
    }
}
