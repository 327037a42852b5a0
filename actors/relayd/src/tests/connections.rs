//! The actors of connections, between relay daemons and consumer daemons that are slow, silent or gone.

use std::{
    io::Read,
    net::TcpStream,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use actix::{Actor, Addr, AsyncContext, Context, Handler, Message, ResponseActFuture, WrapFuture};
use lttngd_consumer::{Consumer, EnsureRunning};
use lttngd_model::{Bitness, ConsumerKind, NetIndex, SessionId};
use lttngd_peer::{
    ConsumerAct, ConsumerScript, FakeConsumer, FakeRelayd, Gate, Logged, PATIENCE,
    answer_as_relayd, eventually, eventually_so,
};
use lttngd_runtime::Outlet;
use lttngd_wire::consumer::{ConsumerError as Code, Message as Command};
use tokio::task::JoinHandle;

use super::{config, relay, session, v4};
use crate::{
    Announcement, Connect, ConnectError, ConnectionFailed, ConnectionLost, GiveUp, HandedOver,
    Held, Open, Opened, RelayConnection, RelaydError, RelaydTarget, Relayds,
};

const ADD_RELAYD_SOCKET: u32 = 4;
const DESTROY_RELAYD: u32 = 5;

/// The owner of connections, consumer daemons, and what whoever holds a connection is told.
struct World {
    relayds: Addr<Relayds>,
    fakes: Vec<FakeConsumer>,
    consumers: Vec<(ConsumerKind, Addr<Consumer>)>,
    failures: Failures,
}

#[derive(Clone, Default)]
struct Failures(Arc<Mutex<Vec<ConnectionFailed>>>);

impl Actor for Failures {
    type Context = Context<Self>;
}

impl Handler<ConnectionFailed> for Failures {
    type Result = ();

    fn handle(&mut self, failed: ConnectionFailed, _: &mut Self::Context) {
        self.0.lock().unwrap().push(failed);
    }
}

impl World {
    async fn new(scripts: impl IntoIterator<Item = ConsumerScript>) -> Self {
        let fakes: Vec<_> = scripts.into_iter().map(FakeConsumer::new).collect();
        let mut consumers = Vec::new();
        for fake in &fakes {
            let consumer = Consumer::new(fake.config(), Outlet::closed()).start();
            consumer.send(EnsureRunning).await.unwrap().unwrap();
            consumers.push((ConsumerKind::Ust(Bitness::Bits64), consumer));
        }
        let relayds = Relayds::new(config(PATIENCE)).start();
        Self { relayds, fakes, consumers, failures: Failures::default() }
    }

    /// One that waits for relay daemons no longer than this.
    async fn with_deadline(deadline: Duration) -> Self {
        let relayds = Relayds::new(config(deadline)).start();
        Self { relayds, ..Self::usual().await }
    }

    async fn usual() -> Self {
        Self::new([ConsumerScript::default()]).await
    }

    async fn open(&self, target: RelaydTarget, session: Announcement) -> Opened {
        let open = Open {
            target,
            session,
            consumers: self.consumers.clone(),
            consumer_deadline: PATIENCE,
            failed: Outlet::to(self.failures.clone().start().recipient()),
        };
        self.relayds.send(open).await.unwrap()
    }

    /// What a consumer daemon was told of relay daemons.
    fn told(&self, fake: usize) -> Vec<(u32, NetIndex)> {
        let told = self.fakes[fake].messages().into_iter().filter_map(|message| {
            let number = message.number();
            match message {
                Command::AddRelaydSocket(socket) => Some((number, socket.net_index)),
                Command::DestroyRelayd { net_index } => Some((number, net_index)),
                _ => None,
            }
        });
        told.collect()
    }

    async fn end(self) {
        for (_, consumer) in &self.consumers {
            consumer.send(lttngd_consumer::Stop).await.unwrap();
        }
        for fake in &self.fakes {
            assert_eq!(fake.faults(), [""; 0]);
        }
    }
}

/// Asks without waiting for the reply.
fn begin<M>(connection: &Addr<RelayConnection>, message: M) -> JoinHandle<M::Result>
where
    M: Message + Send + 'static,
    M::Result: Send,
    RelayConnection: Handler<M>,
{
    let asked = connection.send(message);
    tokio::task::spawn_local(async move { asked.await.unwrap() })
}

fn target(relayd: &FakeRelayd) -> RelaydTarget {
    let url = relayd.url();
    let ports = url.rsplit(':').take(2).map(|port| port.parse().unwrap());
    let [data, control] = ports.collect::<Vec<u16>>()[..] else { panic!("{url}") };
    RelaydTarget { control: ([127, 0, 0, 1], control).into(), data: ([127, 0, 0, 1], data).into() }
}

fn other_session() -> Announcement {
    Announcement { id: SessionId(8), name: "t".to_owned(), ..session() }
}

#[actix::test]
async fn a_silent_relay_daemon_costs_only_the_session_that_streams_to_it() {
    let world = World::usual().await;
    let gate = Gate::default();
    let (silent, other) = (FakeRelayd::behind(gate.clone()), FakeRelayd::new());
    let slow = world.open(target(&silent), session()).await;
    let waiting = begin(&slow.connection, Connect);
    let quick = world.open(target(&other), other_session()).await;
    let handed_over = quick.connection.send(Connect).await.unwrap().unwrap();
    assert_eq!((slow.net_index, handed_over.net_index), (NetIndex(2), NetIndex(3)));
    assert!(handed_over.can_be_cleared() && handed_over.has_trace_chunks());
    assert!(!waiting.is_finished());
    gate.open();
    assert_eq!(waiting.await.unwrap().unwrap().net_index, NetIndex(2));
    world.end().await;
}

#[actix::test]
async fn all_commands_of_a_session_have_one_connection() {
    let world = World::usual().await;
    let relayd = FakeRelayd::new();
    let first = world.open(target(&relayd), session()).await;
    let second = world.open(target(&relayd), session()).await;
    assert_eq!((first.net_index, second.net_index), (NetIndex(2), NetIndex(2)));
    let (first, second) = (begin(&first.connection, Connect), begin(&second.connection, Connect));
    assert_eq!(first.await.unwrap().unwrap(), second.await.unwrap().unwrap());
    assert_eq!(world.told(0), [(ADD_RELAYD_SOCKET, NetIndex(2)), (ADD_RELAYD_SOCKET, NetIndex(2))]);
    assert_eq!(relayd.sessions().len(), 1);
    // Snapshots have theirs.
    let snapshot = Announcement { snapshot: true, ..session() };
    let snapshot = world.open(target(&relayd), snapshot).await;
    assert_eq!(snapshot.net_index, NetIndex(3));
    world.end().await;
}

#[actix::test]
async fn every_consumer_daemon_has_connections_of_its_own() {
    let world = World::new([(); 2].map(|()| ConsumerScript::default())).await;
    let relayd = FakeRelayd::new();
    let opened = world.open(target(&relayd), session()).await;
    opened.connection.send(Connect).await.unwrap().unwrap();
    let ids: Vec<_> = relayd.sessions().into_iter().map(|session| session.session_id.0).collect();
    assert_eq!(ids, [1, 1], "a session for each, announced by one id");
    for fake in 0..2 {
        assert_eq!(
            world.told(fake),
            [(ADD_RELAYD_SOCKET, NetIndex(2)), (ADD_RELAYD_SOCKET, NetIndex(2))]
        );
    }
    opened.connection.send(GiveUp).await.unwrap();
    for fake in 0..2 {
        assert_eq!(world.told(fake).last(), Some(&(DESTROY_RELAYD, NetIndex(2))));
    }
    world.end().await;
}

#[actix::test]
async fn a_failure_is_told_to_the_first_and_the_next_one_tries_anew() {
    let mut refusals = 1;
    let script = ConsumerScript::new(move |message| match message.number() {
        ADD_RELAYD_SOCKET if refusals > 0 => {
            refusals -= 1;
            ConsumerAct::Refuse(Code::RELAYD_FAIL)
        }
        _ => ConsumerAct::Answer,
    });
    let world = World::new([script]).await;
    let relayd = FakeRelayd::new();
    let opened = world.open(target(&relayd), session()).await;
    let (first, second) = (begin(&opened.connection, Connect), begin(&opened.connection, Connect));
    let first = first.await.unwrap().unwrap_err();
    assert!(
        matches!(first, ConnectError::Consumer { kind: ConsumerKind::Ust(Bitness::Bits64), .. }),
        "{first}"
    );
    let second = second.await.unwrap().unwrap_err();
    assert!(matches!(second, ConnectError::GivenUp), "{second}");
    assert_eq!(world.told(0), [(ADD_RELAYD_SOCKET, NetIndex(2)), (DESTROY_RELAYD, NetIndex(2))]);
    let next = world.open(target(&relayd), session()).await;
    assert_eq!(next.net_index, NetIndex(3));
    next.connection.send(Connect).await.unwrap().unwrap();
    world.end().await;
}

/// A relay daemon that answers some commands and then nothing any more, to the end of the connection.
struct Silent {
    target: RelaydTarget,
    _data: std::net::TcpListener,
    /// Counts the connection and what it answered.
    steps: Arc<AtomicUsize>,
    thread: std::thread::JoinHandle<()>,
}

impl Silent {
    fn after(commands: usize) -> Self {
        let steps = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&steps);
        let (target, _data, thread) = relay(v4(), move |mut stream: TcpStream| {
            for _ in 0..commands {
                counted.fetch_add(1, Ordering::Relaxed);
                answer_as_relayd(&mut stream, 13, 1);
            }
            counted.fetch_add(1, Ordering::Relaxed);
            stream.read_to_end(&mut Vec::new()).unwrap();
        });
        Self { target, _data, steps, thread }
    }

    async fn is_silent_after(&self, commands: usize) {
        eventually("the relay daemon is silent", || self.steps.load(Ordering::Relaxed) > commands)
            .await;
    }

    /// It sees the end of the connection.
    fn ends(self) {
        self.thread.join().unwrap();
    }
}

