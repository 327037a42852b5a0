//! Commands that must not overlap, without blocking the mailbox of their actor.

use std::{cell::Cell, rc::Rc, sync::Arc};

use thiserror::Error;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Too many commands wait already.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[error("too many commands wait for their turn")]
pub struct TurnsFull;

/// The right to run; the next command in line gets it on drop.
#[derive(Debug)]
pub struct Turn {
    _permit: OwnedSemaphorePermit,
}

/// A bounded first-in first-out line of commands of which one runs at a time.
#[derive(Clone, Debug)]
pub struct Turns {
    permit: Arc<Semaphore>,
    waiting: Rc<Cell<usize>>,
    limit: usize,
}

impl Turns {
    /// A line in which at most `limit` commands wait.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self { permit: Arc::new(Semaphore::new(1)), waiting: Rc::new(Cell::new(0)), limit }
    }

    /// Waits for the turn.
    ///
    /// # Errors
    /// [`TurnsFull`] at once when the line is full.
    pub async fn take(&self) -> Result<Turn, TurnsFull> {
        if self.waiting.get() >= self.limit {
            return Err(TurnsFull);
        }
        self.take_always().await
    }

    /// Waits for the turn, however many do.
    ///
    /// # Errors
    /// Never, as long as the line is there.
    pub async fn take_always(&self) -> Result<Turn, TurnsFull> {
        let _place = Place::take(&self.waiting);
        match Arc::clone(&self.permit).acquire_owned().await {
            Ok(permit) => Ok(Turn { _permit: permit }),
            Err(_closed) => Err(TurnsFull),
        }
    }
}

/// A place in the line, given back also when the waiting is abandoned.
struct Place<'a>(&'a Cell<usize>);

impl<'a> Place<'a> {
    fn take(waiting: &'a Cell<usize>) -> Self {
        waiting.set(waiting.get() + 1);
        Self(waiting)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}
