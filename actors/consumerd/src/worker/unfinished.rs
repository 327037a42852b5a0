//! Packets that writers leave unfinished, as applications do that are killed while they trace.

use std::time::{Duration, Instant};

/// How long a writer may take to finish a packet that it left. Most take microseconds; one that is
/// stopped just there and goes on later makes a packet unreadable.
const ABANDONED_AFTER: Duration = Duration::from_secs(5);

/// Since when packets are unfinished, and up to where.
#[derive(Clone, Copy, Debug)]
pub(super) struct Unfinished {
    since: Instant,
    pub(super) until: u64,
}

impl Unfinished {
    pub(super) fn new(since: Instant, until: u64) -> Self {
        Self { since, until }
    }

    /// When its writers have had their time.
    pub(super) fn due(&self) -> Instant {
        self.since + ABANDONED_AFTER
    }

    /// Whether they have.
    pub(super) fn is_abandoned(&self, now: Instant) -> bool {
        now >= self.due()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_writer_that_is_slow_gets_its_time() {
        let now = Instant::now();
        let unfinished = Unfinished::new(now, 4096);
        assert!(!unfinished.is_abandoned(now));
        assert!(!unfinished.is_abandoned(unfinished.due() - Duration::from_nanos(1)));
    }

    #[test]
    fn a_writer_that_does_not_come_back_is_given_up() {
        let now = Instant::now();
        let unfinished = Unfinished::new(now, 4096);
        assert!(unfinished.is_abandoned(unfinished.due()));
        assert_eq!(unfinished.due() - now, ABANDONED_AFTER);
    }
}
