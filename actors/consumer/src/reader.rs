//! The actor of a socket on which the consumer daemon says something of itself: it reads all the time,
//! whatever is asked elsewhere.

use actix::{
    Actor, ActorContext, ActorFutureExt, Addr, AsyncContext, Context, Handler, Message, WrapFuture,
};
use lttngd_runtime::FailureNotice;
use tracing::Instrument;

use crate::reports::{Owner, Unread};

/// A socket that is read.
pub(crate) trait Socket: Unpin + 'static {
    /// Reads it to its end, and answers what is asked there. Why it ended.
    async fn serve(self, owner: &Owner) -> String;

    /// Tells the owner that it is not read any more.
    fn unread(owner: &Owner, why: Unread);
}

/// The actor of a socket.
pub(crate) struct Reader<S> {
    socket: Option<S>,
    owner: Owner,
    failure: FailureNotice,
}

/// The consumer daemon is given up, and the socket closed.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Leave;

impl<S: Socket> Reader<S> {
    pub(crate) fn start(socket: S, owner: Owner) -> Addr<Self> {
        let told = owner.clone();
        let failure = FailureNotice::of(move || S::unread(&told, Unread::Failed));
        Actor::start(Self { socket: Some(socket), owner, failure })
    }

    fn leave(&mut self, context: &mut Context<Self>) {
        self.failure.dismiss();
        context.stop();
    }

    fn ended(&mut self, reason: String, context: &mut Context<Self>) {
        S::unread(&self.owner, Unread::Ended(reason));
        self.leave(context);
    }
}

impl<S: Socket> Actor for Reader<S> {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        let Some(socket) = self.socket.take() else { return };
        let owner = self.owner.clone();
        let span = owner.span.clone();
        let served = async move { socket.serve(&owner).await }.instrument(span);
        context.spawn(
            served
                .into_actor(self)
                .map(|reason, reader: &mut Self, context| reader.ended(reason, context)),
        );
    }
}

impl<S: Socket> Handler<Leave> for Reader<S> {
    type Result = ();

    fn handle(&mut self, _: Leave, context: &mut Self::Context) {
        self.leave(context);
    }
}
