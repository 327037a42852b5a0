//! What waits for what, and what is left when a command fails.

use std::sync::Arc;

use actix::{Actor, Addr, Context, Handler, Message};
use lttngd_model::ChunkId;
use lttngd_peer::{ConsumerAct, ConsumerScript, Gate, eventually, eventually_so};
use lttngd_runtime::Outlet;

use super::world::{World, prepare};
use crate::{BufferSet, BufferSetFailed, BuffersError, Close, Finish, Flush, PushMetadata, Record};

const CLOSE_METADATA: u32 = 11;
const FLUSH: u32 = 13;
const SNAPSHOT: u32 = 14;

fn record() -> Record {
    Record { chunk: ChunkId(0), packets_per_stream: 0, relayd: None, prefix: String::new() }
}

/// A set of which a snapshot is being recorded until the gate opens.
async fn recording(gate: &Gate) -> (World, tokio::task::JoinHandle<Result<(), BuffersError>>) {
    let script = ConsumerScript::at(SNAPSHOT, ConsumerAct::Late(gate.clone()));
    let world = World::new(script).await;
    world.prepare(0..1).await.unwrap();
    let recorded = world.set.send(record());
    let recorded = tokio::task::spawn_local(async move { recorded.await.unwrap() });
    eventually("the snapshot is begun", || world.fake.count(SNAPSHOT) == 1).await;
    (world, recorded)
}

#[actix::test]
async fn an_application_that_comes_does_not_wait_for_a_snapshot() {
    let gate = Gate::default();
    let (world, recorded) = recording(&gate).await;
    assert_eq!(world.prepare(0..1).await.unwrap().channels.len(), 1);
    assert!(!recorded.is_finished());
    gate.open();
    recorded.await.unwrap().unwrap();
    world.end().await;
}

#[actix::test]
async fn buffers_of_an_application_that_is_gone_stay_until_their_snapshot_is_recorded() {
    let gate = Gate::default();
    let (world, recorded) = recording(&gate).await;
    let finished = tokio::task::spawn_local(world.set.send(Finish));
    // They go on meanwhile.
    assert_eq!(world.prepare(0..1).await.unwrap().channels.len(), 1);
    gate.open();
    recorded.await.unwrap().unwrap();
    finished.await.unwrap().unwrap().unwrap();
    let numbers = world.numbers();
    let of_end = numbers.iter().position(|number| *number == FLUSH).unwrap();
    assert_eq!(numbers[..of_end].iter().filter(|number| **number == SNAPSHOT).count(), 2);
    assert_eq!(world.fake.count(SNAPSHOT), 2, "of the channel and of the metadata");
    world.end().await;
}

#[actix::test]
async fn what_is_there_already_is_not_gathered_again() {
    let world = World::new(ConsumerScript::default()).await;
    let first = world.prepare(0..2).await.unwrap();
    assert!(Arc::ptr_eq(&first, &world.prepare(0..2).await.unwrap()));
    let more = world.prepare(0..3).await.unwrap();
    assert_eq!((first.channels.len(), more.channels.len()), (2, 3));
    world.end().await;
}

/// A command that panics when it has waited.
#[derive(Debug, Message)]
#[rtype(result = "Result<(), BuffersError>")]
struct FaultyCommand;

impl Handler<FaultyCommand> for BufferSet {
    type Result = actix::ResponseFuture<Result<(), BuffersError>>;

    fn handle(&mut self, _: FaultyCommand, context: &mut Self::Context) -> Self::Result {
        self.in_turn(context, "faulty", async |_| {
            tokio::task::yield_now().await;
            panic!("asked to");
        })
    }
}

/// Is told of failures.
#[derive(Default)]
struct Failures(Vec<BufferSetFailed>);

/// Those that were told so far.
#[derive(Debug, Message)]
#[rtype(result = "Vec<BufferSetFailed>")]
struct Told;

impl Actor for Failures {
    type Context = Context<Self>;
}

impl Handler<BufferSetFailed> for Failures {
    type Result = ();

    fn handle(&mut self, failed: BufferSetFailed, _: &mut Self::Context) {
        self.0.push(failed);
    }
}

impl Handler<Told> for Failures {
    type Result = Vec<BufferSetFailed>;

    fn handle(&mut self, _: Told, _: &mut Self::Context) -> Self::Result {
        self.0.clone()
    }
}

/// A set and who is told of its failures.
async fn watched() -> (World, Addr<Failures>) {
    let failures = Failures::default().start();
    let failed = Outlet::to(failures.clone().recipient());
    (World::told(ConsumerScript::default(), failed).await, failures)
}

#[actix::test]
async fn a_command_that_fails_ends_the_set_and_its_owner_is_told() {
    let (world, failures) = watched().await;
    world.prepare(0..1).await.unwrap();
    let set = &world.set;
    let (faulty, behind, push) =
        tokio::join!(set.send(FaultyCommand), set.send(Flush), set.send(PushMetadata));
    for outcome in [faulty, behind, push] {
        assert!(matches!(outcome.unwrap(), Err(BuffersError::Closed)), "all are answered");
    }
    assert!(set.send(prepare(0..1)).await.is_err());
    let told = async || failures.send(Told).await.unwrap();
    eventually_so("it is told", async || told().await.len() == 1).await;
    assert_eq!(world.fake.count(CLOSE_METADATA), 0);
    told().await.remove(0).let_go().await.unwrap();
    assert_eq!(world.fake.count(CLOSE_METADATA), 1, "its owner ends what it had");
    world.end().await;
    assert_eq!(told().await.len(), 1);
}

#[actix::test]
async fn a_set_that_is_closed_or_let_go_does_not_fail() {
    for is_closed in [true, false] {
        let (world, failures) = watched().await;
        world.prepare(0..1).await.unwrap();
        if is_closed {
            world.set.send(Close).await.unwrap().unwrap();
        }
        assert_eq!(world.fake.count(CLOSE_METADATA), usize::from(is_closed));
        let World { set, consumer, .. } = world;
        let ended = set.downgrade();
        drop(set);
        // Until then it may ask who has the text.
        consumer.send(lttngd_consumer::Stop).await.unwrap();
        eventually("it has ended", || ended.upgrade().is_none()).await;
        assert!(failures.send(Told).await.unwrap().is_empty());
    }
}
