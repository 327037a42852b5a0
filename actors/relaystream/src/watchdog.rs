//! Since when nothing has moved.

use std::time::{Duration, Instant};

/// Since when something is due of which nothing came.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Watchdog {
    due_since: Option<Instant>,
}

impl Watchdog {
    /// Something became due.
    pub(crate) fn expect(&mut self, now: Instant) {
        self.due_since.get_or_insert(now);
    }

    /// Something moved; `due` says whether more has to.
    pub(crate) fn moved(&mut self, now: Instant, due: bool) {
        self.due_since = due.then_some(now);
    }

    /// Whether something is due.
    pub(crate) fn is_due(&self) -> bool {
        self.due_since.is_some()
    }

    /// When it has taken too long.
    pub(crate) fn deadline(&self, timeout: Duration) -> Option<Instant> {
        self.due_since?.checked_add(timeout)
    }
}
