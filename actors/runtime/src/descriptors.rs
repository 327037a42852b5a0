//! The budget of open descriptors: what they are for, and how many of each there may be.
//!
//! Whatever many peers bring about, connections of applications and agents and the channels that are
//! made for them, is refused before the last descriptor is gone: some are kept for clients and for what
//! a daemon needs to do its work. What is counted is what there may be many of. A shortage that comes all
//! the same (a program embeds the daemon and has files of its own) fails one request and nothing else.
//!
//! Who asks names what for. What each user may have of it is looked at where users are known, by what is left
//! ([`Descriptors::left`]).

use std::{
    fmt, fs,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use rustix::process::{Resource, getrlimit};
use thiserror::Error;

use crate::Ticket;

/// Which part of what a process may open is kept for clients and for its own work: one in so many.
const RESERVE_PART: usize = 4;
/// Most that are kept so: a thousand sessions that record, of which each has a connection to its consumer daemon, and as
/// many clients at a time.
const RESERVE_MAX: usize = 2048;
/// Which part of that is kept from clients: one in so many, and no fewer than [`LAST_MIN`].
const LAST_PART: usize = 4;
/// See [`LAST_PART`].
const LAST_MIN: usize = 4;
/// Most descriptors that are kept for channels when many register, else half of those that both share.
const CHANNELS_KEPT_MAX: usize = 1024;
/// Fewest descriptors with which anything can be done: a client, an application and a channel for it.
const USABLE_MIN: usize = 16;
/// Descriptors that a process is thought to have open where it cannot be seen.
const OPEN_UNSEEN: usize = 16;

/// What descriptors are for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Purpose {
    /// Connections of applications and agents.
    Registrations,
    /// Channels, with their buffers and files.
    Channels,
    /// Connections of clients.
    Clients,
    /// What a daemon needs besides to do its work. Never refused, but the less is left for others.
    Control,
}

impl fmt::Display for Purpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Registrations => "applications and agents",
            Self::Channels => "channels",
            Self::Clients => "clients",
            Self::Control => "the daemon itself",
        })
    }
}

/// Descriptors that are wanted are not to be had.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[error(
    "the limit of {limit} open descriptors (ulimit -n) leaves none for {purpose}: {count} more are \
     wanted, {taken} are taken and others kept"
)]
pub struct NoDescriptors {
    /// The limit of the process.
    pub limit: u64,
    /// What they are for.
    pub purpose: Purpose,
    /// How many are wanted.
    pub count: usize,
    /// How many are taken for the same.
    pub taken: usize,
}

/// The limit is too low for anything to be done.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[error(
    "the limit of {limit} open descriptors is too low, {needed} are needed at least: raise it \
     (ulimit -n, or LimitNOFILE= of a systemd service)"
)]
pub struct TooFewDescriptors {
    /// The limit of the process.
    pub limit: u64,
    /// What it would have to be.
    pub needed: u64,
}

/// How many descriptors are taken.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
struct Taken {
    registrations: usize,
    channels: usize,
    clients: usize,
    control: usize,
}

impl Taken {
    fn all(self) -> usize {
        self.registrations + self.channels + self.clients + self.control
    }

    /// The others, when `count` for this purpose are one's own.
    fn without(mut self, purpose: Purpose, count: usize) -> Self {
        let own = match purpose {
            Purpose::Registrations => &mut self.registrations,
            Purpose::Channels => &mut self.channels,
            Purpose::Clients => &mut self.clients,
            Purpose::Control => &mut self.control,
        };
        *own = own.saturating_sub(count);
        self
    }
}

/// How the descriptors that a process may open are shared. No input or output.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Shares {
    limit: u64,
    /// What is left of the limit by what the process has open for itself.
    usable: usize,
    /// Kept for clients and control.
    reserve: usize,
    /// Kept for control.
    last: usize,
    /// Most for registrations.
    registrations: usize,
}

impl Shares {
    /// Those of a process with this limit, which has `own` descriptors open for itself.
    #[must_use]
    pub fn new(limit: u64, own: usize) -> Self {
        let usable = usize::try_from(limit).unwrap_or(usize::MAX).saturating_sub(own);
        let reserve = (usable / RESERVE_PART).min(RESERVE_MAX);
        let shared = usable - reserve;
        Self {
            limit,
            usable,
            reserve,
            last: (reserve / LAST_PART).max(LAST_MIN),
            registrations: shared - (shared / 2).min(CHANNELS_KEPT_MAX),
        }
    }

    /// Whether anything can be done with so few.
    ///
    /// # Errors
    /// [`TooFewDescriptors`] when nothing can.
    pub fn check(&self) -> Result<(), TooFewDescriptors> {
        if self.usable >= USABLE_MIN {
            return Ok(());
        }
        let missing = (USABLE_MIN - self.usable) as u64;
        Err(TooFewDescriptors { limit: self.limit, needed: self.limit + missing })
    }