#[actix::test]
async fn whoever_gives_a_connection_up_does_not_wait_for_the_relay_daemon() {
    for commands in 0..3 {
        let world = World::usual().await;
        let relayd = Silent::after(commands);
        let opened = world.open(relayd.target, session()).await;
        let waiting = begin(&opened.connection, Connect);
        relayd.is_silent_after(commands).await;
        opened.connection.send(GiveUp).await.unwrap();
        let outcome = waiting.await.unwrap().unwrap_err();
        assert!(matches!(outcome, ConnectError::GivenUp), "{outcome}");
        assert_eq!(world.told(0), [(DESTROY_RELAYD, NetIndex(2))]);
        relayd.ends();
        eventually("its actor ends", || !opened.connection.connected()).await;
        world.end().await;
    }
}

#[actix::test]
async fn a_relay_daemon_where_nobody_listens_is_told_with_its_reason() {
    let world = World::usual().await;
    let free = std::net::TcpListener::bind(v4()).unwrap().local_addr().unwrap();
    let opened = world.open(RelaydTarget { control: free, data: free }, session()).await;
    let error = opened.connection.send(Connect).await.unwrap().unwrap_err();
    assert!(matches!(error, ConnectError::Relayd(RelaydError::Unreachable { .. })), "{error}");
    assert_eq!(world.told(0), [(DESTROY_RELAYD, NetIndex(2))]);
    world.end().await;
}

