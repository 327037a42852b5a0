//! When clients are served near the actors, and when apart from them. No input or output.

use std::time::Duration;

use tokio::time::Instant;

use crate::listener::Admitted;

/// After so many clients, of which each came soon after the one before, those that come next are served near the actors.
const SOON_MIN: u32 = 8;
/// Clients between which there is more time than this do not come one after the other: after so long without
/// one those that come next are served apart.
pub(crate) const NEAR_IDLE: Duration = Duration::from_millis(100);
/// Actors have nothing else to do when whoever comes in their thread has his turn within this time.
pub(crate) const IDLE_MAX: Duration = Duration::from_millis(1);
/// So many clients in a row that have no need of an actor are better served apart.
const AT_ONCE_MAX: u32 = 8;
/// On so few processors a second thread takes as much from those who ask as it takes from the actors, and two threads
/// that wake one another take more than one.
const FEW_PROCESSORS: usize = 2;

/// Who is served near the actors, if he needs them.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Near {
    /// Who is alone.
    Alone,
    /// Also those of a crowd, unless they keep one waiting for what they ask.
    Everybody,
}

impl Near {
    /// With so many processors.
    pub(crate) fn on(processors: usize) -> Self {
        if processors <= FEW_PROCESSORS { Self::Everybody } else { Self::Alone }
    }

    fn takes(self, admitted: Admitted) -> bool {
        admitted.is_alone || (self == Self::Everybody && admitted.is_heard)
    }
}

/// The clients that came last apart from the actors, as long as each could be served near them.
#[derive(Debug)]
pub(crate) struct ApartTurn {
    near: Near,
    count: u32,
    last: Option<Instant>,
}

impl ApartTurn {
    pub(crate) fn new(near: Near) -> Self {
        Self { near, count: 0, last: None }
    }

    /// A client was admitted. Whether those that come next may be served near the actors.
    pub(crate) fn goes_on(&mut self, now: Instant, admitted: Admitted) -> bool {
        let last = self.last.replace(now);
        let is_soon = last.is_some_and(|last| now.duration_since(last) <= NEAR_IDLE);
        if !is_soon || !self.near.takes(admitted) {
            self.count = 0;
            return false;
        }
        if admitted.at_once {
            return false;
        }
        self.count += 1;
        let is_long = self.count >= SOON_MIN;
        if is_long {
            self.count = 0;
        }
        is_long
    }
}

/// The clients that are served near the actors in a turn.
#[derive(Debug)]
pub(crate) struct NearTurn {
    near: Near,
    at_once: u32,
}

impl NearTurn {
    pub(crate) fn new(near: Near) -> Self {
        Self { near, at_once: 0 }
    }

    /// A client was admitted there, and actors had nothing else to do, or not. Whether the next one is, too.
    pub(crate) fn goes_on(&mut self, admitted: Admitted, is_idle: bool) -> bool {
        self.at_once = if admitted.at_once { self.at_once + 1 } else { 0 };
        self.near.takes(admitted) && is_idle && self.at_once < AT_ONCE_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALONE: Admitted = Admitted { is_alone: true, at_once: false, is_heard: true };
    const LISTED: Admitted = Admitted { at_once: true, ..ALONE };
    const ONE_OF_MANY: Admitted = Admitted { is_alone: false, ..ALONE };
    const SILENT: Admitted = Admitted { is_heard: false, ..ONE_OF_MANY };

    /// After how many of these clients, each so long after the one before, the place changes.
    fn changes_after(near: Near, clients: &[Admitted], pause: Duration) -> Vec<usize> {
        let (mut turn, mut now) = (ApartTurn::new(near), Instant::now());
        let mut changes = |admitted: &Admitted| {
            now += pause;
            turn.goes_on(now, *admitted)
        };
        let count = 1..;
        count.zip(clients).filter_map(|(at, client)| changes(client).then_some(at)).collect()
    }

    #[test]
    fn clients_that_come_one_after_the_other_are_served_near_the_actors() {
        let short = Duration::from_millis(1);
        assert_eq!(changes_after(Near::Alone, &[ALONE; 17], short), [9, 17], "it is offered again");
        assert_eq!(changes_after(Near::Alone, &[ALONE; 20], NEAR_IDLE * 2), [0; 0]);
        let mut clients = [ALONE; 16];
        clients[7] = ONE_OF_MANY;
        assert_eq!(changes_after(Near::Alone, &clients, short), [16]);
        clients[7] = LISTED;
        assert_eq!(
            changes_after(Near::Alone, &clients, short),
            [10],
            "it is no reason and no obstacle"
        );
        assert_eq!(changes_after(Near::Alone, &[LISTED; 100], short), [0; 0]);
    }

    #[test]
    fn a_turn_near_the_actors_ends_with_the_first_who_is_not_alone_or_when_these_are_busy() {
        let mut turn = NearTurn::new(Near::Alone);
        assert!((0..100).all(|_| turn.goes_on(ALONE, true)));
        assert!(!turn.goes_on(ONE_OF_MANY, true));
        assert!(!NearTurn::new(Near::Alone).goes_on(ALONE, false));
        let mut turn = NearTurn::new(Near::Alone);
        let listed = (0..100).take_while(|_| turn.goes_on(LISTED, true)).count();
        assert_eq!(listed + 1, AT_ONCE_MAX as usize);
    }

    #[test]
    fn on_few_processors_also_a_crowd_is_served_near_the_actors() {
        assert_eq!(
            [1, 2, 3, 64].map(Near::on).map(|near| near == Near::Everybody),
            [true, true, false, false]
        );
        let short = Duration::from_millis(1);
        assert_eq!(changes_after(Near::Everybody, &[ONE_OF_MANY; 17], short), [9, 17]);
        assert_eq!(changes_after(Near::Everybody, &[ONE_OF_MANY; 20], NEAR_IDLE * 2), [0; 0]);
        assert_eq!(changes_after(Near::Everybody, &[SILENT; 100], short), [0; 0]);
        let mut turn = NearTurn::new(Near::Everybody);
        assert!((0..100).all(|_| turn.goes_on(ONE_OF_MANY, true)));
        assert!(!turn.goes_on(ONE_OF_MANY, false), "actors are busy");
        assert!(!turn.goes_on(SILENT, true));
    }
}
