//! What a connection to a relay daemon is good for.

/// What a connection is for the session that has it. One that is lost is forgotten at once.
///
/// ```text
///                  a snapshot is sent
///   Streaming --------------------------> Recording
///     |   ^                                |    ^
///     |   | more is sent                   |    | more is sent
///     v   |                                v    |
///   Settled ------ (nothing is owed) ----- Settled
///
///   each of them -- the session daemon, or the session's end --> GivenUp --> closed
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum RelayState {
    /// Streams of its session go there, or will: there may be neither channels nor trace chunks for a while.
    Streaming {
        /// Streams that are open there.
        open: usize,
    },
    /// A snapshot was sent there. The session daemon does not give it up when nothing of the session is left.
    Recording {
        /// Streams that are open there.
        open: usize,
    },
    /// It said that it has everything after its last stream ended: it is not asked again before more is sent, so
    /// that those of many snapshots are not asked for ever.
    Settled {
        /// Whether a snapshot was sent there.
        of_snapshots: bool,
    },
    /// Nobody sends anything new there: it is closed when its streams are and it has answered everything.
    GivenUp {
        /// Streams that are open there.
        open: usize,
    },
}

impl Default for RelayState {
    fn default() -> Self {
        Self::Streaming { open: 0 }
    }
}

impl RelayState {
    fn active(of_snapshots: bool, open: usize) -> Self {
        if of_snapshots { Self::Recording { open } } else { Self::Streaming { open } }
    }

    fn open(self) -> usize {
        match self {
            Self::Streaming { open } | Self::Recording { open } | Self::GivenUp { open } => open,
            Self::Settled { .. } => 0,
        }
    }

    /// It knows one stream more.
    pub(super) fn stream_opened(&mut self) {
        *self = self.with_open(self.open() + 1);
    }

    /// A stream was closed there.
    pub(super) fn stream_closed(&mut self) {
        if !matches!(self, Self::Settled { .. }) {
            *self = self.with_open(self.open().saturating_sub(1));
        }
    }

    fn with_open(self, open: usize) -> Self {
        match self {
            Self::GivenUp { .. } => Self::GivenUp { open },
            active => Self::active(active.is_of_snapshots(), open),
        }
    }

    /// A snapshot is sent there.
    pub(super) fn snapshot_sent(&mut self) {
        if !matches!(self, Self::GivenUp { .. }) {
            *self = Self::Recording { open: self.open() };
        }
    }

    /// It said of all streams that have ended whether something of them is missing.
    pub(super) fn answered(&mut self, pending: bool) {
        let of_snapshots = self.is_of_snapshots();
        match *self {
            Self::Streaming { open: 0 } | Self::Recording { open: 0 } if !pending => {
                *self = Self::Settled { of_snapshots };
            }
            Self::Settled { .. } if pending => *self = Self::active(of_snapshots, 0),
            _ => {}
        }
    }

    /// It is given up.
    pub(super) fn give_up(&mut self) {
        *self = Self::GivenUp { open: self.open() };
    }

    /// Whether its session's end is its own.
    pub(super) fn is_of_snapshots(self) -> bool {
        matches!(self, Self::Recording { .. } | Self::Settled { of_snapshots: true })
    }

    /// Whether something that was sent there may not be written. What is sent as data has no replies: also
    /// when all streams have ended here, only the relay daemon knows.
    pub(super) fn may_owe(self) -> bool {
        matches!(self, Self::Streaming { .. } | Self::Recording { .. })
    }

