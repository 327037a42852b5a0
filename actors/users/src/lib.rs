//! The ledger of users: who holds how much of what is limited, and who may have more. Plain values: no actor, no
//! input or output, no clock.
//!
//! Whoever owns something of which there is only so much (places for connections, bytes for requests) has a
//! [`Ledger`] of it, and takes a [`Lease`] for each user who gets some.
//!
//! # What a user may have
//!
//! As long as he has at most [`TIMES_FREE`] times what is left for others then ([`Ledger::leaving`] says another
//! number, [`Ledger::enough`] how much is enough for others, whatever he has). So one user alone gets three
//! quarters, a second one three quarters of the rest, and so on; many who want all get the same. Nobody has to
//! say how many users there are, nothing is kept for those who do not come, and whoever comes finds something.
//! What [`Ledger::new`] keeps is for root alone, who is refused only when there is nothing at all, as is the user whose
//! daemon it is ([`Ledger::owned_by`]).
//!
//! A user is his number as the socket tells it. Those of other user namespaces, which have none here, are one, and so
//! are those of whom nobody knows who they are ([`NOBODY`]).

#![forbid(unsafe_code)]

mod held;
mod listing;
mod refusals;

use std::{cell::RefCell, collections::HashMap, rc::Rc};

pub use held::{Holding, held_here};
pub use listing::ListingRoom;
pub use refusals::{count_refusal, refusals};
use thiserror::Error;

/// How many times what is left a user may have, unless it is of a thing of which one user is often alone to have
/// much.
pub const TIMES_FREE: u64 = 3;

/// Who takes something and is not known.
pub const NOBODY: u32 = u32::MAX;

/// The number of root.
const ROOT: u32 = 0;

/// A user may not have more.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[error(
    "user {uid} has {held} of the {taken} {what} that are taken; those that are left are for others"
)]
pub struct ShareTaken {
    /// Who.
    pub uid: u32,
    /// What it is of which there are only so many.
    pub what: &'static str,
    /// How much of it he has.
    pub held: u64,
    /// How much of it all have.
    pub taken: u64,
    /// When it is to be told: how often he was refused, this time included, since that was told last. It is told
    /// at the first time, and whenever it has become ten times as often, until he has nothing any more.
    pub is_news: Option<u64>,
}

impl ShareTaken {
    /// Tells the log `what` is refused, a sentence, when that is news.
    pub fn tell(&self, what: &'static str) {
        if let Some(times) = self.is_news {
            tracing::warn!(refused = %self, times, "{what}");
        }
    }
}

/// What one user has.
#[derive(Clone, Copy, Debug, Default)]
struct Account {
    held: u64,
    /// How often he was refused since he had nothing.
    refused: u64,
    /// At how many refusals it is told next.
    told_at: u64,
}

impl Account {
    /// One more was refused.
    fn refuse(&mut self) -> Option<u64> {
        self.refused += 1;
        if self.refused < self.told_at {
            return None;
        }
        self.told_at = self.refused.saturating_mul(10);
        Some(self.refused)
    }
}

#[derive(Debug, Default)]
struct State {
    taken: u64,
    refused: u64,
    /// Of those who have something.
    users: HashMap<u32, Account>,
}

/// Who holds how much of one thing. Copies are the same.
#[derive(Clone, Debug)]
pub struct Ledger {
    what: &'static str,
    kept: u64,
    times_free: u64,
    enough: u64,
    each_max: u64,
    owner: u32,
    state: Rc<RefCell<State>>,
}

impl Ledger {
    /// One of `what` (a plural), of which nobody has anything. So much of it is `kept` for root.
    #[must_use]
    pub fn new(what: &'static str, kept: u64) -> Self {
        let (times_free, each_max, state) = (TIMES_FREE, u64::MAX, Rc::default());
        held::look_at(what, &state);
        Self { what, kept, times_free, enough: u64::MAX, each_max, owner: ROOT, state }
    }

    /// The same, of which one user may have so many times what is left.
    #[must_use]
    pub fn leaving(self, times_free: u64) -> Self {
        Self { times_free, ..self }
    }

    /// The same, of which a user may have what he wants as long as so much is left.
    #[must_use]
    pub fn enough(self, enough: u64) -> Self {
        Self { enough, ..self }
    }

    /// The same, of which one user may have so much at most, even where nobody else wants any.
    #[must_use]
    pub fn at_most(self, each_max: u64) -> Self {
        Self { each_max, ..self }
    }

    /// The same in the daemon of a user, who is not to share with himself.
    #[must_use]
    pub fn owned_by(self, owner: u32) -> Self {
        Self { owner, ..self }
    }

