//! The actor of one subscriber at its socket: what is told waits here, and nobody waits for the subscriber.

use std::{os::fd::AsFd, rc::Rc, time::Duration};

use actix::{
    Actor, ActorContext, ActorFutureExt, Addr, AsyncContext, Context, Handler, Message,
    ResponseFuture, WrapFuture,
};
use lttngd_model::Credentials;
use lttngd_runtime::{
    DESCRIPTORS_MAX, Outlet, Peer, PeerError, complaint, fail_point, read_growing,
};
use lttngd_users::{Lease, Ledger};
use lttngd_wire::{
    DecodeError,
    client::{Dialect, decode_condition},
    notification::{
        HEADER_LEN, Header, MessageKind, Status, VERSION, decode_handshake, encode_handshake,
        encode_status,
    },
};
use thiserror::Error;
use tokio::sync::oneshot;

use crate::{
    Triggers,
    actor::{Join, Leave, Subscribe, Unsubscribe},
    book::condition_key,
    outgoing::{Encoded, Outgoing},
    subscriptions::SubscriberId,
};

/// Longest time from a connection to its handshake.
pub const HANDSHAKE_DEADLINE: Duration = Duration::from_secs(60);

/// A notification for the subscriber, or word that one was dropped.
#[derive(Clone, Debug, Message)]
#[rtype(result = "()")]
pub(crate) enum Deliver {
    /// The whole message.
    Notification(Encoded),
    /// There is one that cannot be delivered.
    Dropped,
}

/// The answer to a request of the subscriber. Over when it was written.
#[derive(Debug, Message)]
#[rtype(result = "()")]
struct Answer(Vec<u8>);

/// Why a subscriber is gone.
#[derive(Debug, Error)]
enum Ended {
    #[error("it did not shake hands within {} s", HANDSHAKE_DEADLINE.as_secs())]
    Silent,
    #[error("it shook hands twice")]
    Twice,
    #[error("it did not begin with a handshake")]
    NoHandshake,
    #[error("there are too many subscribers")]
    TooMany,
    #[error("more than {DESCRIPTORS_MAX} descriptors were announced")]
    Descriptors,
    #[error("its message: {0}")]
    Malformed(#[from] DecodeError),
    #[error(transparent)]
    Peer(#[from] PeerError),
    #[error("the daemon ends")]
    NoDaemon,
}

pub(crate) struct Subscriber {
    peer: Rc<Peer>,
    who: Credentials,
    is_own: bool,
    triggers: Addr<Triggers>,
    outgoing: Outgoing,
    is_writing: bool,
    _share: Lease,
}

impl Subscriber {
    /// Serves the subscriber at the other end. `is_own` is whether that is this very process; what waits for it is of
    /// its user's share of `waiting`.
    pub(crate) fn new(
        (peer, share): (Peer, Lease),
        who: Credentials,
        is_own: bool,
        triggers: Addr<Triggers>,
        waiting: Ledger,
    ) -> Self {
        let outgoing = Outgoing::of(waiting, who.uid);
        let peer = Rc::new(peer);
        Self { peer, who, is_own, triggers, outgoing, is_writing: false, _share: share }
    }

    /// Writes what waits, unless something is being written.
    fn write(&mut self, context: &mut Context<Self>) {
        if self.is_writing {
            return;
        }
        let Some(batch) = self.outgoing.take() else { return };
        self.is_writing = true;
        let peer = Rc::clone(&self.peer);
        let written = async move {
            peer.write_all(&batch.bytes).await?;
            if let Some(binary) = &batch.binary {
                peer.write_descriptors(&[binary.as_fd()]).await?;
            }
            drop(batch);
            Ok::<_, PeerError>(())
        };
        let written = written.into_actor(self);
        context.spawn(written.map(|written, subscriber: &mut Self, context| {
            subscriber.is_writing = false;
            match written {
                Ok(()) => subscriber.write(context),
                Err(error) => {
                    tracing::debug!(%error, "a subscriber to notifications is gone");
                    context.stop();
                }
            }
        }));
    }
}

impl Actor for Subscriber {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        let connection = Connection {
            peer: Rc::clone(&self.peer),
            who: self.who,
            is_own: self.is_own,
            triggers: self.triggers.clone(),
            me: context.address(),
        };
        let heard = connection.serve().into_actor(self);
        context.spawn(heard.map(|ended, subscriber: &mut Self, context| {
            match ended {
                Ended::Peer(PeerError::Closed) => {}
                error => {
                    let uid = subscriber.who.uid;
                    if let Some(left_out) = complaint("subscriber", uid) {
                        tracing::warn!(uid, %error, left_out, "a subscriber to notifications is sent away");
                    }
                }
            }
            context.stop();
        }));
    }
}

impl Handler<Deliver> for Subscriber {
    type Result = ();

