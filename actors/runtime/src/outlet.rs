//! Events told upwards, to whoever the composition root connected.

use actix::{Message, Recipient};

/// Where an actor tells one kind of event. Telling never waits and never fails for the teller.
#[derive(Debug)]
pub struct Outlet<E>
where
    E: Message + Send,
    E::Result: Send,
{
    recipient: Option<Recipient<E>>,
}

impl<E> Clone for Outlet<E>
where
    E: Message + Send,
    E::Result: Send,
{
    fn clone(&self) -> Self {
        Self { recipient: self.recipient.clone() }
    }
}

impl<E> Outlet<E>
where
    E: Message<Result = ()> + Send + 'static,
{
    /// An outlet that leads to `recipient`.
    #[must_use]
    pub fn to(recipient: Recipient<E>) -> Self {
        Self { recipient: Some(recipient) }
    }

    /// An outlet that leads nowhere.
    #[must_use]
    pub fn closed() -> Self {
        Self { recipient: None }
    }

    /// Tells `event`. An event for an actor that has ended is dropped.
    pub fn tell(&self, event: E) {
        if let Some(recipient) = &self.recipient {
            recipient.do_send(event);
        }
    }
}
