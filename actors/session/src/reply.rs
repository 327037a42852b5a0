//! How a session answers a request.

use actix::{
    Context, Handler, Message, ResponseActFuture, ResponseFuture, WrapFuture,
    dev::{MessageResponse, OneshotSender},
};
use futures::future::ready;
use lttngd_model::ErrorCode;
use lttngd_runtime::{Beside, answer};

use crate::{Session, SessionRequest};

/// A request that a session does, which is ready for it.
pub trait Perform: SessionRequest {
    /// Begins it.
    fn perform(
        self,
        session: &mut Session,
        context: &mut Context<Session>,
    ) -> Replying<<Self as SessionRequest>::Reply>;
}

/// How the reply comes about.
pub enum Replying<R> {
    /// At once.
    Now(Result<R, ErrorCode>),
    /// When the command's turn has come and it is done.
    InTurn(ResponseFuture<Result<R, ErrorCode>>),
    /// After others were waited for, beside the commands.
    Beside(Beside<Result<R, ErrorCode>>),
    /// After others were waited for, before or after the command's turn.
    OnActor(ResponseActFuture<Session, Result<R, ErrorCode>>),
}

impl<R: 'static> Replying<R> {
    /// As a part of what the actor does.
    pub(crate) fn on_actor(
        self,
        session: &Session,
    ) -> ResponseActFuture<Session, Result<R, ErrorCode>> {
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
        request.perform(self, context)
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
