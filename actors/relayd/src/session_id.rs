//! Session ids that relay daemons answer for.
//!
//! Relay daemons of 2.13 know a trace chunk by the session's id in the session daemon, but look for it by
//! their own id of the session when they are asked whether it exists. They tell the truth only of
//! sessions of which both ids are the same. They number sessions from 1 on, so the next number can be
//! expected, and announced as ours; whether it was right, the reply tells.

use std::{collections::HashMap, net::SocketAddr};

use lttngd_model::{RelaySessionId, SessionId};

/// Most relay daemons whose numbers are kept.
const RELAYDS_MAX: usize = 256;

/// The ids that relay daemons are expected to give next.
#[derive(Debug, Default)]
pub(crate) struct ExpectedSessionIds(HashMap<SocketAddr, u64>);

impl ExpectedSessionIds {
    /// The id of the session that is announced next at `relayd`.
    pub(crate) fn next(&mut self, relayd: SocketAddr) -> SessionId {
        if self.0.len() >= RELAYDS_MAX && !self.0.contains_key(&relayd) {
            // Each of them costs one wrong expectation more.
            self.0.clear();
        }
        let next = self.0.entry(relayd).or_insert(1);
        let id = SessionId(*next);
        *next += 1;
        id
    }

    /// `relayd` gave another one than was expected.
    pub(crate) fn correct(&mut self, relayd: SocketAddr, RelaySessionId(given): RelaySessionId) {
        self.0.insert(relayd, given.wrapping_add(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_relay_daemon_has_its_own_numbers() {
        let mut ids = ExpectedSessionIds::default();
        let relayd = |port| SocketAddr::from(([127, 0, 0, 1], port));
        assert_eq!(
            [ids.next(relayd(1)).0, ids.next(relayd(1)).0, ids.next(relayd(2)).0],
            [1, 2, 1]
        );
        ids.correct(relayd(1), RelaySessionId(7));
        assert_eq!(
            [ids.next(relayd(1)).0, ids.next(relayd(1)).0, ids.next(relayd(2)).0],
            [8, 9, 2]
        );
        for port in 1..=1000 {
            ids.next(relayd(port));
        }
        assert!(ids.0.len() <= RELAYDS_MAX);
    }
}
