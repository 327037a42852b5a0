//! Log lines that come in floods.

use std::time::{Duration, Instant};

/// Most lines that say in [`REFUSALS_PERIOD`] which peers were refused.
const REFUSALS_MAX: usize = 256;
/// See [`REFUSALS_MAX`].
const REFUSALS_PERIOD: Duration = Duration::from_secs(10);

/// Lets so many lines be written in a while, and says how many were left out since.
#[derive(Debug)]
pub struct Sparing {
    max: usize,
    period: Duration,
    begun: Option<Instant>,
    written: usize,
    left_out: u64,
}

impl Sparing {
    /// At most `max` lines in each `period`.
    #[must_use]
    pub fn new(max: usize, period: Duration) -> Self {
        Self { max, period, begun: None, written: 0, left_out: 0 }
    }

    /// For peers that are refused: as many as want may come.
    #[must_use]
    pub fn for_refusals() -> Self {
        Self::new(REFUSALS_MAX, REFUSALS_PERIOD)
    }

    /// Asks for a line: how many were left out before it, or `None` when it is left out itself.
    pub fn line(&mut self, now: Instant) -> Option<u64> {
        if self.begun.is_none_or(|begun| now.saturating_duration_since(begun) >= self.period) {
            self.begun = Some(now);
            self.written = 0;
        }
        if self.written >= self.max {
            self.left_out += 1;
            return None;
        }
        self.written += 1;
        Some(std::mem::take(&mut self.left_out))
    }
}
