//! What is chosen, from a seed.

use std::{cell::RefCell, ops::Range, time::Duration};

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// What one of those who play chooses. It depends on the seed, on who it is and on what was chosen before by the same,
/// so that others may choose more or less without a change here.
#[derive(Debug)]
pub(crate) struct Chance(RefCell<ChaCha8Rng>);

impl Chance {
    pub(crate) fn new(seed: u64, who: &str) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let stream = who.bytes().fold(0u64, |sum, byte| sum.wrapping_mul(257) + u64::from(byte));
        random.set_stream(stream);
        Self(RefCell::new(random))
    }

    /// Whether it happens, as it does once in so many times.
    pub(crate) fn once_in(&self, times: u32) -> bool {
        self.0.borrow_mut().random_ratio(1, times)
    }

    /// A number below `end`.
    pub(crate) fn below(&self, end: usize) -> usize {
        // The same on machines of every size.
        self.0.borrow_mut().random_range(0..end as u64) as usize
    }

    /// One of these.
    pub(crate) fn one_of<'a, T>(&self, these: &'a [T]) -> &'a T {
        &these[self.below(these.len())]
    }

    /// A time, in whole microseconds.
    pub(crate) fn time(&self, within: Range<Duration>) -> Duration {
        let [start, end] =
            [within.start, within.end].map(|time| u64::try_from(time.as_micros()).unwrap());
        Duration::from_micros(self.0.borrow_mut().random_range(start..end))
    }

    /// How long a peer takes that is well: little most of the time.
    pub(crate) fn latency(&self) -> Duration {
        const MS: Duration = Duration::from_millis(1);
        match self.below(20) {
            0..12 => Duration::ZERO,
            12..19 => self.time(Duration::ZERO..MS * 3),
            _ => self.time(MS * 3..MS * 80),
        }
    }
}
