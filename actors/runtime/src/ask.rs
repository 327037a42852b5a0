//! Sending a request to an actor and awaiting its reply, telling it something, and answering.

use std::time::Duration;

use actix::{
    Actor, Addr, Handler, MailboxError, Message,
    dev::{MessageResponse, ToEnvelope},
};
use thiserror::Error;
use tokio::sync::oneshot;

/// Why no reply came.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum AskError {
    /// The actor is gone.
    #[error("the actor is gone")]
    Gone,
    /// The deadline passed. The work goes on; only its reply is not awaited any more.
    #[error("no reply within the deadline")]
    TimedOut,
}

/// Sends `message` and awaits the reply until `deadline`.
///
/// # Errors
/// [`AskError::Gone`] when the actor ended, [`AskError::TimedOut`] after `deadline`.
pub async fn ask<A, M>(
    actor: &Addr<A>,
    message: M,
    deadline: Duration,
) -> Result<M::Result, AskError>
where
    A: Actor + Handler<M>,
    A::Context: ToEnvelope<A, M>,
    M: Message + Send + 'static,
    M::Result: Send + MessageResponse<A, M>,
{
    match tokio::time::timeout(deadline, actor.send(message)).await {
        Ok(Ok(reply)) => Ok(reply),
        Ok(Err(MailboxError::Closed)) => Err(AskError::Gone),
        Ok(Err(MailboxError::Timeout)) | Err(_) => Err(AskError::TimedOut),
    }
}

/// Tells `message` to an actor of one's own, whose mailbox takes it in the order of telling, however many
/// are in it: the bound is the teller's. A message for an actor that has ended is dropped.
pub fn tell<A, M>(actor: &Addr<A>, message: M)
where
    A: Actor + Handler<M>,
    A::Context: ToEnvelope<A, M>,
    M: Message<Result = ()> + Send + 'static,
{
    actor.do_send(message);
}

/// Answers a request. Who asked may have gone meanwhile, and needs no answer then.
pub fn answer<T>(reply: oneshot::Sender<T>, outcome: T) {
    let _ = reply.send(outcome);
}