#[actix::test]
async fn a_connection_that_nobody_holds_is_given_up() {
    let world = World::usual().await;
    let relayd = FakeRelayd::new();
    let held = Held::new(world.open(target(&relayd), session()).await);
    held.connection().send(Connect).await.unwrap().unwrap();
    let connection = held.connection().downgrade();
    drop(held);
    eventually("its actor ends", || connection.upgrade().is_none()).await;
    assert_eq!(world.told(0).last(), Some(&(DESTROY_RELAYD, NetIndex(2))));
    assert_eq!(world.open(target(&relayd), session()).await.net_index, NetIndex(3));
    world.end().await;
}

#[actix::test]
async fn a_consumer_that_is_gone_is_not_told_to_let_go() {
    let world = World::new([(); 2].map(|()| ConsumerScript::default())).await;
    let relayd = FakeRelayd::new();
    let opened = world.open(target(&relayd), session()).await;
    let connection = &opened.connection;
    connection.send(Connect).await.unwrap().unwrap();
    connection.send(ConnectionLost { consumer: world.consumers[0].1.clone() }).await.unwrap();
    // The other one has it still.
    let HandedOver { net_index, .. } = connection.send(Connect).await.unwrap().unwrap();
    assert_eq!(net_index, NetIndex(2));
    connection.send(ConnectionLost { consumer: world.consumers[1].1.clone() }).await.unwrap();
    assert!(connection.send(GiveUp).await.is_err(), "nobody has it");
    for fake in 0..2 {
        assert_eq!(
            world.told(fake),
            [(ADD_RELAYD_SOCKET, NetIndex(2)), (ADD_RELAYD_SOCKET, NetIndex(2))]
        );
    }
    assert_eq!(world.open(target(&relayd), session()).await.net_index, NetIndex(3));
    world.end().await;
}

