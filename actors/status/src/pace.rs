//! How often each user is answered: what he asks for is work for the actors' thread. No input or output.

use std::{collections::HashMap, time::Duration};

use tokio::time::Instant;

/// In which time a user but root is answered once. More who ask for him wait for their turns.
pub const ANSWER_PERIOD: Duration = Duration::from_millis(50);

/// When who is answered next.
#[derive(Debug, Default)]
pub(crate) struct Turns(HashMap<u32, Instant>);

impl Turns {
    /// The time at which one more of a user's clients is answered.
    pub(crate) fn next(&mut self, uid: u32, now: Instant) -> Instant {
        if uid == 0 {
            return now;
        }
        self.0.retain(|_, next| *next > now);
        let next = self.0.entry(uid).or_insert(now);
        let turn = *next;
        *next = turn + ANSWER_PERIOD;
        turn
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_who_asks_without_end_is_answered_now_and_then_and_others_at_once() {
        let (mut turns, now) = (Turns::default(), Instant::now());
        let times = [0, 1, 2].map(|_| turns.next(7, now));
        assert_eq!(times, [now, now + ANSWER_PERIOD, now + 2 * ANSWER_PERIOD]);
        assert_eq!(turns.next(8, now), now);
        assert_eq!([turns.next(0, now), turns.next(0, now)], [now, now], "root waits for nobody");
        let later = now + 3 * ANSWER_PERIOD;
        assert_eq!(turns.next(7, later), later);
        assert_eq!(turns.0.len(), 1, "who does not ask any more takes no room");
    }
}
