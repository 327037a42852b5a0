//! Which connections there are, and the indexes they are known by.

use std::collections::HashMap;

use lttngd_model::{NetIndex, SessionId};

/// The first index that the stock daemon gives out.
const FIRST: u64 = 2;

/// The connections `C` that did not end. Each has a network sequence index, which is given once in the
/// life of a daemon.
#[derive(Debug)]
pub(crate) struct Ledger<C> {
    next: u64,
    open: HashMap<NetIndex, C>,
    /// By which one a session streams.
    streams: HashMap<SessionId, NetIndex>,
}

impl<C> Default for Ledger<C> {
    fn default() -> Self {
        Self { next: FIRST, open: HashMap::new(), streams: HashMap::new() }
    }
}

impl<C> Ledger<C> {
    /// The connection by which a session streams.
    pub(crate) fn streaming(&self, session: SessionId) -> Option<(NetIndex, &C)> {
        let index = *self.streams.get(&session)?;
        Some((index, self.open.get(&index)?))
    }

    /// The next index.
    pub(crate) fn next_index(&mut self) -> NetIndex {
        let index = NetIndex(self.next);
        self.next += 1;
        index
    }

    /// There is a connection; `streams` is whose streams it is for.
    pub(crate) fn opened(&mut self, index: NetIndex, streams: Option<SessionId>, connection: C) {
        self.open.insert(index, connection);
        if let Some(session) = streams {
            self.streams.insert(session, index);
        }
    }

    /// One that did not end, to be changed.
    pub(crate) fn get_mut(&mut self, index: NetIndex) -> Option<&mut C> {
        self.open.get_mut(&index)
    }

    /// Those that did not end.
    pub(crate) fn all(&self) -> impl Iterator<Item = (NetIndex, &C)> {
        self.open.iter().map(|(index, connection)| (*index, connection))
    }

    /// It is there no more.
    pub(crate) fn ended(&mut self, index: NetIndex) -> Option<C> {
        self.streams.retain(|_, of_session| *of_session != index);
        self.open.remove(&index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indexes_begin_at_2_and_never_come_again() {
        let mut ledger = Ledger::default();
        let first = ledger.next_index();
        ledger.opened(first, None, 'a');
        assert_eq!(ledger.ended(first), Some('a'));
        assert_eq!(ledger.ended(first), None);
        assert_eq!([first.0, ledger.next_index().0, ledger.next_index().0], [2, 3, 4]);
    }

    #[test]
    fn a_session_streams_by_one_connection_until_it_ended() {
        let (mut ledger, session) = (Ledger::default(), SessionId(7));
        let [snapshot, first, second] = [(); 3].map(|()| ledger.next_index());
        ledger.opened(snapshot, None, 's');
        assert_eq!(ledger.streaming(session), None, "one for a snapshot is not for streams");
        ledger.opened(first, Some(session), 'a');
        assert_eq!(ledger.streaming(session), Some((first, &'a')));
        assert_eq!(ledger.streaming(SessionId(8)), None);
        ledger.ended(first);
        assert_eq!(ledger.streaming(session), None);
        ledger.opened(second, Some(session), 'b');
        // The end of the one before is told late.
        ledger.ended(first);
        assert_eq!(ledger.streaming(session), Some((second, &'b')));
    }
}
