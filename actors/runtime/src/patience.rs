//! Whether a peer that is asked things answers, and how long those wait who need it.

use std::{cell::Cell, time::Duration};

use tokio::{sync::oneshot, time::Instant};

use crate::AskError;

/// What a peer owes, since when, and whether it is *set aside*.
///
/// A peer that owes an answer may take its time as long as it answers something now and then. Whoever
/// needs it waits until it has answered nothing for as long as the deadline, counted from when it was
/// first asked, not from when the waiting began: all who wait give up at the same moment. The peer is set
/// aside then: nobody waits for it any more, what is wished of it stays wished, and it is waited for again
/// as soon as it answers anything.
///
/// Shared by the actor that asks and the driver that talks to the peer, in the same thread.
pub struct Patience {
    /// `None` to wait for ever.
    deadline: Option<Duration>,
    standing: Cell<Standing>,
    told: Box<dyn Fn(Attention)>,
}

/// What has changed for those who need a peer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Attention {
    /// It is set aside.
    SetAside,
    /// It was set aside, and answers again.
    Regained,
}

#[derive(Clone, Copy, Debug)]
struct Standing {
    /// How many things it was asked and has not done.
    owed: usize,
    /// When it last answered, or was asked while it owed nothing.
    since: Instant,
    is_set_aside: bool,
}

impl Patience {
    /// With a peer that owes nothing. A `deadline` of `None` waits for ever; `told` is told of each change,
    /// once each way.
    #[must_use]
    pub fn new(deadline: Option<Duration>, told: impl Fn(Attention) + 'static) -> Self {
        let standing = Standing { owed: 0, since: Instant::now(), is_set_aside: false };
        Self { deadline, standing: Cell::new(standing), told: Box::new(told) }
    }

    fn change(&self, change: impl FnOnce(&mut Standing)) {
        let before = self.standing.get();
        let mut after = before;
        change(&mut after);
        self.standing.set(after);
        match (before.is_set_aside, after.is_set_aside) {
            (false, true) => (self.told)(Attention::SetAside),
            (true, false) => (self.told)(Attention::Regained),
            (false, false) | (true, true) => {}
        }
    }

    /// The peer is asked something more.
    pub fn asked(&self, now: Instant) {
        self.change(|standing| {
            if standing.owed == 0 {
                standing.since = now;
            }
            standing.owed += 1;
        });
    }

    /// The peer answered something, if only a part of what it owes.
    pub fn answered(&self, now: Instant) {
        self.change(|standing| {
            standing.since = now;
            standing.is_set_aside = false;
        });
    }

    /// One thing is done, or not asked any more. A peer that owes nothing is not set aside.
    pub fn done(&self) {
        self.change(|standing| {
            standing.owed = standing.owed.saturating_sub(1);
            standing.is_set_aside &= standing.owed > 0;
        });
    }

    /// How many things the peer was asked and has not done.
    pub fn owed(&self) -> usize {
        self.standing.get().owed
    }

    /// Whether nobody waits for the peer until it answers.
    pub fn is_set_aside(&self) -> bool {
        self.standing.get().is_set_aside
    }

    /// For how long it has answered nothing of what it owes.
    pub fn silent_for(&self, now: Instant) -> Duration {
        let standing = self.standing.get();
        if standing.owed == 0 { Duration::ZERO } else { now.duration_since(standing.since) }
    }

    /// Until when whoever needs the peer waits now, unless it answers meanwhile; `None` for ever.
    pub fn until(&self, now: Instant) -> Option<Instant> {
        let standing = self.standing.get();
        let since = if standing.owed == 0 { now } else { standing.since };
        self.deadline.map(|deadline| since + deadline)
    }

    /// Sets the peer aside if it has owed an answer for as long as the deadline. Whether it is.
    pub fn sets_aside(&self, now: Instant) -> bool {
        let is_late = self.until(now).is_some_and(|until| until <= now);
        self.change(|standing| standing.is_set_aside |= is_late && standing.owed > 0);
        self.is_set_aside()
    }

    /// Waits for what the peer's driver tells when something asked is done.
    ///
    /// # Errors
    /// [`AskError::Gone`] when the driver ended, [`AskError::TimedOut`] when the peer is set aside, at once
    /// if it is already.
    pub async fn wait<T>(&self, mut done: oneshot::Receiver<T>) -> Result<T, AskError> {
        while let Some(until) = self.until(Instant::now()) {
            if let Ok(outcome) = tokio::time::timeout_at(until, &mut done).await {
                return outcome.map_err(|_| AskError::Gone);
            }
            if self.sets_aside(Instant::now()) {
                return Err(AskError::TimedOut);
            }
        }
        done.await.map_err(|_| AskError::Gone)
    }
}