    /// Whether it is to be closed, when it `is_idle` or not.
    pub(super) fn is_over(self, is_idle: bool) -> bool {
        self == Self::GivenUp { open: 0 } && is_idle
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEW: RelayState = RelayState::Streaming { open: 0 };

    fn after(changes: &[fn(&mut RelayState)]) -> RelayState {
        let mut state = RelayState::default();
        for change in changes {
            change(&mut state);
        }
        state
    }

    fn has_all(state: &mut RelayState) {
        state.answered(false);
    }

    fn misses_something(state: &mut RelayState) {
        state.answered(true);
    }

    const OPEN: fn(&mut RelayState) = RelayState::stream_opened;
    const CLOSE: fn(&mut RelayState) = RelayState::stream_closed;
    const SNAPSHOT: fn(&mut RelayState) = RelayState::snapshot_sent;
    const GIVE_UP: fn(&mut RelayState) = RelayState::give_up;

    #[test]
    fn a_relay_daemon_that_was_sent_nothing_may_be_asked() {
        assert_eq!(after(&[]), NEW);
        assert!(NEW.may_owe());
    }

    #[test]
    fn a_relay_daemon_without_streams_is_asked_until_it_has_everything() {
        assert!(after(&[OPEN, CLOSE, misses_something]).may_owe());
        assert!(!after(&[OPEN, CLOSE, misses_something, has_all]).may_owe());
    }

    #[test]
    fn a_relay_daemon_with_open_streams_is_always_asked() {
        assert!(after(&[OPEN, has_all]).may_owe());
    }

    #[test]
    fn an_answer_before_the_last_stream_was_closed_settles_nothing() {
        assert!(after(&[OPEN, has_all, CLOSE]).may_owe());
    }

    #[test]
    fn a_relay_daemon_is_asked_again_when_another_stream_goes_there() {
        assert_eq!(after(&[has_all, OPEN]), RelayState::Streaming { open: 1 });
    }

    #[test]
    fn a_relay_daemon_is_asked_again_after_another_snapshot() {
        let state = after(&[SNAPSHOT, has_all]);
        assert_eq!(state, RelayState::Settled { of_snapshots: true });
        assert!(!state.may_owe());
        assert!(after(&[SNAPSHOT, has_all, SNAPSHOT]).may_owe());
    }

    #[test]
    fn a_relay_daemon_that_says_later_that_something_is_missing_is_asked_again() {
        assert!(after(&[has_all, misses_something]).may_owe());
        assert_eq!(
            after(&[SNAPSHOT, has_all, misses_something]),
            RelayState::Recording { open: 0 }
        );
    }

    #[test]
    fn a_connection_of_snapshots_stays_one() {
        for changes in [
            &[SNAPSHOT][..],
            &[SNAPSHOT, OPEN],
            &[SNAPSHOT, OPEN, CLOSE, has_all],
            &[SNAPSHOT, has_all, OPEN],
            &[OPEN, SNAPSHOT],
        ] {
            assert!(after(changes).is_of_snapshots());
        }
    }

    #[test]
    fn a_connection_of_a_session_that_streams_is_not_one_of_snapshots() {
        assert!(!after(&[OPEN, CLOSE, has_all]).is_of_snapshots());
    }

    #[test]
    fn a_connection_that_is_given_up_is_closed_when_its_streams_are() {
        assert!(!after(&[OPEN, GIVE_UP]).is_over(true));
        assert!(after(&[OPEN, GIVE_UP, CLOSE]).is_over(true));
    }

    #[test]
    fn a_connection_that_is_given_up_is_closed_when_it_has_answered() {
        assert!(!after(&[GIVE_UP]).is_over(false));
        assert!(after(&[GIVE_UP]).is_over(true));
    }

    #[test]
    fn a_stream_that_a_relay_daemon_takes_late_keeps_it_open() {
        assert!(!after(&[GIVE_UP, OPEN]).is_over(true));
        assert!(after(&[GIVE_UP, OPEN, CLOSE]).is_over(true));
    }

    #[test]
    fn a_connection_that_is_not_given_up_is_never_closed() {
        assert!(!after(&[]).is_over(true));
        assert!(!after(&[has_all]).is_over(true));
    }

    #[test]
    fn nothing_is_asked_of_a_relay_daemon_that_is_given_up() {
        assert!(!after(&[OPEN, GIVE_UP]).may_owe());
        assert!(!after(&[GIVE_UP, SNAPSHOT, misses_something]).may_owe());
    }

    #[test]
    fn a_stream_is_closed_once_more_than_opened_without_harm() {
        assert_eq!(after(&[CLOSE]), NEW);
        assert_eq!(after(&[has_all, CLOSE]), RelayState::Settled { of_snapshots: false });
    }
}
