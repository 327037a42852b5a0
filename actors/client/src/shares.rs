//! What each user may have of what clients need: connections, and memory for requests that are not served yet,
//! and for replies.

use std::io;

use lttngd_model::ErrorCode;
use lttngd_runtime::{Descriptors, Peer, Purpose, complaint};
use lttngd_users::{Lease, Ledger, NOBODY, ShareTaken};

use crate::{
    listener::{CONNECTIONS_MAX, DESCRIPTORS_EACH},
    replies::Replies,
};

/// Connections that are kept for root's clients.
const CONNECTIONS_KEPT: u64 = 128;
/// Most bytes of payloads of all clients' requests, from their coming to the reply.
pub(crate) const REQUESTS_MAX_LEN: u64 = 64 << 20;
/// Of those, kept for root's clients.
const REQUESTS_KEPT_LEN: u64 = 2 << 20;

/// What is told of a client whose user has his share.
pub(crate) const REFUSED: &str = "a client is refused";

/// The shares of all users.
#[derive(Clone, Debug)]
pub(crate) struct Shares {
    connections: Ledger,
    request_bytes: Ledger,
    replies: Replies,
    descriptors: Descriptors,
}

impl Shares {
    pub(crate) fn new(descriptors: Descriptors) -> Self {
        Self {
            connections: Ledger::new("connections of clients", CONNECTIONS_KEPT),
            request_bytes: Ledger::new("bytes of requests of clients", REQUESTS_KEPT_LEN),
            replies: Replies::default(),
            descriptors,
        }
    }

    /// The replies to clients.
    pub(crate) fn replies(&self) -> &Replies {
        &self.replies
    }

    /// The right to a connection that is waited for.
    ///
    /// # Errors
    /// Its user has his share, or it is not known who he is.
    pub(crate) fn connection(&self, peer: &Peer) -> io::Result<Result<Lease, ShareTaken>> {
        let uid = peer.credentials().map_err(io::Error::other)?.uid;
        let places = (CONNECTIONS_MAX as u64).saturating_sub(self.connections.taken());
        // What this one has is taken already.
        let descriptors = self.descriptors.left(Purpose::Clients) / DESCRIPTORS_EACH + 1;
        Ok(self.connections.take(uid, 1, places.min(descriptors as u64)))
    }

    /// The right to so many bytes of a request's payload.
    ///
    /// # Errors
    /// What a client is answered whose user has his share.
    pub(crate) fn request(&self, uid: u32, len: usize) -> Result<Lease, ErrorCode> {
        let taken = self.request_bytes.take_of(REQUESTS_MAX_LEN, (uid, len as u64), REFUSED);
        taken.map_err(|_| ErrorCode::Nomem)
    }
}

/// Asks for a line of the log about what a client does wrong, see [`complaint()`].
pub(crate) fn complaint_of(peer: &Peer, about: &'static str) -> Option<u64> {
    complaint(about, peer.credentials().map_or(NOBODY, |credentials| credentials.uid))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use lttngd_wire::client::PAYLOAD_MAX_LEN;

    use super::*;

    #[test]
    fn a_user_with_many_large_requests_leaves_memory_to_others() {
        let shares = Shares::new(Descriptors::unlimited());
        let large = || shares.request(1000, PAYLOAD_MAX_LEN).ok();
        let held: Vec<_> = std::iter::from_fn(large).collect();
        let held_len = held.len() * PAYLOAD_MAX_LEN;
        assert!(held_len as u64 <= REQUESTS_MAX_LEN * 3 / 4 && held.len() > 32, "{held_len}");
        assert_eq!(shares.request(1000, PAYLOAD_MAX_LEN).unwrap_err(), ErrorCode::Nomem);
        for uid in [0, 1001] {
            assert!(shares.request(uid, PAYLOAD_MAX_LEN).is_ok(), "{uid}");
        }
        drop(held);
        assert!(shares.request(1000, PAYLOAD_MAX_LEN).is_ok());
    }
}
