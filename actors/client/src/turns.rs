//! When clients are served near the actors, and when apart from them. No input or output.

use std::time::Duration;

use tokio::time::Instant;

use crate::listener::Admitted;

/// So many clients, of which each came when the one before was served, are served near the actors.
const ALONE_MIN: u32 = 8;
/// Clients between which there is more time than this do not come one after the other: after so long without
/// one those that come next are served apart.
pub(crate) const NEAR_IDLE: Duration = Duration::from_millis(100);
/// Actors have nothing else to do when whoever comes in their thread has his turn within this time.
pub(crate) const IDLE_MAX: Duration = Duration::from_millis(1);
/// So many clients in a row that have no need of an actor are better served apart.
const AT_ONCE_MAX: u32 = 8;

/// The clients that came last apart from the actors, as long as each was alone.
#[derive(Debug, Default)]
pub(crate) struct Alone {
    count: u32,
    last: Option<Instant>,
}

impl Alone {
    /// A client was admitted. Whether those that come next may be served near the actors.
    pub(crate) fn goes_on(&mut self, now: Instant, admitted: Admitted) -> bool {
        let last = self.last.replace(now);
        if !admitted.is_alone || last.is_none_or(|last| now.duration_since(last) > NEAR_IDLE) {
            self.count = 0;
            return false;
        }
        if admitted.at_once {
            return false;
        }
        self.count += 1;
        let is_long = self.count >= ALONE_MIN;
        if is_long {
            self.count = 0;
        }
        is_long
    }
}

/// The clients that are served near the actors in a turn.
#[derive(Debug, Default)]
pub(crate) struct NearTurn {
    at_once: u32,
}

impl NearTurn {
    /// A client was admitted there, and actors had nothing else to do, or not. Whether the next one is, too.
    pub(crate) fn goes_on(&mut self, admitted: Admitted, is_idle: bool) -> bool {
        self.at_once = if admitted.at_once { self.at_once + 1 } else { 0 };
        admitted.is_alone && is_idle && self.at_once < AT_ONCE_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALONE: Admitted = Admitted { is_alone: true, at_once: false };
    const LISTED: Admitted = Admitted { is_alone: true, at_once: true };
    const ONE_OF_MANY: Admitted = Admitted { is_alone: false, at_once: false };

    /// After how many of these clients, each so long after the one before, the place changes.
    fn changes_after(clients: &[Admitted], pause: Duration) -> Vec<usize> {
        let (mut alone, mut now) = (Alone::default(), Instant::now());
        let mut changes = |admitted: &Admitted| {
            now += pause;
            alone.goes_on(now, *admitted)
        };
        let count = 1..;
        count.zip(clients).filter_map(|(at, client)| changes(client).then_some(at)).collect()
    }

    #[test]
    fn clients_that_come_one_after_the_other_are_served_near_the_actors() {
        let short = Duration::from_millis(1);
        assert_eq!(changes_after(&[ALONE; 17], short), [9, 17], "it is offered again");
        assert_eq!(changes_after(&[ALONE; 20], NEAR_IDLE * 2), [0; 0]);
        let mut clients = [ALONE; 16];
        clients[7] = ONE_OF_MANY;
        assert_eq!(changes_after(&clients, short), [16]);
        clients[7] = LISTED;
        assert_eq!(changes_after(&clients, short), [10], "it is no reason and no obstacle");
        assert_eq!(changes_after(&[LISTED; 100], short), [0; 0]);
    }

    #[test]
    fn a_turn_near_the_actors_ends_with_the_first_who_is_not_alone_or_when_these_are_busy() {
        let mut turn = NearTurn::default();
        assert!((0..100).all(|_| turn.goes_on(ALONE, true)));
        assert!(!turn.goes_on(ONE_OF_MANY, true));
        assert!(!NearTurn::default().goes_on(ALONE, false));
        let mut turn = NearTurn::default();
        let listed = (0..100).take_while(|_| turn.goes_on(LISTED, true)).count();
        assert_eq!(listed + 1, AT_ONCE_MAX as usize);
    }
}