    /// How many there are for this purpose besides those that are taken.
    fn left(&self, taken: Taken, purpose: Purpose) -> usize {
        let rest_of_reserve = self.reserve.saturating_sub(taken.clients + taken.control);
        let kept = match purpose {
            Purpose::Control => 0,
            Purpose::Clients => self.last,
            Purpose::Registrations | Purpose::Channels => rest_of_reserve.max(self.last),
        };
        let left = self.usable.saturating_sub(taken.all()).saturating_sub(kept);
        match purpose {
            Purpose::Registrations => {
                left.min(self.registrations.saturating_sub(taken.registrations))
            }
            Purpose::Channels | Purpose::Clients | Purpose::Control => left,
        }
    }

    fn admits(&self, taken: Taken, purpose: Purpose, count: usize) -> bool {
        purpose == Purpose::Control || count <= self.left(taken, purpose)
    }
}

#[derive(Debug)]
struct Inner {
    shares: Shares,
    registrations: AtomicUsize,
    channels: AtomicUsize,
    clients: AtomicUsize,
    control: AtomicUsize,
}

impl Inner {
    fn count(&self, purpose: Purpose) -> &AtomicUsize {
        match purpose {
            Purpose::Registrations => &self.registrations,
            Purpose::Channels => &self.channels,
            Purpose::Clients => &self.clients,
            Purpose::Control => &self.control,
        }
    }

    fn taken(&self) -> Taken {
        let read = |purpose| self.count(purpose).load(Ordering::SeqCst);
        Taken {
            registrations: read(Purpose::Registrations),
            channels: read(Purpose::Channels),
            clients: read(Purpose::Clients),
            control: read(Purpose::Control),
        }
    }
}

/// The budget of a process. Copies are the same. Any thread takes and gives back; two that take the last
/// ones at the same time may both be refused.
#[derive(Clone, Debug)]
pub struct Descriptors(Arc<Inner>);

impl Descriptors {
    /// A budget of which nothing is taken.
    #[must_use]
    pub fn new(shares: Shares) -> Self {
        let none = AtomicUsize::default;
        Self(Arc::new(Inner {
            shares,
            registrations: none(),
            channels: none(),
            clients: none(),
            control: none(),
        }))
    }

    /// That of this process, which will open `more` for itself than it has open now.
    ///
    /// # Errors
    /// [`TooFewDescriptors`].
    pub fn of_process(more: usize) -> Result<Self, TooFewDescriptors> {
        // The one by which they are seen is among them.
        let open = fs::read_dir("/proc/self/fd").map_or(OPEN_UNSEEN, |all| all.count() - 1);
        let limit = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
        let shares = Shares::new(limit, open + more);
        shares.check()?;
        Ok(Self::new(shares))
    }

    /// One that has room for everything.
    #[must_use]
    pub fn unlimited() -> Self {
        Self::new(Shares::new(u64::MAX, 0))
    }

    /// Takes `count` descriptors, before they are opened.
    ///
    /// # Errors
    /// [`NoDescriptors`] when they do not fit.
    pub fn take(&self, purpose: Purpose, count: usize) -> Result<Held, NoDescriptors> {
        let Inner { shares, .. } = &*self.0;
        // Counted first: of two threads that take the last ones at least one sees the other.
        let taken = self.0.count(purpose).fetch_add(count, Ordering::SeqCst);
        let held = Held { budget: self.clone(), purpose, count, of_user: None };
        if shares.admits(self.0.taken().without(purpose, count), purpose, count) {
            return Ok(held);
        }
        Err(NoDescriptors { limit: shares.limit, purpose, count, taken })
    }

    /// How many there are for this purpose now.
    #[must_use]
    pub fn left(&self, purpose: Purpose) -> usize {
        self.0.shares.left(self.0.taken(), purpose)
    }

    /// How many are taken for this purpose.
    #[must_use]
    pub fn taken(&self, purpose: Purpose) -> usize {
        self.0.count(purpose).load(Ordering::SeqCst)
    }

    /// How many the process may have open.
    #[must_use]
    pub fn limit(&self) -> u64 {
        self.0.shares.limit
    }

    /// Counts what is opened for the daemon's own work.
    pub fn control(&self, count: usize) -> Held {
        self.0.count(Purpose::Control).fetch_add(count, Ordering::SeqCst);
        Held { budget: self.clone(), purpose: Purpose::Control, count, of_user: None }
    }
}

/// Descriptors that are taken, until this is dropped.
#[derive(Debug)]
#[must_use = "they are given back when it is dropped"]
pub struct Held {
    budget: Descriptors,
    purpose: Purpose,
    count: usize,
    /// In the account of a user, kept in the thread of [`UserDescriptors`](crate::UserDescriptors).
    of_user: Option<Ticket>,
}

impl Held {
    /// The same, counted for a user.
    pub(crate) fn of_user(self, ticket: Ticket) -> Self {
        let mut held = self;
        held.of_user = Some(ticket);
        held
    }

    /// One descriptor more for the same purpose.
    ///
    /// # Errors
    /// [`NoDescriptors`] when it does not fit.
    pub(crate) fn one_more(&self) -> Result<Self, NoDescriptors> {
        self.budget.take(self.purpose, 1)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.budget.0.count(self.purpose).fetch_sub(self.count, Ordering::SeqCst);
    }
}
