//! How a session answers a request.

use actix::{
    ActorFutureExt, Context, Handler, Message, ResponseActFuture, ResponseFuture, WrapFuture,
    dev::{MessageResponse, OneshotSender},
};
use futures::future::{LocalBoxFuture, ready};
use lttngd_model::ErrorCode;
use lttngd_runtime::{Asker, Beside, answer};

use crate::{Session, SessionRequest};

/// A request that a session does, which is ready for it.
pub trait Perform: SessionRequest {
    /// Begins it, with what is to be done when its turn has come and before it.
    fn perform(
        self,
        session: &mut Session,
        context: &mut Context<Session>,
        beginning: Beginning,
    ) -> Replying<<Self as SessionRequest>::Reply>;
}

/// How a request is begun.
#[derive(Default)]
pub struct Beginning {
    /// What is done before.
    pub before: Option<Preparation>,
    /// Who waits for its reply.
    pub asker: Asker,
}

/// What is asked of others before a request is done. Nothing of it is done before it is awaited.
pub type Preparation = LocalBoxFuture<'static, Result<(), ErrorCode>>;

/// How the reply comes about.
pub enum Replying<R> {
    /// At once.
    Now(Result<R, ErrorCode>),
    /// When the command's turn has come and it is done.
    InTurn(ResponseFuture<Result<R, ErrorCode>>),
    /// After others were waited for, beside the commands.
    Beside(Beside<Result<R, ErrorCode>>),
    /// After others were waited for, as a part of what the actor does.
    OnActor(ResponseActFuture<Session, Result<R, ErrorCode>>),
}

impl<R: 'static> Replying<R> {
    /// The reply of what is no command, and begins when what it needs is there.
    pub(crate) fn after(
        before: Option<Preparation>,
        session: &mut Session,
        context: &mut Context<Session>,
        perform: impl FnOnce(&mut Session, &mut Context<Session>) -> Self + 'static,
    ) -> Self {
        let Some(before) = before else { return perform(session, context) };
        let then = |prepared, session: &mut Session, context: &mut Context<Session>| match prepared
        {
            Ok(()) => perform(session, context).on_actor(session),
            Err(code) => Box::pin(ready(Err(code)).into_actor(session)),
        };
        Self::OnActor(Box::pin(session.inner.within(before).into_actor(session).then(then)))
    }

    /// As a part of what the actor does.
    fn on_actor(self, session: &Session) -> ResponseActFuture<Session, Result<R, ErrorCode>> {
        match self {
            Self::Now(reply) => Box::pin(ready(reply).into_actor(session)),
            Self::InTurn(reply) => Box::pin(reply.into_actor(session)),
            Self::Beside(reply) => Box::pin(reply.into_work().into_actor(session)),
            Self::OnActor(reply) => reply,
        }
    }
}

impl<M: Perform> Handler<M> for Session {
    type Result = Replying<<M as SessionRequest>::Reply>;

    fn handle(&mut self, request: M, context: &mut Self::Context) -> Self::Result {
        request.perform(self, context, Beginning::default())
    }
}

impl<R, M> MessageResponse<Session, M> for Replying<R>
where
    R: 'static,
    M: Message<Result = Result<R, ErrorCode>>,
{
    fn handle(self, context: &mut Context<Session>, reply: Option<OneshotSender<M::Result>>) {
        match self {
            Self::Now(outcome) => {
                if let Some(reply) = reply {
                    answer(reply, outcome);
                }
            }
            Self::InTurn(outcome) => {
                <_ as MessageResponse<Session, M>>::handle(outcome, context, reply);
            }
            Self::Beside(outcome) => {
                <_ as MessageResponse<Session, M>>::handle(outcome, context, reply);
            }
            Self::OnActor(outcome) => {
                <_ as MessageResponse<Session, M>>::handle(outcome, context, reply);
            }
        }
    }
}
