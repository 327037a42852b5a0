//! Connections to relay daemons of which one socket came: the control socket comes before the data socket.

use std::{collections::HashMap, os::fd::OwnedFd};

use lttngd_model::{NetIndex, StreamKind};
use lttngd_wire::{
    consumer::{AddRelaydSocket, ConsumerError as Code},
    relay::Version,
};

use crate::{refusal::Refusal, worker::RelaySockets};

/// Most relay connections that wait for their second socket.
const HALVES_MAX: usize = 1 << 12;

/// The halves, by the index that the session daemon gave the connection.
#[derive(Debug, Default)]
pub(crate) struct Halves(HashMap<NetIndex, (AddRelaydSocket, OwnedFd)>);

impl Halves {
    /// Takes a socket. Gives the connection when it is the second one.
    ///
    /// Refused when there is no room for another half, or with `RELAYD_FAIL` when it is a data socket without
    /// its control socket.
    pub(crate) fn take(
        &mut self,
        socket: AddRelaydSocket,
        descriptor: OwnedFd,
    ) -> Result<Option<Box<RelaySockets>>, Refusal> {
        if socket.stream == StreamKind::Control {
            if self.0.len() >= HALVES_MAX {
                return Err(Refusal::NoRoom);
            }
            self.0.insert(socket.net_index, (socket, descriptor));
            return Ok(None);
        }
        let Some((first, control)) = self.0.remove(&socket.net_index) else {
            tracing::error!(
                relayd = %socket.net_index,
                "a relay's data socket came before its control socket"
            );
            return Err(Code::RELAYD_FAIL.into());
        };
        Ok(Some(Box::new(RelaySockets {
            net_index: first.net_index,
            session: first.session_id,
            relay_session_id: first.relayd_session_id,
            version: Version { major: first.major, minor: first.minor },
            control,
            data: descriptor,
        })))
    }

    /// Gives one up. Whether there was one.
    pub(crate) fn give_up(&mut self, net_index: NetIndex) -> bool {
        self.0.remove(&net_index).is_some()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::fs::File;

    use lttngd_model::{RelaySessionId, SessionId};

    use super::*;

    fn socket(net_index: u64, stream: StreamKind) -> AddRelaydSocket {
        AddRelaydSocket {
            net_index: NetIndex(net_index),
            stream,
            major: 2,
            minor: 13,
            session_id: SessionId(5),
            relayd_session_id: RelaySessionId(if stream == StreamKind::Control { 9 } else { 0 }),
        }
    }

    fn descriptor() -> OwnedFd {
        File::open("/dev/null").unwrap().into()
    }

    #[test]
    fn a_connection_is_whole_with_its_data_socket_and_has_what_the_control_socket_said() {
        let mut halves = Halves::default();
        let first = halves.take(socket(4, StreamKind::Control), descriptor());
        assert!(first.unwrap().is_none());
        let whole = halves.take(socket(4, StreamKind::Data), descriptor()).unwrap().unwrap();
        assert_eq!((whole.net_index, whole.session), (NetIndex(4), SessionId(5)));
        assert_eq!((whole.relay_session_id, whole.version.minor), (RelaySessionId(9), 13));
        assert!(!halves.give_up(NetIndex(4)), "nothing is left of it");
    }

    #[test]
    fn a_data_socket_without_its_control_socket_is_refused() {
        let mut halves = Halves::default();
        halves.take(socket(4, StreamKind::Control), descriptor()).unwrap();
        let refused = halves.take(socket(5, StreamKind::Data), descriptor());
        assert_eq!(refused.err(), Some(Code::RELAYD_FAIL.into()));
        assert!(halves.give_up(NetIndex(4)), "another connection's half stays");
    }

    #[test]
    fn a_half_that_was_given_up_does_not_wait_for_its_data_socket() {
        let mut halves = Halves::default();
        halves.take(socket(4, StreamKind::Control), descriptor()).unwrap();
        assert!(halves.give_up(NetIndex(4)) && !halves.give_up(NetIndex(4)));
        assert!(halves.take(socket(4, StreamKind::Data), descriptor()).is_err());
    }
}
