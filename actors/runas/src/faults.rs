//! Failures on purpose.

use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
};

use rustix::io::Errno;

/// Lets one thing that is done with an owner's rights fail, for tests of what comes after. Copies are
/// the same. See [`Runas::failing`](crate::Runas::failing).
#[derive(Clone, Debug, Default)]
pub struct Faults(Arc<Mutex<Plan>>);

#[derive(Debug, Default)]
struct Plan {
    /// How many things come before the one that fails; `None` when none is to fail.
    left: Option<usize>,
    fault: Fault,
}

/// How something fails.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Fault {
    /// Nothing was done: no room.
    #[default]
    NoSpace,
    /// Nothing was done: it is not allowed.
    Denied,
    /// It was done, and the answer was lost: as when a deadline passed meanwhile.
    Late,
}

impl Fault {
    fn error(self) -> io::Error {
        match self {
            Self::NoSpace => Errno::NOSPC,
            Self::Denied => Errno::ACCESS,
            Self::Late => Errno::TIMEDOUT,
        }
        .into()
    }
}

impl Faults {
    /// From now on so many things succeed, and the next one fails, once.
    pub fn fail_after(&self, count: usize, fault: Fault) {
        *self.plan() = Plan { left: Some(count), fault };
    }

    /// Whether nothing has failed since [`Faults::fail_after`]; nothing will any more.
    #[must_use]
    pub fn withdraw(&self) -> bool {
        self.plan().left.take().is_some()
    }

    /// Counts a thing that is to be done. What it fails with, and whether it is done before.
    pub(crate) fn next(&self) -> Option<(io::Error, bool)> {
        let mut plan = self.plan();
        match &mut plan.left {
            Some(0) => {
                plan.left = None;
                Some((plan.fault.error(), plan.fault == Fault::Late))
            }
            Some(left) => {
                *left -= 1;
                None
            }
            None => None,
        }
    }

    fn plan(&self) -> std::sync::MutexGuard<'_, Plan> {
        // It is whole between any two statements, so a panic elsewhere does not matter.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
