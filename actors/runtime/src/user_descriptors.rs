//! What each user has of the descriptors for channels.

use lttngd_users::{Lease, Ledger, ShareTaken};
use thiserror::Error;

use crate::{Descriptors, Elsewhere, Held, NoDescriptors, Purpose};

/// How many times what is left of them a user may have. Applications of one user are often all that are recorded.
const CHANNELS_TIMES_FREE: u64 = 7;

/// There is no room for a channel of a user.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum NoRoom {
    /// There is none for anybody.
    #[error(transparent)]
    Descriptors(#[from] NoDescriptors),
    /// What is left is for others.
    #[error(transparent)]
    Share(#[from] ShareTaken),
}

/// The descriptors for channels in the budget of a process, of which each user has a share. In one thread; what is taken
/// may be given back in any other.
pub struct UserDescriptors {
    budget: Descriptors,
    ledger: Ledger,
    leases: Elsewhere<Lease>,
}

impl UserDescriptors {
    /// Of which nobody has any, in the daemon of the user `owner`.
    #[must_use]
    pub fn new(budget: Descriptors, owner: u32) -> Self {
        let ledger = Ledger::new("descriptors of channels", 0);
        let ledger = ledger.leaving(CHANNELS_TIMES_FREE).owned_by(owner);
        Self { budget, ledger, leases: Elsewhere::default() }
    }

    /// The budget.
    #[must_use]
    pub fn budget(&self) -> &Descriptors {
        &self.budget
    }

    /// Takes `count` descriptors for a channel of this user, before they are opened. A refusal of his share is told the
    /// log when it is news.
    ///
    /// # Errors
    /// [`NoRoom`] when they do not fit.
    pub fn take(&self, uid: u32, count: usize) -> Result<Held, NoRoom> {
        self.leases.let_go();
        // First what is short for all: so it is told.
        let held = self.budget.take(Purpose::Channels, count)?;
        let free = self.budget.left(Purpose::Channels).saturating_add(count);
        let lease = self.ledger.take(uid, count as u64, free as u64);
        let lease = lease.inspect_err(|refused| refused.tell("a channel is refused"))?;
        Ok(held.of_user(self.leases.keep(lease)))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::thread;

    use super::*;
    use crate::Shares;

    /// As many channels of this user as there is room for.
    fn fill(users: &UserDescriptors, uid: u32) -> Vec<Held> {
        std::iter::from_fn(|| users.take(uid, 5).ok()).collect()
    }

    #[test]
    fn the_channels_of_a_user_leave_room_to_those_of_others() {
        let budget = Descriptors::new(Shares::new(1024, 24));
        let users = UserDescriptors::new(budget.clone(), 0);
        let greedy = fill(&users, 54_321);
        assert_eq!(greedy.len() * 5, 655, "seven eighths of 750");
        assert!(matches!(users.take(54_321, 5), Err(NoRoom::Share(_))));
        let other = fill(&users, 54_322);
        assert_eq!(other.len() * 5, 80, "the same of the rest");
        let root = fill(&users, 0);
        assert_eq!(root.len() * 5, 15);
        // What is short then is short for all.
        assert!(matches!(users.take(54_321, 5), Err(NoRoom::Descriptors(_))));
        drop(root);
        thread::spawn(|| drop(greedy)).join().unwrap();
        assert_eq!(budget.taken(Purpose::Channels), 80, "they are given back at once");
        assert!(fill(&users, 54_323).len() > 100);
        assert_eq!(users.ledger.held_by(54_321), 0, "and their user has them no longer");
    }

    #[test]
    fn who_owns_the_daemon_shares_with_nobody() {
        let users = UserDescriptors::new(Descriptors::new(Shares::new(1024, 24)), 1000);
        assert_eq!(fill(&users, 1000).len(), 750 / 5);
    }
}
