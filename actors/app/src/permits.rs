//! How many connections each process may have, and each user. No input or output.

use std::{
    cell::RefCell,
    collections::{HashMap, hash_map::Entry},
    num::NonZero,
    rc::Rc,
};

use lttngd_runtime::{Descriptors, PeerCredentials, Purpose};
use lttngd_users::{Lease, Ledger, ListingRoom, ShareTaken, count_refusal};

use crate::{large::LargeRequests, listing_turns::ListingTurns};

/// Most registrations of one process at a time. One library registers once with each daemon. More come
/// from two generations of the library in one process, and from programs that fork and execute
/// another: each fork that has not executed anything yet keeps the registration of its parent, whose
/// next program registers again as the same process.
pub const REGISTRATIONS_EACH_MAX: usize = 16;
/// Each registration has two connections.
pub(crate) const CONNECTIONS_EACH_MAX: usize = 2 * REGISTRATIONS_EACH_MAX;

/// Most connections that have not become applications yet.
const BEGUN_MAX: u64 = 1 << 14;
/// Of those, kept for root's.
const BEGUN_KEPT: u64 = 64;
/// Which part of the descriptors for connections is kept for root's, and for applications of the daemon's own user:
/// one in so many.
const KEPT_PART: u64 = 64;
/// How many times what is left of them a user may have. Applications of one user are often all that there are.
const CONNECTIONS_TIMES_FREE: u64 = 15;
/// How many are enough for others, whatever a user has: a sixteenth of what a large limit gives is of no use to anybody.
const CONNECTIONS_ENOUGH: u64 = 512;

/// Most bytes of listings that are being read from applications, of all together.
const LISTINGS_MAX_LEN: u64 = 64 << 20;

/// What the applications of each user may have.
#[derive(Debug)]
pub(crate) struct UserShares {
    connections: Ledger,
    begun: Ledger,
    descriptors: Descriptors,
    /// One part of so many of what there is.
    part: NonZero<u64>,
}

impl UserShares {
    /// Nobody has any connection yet, each of which is one of the `descriptors`. One of so many (`part`) who give the
    /// same: what each gives is that part of it, so that a user has of all together what he would have of one.
    pub(crate) fn new(descriptors: Descriptors, part: NonZero<u64>) -> Self {
        let owner = rustix::process::geteuid().as_raw();
        let kept = descriptors.left(Purpose::Registrations) as u64 / KEPT_PART;
        let connections = Ledger::new("connections of applications", kept / part);
        let connections = connections.leaving(CONNECTIONS_TIMES_FREE);
        let begun = Ledger::new("connections that are not applications yet", BEGUN_KEPT / part);
        Self {
            connections: connections.enough(CONNECTIONS_ENOUGH / part).owned_by(owner),
            begun: begun.owned_by(owner),
            descriptors,
            part,
        }
    }

    /// The right of a user to one more connection, whose descriptor is taken already.
    pub(crate) fn connection(&self, uid: u32) -> Result<Lease, ShareTaken> {
        let left = self.descriptors.left(Purpose::Registrations).saturating_add(1);
        self.connections.take(uid, 1, (left as u64).div_ceil(self.part.get()))
    }

    /// The right of a user to one more that is not an application yet.
    pub(crate) fn begun(&self, uid: u32) -> Result<Lease, ShareTaken> {
        self.begun.take(uid, 1, (BEGUN_MAX / self.part).saturating_sub(self.begun.taken()))
    }
}

/// The process at the other end of a connection, and for whom it acts.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
struct Process {
    pid: u32,
    uid: u32,
}

#[derive(Debug)]
struct Taken {
    count: usize,
    /// Whether it was told that it has all that it may have.
    told: bool,
    large: LargeRequests,
}

/// The connections of all processes.
#[derive(Debug)]
pub(crate) struct Permits {
    each_max: usize,
    taken: RefCell<HashMap<Process, Taken>>,
    /// Bytes of listings that are being read.
    listings: Ledger,
    turns: ListingTurns,
}

