//! Places for those who look at the daemon in some way: so many in all, few of one user, some kept for root's.

use std::io;

use lttngd_runtime::{Descriptors, Pace, Peer, Purpose};
use lttngd_users::{Lease, Ledger};
use tokio::time::Instant;

/// The places of one socket, those of its kind: that of who looks at the daemon, and that of who declares sessions.
pub struct Places {
    shares: Ledger,
    max: u64,
    descriptors: Descriptors,
    /// What is told of who is refused.
    refused: &'static str,
    pace: Pace,
}

/// How many there are.
#[derive(Clone, Copy, Debug)]
pub struct PlaceCount {
    /// In all.
    pub max: u64,
    /// Of one user, but root.
    pub each_max: u64,
    /// Of all, for root's.
    pub kept: u64,
}

impl Places {
    /// None of which is taken: `what` they are (a plural), and what is told of who is `refused`. Each takes one of the
    /// `descriptors`.
    pub fn new(
        (what, refused): (&'static str, &'static str),
        PlaceCount { max, each_max, kept }: PlaceCount,
        descriptors: Descriptors,
    ) -> Self {
        let owner = rustix::process::geteuid().as_raw();
        let shares = Ledger::new(what, kept).at_most(each_max).owned_by(owner);
        Self { shares, max, descriptors, refused, pace: Pace::default() }
    }

    /// How fast those are let in who come in vain.
    pub fn pace(&self) -> &Pace {
        &self.pace
    }

    /// The peer in its place with what it has of its user's share; `None` when he has his share, and it is turned away.
    ///
    /// # Errors
    /// There is no descriptor for it.
    pub fn admit(&self, peer: Peer, uid: u32) -> io::Result<Option<(Peer, Lease)>> {
        let places = self.max.saturating_sub(self.shares.taken());
        let left = places.min(self.descriptors.left(Purpose::Clients) as u64);
        let lease = match self.shares.take(uid, 1, left) {
            Ok(lease) => lease,
            Err(refused) => {
                refused.tell(self.refused);
                self.pace.in_vain(Instant::now());
                peer.turn_away();
                return Ok(None);
            }
        };
        let held = self.descriptors.take(Purpose::Clients, 1).map_err(io::Error::other)?;
        Ok(Some((peer.with_place(held), lease)))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::{io::Read, os::unix::net::UnixStream};

    use lttngd_runtime::Shares;

    use super::*;

    const COUNT: PlaceCount = PlaceCount { max: 8, each_max: 2, kept: 1 };

    #[tokio::test]
    async fn a_user_has_few_places_and_leaves_one_to_root() {
        let descriptors = Descriptors::new(Shares::new(1024, 24));
        let places = Places::new(("places", "somebody is refused"), COUNT, descriptors.clone());
        let admit = |uid| {
            let (ours, theirs) = UnixStream::pair().unwrap();
            (places.admit(Peer::new(ours.into()).unwrap(), uid).unwrap(), theirs)
        };
        let mut held = Vec::new();
        for uid in [54_321, 54_322, 54_323] {
            held.extend(std::iter::from_fn(|| admit(uid).0));
        }
        assert_eq!(held.len(), 6, "two of each");
        assert_eq!(descriptors.taken(Purpose::Clients), 6);
        let (refused, mut theirs) = admit(54_321);
        assert!(refused.is_none());
        assert_eq!(theirs.read(&mut [0]).unwrap(), 0, "its connection has ended");
        let root = admit(0).0;
        assert!(root.is_some());
        drop((root, held));
        assert_eq!((places.shares.taken(), descriptors.taken(Purpose::Clients)), (0, 0));
    }
}