    fn handle(&mut self, deliver: Deliver, context: &mut Self::Context) {
        fail_point::reached("Subscriber notification");
        match deliver {
            Deliver::Notification(message) => self.outgoing.notify(message),
            Deliver::Dropped => self.outgoing.drop_one(),
        }
        self.write(context);
    }
}

impl Handler<Answer> for Subscriber {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, Answer(bytes): Answer, context: &mut Self::Context) -> Self::Result {
        let (written, is_written) = oneshot::channel();
        self.outgoing.answer(bytes.into(), written);
        self.write(context);
        Box::pin(async move {
            // It is dropped when it was written, or with the subscriber.
            let _ = is_written.await;
        })
    }
}

/// The reading half.
struct Connection {
    peer: Rc<Peer>,
    who: Credentials,
    is_own: bool,
    triggers: Addr<Triggers>,
    me: Addr<Subscriber>,
}

/// Takes the subscriptions with the connection.
struct Joined {
    id: SubscriberId,
    left: Outlet<Leave>,
}

impl Drop for Joined {
    fn drop(&mut self) {
        self.left.tell(Leave(self.id));
    }
}

impl Connection {
    async fn serve(self) -> Ended {
        match self.converse().await {
            Ok(never) => match never {},
            Err(ended) => ended,
        }
    }

    async fn converse(&self) -> Result<std::convert::Infallible, Ended> {
        let first = tokio::time::timeout(HANDSHAKE_DEADLINE, self.hear()).await;
        let (kind, payload) = first.map_err(|_| Ended::Silent)??;
        if kind != MessageKind::Handshake {
            return Err(Ended::NoHandshake);
        }
        let status = match decode_handshake(&payload)? == VERSION.0 {
            true => Status::Ok,
            false => Status::UnsupportedVersion,
        };
        let sink = Outlet::to(self.me.clone().recipient());
        let join = Join { who: self.who, is_own: self.is_own, sink };
        let id = self.triggers.send(join).await.map_err(|_| Ended::NoDaemon)?;
        let id = id.ok_or(Ended::TooMany)?;
        let _joined = Joined { id, left: Outlet::to(self.triggers.clone().recipient()) };
        self.answer([encode_handshake(), encode_status(status)].concat()).await?;
        loop {
            let (kind, payload) = self.hear().await?;
            fail_point::reached("Subscriber request");
            let status = match kind {
                MessageKind::Subscribe => {
                    let condition = decode_condition(&payload, Dialect::V2_13)?;
                    self.triggers.send(Subscribe { id, condition }).await
                }
                MessageKind::Unsubscribe => {
                    let key = condition_key(&decode_condition(&payload, Dialect::V2_13)?);
                    self.triggers.send(Unsubscribe { id, key }).await
                }
                _ => return Err(Ended::Twice),
            };
            self.answer(encode_status(status.map_err(|_| Ended::NoDaemon)?.0)).await?;
        }
    }

    /// Over when the answer was written: the next request is not read before.
    async fn answer(&self, bytes: Vec<u8>) -> Result<(), Ended> {
        self.me.send(Answer(bytes)).await.map_err(|_| Ended::NoDaemon)
    }

    /// Reads a message. Descriptors that belong to a condition are of no use here.
    async fn hear(&self) -> Result<(MessageKind, Vec<u8>), Ended> {
        let mut head = [0; HEADER_LEN];
        self.peer.read_exact(&mut head).await?;
        let header = Header::of_client(&head)?;
        let fill = async |bytes: &mut [u8]| self.peer.read_exact(bytes).await;
        let payload = read_growing(header.len, fill).await?;
        match usize::try_from(header.fd_count) {
            Ok(0) => {}
            Ok(count) if count <= DESCRIPTORS_MAX => {
                match self.peer.read_descriptors(count).await {
                    Ok(_) | Err(PeerError::NoneLeft { .. }) => {}
                    Err(error) => return Err(error.into()),
                }
            }
            _ => return Err(Ended::Descriptors),
        }
        Ok((header.kind, payload))
    }
}
