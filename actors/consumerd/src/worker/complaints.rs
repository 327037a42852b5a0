//! What is told of a stream that fails again and again. No input or output.

use std::time::{Duration, Instant};

use lttngd_runtime::Sparing;

/// Most lines about one stream in [`COMPLAINTS_PERIOD`]: who writes to its memory has it fail as often as he likes.
const COMPLAINTS_MAX: usize = 8;
/// See [`COMPLAINTS_MAX`].
const COMPLAINTS_PERIOD: Duration = Duration::from_secs(10);

/// Told once until it works again, and only so often.
#[derive(Debug)]
pub(super) struct Complaints {
    fails: bool,
    lines: Sparing,
}

impl Default for Complaints {
    fn default() -> Self {
        Self { fails: false, lines: Sparing::new(COMPLAINTS_MAX, COMPLAINTS_PERIOD) }
    }
}

impl Complaints {
    /// It failed. When that is to be told: how many times it was not told since the last time.
    pub(super) fn fails(&mut self, now: Instant) -> Option<u64> {
        if std::mem::replace(&mut self.fails, true) { None } else { self.lines.line(now) }
    }

    /// It works.
    pub(super) fn works(&mut self) {
        self.fails = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_that_goes_on_failing_is_told_once() {
        let (mut complaints, now) = (Complaints::default(), Instant::now());
        assert_eq!(complaints.fails(now), Some(0));
        assert_eq!(complaints.fails(now + COMPLAINTS_PERIOD), None);
        complaints.works();
        assert_eq!(complaints.fails(now + COMPLAINTS_PERIOD), Some(0));
    }

    #[test]
    fn one_that_fails_and_works_by_turns_does_not_fill_the_log() {
        let (mut complaints, now) = (Complaints::default(), Instant::now());
        let told = (0..100_000).filter(|_| {
            complaints.works();
            complaints.fails(now).is_some()
        });
        assert_eq!(told.count(), COMPLAINTS_MAX);
        complaints.works();
        let left_out = 100_000 - COMPLAINTS_MAX as u64;
        assert_eq!(complaints.fails(now + COMPLAINTS_PERIOD), Some(left_out));
    }
}
