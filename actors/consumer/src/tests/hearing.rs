//! Consumer daemons that do not answer: how long those wait who need them.

use std::time::Duration;

use actix::Actor;
use lttngd_peer::{ConsumerAct, ConsumerScript, FakeConsumer, Gate, eventually, eventually_so};
use lttngd_runtime::{Count, Outlet, Peer};
use lttngd_wire::consumer::MESSAGE_LEN;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixStream,
    sync::oneshot,
    time::Instant,
};

use super::world::{KEY, SESSION, World, config};
use crate::{
    CloseMetadata, Consumer, ConsumerError, DataPending,
    command::CommandSocket,
    hearing::{Hearing, Process},
    link::Link,
    reports::{Owner, Start},
};

const DEADLINE: Duration = Duration::from_secs(60);
const FLUSH: u32 = 13;
const CLOSE_METADATA: u32 = 11;

#[actix::test]
async fn a_silent_consumer_costs_one_deadline_and_does_later_what_ends_something() {
    let gate = Gate::default();
    let held = gate.clone();
    let world = World::running(ConsumerScript::new(move |message| match message.number() {
        FLUSH => ConsumerAct::Late(held.clone()),
        _ => ConsumerAct::Answer,
    }))
    .await;
    // The clock jumps when nothing else is left to do.
    tokio::time::pause();
    let begun = Instant::now();
    let (first, second) = tokio::join!(world.flush(), world.flush());
    for outcome in [first, second] {
        assert!(matches!(outcome, Err(ConsumerError::TimedOut)), "{outcome:?}");
    }
    assert_eq!(begun.elapsed().as_secs(), DEADLINE.as_secs(), "together");
    let pending = || world.consumer.send(DataPending { session: SESSION });
    let outcome = pending().await.unwrap();
    assert!(matches!(outcome, Err(ConsumerError::TimedOut)), "{outcome:?}");
    let close = CloseMetadata { session: SESSION, key: KEY };
    let outcome = world.consumer.send(close).await.unwrap();
    assert!(matches!(outcome, Err(ConsumerError::TimedOut)), "{outcome:?}");
    assert_eq!(begun.elapsed().as_secs(), DEADLINE.as_secs(), "at once");
    tokio::time::resume();
    gate.open();
    eventually("what ends something is done", || world.fake.count(CLOSE_METADATA) == 1).await;
    assert_eq!(world.fake.count(FLUSH), 2, "and so is what makes packets complete");
    eventually_so("it is waited for again", async || pending().await.unwrap().is_ok()).await;
    world.end().await;
}

/// Two sessions with sockets of their own, and the one that all share, at whose other end a consumer daemon
/// is played.
struct Sessions {
    first: Hearing,
    second: Hearing,
    shared: UnixStream,
    permits: Count,
}

impl Sessions {
    fn new() -> Self {
        let fake = FakeConsumer::new(ConsumerScript::default());
        let consumer = Consumer::new(config(&fake), Outlet::closed()).start();
        let span = tracing::Span::none();
        let owner = Owner { consumer, start: Start(1), pid: None, span: span.clone() };
        let (ours, shared) = UnixStream::pair().unwrap();
        let link = Link::new(Peer::accepted(ours.into_std().unwrap().into()).unwrap());
        let process = Process::new(
            DEADLINE,
            Outlet::to(CommandSocket::shared(link, owner).recipient()),
            &span,
        );
        let hearing = |_| Hearing::of_session(DEADLINE, SESSION, &process, &span);
        let [first, second] = [1, 2].map(hearing);
        Self { first, second, shared, permits: Count::default() }
    }

    /// Waits for what nobody answers to the first one: how long, and who does not answer.
    async fn wait_in_vain(&self) -> (Duration, oneshot::Sender<Result<(), ConsumerError>>) {
        let (nobody, replied) = oneshot::channel::<Result<(), ConsumerError>>();
        let begun = Instant::now();
        let outcome = self.first.asked(replied, self.permits.one_more()).answer().await;
        assert!(matches!(outcome, Err(ConsumerError::TimedOut)), "{outcome:?}");
        (begun.elapsed(), nobody)
    }
}

async fn question(shared: &mut UnixStream) {
    shared.read_exact(&mut [0; MESSAGE_LEN]).await.unwrap();
}

#[actix::test]
async fn a_process_that_does_not_run_is_silent_about_all_of_its_sessions() {
    let mut sessions = Sessions::new();
    tokio::time::pause();
    let (waited, nobody) = sessions.wait_in_vain().await;
    assert_eq!(waited.as_secs(), DEADLINE.as_secs());
    // It was asked a moment after the other one began to wait.
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(sessions.first.is_silent() && sessions.second.is_silent());
    tokio::time::resume();
    question(&mut sessions.shared).await;
    sessions.shared.write_all(&[0; 4]).await.unwrap();
    eventually("the other one is waited for again", || !sessions.second.is_silent()).await;
    assert!(sessions.first.is_silent(), "the answer that it owes has not come");
    drop(nobody.send(Ok(())));
    eventually("it has come", || !sessions.first.is_silent()).await;
}

#[actix::test]
async fn a_process_that_runs_is_silent_about_one_session_alone() {
    let mut sessions = Sessions::new();
    let Sessions { first, permits, .. } = &sessions;
    let (first, permits) = (first.clone(), permits.clone());
    tokio::time::pause();
    let (_nobody, replied) = oneshot::channel::<Result<(), ConsumerError>>();
    let asked = first.asked(replied, permits.one_more());
    let waiting = tokio::task::spawn_local(asked.answer());
    let mut questions = 0;
    let outcome = loop {
        tokio::select! {
            () = question(&mut sessions.shared) => {
                questions += 1;
                sessions.shared.write_all(&[0; 4]).await.unwrap();
            }
            () = tokio::time::sleep(DEADLINE * 2) => break waiting.await.unwrap(),
        }
    };
    assert!(matches!(outcome, Err(ConsumerError::TimedOut)), "{outcome:?}");
    assert!(questions > 5, "{questions}");
    assert!(first.is_silent() && !sessions.second.is_silent());
}
