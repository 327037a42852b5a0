//! Whether a peer that is asked things answers, and how long those wait who need it.

use std::{cell::Cell, time::Duration};

use rustix::time::{ClockId, clock_gettime};
use tokio::{sync::oneshot, time::Instant};

use crate::AskError;

/// How many times its deadline a peer may take, with answers in between, for all that it owes at a time.
const TOTAL_TIMES: u32 = 4;
/// The least that this comes to: on a busy machine an honest peer takes long for many small things.
const TOTAL_MIN: Duration = Duration::from_secs(20);

/// What a peer owes, since when, and whether it is *set aside*.
///
/// A peer that owes an answer may take its time as long as it answers something now and then. Whoever
/// needs it waits until it has answered nothing for as long as the deadline, counted from when it was
/// first asked, not from when the waiting began: all who wait give up at the same moment. The peer is set
/// aside then: nobody waits for it any more, what is wished of it stays wished, and it is waited for again
/// as soon as it answers anything.
///
/// One that takes its time for each of many things is *slow* ([`Patience::within_total`]): it is set aside as well when
/// all that it owes at a time has taken too long together, without the time in which this thread was at work itself. It
/// is not waited for then before it has once done all that it owed within the deadline.
///
/// Shared by the actor that asks and the driver that talks to the peer, in the same thread.
pub struct Patience {
    /// `None` to wait for ever.
    deadline: Option<Duration>,
    /// See [`Patience::within_total`].
    total: Option<Duration>,
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
    /// When it was asked while it owed nothing, and how long this thread had been at work until then.
    owes_since: (Instant, Duration),
    is_set_aside: bool,
    /// Whether it is to be quick once before it is waited for.
    is_slow: bool,
}

impl Standing {
    /// For how long it has owed something by now, while this thread was not at work.
    fn owes_for(&self, now: Instant) -> Duration {
        let (since, worked) = self.owes_since;
        now.saturating_duration_since(since).saturating_sub(worked_until_now() - worked)
    }
}

/// How long this thread was at work since it began.
fn worked_until_now() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap_or_default()
}

impl Patience {
    /// With a peer that owes nothing. A `deadline` of `None` waits for ever; `told` is told of each change,
    /// once each way.
    #[must_use]
    pub fn new(deadline: Option<Duration>, told: impl Fn(Attention) + 'static) -> Self {
        let now = Instant::now();
        let standing = Standing {
            owed: 0,
            since: now,
            owes_since: (now, Duration::ZERO),
            is_set_aside: false,
            is_slow: false,
        };
        Self { deadline, total: None, standing: Cell::new(standing), told: Box::new(told) }
    }

    /// The same with a peer that is to do all that it owes at a time within four times the deadline, twenty seconds
    /// at least.
    #[must_use]
    pub fn within_total(self) -> Self {
        let total = self.deadline.map(|deadline| TOTAL_MIN.max(deadline * TOTAL_TIMES));
        Self { total, ..self }
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
                standing.owes_since = (now, worked_until_now());
                standing.is_set_aside = standing.is_slow;
            }
            standing.owed += 1;
        });
    }

    /// The peer answered something, if only a part of what it owes.
    pub fn answered(&self, now: Instant) {
        self.change(|standing| {
            standing.since = now;
            standing.is_set_aside = standing.is_slow;
        });
    }

    /// One thing is done, or not asked any more. A peer that owes nothing is not set aside.
    pub fn done(&self) {
        self.change(|standing| {
            standing.owed = standing.owed.saturating_sub(1);
            if standing.owed == 0 {
                standing.is_set_aside = false;
                let was_quick = |deadline| standing.owes_for(Instant::now()) <= deadline;
                standing.is_slow &= !self.deadline.is_none_or(was_quick);
            }
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
        if standing.owed == 0 {
            return self.deadline.map(|deadline| now + deadline);
        }
        if standing.is_slow {
            return Some(now);
        }
        let silent = self.deadline.map(|deadline| standing.since + deadline);
        let slow = self.total.map(|total| now + total.saturating_sub(standing.owes_for(now)));
        silent.min(slow.or(silent))
    }

    /// Sets the peer aside if it has owed an answer for as long as the deadline. Whether it is.
    pub fn sets_aside(&self, now: Instant) -> bool {
        let is_late = self.until(now).is_some_and(|until| until <= now);
        self.change(|standing| {
            let is_slow = self.total.is_some_and(|total| standing.owes_for(now) >= total);
            standing.is_slow |= is_slow && standing.owed > 0;
            standing.is_set_aside |= is_late && standing.owed > 0;
        });
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
