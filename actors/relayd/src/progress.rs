//! How far a connection is, and what follows from that.

use lttngd_model::{NetIndex, RelaySessionId, SessionId};
use lttngd_wire::relay::Version;

use crate::HandedOver;

/// How often a session is announced by the id that the relay daemon is expected to give it. More than
/// one is wrong only where others announce sessions to the same relay daemon at the same moment.
pub(crate) const EXPECTATIONS_MAX: usize = 4;

/// How far a connection is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum State {
    /// A control connection is to be made.
    Connecting,
    /// Version, rights and the session's id are agreed on.
    Negotiating,
    /// The relay daemon knows the session: a data connection is made, and a consumer daemon is given both.
    Announced,
    /// Every consumer daemon has its connections.
    HandedOver,
    /// It failed, or nobody wants it any more: consumer daemons are told to let go of it.
    GivenUp,
    /// Nobody has it.
    Closed,
}

/// By which id a session is announced.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum AnnouncedBy {
    /// The one that the relay daemon is expected to give it.
    Expected,
    /// This one.
    Id(SessionId),
}

/// What the reply of a relay daemon to the announcement means.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Reply {
    /// The session is known there.
    Announced,
    /// It has another id there than was expected: the connection is made anew.
    Unexpected,
}

/// The plain state of a connection.
#[derive(Debug)]
pub(crate) struct Progress {
    state: State,
    own_id: SessionId,
    /// By which id an earlier consumer daemon's connection announced the session: all of a session
    /// announce it by the same one.
    announced_id: Option<SessionId>,
    expectations: usize,
    /// What was learned of the relay daemon.
    relayd: Option<(Version, bool)>,
    /// The consumer daemons, in the order in which they are given their connections.
    consumers: Vec<Has>,
}

/// What a consumer daemon has.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Has {
    NotYet,
    It,
    Lost,
}

impl Progress {
    /// Of a connection that announces the session `own_id` for some consumer daemons.
    pub(crate) fn new(own_id: SessionId, snapshot: bool, consumers: usize) -> Self {
        Self {
            state: State::Connecting,
            own_id,
            announced_id: None,
            // Nobody asks for the chunk of a snapshot, and there are as many sessions as snapshots.
            expectations: if snapshot { 0 } else { EXPECTATIONS_MAX },
            relayd: None,
            consumers: vec![Has::NotYet; consumers],
        }
    }

    /// How far it is.
    pub(crate) fn state(&self) -> State {
        self.state
    }

    /// There is a control connection.
    pub(crate) fn connected(&mut self) {
        self.state = State::Negotiating;
    }

    /// By which id the session is announced to a relay daemon that speaks `version`.
    pub(crate) fn announced_by(&self, version: Version) -> AnnouncedBy {
        match self.announced_id {
            Some(id) => AnnouncedBy::Id(id),
            None if self.expectations > 0 && version.has_trace_chunks() => AnnouncedBy::Expected,
            None => AnnouncedBy::Id(self.own_id),
        }
    }

    /// The relay daemon gave `given` to the session that was announced as `id`.
    pub(crate) fn replied(
        &mut self,
        by: AnnouncedBy,
        id: SessionId,
        given: RelaySessionId,
        version: Version,
        clear_allowed: bool,
    ) -> Reply {
        if by == AnnouncedBy::Expected && given.0 != id.0 {
            self.expectations -= 1;
            self.state = State::Connecting;
            return Reply::Unexpected;
        }
        self.announced_id = Some(id);
        self.relayd = Some((version, clear_allowed));
        self.state = State::Announced;
        Reply::Announced
    }

    /// The next consumer daemon has its connections.
    pub(crate) fn taken(&mut self) {
        if let Some(next) = self.consumers.iter_mut().find(|has| **has == Has::NotYet) {
            *next = Has::It;
        }
        let is_last = !self.consumers.contains(&Has::NotYet);
        self.state = if is_last { State::HandedOver } else { State::Connecting };
    }

    /// What consumer daemons have, once they have it.
    pub(crate) fn handed_over(&self, net_index: NetIndex) -> Option<HandedOver> {
        let (version, clear_allowed) = self.relayd?;
        let has = self.state == State::HandedOver;
        has.then_some(HandedOver { net_index, version, clear_allowed })
    }

    /// The consumer daemon of this index has ended. Whether nobody has the connection now.
    pub(crate) fn lost_by(&mut self, consumer: usize) -> bool {
        match self.consumers.get_mut(consumer) {
            Some(has) if *has == Has::It => *has = Has::Lost,
            // What it was to be given fails by itself.
            _ => return false,
        }
        let nobody = self.consumers.iter().all(|has| *has == Has::Lost);
        if nobody && self.state == State::HandedOver {
            self.state = State::Closed;
        }
        self.state == State::Closed
    }