/// A process has all connections that it may have.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Full {
    /// Whether this is the first refusal since it had none: the one that is told.
    pub(crate) is_news: bool,
}

impl Permits {
    /// Nobody has any, and each process may have that many.
    pub(crate) fn new(each_max: usize) -> Self {
        let owner = rustix::process::geteuid().as_raw();
        let listings = Ledger::new("bytes of listings", 0).owned_by(owner);
        Self { each_max, taken: RefCell::default(), listings, turns: ListingTurns::default() }
    }

    /// The right to one more connection of this process, whose user has the right to it.
    pub(crate) fn take(
        self: &Rc<Self>,
        peer: PeerCredentials,
        lease: Lease,
    ) -> Result<Permit, Full> {
        let process = Process { pid: peer.pid, uid: peer.uid };
        let mut all = self.taken.borrow_mut();
        let taken = all.entry(process).or_insert_with(|| Taken {
            count: 0,
            told: false,
            large: LargeRequests::default(),
        });
        if taken.count >= self.each_max {
            count_refusal(peer.uid, "registrations of one process");
            return Err(Full { is_news: !std::mem::replace(&mut taken.told, true) });
        }
        taken.count += 1;
        Ok(Permit { permits: Rc::clone(self), process, large: taken.large.clone(), _lease: lease })
    }
}

/// The right to one connection, given back on drop.
#[derive(Debug)]
pub(crate) struct Permit {
    permits: Rc<Permits>,
    process: Process,
    large: LargeRequests,
    _lease: Lease,
}

impl Permit {
    /// The large requests of this process.
    pub(crate) fn large(&self) -> &LargeRequests {
        &self.large
    }

    /// Whether none of the other connections of this process is the second one of this: applications have two each.
    pub(crate) fn is_without_another(&self) -> bool {
        let taken = self.permits.taken.borrow();
        taken.get(&self.process).is_none_or(|taken| taken.count % 2 == 1)
    }

    /// Whose the application is.
    pub(crate) fn uid(&self) -> u32 {
        self.process.uid
    }

