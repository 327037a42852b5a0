//! What is left when an actor of the room fails in the middle of what it does.

use actix::{Handler, MailboxError, Message, ResponseFuture};
use lttngd_peer::{ConsumerAct, ConsumerScript, Gate, eventually};
use lttngd_runtime::{
    fail_point::{fail_here, has_failed},
    tell,
};
use lttngd_wire::consumer::MetadataRequest;

use super::{
    samples::{Listener, sample},
    world::{KEY, SESSION, World},
};
use crate::{
    Consumer, ConsumerError, EnsureRunning, FlushChannel, Running,
    exchange::Exchange,
    link::Link,
    reader::{Reader, Socket},
    reports::Owner,
    sockets::Late,
};

/// An exchange that panics when it has waited.
struct FaultyExchange;

impl Exchange for FaultyExchange {
    type Reply = ();

    async fn make(self, _: &Link, _: &Owner) -> Result<(), ConsumerError> {
        tokio::task::yield_now().await;
        panic!("asked to");
    }
}

#[derive(Debug, Message)]
#[rtype(result = "()")]
struct Panic;

impl<S: Socket> Handler<Panic> for Reader<S> {
    type Result = ();

    fn handle(&mut self, _: Panic, _: &mut Self::Context) {
        panic!("asked to");
    }
}

impl Handler<Panic> for Consumer {
    type Result = ();

    fn handle(&mut self, _: Panic, _: &mut Self::Context) {
        panic!("asked to");
    }
}

/// Which socket's actor is to fail.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "Result<(), ConsumerError>")]
enum Fail {
    Command,
    Error,
    Metadata,
    Monitor,
}

impl Handler<Fail> for Consumer {
    type Result = ResponseFuture<Result<(), ConsumerError>>;

    fn handle(&mut self, fail: Fail, _: &mut Self::Context) -> Self::Result {
        let running = self.life.running().unwrap();
        match fail {
            Fail::Command => {
                return self.perform(SESSION, Late::Refused, |_| Ok(FaultyExchange));
            }
            Fail::Error => tell(&running.error, Panic),
            Fail::Metadata => tell(&running.metadata, Panic),
            Fail::Monitor => tell(&running.monitor, Panic),
        }
        Box::pin(std::future::ready(Ok(())))
    }
}

#[actix::test]
async fn a_socket_whose_actor_fails_is_broken_and_the_next_start_is_good() {
    for fail in [Fail::Command, Fail::Error, Fail::Metadata] {
        let world = World::running(ConsumerScript::default()).await;
        let failed = world.consumer.send(fail);
        let behind = world.consumer.send(FlushChannel { session: SESSION, key: KEY });
        let (failed, behind) = tokio::join!(failed, behind);
        if matches!(fail, Fail::Command) {
            assert!(matches!(failed.unwrap(), Err(ConsumerError::Lost)));
            assert!(matches!(behind.unwrap(), Err(ConsumerError::Lost)), "what waits is answered");
        }
        world.exited(1).await;
        assert_eq!(world.consumer.send(Running).await.unwrap(), None, "{fail:?}");
        world.ensure_running().await.unwrap();
        world.flush().await.unwrap();
        world.end().await;
    }
}

#[actix::test]
async fn another_reads_the_monitor_pipe_when_its_actor_fails() {
    let world = World::running(ConsumerScript::default()).await;
    let listener = Listener::default();
    listener.listen(&world).await;
    world.consumer.send(Fail::Monitor).await.unwrap().unwrap();
    world.flush().await.unwrap();
    world.fake.write_monitor_pipe(&sample(KEY, 10));
    eventually("the next sample is told", || listener.told() == [(10, 10)]).await;
    // In the middle of a sample, of which the rest comes to the next one who reads.
    let (first, second) = (sample(KEY, 15), sample(KEY, 22));
    let (begun, rest) = second.split_at(5);
    fail_here("MonitorPipe samples");
    world.fake.write_monitor_pipe(&[&first, begun].concat());
    eventually("it fails", has_failed).await;
    world.fake.write_monitor_pipe(rest);
    eventually("the sample is told whole", || listener.told().last() == Some(&(22, 12))).await;
    world.flush().await.unwrap();
    assert_eq!(world.exits(), 0);
    world.end().await;
}

#[actix::test]
async fn a_metadata_socket_that_fails_at_a_request_is_broken_and_the_next_start_is_good() {
    let world = World::running(ConsumerScript::default()).await;
    fail_here("MetadataSocket request");
    let asker = world.fake.asker();
    let request = MetadataRequest {
        session_id: SESSION,
        session_id_per_pid: 0,
        bits_per_long: 64,
        uid: 0,
        key: KEY,
    };
    let asked = tokio::task::spawn_blocking(move || asker(request, 0)).await.unwrap();
    assert_eq!(asked, None, "its socket is closed");
    assert!(has_failed());
    world.exited(1).await;
    world.ensure_running().await.unwrap();
    world.flush().await.unwrap();
    world.end().await;
}

#[actix::test]
async fn an_error_socket_that_fails_at_what_is_said_there_is_broken() {
    let mut falters = true;
    let script = ConsumerScript::new(move |message| match message.number() {
        13 if std::mem::take(&mut falters) => ConsumerAct::Falter,
        _ => ConsumerAct::Answer,
    });
    let world = World::running(script).await;
    fail_here("ErrorSocket word");
    // It may still answer this one.
    drop(world.flush().await);
    world.exited(1).await;
    assert!(has_failed());
    let reason = world.told.exits.lock().unwrap()[0].clone();
    assert!(reason.contains("the actor of its error socket failed"), "{reason}");
    world.ensure_running().await.unwrap();
    world.flush().await.unwrap();
    world.end().await;
}

#[actix::test]
async fn a_consumer_actor_that_fails_takes_its_process_along_and_another_takes_its_place() {
    let gate = Gate::default();
    let mut world = World::running(ConsumerScript::at(13, ConsumerAct::Late(gate.clone()))).await;
    let flush =
        tokio::task::spawn_local(world.consumer.send(FlushChannel { session: SESSION, key: KEY }));
    eventually("the flush is held", || world.fake.count(13) == 1).await;
    let process = world.fake.process().unwrap();
    assert_eq!(world.consumer.send(Panic).await, Err(MailboxError::Closed));
    world.exited(1).await;
    eventually("the process is killed", || rustix::process::test_kill_process(process).is_err())
        .await;
    // The sockets are closed with the process; here a thread has their other ends.
    gate.open();
    drop(flush.await.unwrap());
    assert!(world.consumer.send(Running).await.is_err());
    world.replace();
    world.ensure_running().await.unwrap();
    world.flush().await.unwrap();
    world.end().await;
}

#[actix::test]
async fn a_consumer_actor_that_fails_before_its_process_runs_is_told_and_replaced() {
    let mut world = World::new(ConsumerScript::default());
    fail_here("Consumer start");
    let begun = world.consumer.send(EnsureRunning).await;
    assert!(!matches!(begun, Ok(Ok(()))), "{begun:?}");
    assert!(has_failed());
    world.exited(1).await;
    world.replace();
    world.ensure_running().await.unwrap();
    world.flush().await.unwrap();
    // Also in the middle of what it is asked.
    fail_here("Consumer request");
    let asked = world.consumer.send(FlushChannel { session: SESSION, key: KEY }).await;
    assert_eq!(asked.err(), Some(MailboxError::Closed));
    world.exited(2).await;
    world.replace();
    assert_eq!(world.consumer.send(Running).await, Ok(None));
    world.end().await;
}