    /// It failed, or nobody wants it any more. Whether consumer daemons are to be told: they are only once.
    pub(crate) fn give_up(&mut self) -> bool {
        let first = !matches!(self.state, State::GivenUp | State::Closed);
        if first {
            self.state = State::GivenUp;
        }
        first
    }

    /// The consumer daemons that are told to let go. One refuses what it never got.
    pub(crate) fn holders(&self) -> impl Iterator<Item = usize> {
        let consumers = self.consumers.iter().enumerate();
        consumers.filter(|(_, has)| **has != Has::Lost).map(|(consumer, _)| consumer)
    }

    /// They have let go.
    pub(crate) fn closed(&mut self) {
        self.state = State::Closed;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: SessionId = SessionId(7);
    const NEW: Version = Version { major: 2, minor: 13 };
    const OLD: Version = Version { major: 2, minor: 10 };
    const INDEX: NetIndex = NetIndex(2);

    fn announce(progress: &mut Progress, version: Version, id: u64, given: u64) -> Reply {
        progress.connected();
        assert_eq!(progress.state(), State::Negotiating);
        let by = progress.announced_by(version);
        let id = match by {
            AnnouncedBy::Expected => SessionId(id),
            AnnouncedBy::Id(id) => id,
        };
        progress.replied(by, id, RelaySessionId(given), version, true)
    }

    #[test]
    fn one_consumer_after_the_other_has_its_connections() {
        let mut progress = Progress::new(OWN, false, 2);
        assert_eq!(announce(&mut progress, NEW, 5, 5), Reply::Announced);
        assert_eq!(progress.state(), State::Announced);
        progress.taken();
        assert_eq!((progress.state(), progress.handed_over(INDEX)), (State::Connecting, None));
        // By the same id, whichever the relay daemon gives.
        assert_eq!(progress.announced_by(NEW), AnnouncedBy::Id(SessionId(5)));
        assert_eq!(announce(&mut progress, NEW, 0, 6), Reply::Announced);
        progress.taken();
        assert_eq!(progress.state(), State::HandedOver);
        let handed_over = progress.handed_over(INDEX).map(|known| (known.net_index, known.version));
        assert_eq!(handed_over, Some((INDEX, NEW)));
    }

    #[test]
    fn ids_are_expected_of_relay_daemons_that_are_asked_for_chunks_and_not_for_ever() {
        assert_eq!(Progress::new(OWN, false, 1).announced_by(OLD), AnnouncedBy::Id(OWN));
        assert_eq!(Progress::new(OWN, true, 1).announced_by(NEW), AnnouncedBy::Id(OWN));
        let mut progress = Progress::new(OWN, false, 1);
        for _ in 0..EXPECTATIONS_MAX {
            assert_eq!(progress.announced_by(NEW), AnnouncedBy::Expected);
            assert_eq!(announce(&mut progress, NEW, 1, 40), Reply::Unexpected);
            assert_eq!(progress.state(), State::Connecting);
        }
        assert_eq!(progress.announced_by(NEW), AnnouncedBy::Id(OWN));
        assert_eq!(announce(&mut progress, NEW, 1, 40), Reply::Announced);
    }

    #[test]
    fn it_is_given_up_once_whatever_it_waits_for() {
        let steps: [fn(&mut Progress); 4] = [
            |_| {},
            |progress| progress.connected(),
            |progress| assert_eq!(announce(progress, NEW, 5, 5), Reply::Announced),
            Progress::taken,
        ];
        for count in 0..=steps.len() {
            let mut progress = Progress::new(OWN, false, 1);
            steps[..count].iter().for_each(|step| step(&mut progress));
            assert!(progress.give_up(), "{count}");
            assert!(!progress.give_up(), "{count}");
            assert_eq!((progress.state(), progress.handed_over(INDEX)), (State::GivenUp, None));
            progress.closed();
            assert!(!progress.give_up(), "{count}");
            assert_eq!(progress.state(), State::Closed);
        }
    }

    #[test]
    fn whoever_lost_it_is_not_told_to_let_go() {
        let mut progress = Progress::new(OWN, false, 2);
        assert_eq!(progress.holders().collect::<Vec<_>>(), [0, 1]);
        assert!(!progress.lost_by(0), "it never got it");
        announce(&mut progress, NEW, 5, 5);
        progress.taken();
        assert!(!progress.lost_by(0), "the other one is to be given it");
        announce(&mut progress, NEW, 5, 5);
        progress.taken();
        assert_eq!(progress.holders().collect::<Vec<_>>(), [1]);
        assert!(progress.lost_by(1));
        assert_eq!((progress.state(), progress.holders().count()), (State::Closed, 0));
        assert!(!progress.give_up());
    }
}