/// Panics in the connection's own context.
#[derive(Message)]
#[rtype(result = "()")]
struct Panic;

impl Handler<Panic> for RelayConnection {
    type Result = ResponseActFuture<Self, ()>;

    fn handle(&mut self, _: Panic, context: &mut Self::Context) -> Self::Result {
        // What else it has to do ends with it.
        context.spawn(std::future::pending().into_actor(self));
        let panic = async {
            tokio::task::yield_now().await;
            panic!("asked to");
        };
        Box::pin(panic.into_actor(self))
    }
}

#[actix::test]
async fn a_connection_that_panics_is_a_relay_daemon_that_is_gone() {
    let logged = Logged::start();
    let world = World::usual().await;
    let silent = Silent::after(1);
    let opened = world.open(silent.target, session()).await;
    let waiting = begin(&opened.connection, Connect);
    silent.is_silent_after(1).await;
    let relayd = FakeRelayd::new();
    let other = world.open(target(&relayd), other_session()).await;
    other.connection.send(Connect).await.unwrap().unwrap();
    assert!(opened.connection.send(Panic).await.is_err());
    let outcome = waiting.await.unwrap().unwrap_err();
    assert!(matches!(outcome, ConnectError::Failed), "{outcome}");
    silent.ends();
    let failed = ConnectionFailed { net_index: opened.net_index };
    eventually("the session is told", || *world.failures.0.lock().unwrap() == [failed]).await;
    eventually("the consumer lets go", || world.told(0).contains(&(DESTROY_RELAYD, NetIndex(2))))
        .await;
    let lines = logged.of("lttngd_relayd");
    let lost = lines.iter().find(|line| line.contains("the session has lost the relay daemon"));
    let span = "relayd{session=\"s\" net_index=2}";
    assert!(lost.is_some_and(|line| line.contains(span)), "{lines:#?}");
    // The others go on, and so does the session.
    other.connection.send(Connect).await.unwrap().unwrap();
    let next = world.open(target(&relayd), session()).await;
    assert_eq!(next.net_index, NetIndex(4));
    next.connection.send(Connect).await.unwrap().unwrap();
    world.end().await;
}

#[actix::test]
async fn a_relay_daemon_that_was_silent_is_not_waited_for_until_it_answers() {
    let world = World::with_deadline(Duration::from_millis(300)).await;
    let gate = Gate::default();
    let silent = FakeRelayd::behind(gate.clone());
    let connect = async |session| {
        let opened = world.open(target(&silent), session).await;
        opened.connection.send(Connect).await.unwrap()
    };
    let outcome = connect(session()).await;
    let Err(ConnectError::Relayd(error)) = outcome else { panic!("{outcome:?}") };
    assert!(matches!(error, RelaydError::TimedOut { .. }), "{error}");
    for session in [session(), other_session()] {
        let outcome = connect(session).await;
        let Err(ConnectError::Relayd(error)) = outcome else { panic!("{outcome:?}") };
        assert!(matches!(error, RelaydError::Silent { .. }), "{error}");
    }
    // Others are no concern of it.
    let other = FakeRelayd::new();
    let opened = world.open(target(&other), session()).await;
    opened.connection.send(Connect).await.unwrap().unwrap();
    drop(opened);
    gate.open();
    eventually_so("it is asked again", async || connect(other_session()).await.is_ok()).await;
    world.end().await;
}
