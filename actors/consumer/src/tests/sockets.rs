//! The actors of connections to the command socket.

use std::{path::PathBuf, time::Duration};

use actix::{Actor, Addr};
use lttngd_model::{ChannelKey, SessionId};
use lttngd_peer::{FakeConsumer, eventually};
use lttngd_runtime::{Descriptors, Outlet, Peer, Purpose, Shares, tell};
use lttngd_wire::consumer::{MESSAGE_LEN, Message};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{UnixListener, UnixStream},
    sync::oneshot,
};

use super::world::{SESSION, config};
use crate::{
    Consumer, ConsumerError, FlushChannel,
    command::{CommandSocket, NewConnection, Perform},
    hearing::Hearing,
    link::{Link, LinkEnd},
    reader::Leave,
    reports::{Owner, Start},
};

type Outcome = oneshot::Receiver<Result<(), ConsumerError>>;

/// The actors of a connection that all share and of one session's, at the other end a consumer daemon that
/// is played here.
struct Connections {
    shared: Addr<CommandSocket>,
    shared_end: LinkEnd,
    /// The other end of the shared one.
    sharing: UnixStream,
    directory: TempDir,
    descriptors: Descriptors,
    owner: Owner,
}

impl Connections {
    fn new() -> Self {
        let fake = FakeConsumer::new(lttngd_peer::ConsumerScript::default());
        let consumer = Consumer::new(config(&fake), Outlet::closed()).start();
        let owner = Owner { consumer, start: Start(1), pid: None, span: tracing::Span::none() };
        let (ours, sharing) = UnixStream::pair().unwrap();
        let link = Link::new(Peer::new(ours.into_std().unwrap().into()).unwrap());
        let shared_end = link.end().unwrap();
        Self {
            shared: CommandSocket::shared(link, owner.clone()),
            shared_end,
            sharing,
            directory: tempfile::tempdir().unwrap(),
            descriptors: Descriptors::new(Shares::new(100, 0)),
            owner,
        }
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("command")
    }

    fn listen(&self) -> UnixListener {
        UnixListener::bind(self.path()).unwrap()
    }

    fn own(&self) -> Addr<CommandSocket> {
        let new = NewConnection {
            session: SESSION,
            socket: self.path(),
            shared: self.shared.clone(),
            descriptors: self.descriptors.clone(),
            hearing: Hearing::of_shared(Duration::from_secs(60), &self.owner.span),
        };
        CommandSocket::own(new, self.owner.clone())
    }

    /// How many descriptors there is room for.
    fn room(&self) -> usize {
        let fits = |count: &usize| self.descriptors.take(Purpose::Clients, *count).is_ok();
        (0..100).rev().find(fits).unwrap()
    }
}

/// Has a flush of this channel made.
fn flush(socket: &Addr<CommandSocket>, key: u64) -> Outcome {
    let (reply, outcome) = oneshot::channel();
    let exchange = FlushChannel { session: SessionId(1), key: ChannelKey(key) };
    tell(socket, Perform { exchange, reply });
    outcome
}

async fn greeted(listener: &UnixListener) -> UnixStream {
    let (mut socket, _) = listener.accept().await.unwrap();
    answer(&mut socket).await;
    socket
}

async fn answer(socket: &mut UnixStream) {
    socket.write_all(&[0; 4]).await.unwrap();
}

/// The channel that is to be flushed next.
async fn asked(socket: &mut UnixStream) -> u64 {
    let mut bytes = [0; MESSAGE_LEN];
    socket.read_exact(&mut bytes).await.unwrap();
    match Message::decode(&bytes).unwrap() {
        Message::FlushChannel { key } => key.0,
        other => panic!("{other:?}"),
    }
}

async fn is_closed(socket: &mut UnixStream) -> bool {
    matches!(socket.read(&mut [0]).await, Ok(0) | Err(_))
}

fn is_lost(outcome: Result<Result<(), ConsumerError>, oneshot::error::RecvError>) -> bool {
    matches!(outcome, Ok(Err(ConsumerError::Lost)))
}

#[actix::test]
async fn a_session_has_its_exchanges_made_one_after_the_other_on_its_own_connection() {
    let connections = Connections::new();
    let listener = connections.listen();
    let before = connections.room();
    let own = connections.own();
    let outcomes = [flush(&own, 1), flush(&own, 2), flush(&own, 3)];
    let mut socket = greeted(&listener).await;
    for key in 1..=3 {
        assert_eq!(asked(&mut socket).await, key);
        let early = tokio::task::yield_now().await;
        assert!(
            socket.try_read(&mut [0]).is_err(),
            "nothing more before this is answered {early:?}"
        );
        answer(&mut socket).await;
    }
    for outcome in outcomes {
        outcome.await.unwrap().unwrap();
    }
    assert_eq!(connections.room(), before - 3, "it is counted");
    tell(&own, Leave);
    assert!(is_closed(&mut socket).await);
    eventually("it is not counted any more", || connections.room() == before).await;
}

#[actix::test]
async fn what_was_asked_before_a_session_ended_comes_to_its_end() {
    let connections = Connections::new();
    let listener = connections.listen();
    let own = connections.own();
    let (first, second) = (flush(&own, 1), flush(&own, 2));
    let mut socket = greeted(&listener).await;
    assert_eq!(asked(&mut socket).await, 1);
    tell(&own, Leave);
    drop(own);
    answer(&mut socket).await;
    assert_eq!(asked(&mut socket).await, 2);
    answer(&mut socket).await;
    first.await.unwrap().unwrap();
    second.await.unwrap().unwrap();
    assert!(is_closed(&mut socket).await);
}

#[actix::test]
async fn an_end_from_outside_waits_for_no_answer() {
    let mut connections = Connections::new();
    let (first, second) = (flush(&connections.shared, 1), flush(&connections.shared, 2));
    assert_eq!(asked(&mut connections.sharing).await, 1);
    connections.shared_end.shut_down();
    assert!(is_lost(first.await) && is_lost(second.await));
    assert!(is_lost(flush(&connections.shared, 3).await), "nor is anything asked there again");
    assert!(is_closed(&mut connections.sharing).await);
}

#[actix::test]
async fn a_session_shares_where_it_has_to() {
    // Nothing is there; somebody closes it; somebody greets with something else.
    for replies in [None, Some(&[][..]), Some(&[7, 0, 0, 0][..])] {
        let mut connections = Connections::new();
        let listener = replies.map(|_| connections.listen());
        let own = connections.own();
        let outcomes = [flush(&own, 1), flush(&own, 2)];
        if let (Some(listener), Some(reply)) = (listener, replies) {
            let (mut socket, _) = listener.accept().await.unwrap();
            socket.write_all(reply).await.unwrap();
        }
        for key in 1..=2 {
            assert_eq!(asked(&mut connections.sharing).await, key);
            answer(&mut connections.sharing).await;
        }
        for outcome in outcomes {
            outcome.await.unwrap().unwrap();
        }
    }
}

#[actix::test]
async fn a_connection_that_is_not_greeted_is_none() {
    tokio::time::pause();
    let mut connections = Connections::new();
    // Nobody accepts it.
    let _listener = connections.listen();
    let own = connections.own();
    let outcome = flush(&own, 1);
    assert_eq!(asked(&mut connections.sharing).await, 1);
    answer(&mut connections.sharing).await;
    outcome.await.unwrap().unwrap();
}
