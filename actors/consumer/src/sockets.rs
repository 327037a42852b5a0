//! Which connection to the command socket serves whom: one that all share, and of our own consumer daemon
//! one for each session, so that what one session waits for does not hold up the others. No input or
//! output.

use std::collections::HashMap;

use lttngd_model::SessionId;

use crate::ConsumerError;

/// What becomes of a request that comes when its session has ended, or while the consumer daemon is silent.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Late {
    /// It would be for what is not there any more, or make what nobody ends or waits for.
    Refused,
    /// The same; but where the consumer daemon is silent, it is done when it goes on.
    Kept,
    /// It ends something.
    Served,
}

/// The connections, each an `S`.
#[derive(Debug)]
pub(crate) struct Sockets<S> {
    shared: S,
    /// Whether the consumer daemon takes more.
    takes_more: bool,
    own: HashMap<SessionId, S>,
}

impl<S> Sockets<S> {
    /// With `shared` alone so far.
    pub(crate) fn new(shared: S, takes_more: bool) -> Self {
        Self { shared, takes_more, own: HashMap::new() }
    }

    /// Whether they are to our own consumer daemon.
    pub(crate) fn are_of_our_consumer(&self) -> bool {
        self.takes_more
    }

    /// That of a session, which is made when it is first needed. One that has ended gets none again.
    ///
    /// # Errors
    /// [`ConsumerError::Ended`].
    pub(crate) fn of(
        &mut self,
        session: SessionId,
        has_ended: bool,
        late: Late,
        make: impl FnOnce(&S) -> S,
    ) -> Result<&S, ConsumerError> {
        match (has_ended, late) {
            (true, Late::Refused | Late::Kept) => Err(ConsumerError::Ended),
            (false, _) if self.takes_more => {
                Ok(self.own.entry(session).or_insert_with(|| make(&self.shared)))
            }
            (true, Late::Served) | (false, _) => Ok(&self.shared),
        }
    }

    /// The one of a session, if it has one of its own.
    pub(crate) fn own_mut(&mut self, session: SessionId) -> Option<&mut S> {
        self.own.get_mut(&session)
    }

    /// Takes out the one of a session that has ended.
    pub(crate) fn end(&mut self, session: SessionId) -> Option<S> {
        self.own.remove(&session)
    }

    /// Whether any session has one of its own.
    pub(crate) fn has_own(&self) -> bool {
        !self.own.is_empty()
    }

    /// The one that all share.
    pub(crate) fn shared(&self) -> &S {
        &self.shared
    }

    /// All, with whose they are.
    pub(crate) fn all(&self) -> impl Iterator<Item = (Option<SessionId>, &S)> {
        let own = self.own.iter().map(|(session, socket)| (Some(*session), socket));
        std::iter::once((None, &self.shared)).chain(own)
    }

    /// All, to be let go.
    pub(crate) fn into_all(self) -> impl Iterator<Item = S> {
        std::iter::once(self.shared).chain(self.own.into_values())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    const FIRST: SessionId = SessionId(1);
    const SECOND: SessionId = SessionId(2);

    fn sockets(takes_more: bool) -> Sockets<&'static str> {
        Sockets::new("shared", takes_more)
    }

    /// Who serves a session that has not ended, when `made` is what would be made.
    fn of(sockets: &mut Sockets<&'static str>, session: SessionId, made: &'static str) -> String {
        (*sockets.of(session, false, Late::Refused, |_| made).unwrap()).to_owned()
    }

    #[test]
    fn each_session_has_one_until_it_ends() {
        let mut sockets = sockets(true);
        assert!(sockets.are_of_our_consumer());
        assert_eq!(of(&mut sockets, FIRST, "first"), "first");
        assert_eq!(of(&mut sockets, FIRST, "again"), "first");
        assert_eq!(of(&mut sockets, SECOND, "second"), "second");
        assert_eq!(sockets.end(FIRST), Some("first"));
        assert_eq!(sockets.end(FIRST), None);
        assert!(sockets.own_mut(FIRST).is_none());
        assert_eq!(sockets.own_mut(SECOND), Some(&mut "second"));
        let mut all: Vec<_> = sockets.into_all().collect();
        all.sort_unstable();
        assert_eq!(all, ["second", "shared"]);
    }

    #[test]
    fn the_stock_consumer_daemon_has_one_for_all() {
        let mut sockets = sockets(false);
        assert!(!sockets.are_of_our_consumer());
        for session in [FIRST, SECOND] {
            assert_eq!(of(&mut sockets, session, "own"), "shared");
        }
        assert_eq!(sockets.end(FIRST), None);
    }

    #[test]
    fn a_session_that_has_ended_gets_none_again() {
        for takes_more in [true, false] {
            let mut sockets = sockets(takes_more);
            let mut late = |late| sockets.of(FIRST, true, late, |_| "own").copied();
            assert!(matches!(late(Late::Refused), Err(ConsumerError::Ended)));
            assert_eq!(late(Late::Served).unwrap(), "shared");
            assert!(sockets.own_mut(FIRST).is_none());
        }
    }
}
