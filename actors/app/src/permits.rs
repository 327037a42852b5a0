//! How many connections each process may have. No input or output.

use std::{
    cell::RefCell,
    collections::{HashMap, hash_map::Entry},
    rc::Rc,
};

use lttngd_runtime::PeerCredentials;

use crate::large::LargeRequests;

/// Most registrations of one process at a time. One library registers once with each daemon. More come
/// from two generations of the library in one process, and from programs that fork and execute
/// another: each fork that has not executed anything yet keeps the registration of its parent, whose
/// next program registers again as the same process.
pub const REGISTRATIONS_EACH_MAX: usize = 16;
/// Each registration has two connections.
pub(crate) const CONNECTIONS_EACH_MAX: usize = 2 * REGISTRATIONS_EACH_MAX;

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
        Self { each_max, taken: RefCell::default() }
    }

    /// The right to one more connection of this process.
    pub(crate) fn take(self: &Rc<Self>, peer: PeerCredentials) -> Result<Permit, Full> {
        let process = Process { pid: peer.pid, uid: peer.uid };
        let mut all = self.taken.borrow_mut();
        let taken = all.entry(process).or_insert_with(|| Taken {
            count: 0,
            told: false,
            large: LargeRequests::default(),
        });
        if taken.count >= self.each_max {
            return Err(Full { is_news: !std::mem::replace(&mut taken.told, true) });
        }
        taken.count += 1;
        Ok(Permit { permits: Rc::clone(self), process, large: taken.large.clone() })
    }
}

/// The right to one connection, given back on drop.
#[derive(Debug)]
pub(crate) struct Permit {
    permits: Rc<Permits>,
    process: Process,
    large: LargeRequests,
}

impl Permit {
    /// The large requests of this process.
    pub(crate) fn large(&self) -> &LargeRequests {
        &self.large
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
    use super::*;

    const ONE: PeerCredentials = PeerCredentials { pid: 7, uid: 1000, gid: 1000 };

    #[test]
    fn a_process_has_so_many_connections_and_no_more() {
        let permits = Rc::new(Permits::new(3));
        let mut held: Vec<_> = (0..3).map(|_| permits.take(ONE).unwrap()).collect();
        assert_eq!(permits.take(ONE).unwrap_err(), Full { is_news: true });
        assert_eq!(permits.take(ONE).unwrap_err(), Full { is_news: false });
        // Others are not meant: another process, or the same number of another user.
        for other in [PeerCredentials { pid: 8, ..ONE }, PeerCredentials { uid: 0, ..ONE }] {
            assert!(permits.take(other).is_ok());
        }
        held.pop();
        held.push(permits.take(ONE).unwrap());
        assert!(permits.take(ONE).is_err());
        drop(held);
        assert!(permits.taken.borrow().is_empty(), "nothing is kept of a process that is gone");
    }
}
