//! Whether a data thread comes before all programs. It does for a short turn now and then, which keeps programs
//! from losing events; one that would take most of a processor gives way to them until it has caught up: what it
//! is kept busy with may be somebody's who wants nothing else.

use std::time::{Duration, Instant};

/// Over how long it is looked at.
const WINDOW: Duration = Duration::from_millis(100);
/// One in so many parts of that a thread may take of a processor before all programs.
const PART: u32 = 2;

/// What a data thread did since it was looked at last.
#[derive(Clone, Copy, Debug)]
pub(super) struct Precedence {
    comes_first: bool,
    since: Instant,
    /// Its processor time then.
    used_then: Duration,
    rested: Duration,
}

impl Precedence {
    /// Of a thread that comes first, and has `used` so much processor time.
    pub(super) fn new(now: Instant, used: Duration) -> Self {
        Self { comes_first: true, since: now, used_then: used, rested: Duration::ZERO }
    }

    /// It had nothing to do for so long. `used` tells its processor time. Whether it is to come first from now
    /// on, when that changes.
    pub(super) fn rested(
        &mut self,
        time: Duration,
        now: Instant,
        used: impl FnOnce() -> Duration,
    ) -> Option<bool> {
        self.rested += time;
        let window = now.saturating_duration_since(self.since);
        if window < WINDOW {
            return None;
        }
        let used = used();
        let before = self.comes_first;
        // One that waits for its turn on a processor does not rest, and one that waits for a disk takes none.
        self.comes_first = if before {
            used.saturating_sub(self.used_then) <= window / PART
        } else {
            self.rested >= window / PART
        };
        (self.since, self.used_then, self.rested) = (now, used, Duration::ZERO);
        (self.comes_first != before).then_some(self.comes_first)
    }

    /// How long it may rest at most before it is looked at again.
    pub(super) fn rest_max(&self) -> Option<Duration> {
        (!self.comes_first).then_some(WINDOW)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A thread whose processor time and rests are known.
    struct Thread {
        precedence: Precedence,
        now: Instant,
        used: Duration,
    }

    impl Thread {
        fn new() -> Self {
            let now = Instant::now();
            Self { precedence: Precedence::new(now, Duration::ZERO), now, used: Duration::ZERO }
        }

        /// A turn in milliseconds: it computes, waits for others without resting, and rests.
        fn turn(&mut self, computes: u64, waits: u64, rests: u64) -> Option<bool> {
            let [computes, waits, rests] = [computes, waits, rests].map(Duration::from_millis);
            self.now += computes + waits + rests;
            self.used += computes;
            let used = self.used;
            self.precedence.rested(rests, self.now, || used)
        }
    }

    #[test]
    fn a_thread_that_is_kept_busy_comes_behind_until_it_rests() {
        let mut thread = Thread::new();
        assert_eq!(thread.turn(60, 0, 0), None, "it is looked at in its time");
        assert_eq!(thread.turn(60, 0, 0), Some(false));
        assert_eq!(thread.turn(200, 0, 1), None, "it is busy still");
        assert_eq!(thread.turn(10, 0, 100), Some(true));
    }

    #[test]
    fn short_turns_are_before_all_programs() {
        let mut thread = Thread::new();
        for _ in 0..100 {
            assert_eq!(thread.turn(4, 0, 6), None);
        }
    }

    #[test]
    fn many_short_turns_are_not_when_they_leave_little() {
        let mut thread = Thread::new();
        let changes: Vec<_> = (0..40).filter_map(|_| thread.turn(6, 0, 4)).collect();
        assert_eq!(changes, [false]);
    }

    #[test]
    fn a_thread_that_waits_for_a_disk_takes_nothing_from_programs() {
        let mut thread = Thread::new();
        assert_eq!(thread.turn(10, 500, 0), None);
    }

    #[test]
    fn a_thread_that_waits_for_its_turn_has_not_caught_up() {
        let mut thread = Thread::new();
        assert_eq!(thread.turn(300, 0, 0), Some(false));
        for _ in 0..10 {
            assert_eq!(thread.turn(40, 60, 10), None);
        }
    }

    #[test]
    fn a_thread_that_comes_behind_is_looked_at_soon() {
        let mut thread = Thread::new();
        assert_eq!(thread.precedence.rest_max(), None);
        thread.turn(300, 0, 0);
        assert_eq!(thread.precedence.rest_max(), Some(WINDOW));
    }
}
