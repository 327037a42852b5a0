//! The task that tells a session when to rotate.

use tokio::task::{AbortHandle, Id};

/// A task that tells the session when to rotate, until it is dropped.
#[derive(Debug)]
pub(crate) struct RotationTimer(AbortHandle);

impl RotationTimer {
    /// That of this task.
    pub(crate) fn of(task: AbortHandle) -> Self {
        Self(task)
    }

    /// Whether it is the task of this id.
    pub(crate) fn is(&self, task: Id) -> bool {
        self.0.id() == task
    }
}

impl Drop for RotationTimer {
    fn drop(&mut self) {
        self.0.abort();
    }
}
