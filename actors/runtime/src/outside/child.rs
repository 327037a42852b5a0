//! A process that was started.

use std::{io, process::ExitStatus};

use tokio::process::Child;

#[cfg(debug_assertions)]
use super::Played;

/// A process that was started, which is killed when this is dropped.
#[derive(Debug)]
pub struct ChildProcess(Kind);

#[derive(Debug)]
enum Kind {
    System(Box<Child>),
    #[cfg(debug_assertions)]
    Played(Played),
}

impl ChildProcess {
    pub(super) fn of_system(child: Child) -> Self {
        Self(Kind::System(Box::new(child)))
    }

    #[cfg(debug_assertions)]
    pub(super) fn played(played: Played) -> Self {
        Self(Kind::Played(played))
    }

    /// Its process id, unless it has been waited for.
    #[must_use]
    pub fn id(&self) -> Option<u32> {
        match &self.0 {
            Kind::System(child) => child.id(),
            #[cfg(debug_assertions)]
            Kind::Played(played) => Some(played.id()),
        }
    }

    /// Waits until it is gone. Safe to abandon.
    ///
    /// # Errors
    /// When the system cannot say.
    pub async fn wait(&mut self) -> io::Result<ExitStatus> {
        match &mut self.0 {
            Kind::System(child) => child.wait().await,
            #[cfg(debug_assertions)]
            Kind::Played(played) => Ok(played.wait().await),
        }
    }

    /// Kills it, and does not wait for its end.
    ///
    /// # Errors
    /// When it is gone already.
    pub fn start_kill(&mut self) -> io::Result<()> {
        match &mut self.0 {
            Kind::System(child) => child.start_kill(),
            #[cfg(debug_assertions)]
            Kind::Played(played) => {
                played.kill();
                Ok(())
            }
        }
    }

    /// Leaves it to itself.
    pub fn leave(self) {
        // Dropping it would kill it.
        std::mem::forget(self);
    }
}
