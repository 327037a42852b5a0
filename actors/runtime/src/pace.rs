//! How fast those are let in who come for nothing. No input or output.

use std::{cell::Cell, time::Duration};

use tokio::time::Instant;

/// How many may have been turned away before nobody is accepted for the rest of [`IN_VAIN_PERIOD`].
const IN_VAIN_MAX: u32 = 16;
/// For how many of these one counts that was watched, and came in vain.
const WATCHED: u32 = 2;
/// See [`IN_VAIN_MAX`]. No pause that the clock of tokio knows is shorter.
const IN_VAIN_PERIOD: Duration = Duration::from_millis(1);

/// Of connections at one listening socket, those that came in vain: refused, wrong, or closed without a word.
///
/// Whoever opens such connections as fast as he can has the thread that accepts them do little else. So nobody is
/// accepted for a moment when there were too many: those who come meanwhile wait in the system's queue, and what is
/// the thread's other work has its turn. Connections that become something cost nobody anything.
#[derive(Debug, Default)]
pub struct Pace {
    begun: Cell<Option<Instant>>,
    in_vain: Cell<u32>,
}

impl Pace {
    /// One of them came in vain, which was seen when it had been watched for what it says.
    pub fn in_vain(&self, now: Instant) {
        self.count(WATCHED, now);
    }

    /// One of them was turned away before anything was made for it, which costs less.
    pub fn turned_away(&self, now: Instant) {
        self.count(1, now);
    }

    fn count(&self, count: u32, now: Instant) {
        if self.left(now).is_none() {
            self.begun.set(Some(now));
            self.in_vain.set(0);
        }
        self.in_vain.set(self.in_vain.get().saturating_add(count));
    }

    /// For how long nobody is to be accepted now, if there were too many.
    pub fn pause(&self, now: Instant) -> Option<Duration> {
        self.left(now).filter(|_| self.in_vain.get() >= IN_VAIN_MAX)
    }

    /// What is left of the time in which they are counted, if anything is.
    fn left(&self, now: Instant) -> Option<Duration> {
        let passed = now.saturating_duration_since(self.begun.get()?);
        IN_VAIN_PERIOD.checked_sub(passed).filter(|left| !left.is_zero())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_comes_in_vain_too_often_has_all_wait_for_the_rest_of_the_time() {
        let (pace, start) = (Pace::default(), Instant::now());
        for _ in 0..IN_VAIN_MAX / WATCHED - 1 {
            assert_eq!(pace.pause(start), None);
            pace.in_vain(start);
        }
        for _ in 0..WATCHED {
            assert_eq!(pace.pause(start), None);
            pace.turned_away(start);
        }
        assert_eq!(pace.pause(start), Some(IN_VAIN_PERIOD));
        assert_eq!(pace.pause(start + IN_VAIN_PERIOD / 4), Some(IN_VAIN_PERIOD * 3 / 4));
        assert_eq!(pace.pause(start + IN_VAIN_PERIOD), None);
    }

    #[test]
    fn those_of_before_are_forgotten() {
        let (pace, start) = (Pace::default(), Instant::now());
        for number in 0..100 * IN_VAIN_MAX {
            let now = start + number * IN_VAIN_PERIOD / (IN_VAIN_MAX / 2 / WATCHED);
            assert_eq!(pace.pause(now), None, "as many as are nobody's trouble");
            pace.in_vain(now);
        }
    }
}