    /// The room of a listing that begins, and its turns.
    pub(crate) fn listing(&self) -> (ListingRoom, ListingTurns) {
        let permits = &self.permits;
        let room = ListingRoom::new(&permits.listings, LISTINGS_MAX_LEN, self.process.uid);
        (room, permits.turns.clone())
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if let Entry::Occupied(mut taken) = self.permits.taken.borrow_mut().entry(self.process) {
            taken.get_mut().count -= 1;
            if taken.get().count == 0 {
                taken.remove();
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use lttngd_runtime::{Held, Shares};

    use super::*;

    const ONE: PeerCredentials = PeerCredentials { pid: 7, uid: 1000, gid: 1000 };

    #[test]
    fn a_process_has_so_many_connections_and_no_more() {
        let (permits, ledger) = (Rc::new(Permits::new(3)), Ledger::new("connections", 0));
        let take = |peer: PeerCredentials| permits.take(peer, ledger.take(peer.uid, 1, 9).unwrap());
        let mut held: Vec<_> = (0..3).map(|_| take(ONE).unwrap()).collect();
        assert_eq!(take(ONE).unwrap_err(), Full { is_news: true });
        assert_eq!(take(ONE).unwrap_err(), Full { is_news: false });
        // Others are not meant: another process, or the same number of another user.
        for other in [PeerCredentials { pid: 8, ..ONE }, PeerCredentials { uid: 0, ..ONE }] {
            assert!(take(other).is_ok());
        }
        held.pop();
        held.push(take(ONE).unwrap());
        assert!(take(ONE).is_err());
        drop(held);
        assert!(permits.taken.borrow().is_empty(), "nothing is kept of a process that is gone");
        assert_eq!(ledger.taken(), 0, "nor counted for its user");
    }

    /// As many connections as a user gets of what is left.
    fn take_all(shares: &UserShares, descriptors: &Descriptors, uid: u32) -> Vec<(Lease, Held)> {
        let next = || {
            let held = descriptors.take(Purpose::Registrations, 1).ok()?;
            Some((shares.connection(uid).ok()?, held))
        };
        std::iter::from_fn(next).collect()
    }

    #[test]
    fn a_user_with_all_connections_that_he_gets_leaves_some_to_others() {
        let descriptors = Descriptors::new(Shares::new(20_000, 40));
        let all = descriptors.left(Purpose::Registrations);
        let shares = UserShares::new(descriptors.clone(), NonZero::<u64>::MIN);
        let greedy = take_all(&shares, &descriptors, 54_321);
        assert!(greedy.len() >= 2 * 8000, "{} of {all}", greedy.len());
        let others = [54_322, 54_323].map(|uid| take_all(&shares, &descriptors, uid));
        assert!(others[0].len() > 400, "{}", others[0].len());
        assert!(others[1].len() > 20, "{}", others[1].len());
        let root = take_all(&shares, &descriptors, 0);
        assert!(root.len() as u64 >= all as u64 / KEPT_PART, "{}", root.len());
        assert!(descriptors.take(Purpose::Registrations, 1).is_err(), "there is none");
    }

    #[test]
    fn a_user_has_of_all_parts_together_what_he_has_of_one() {
        let all_of = |part: u64| {
            let descriptors = Descriptors::new(Shares::new(20_000, 40));
            let parts: Vec<_> = (0..part)
                .map(|_| UserShares::new(descriptors.clone(), NonZero::new(part).unwrap()))
                .collect();
            let mut greedy = Vec::new();
            loop {
                // His processes come to each of them.
                let before = greedy.len();
                for shares in &parts {
                    let Ok(held) = descriptors.take(Purpose::Registrations, 1) else { continue };
                    greedy.extend(shares.connection(54_321).ok().map(|lease| (lease, held)));
                }
                if greedy.len() == before {
                    break;
                }
            }
            let left = descriptors.left(Purpose::Registrations);
            for shares in &parts {
                assert_eq!(take_all(shares, &descriptors, 0).len(), left, "root has what is left");
            }
            greedy.len()
        };
        let (one, four) = (all_of(1), all_of(4));
        assert!(one.abs_diff(four) <= 64, "{one} and {four}");
    }

    #[test]
    fn the_listings_of_a_user_leave_memory_to_those_of_others() {
        let permits = Rc::new(Permits::new(9));
        let users = Ledger::new("connections", 0);
        let room = |uid| {
            let lease = users.take(uid, 1, 99).unwrap();
            permits.take(PeerCredentials { uid, ..ONE }, lease).unwrap().listing().0
        };
        let fill = |room: &mut ListingRoom| (0..).take_while(|_| room.take(1000).is_ok()).count();
        let mut greedy = [room(54_321), room(54_321)];
        let filled: usize = greedy.iter_mut().map(fill).sum();
        assert!(filled as u64 * 1000 > LISTINGS_MAX_LEN / 2, "{filled}");
        assert!(filled as u64 * 1000 <= LISTINGS_MAX_LEN * 3 / 4, "{filled}");
        assert!(fill(&mut room(54_322)) > 1000);
        drop(greedy);
        assert_eq!(permits.listings.taken(), 0);
        assert!(room(54_321).take(1 << 20).is_ok());
    }

    #[test]
    fn a_user_with_many_that_register_and_do_not_leaves_places_to_others() {
        let shares = UserShares::new(Descriptors::unlimited(), NonZero::<u64>::MIN);
        let greedy: Vec<_> = std::iter::from_fn(|| shares.begun(54_321).ok()).collect();
        assert_eq!(greedy.len() as u64, (BEGUN_MAX - BEGUN_KEPT) * 3 / 4);
        assert!(shares.begun(54_322).is_ok() && shares.begun(0).is_ok());
    }
}
