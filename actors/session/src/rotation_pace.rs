//! How many rotations the schedules of one user's sessions make. No input or output.

use std::{cell::RefCell, collections::HashMap, time::Duration};

use tokio::time::Instant;

/// Between two rotations by the timers of one user's sessions, all of them together: root's, and those of the user
/// whose daemon it is, wait for nothing.
pub(crate) const ROTATION_SPACING: Duration = Duration::from_millis(10);
/// Of how many users it is known when they may rotate next, before those who may now are forgotten.
const KNOWN_MAX: usize = 1024;

thread_local! {
    /// Of all sessions that live in this thread.
    static PACE: RefCell<RotationPace> = RefCell::default();
}

/// When each user's sessions may rotate next.
#[derive(Debug, Default)]
struct RotationPace {
    next: HashMap<u32, Instant>,
}

impl RotationPace {
    /// The next time for a rotation of this user.
    fn slot(&mut self, uid: u32, now: Instant) -> Instant {
        if self.next.len() >= KNOWN_MAX {
            self.next.retain(|_, next| *next > now);
        }
        let next = self.next.entry(uid).or_insert(now);
        let slot = (*next).max(now);
        *next = slot + ROTATION_SPACING;
        slot
    }
}

/// When a timer of this user's that has run out may have its session rotated.
pub(crate) fn rotation_slot(uid: u32) -> Instant {
    let now = Instant::now();
    if uid == 0 || uid == rustix::process::geteuid().as_raw() {
        return now;
    }
    PACE.with_borrow_mut(|pace| pace.slot(uid, now))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sessions_of_a_user_rotate_one_after_the_other_and_hold_up_nobody_elses() {
        let (mut pace, now) = (RotationPace::default(), Instant::now());
        let slots: Vec<_> = (0..4).map(|_| pace.slot(1000, now) - now).collect();
        let expected: Vec<_> = (0..4).map(|number| number * ROTATION_SPACING).collect();
        assert_eq!(slots, expected);
        assert_eq!(pace.slot(1001, now), now);
        // Who was idle has nothing left over.
        let later = now + Duration::from_secs(9);
        assert_eq!(pace.slot(1000, later), later);
        assert_eq!(pace.slot(1000, later), later + ROTATION_SPACING);
    }

    #[test]
    fn nothing_is_kept_of_users_who_may_rotate() {
        let (mut pace, mut now) = (RotationPace::default(), Instant::now());
        for uid in 0..10_000 {
            pace.slot(uid, now);
            now += ROTATION_SPACING;
            assert!(pace.next.len() <= KNOWN_MAX);
        }
    }
}
