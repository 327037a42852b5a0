//! How the owner of an actor learns that it failed.

use actix::Message;

use crate::Outlet;

/// A part of an actor that tells its owner when the actor was dropped without having said that it ends:
/// a handler or a command has panicked.
///
/// `stopped` of an actor is called after a panic too, so an end that is meant is said where it is meant,
/// by [`dismiss`](Self::dismiss).
pub struct FailureNotice(Option<Box<dyn FnOnce()>>);

impl FailureNotice {
    /// Tells `event` to `outlet` at a failure.
    #[must_use]
    pub fn new<E>(outlet: Outlet<E>, event: E) -> Self
    where
        E: Message<Result = ()> + Send + 'static,
    {
        Self::of(move || outlet.tell(event))
    }

    /// Calls `tell` at a failure: for an event that has something of the actor that is dropped. It must not
    /// panic.
    #[must_use]
    pub fn of(tell: impl FnOnce() + 'static) -> Self {
        Self(Some(Box::new(tell)))
    }

    /// From now on the end of the actor is no failure.
    pub fn dismiss(&mut self) {
        self.0 = None;
    }
}

impl Drop for FailureNotice {
    fn drop(&mut self) {
        if let Some(tell) = self.0.take() {
            tell();
        }
    }
}