    /// How much all have.
    #[must_use]
    pub fn taken(&self) -> u64 {
        self.state.borrow().taken
    }

    /// How much a user has.
    #[must_use]
    pub fn held_by(&self, uid: u32) -> u64 {
        self.state.borrow().users.get(&uid).map_or(0, |account| account.held)
    }

    /// How often anybody was refused.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.state.borrow().refused
    }

    /// Whether a user may have `count` more of it, where so much is `free` now.
    #[must_use]
    pub fn may(&self, uid: u32, count: u64, free: u64) -> bool {
        self.may_take(uid, self.held_by(uid), count, free)
    }

    /// Takes `count` of it for a user, where so much is `free` now.
    ///
    /// # Errors
    /// [`ShareTaken`] when the user may not have as much.
    pub fn take(&self, uid: u32, count: u64, free: u64) -> Result<Lease, ShareTaken> {
        let mut state = self.state.borrow_mut();
        let State { taken, refused, users } = &mut *state;
        let account = users.entry(uid).or_default();
        if !self.may_take(uid, account.held, count, free) {
            *refused += 1;
            count_refusal(uid, self.what);
            let is_news = account.refuse();
            let (held, taken) = (account.held, *taken);
            if held == 0 {
                users.remove(&uid);
            }
            return Err(ShareTaken { uid, what: self.what, held, taken, is_news });
        }
        account.held += count;
        *taken += count;
        Ok(Lease { ledger: self.clone(), uid, count })
    }

    /// Takes `count` more of it for a user where there is so much in all: into `lease`, if there is one, and else that
    /// is a new one. A refusal is told the log when it is news: `what` is refused, a sentence.
    ///
    /// # Errors
    /// [`ShareTaken`] when the user may not have as much.
    pub fn take_into(
        &self,
        lease: &mut Option<Lease>,
        (uid, count): (u32, u64),
        all: u64,
        what: &'static str,
    ) -> Result<(), ShareTaken> {
        let free = all.saturating_sub(self.taken());
        let taken = match lease {
            Some(lease) => lease.grow(count, free),
            None => self.take(uid, count, free).map(|taken| *lease = Some(taken)),
        };
        taken.inspect_err(|refused| refused.tell(what))
    }

    /// The same for a lease of its own.
    ///
    /// # Errors
    /// [`ShareTaken`] when the user may not have as much.
    pub fn take_of(
        &self,
        all: u64,
        (uid, count): (u32, u64),
        what: &'static str,
    ) -> Result<Lease, ShareTaken> {
        let taken = self.take(uid, count, all.saturating_sub(self.taken()));
        taken.inspect_err(|refused| refused.tell(what))
    }

    fn give_back(&self, uid: u32, count: u64) {
        let mut state = self.state.borrow_mut();
        state.taken -= count;
        if let Some(account) = state.users.get_mut(&uid) {
            account.held -= count;
            // Nothing is kept of a user who has nothing.
            if account.held == 0 {
                state.users.remove(&uid);
            }
        }
    }

    fn may_take(&self, uid: u32, held: u64, count: u64, free: u64) -> bool {
        let Some(left) = free.checked_sub(count) else { return false };
        if uid == ROOT || uid == self.owner {
            return true;
        }
        let Some(left) = left.checked_sub(self.kept) else { return false };
        let share =
            if left >= self.enough { u64::MAX } else { left.saturating_mul(self.times_free) };
        held.saturating_add(count) <= share.min(self.each_max)
    }
}

/// What a user has taken, until this is dropped: also by a panic, or with a task that is abandoned.
#[derive(Debug)]
#[must_use = "it is given back when it is dropped"]
pub struct Lease {
    ledger: Ledger,
    uid: u32,
    count: u64,
}

impl Lease {
    /// Who has taken it.
    #[must_use]
    pub fn uid(&self) -> u32 {
        self.uid
    }

    /// Takes `count` more for the same user, where so much is `free` now. It is given back with the rest.
    ///
    /// # Errors
    /// [`ShareTaken`] when the user may not have as much.
    pub fn grow(&mut self, count: u64, free: u64) -> Result<(), ShareTaken> {
        let mut more = self.ledger.take(self.uid, count, free)?;
        self.count += std::mem::take(&mut more.count);
        Ok(())
    }

    /// Gives so much of it back, or all if it has less.
    pub fn shrink(&mut self, count: u64) {
        let count = count.min(self.count);
        self.count -= count;
        self.ledger.give_back(self.uid, count);
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.ledger.give_back(self.uid, self.count);
    }
}

#[cfg(test)]
mod tests;
