//! The actor of one connection to the command socket. Its mailbox is the order of the exchanges: it takes
//! the next message when the exchange before is at its end.
//!
//! ```text
//!   Connecting ----------> Connected ------> Broken
//!       |       greeted               failed
//!       +----------------> Shares
//!         cannot be made
//! ```
//!
//! Nobody whom the consumer daemon needs for an answer is behind this mailbox: its requests for metadata
//! come on a socket of their own. Who ends it from outside has the connection's descriptor.

use std::{
    io,
    path::{Path, PathBuf},
    rc::Rc,
    time::Duration,
};

use actix::{
    Actor, ActorContext, ActorFutureExt, Addr, AsyncContext, Context, Handler, Message, WrapFuture,
    fut::ActorFuture,
};
use lttngd_model::{ChannelKey, SessionId};
use lttngd_runtime::{Descriptors, FailureNotice, answer, fail_point::in_the_middle, tell};
use lttngd_wire::consumer::STATUS_LEN;
use tokio::sync::oneshot;

use crate::{
    ConsumerError, FlushChannel,
    exchange::Exchange,
    hearing::{Hearing, SaySomething},
    link::{Link, LinkEnd},
    process::connect_own,
    reader::Leave,
    reports::{Connected, Owner},
};

/// How long the consumer daemon may take to greet a connection.
const GREETING_DEADLINE: Duration = Duration::from_secs(5);

/// Descriptors that a session needs: its connection and what ends it, and its trace chunk's directory.
const DESCRIPTORS_EACH: usize = 3;

/// The channel that nobody has: to flush it is refused by the control thread of our consumer daemon alone.
const NOBODYS: FlushChannel = FlushChannel { session: SessionId(0), key: ChannelKey(u64::MAX) };

/// What its actor is called.
const NAME: &str = "its command socket";

/// The actor of a connection.
pub(crate) struct CommandSocket {
    connection: Connection,
    owner: Owner,
    failure: FailureNotice,
}

enum Connection {
    /// Of a session, not made yet.
    Connecting(NewConnection),
    Connected(Rc<Link>),
    /// It could not be made. The one that all share makes its exchanges.
    Shares(Addr<CommandSocket>),
    /// Nobody can tell any more where in the stream it is.
    Broken,
}

/// A connection of one session that is to be made.
#[derive(Clone)]
pub(crate) struct NewConnection {
    pub(crate) session: SessionId,
    /// Where.
    pub(crate) socket: PathBuf,
    /// The one that all share.
    pub(crate) shared: Addr<CommandSocket>,
    /// What it is counted in.
    pub(crate) descriptors: Descriptors,
    /// What hears of all that comes there.
    pub(crate) hearing: Hearing,
}

/// Makes an exchange, when those before it have been made.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Perform<E: Exchange> {
    pub(crate) exchange: E,
    pub(crate) reply: oneshot::Sender<Result<E::Reply, ConsumerError>>,
}

impl CommandSocket {
    /// That of the connection that all share.
    pub(crate) fn shared(link: Link, owner: Owner) -> Addr<Self> {
        Self::of(Connection::Connected(Rc::new(link)), owner)
    }

    /// That of a session, which it makes before it does anything else.
    pub(crate) fn own(new: NewConnection, owner: Owner) -> Addr<Self> {
        let span = tracing::error_span!(parent: &owner.span, "session", id = %new.session);
        let owner = Owner { span, ..owner };
        Self::of(Connection::Connecting(new), owner)
    }

    fn of(connection: Connection, owner: Owner) -> Addr<Self> {
        let failure = owner.failure_notice(NAME);
        Self { connection, owner, failure }.start()
    }

    /// The connection is made, or not.
    fn connected(&mut self, new: NewConnection, made: io::Result<(Link, LinkEnd)>) {
        let NewConnection { session, shared, descriptors, hearing, .. } = new;
        self.connection = match made {
            Ok((link, end)) => {
                tell(&self.owner.consumer, Connected { start: self.owner.start, session, end });
                let held = descriptors.control(DESCRIPTORS_EACH);
                Connection::Connected(Rc::new(link.with_place(held).heard_by(hearing)))
            }
            Err(error) => {
                let _within = self.owner.span.enter();
                tracing::warn!(
                    %error,
                    "a session shares its connection to the consumer daemon with others");
                Connection::Shares(shared)
            }
        };
    }

    /// What breaks the connection ends the consumer: nobody can tell any more where in the stream it is.
    fn settle<T>(&mut self, outcome: &Result<T, ConsumerError>) {
        match outcome {
            Err(ConsumerError::Lost) => {}
            Err(error @ ConsumerError::Protocol(_)) => {
                self.owner.span.in_scope(|| tracing::error!(%error));
            }
            _ => return,
        }
        self.connection = Connection::Broken;
        self.owner.socket_ended(format!("{NAME} failed"));
    }
}

/// Does `work` before the next message is taken.
#[expect(clippy::disallowed_methods, reason = "the mailbox is the order of the exchanges")]
fn stand_still(
    context: &mut Context<CommandSocket>,
    work: impl ActorFuture<CommandSocket, Output = ()> + 'static,
) {
    context.wait(work);
}

impl Actor for CommandSocket {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        let Connection::Connecting(new) = &self.connection else { return };
        let new = new.clone();
        let connecting = async move {
            let made = connect(&new.socket).await;
            (new, made)
        };
        let connecting = connecting
            .into_actor(self)
            .map(|(new, made), socket: &mut Self, _| socket.connected(new, made));
        stand_still(context, connecting);
    }
}

impl<E: Exchange> Handler<Perform<E>> for CommandSocket {
    type Result = ();

    fn handle(&mut self, perform: Perform<E>, context: &mut Self::Context) {
        let link = match &self.connection {
            Connection::Connected(link) => Rc::clone(link),
            Connection::Shares(shared) => return tell(shared, perform),
            Connection::Connecting(_) | Connection::Broken => {
                return answer(perform.reply, Err(ConsumerError::Lost));
            }
        };
        let Perform { exchange, reply } = perform;
        let owner = self.owner.clone();
        let made = async move {
            let point = || "CommandSocket exchange".to_owned();
            in_the_middle(point, exchange.make(&link, &owner)).await
        };
        let made = made.into_actor(self).map(move |outcome, socket: &mut Self, _| {
            socket.settle(&outcome);
            answer(reply, outcome);
        });
        stand_still(context, made);
    }
}

impl Handler<SaySomething> for CommandSocket {
    type Result = ();

    fn handle(&mut self, SaySomething { reply }: SaySomething, context: &mut Self::Context) {
        self.handle(Perform { exchange: NOBODYS, reply }, context);
    }
}

impl Handler<Leave> for CommandSocket {
    type Result = ();

    fn handle(&mut self, _: Leave, context: &mut Self::Context) {
        self.failure.dismiss();
        context.stop();
    }
}

/// Makes a connection. It is one when it is greeted: a consumer daemon without descriptors closes it.
async fn connect(socket: &Path) -> io::Result<(Link, LinkEnd)> {
    let peer = connect_own(socket).await?;
    let mut status = [0; STATUS_LEN];
    match tokio::time::timeout(GREETING_DEADLINE, peer.read_exact(&mut status)).await {
        Ok(Ok(())) if status == [0; STATUS_LEN] => {
            let link = Link::new(peer);
            let end = link.end()?;
            Ok((link, end))
        }
        Ok(Ok(())) => Err(io::ErrorKind::InvalidData.into()),
        Ok(Err(error)) => Err(io::Error::other(error)),
        Err(_) => Err(io::ErrorKind::TimedOut.into()),
    }
}
