//! What nobody waits for behind a command whose asker has gone, and what is waited for all the same.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use lttngd_model::{BufferScheme, ErrorCode};
use lttngd_peer::{
    AppAct, AppScript, ConsumerAct, ConsumerScript, FakeApp, FakeRelayd, Gate, PATIENCE,
    eventually, eventually_so,
};
use lttngd_runtime::{Asker, Waits};
use lttngd_wire::consumer::TraceChunkPresence;

use super::{relay_snapshots, streaming::stream_to, world::World};
use crate::{
    Asked, Clear, CommandQueue, DataPending, Destroy, GetQueueReport, Output, Rotate,
    SessionRequest, Start, Stop,
};

const FLUSH: u32 = 13;
const CREATE_CHUNK: u32 = 23;
const SNAPSHOT_CHANNEL: u32 = 14;
const CONSUMER_DATA_PENDING: u32 = 6;
const CHUNK_EXISTS: u32 = 25;
const APP_ENABLE: u32 = 0x80;

/// Whether a peer is silent, and until when.
#[derive(Clone, Default)]
struct Silence {
    began: Arc<AtomicBool>,
    over: Gate,
}

impl Silence {
    fn begins(&self) {
        self.began.store(true, Ordering::SeqCst);
    }

    fn of_app(&self) -> AppScript {
        let it = self.clone();
        AppScript::new(move |_| match it.began.load(Ordering::SeqCst) {
            true => AppAct::Late(it.over.clone()),
            false => AppAct::Answer,
        })
    }
}

/// A request of one who waits until the other is dropped.
fn asked<M: SessionRequest>(request: M) -> (Waits, Asked<M>) {
    let (waits, asker) = Asker::new();
    (waits, Asked { needs: request.needs(), request, served: Ok(()), asker })
}

/// A session whose applications are waited for without an end, and one that can fall silent.
async fn world(script: ConsumerScript, silence: &Silence) -> (World, FakeApp) {
    let world = World::with_deadlines(script, BufferScheme::PerUid, None, PATIENCE).await;
    let app = world.app(silence.of_app()).await;
    (world, app)
}

async fn report(world: &World) -> CommandQueue {
    world.ask(GetQueueReport).await.unwrap()
}

async fn runs(world: &World) {
    eventually_so("it runs", async || report(world).await.running.is_some()).await;
}

async fn end(world: World, app: FakeApp) {
    world.ask(Destroy).await.unwrap();
    drop(app);
    world.end().await;
}

#[actix::test]
async fn a_start_whose_asker_has_gone_waits_for_no_application() {
    let silence = Silence::default();
    let (world, silent) = world(ConsumerScript::default(), &silence).await;
    let good = world.app(AppScript::default()).await;
    silence.begins();
    let (waits, start) = asked(Start);
    let started = world.begin(start);
    eventually("who answers records", || good.has_got(APP_ENABLE)).await;
    assert!(!started.is_finished());
    drop(waits);
    assert_eq!(started.await.unwrap(), Ok(()));
    assert!(world.shown_active());
    assert_eq!(report(&world).await, CommandQueue::default());
    assert_eq!(world.ask(Start).await, Err(ErrorCode::TraceAlreadyStarted));
    assert!(!silent.has_got(APP_ENABLE));
    silence.over.open();
    eventually("who was silent records", || silent.has_got(APP_ENABLE)).await;
    world.ask(Stop).await.unwrap();
    drop(good);
    end(world, silent).await;
}

#[actix::test]
async fn a_start_whose_asker_has_gone_waits_for_what_decides_whether_it_succeeds() {
    const GET_CHANNEL: u32 = 8;
    for refused in [false, true] {
        let gate = Gate::default();
        let held = gate.clone();
        let script = ConsumerScript::new(move |message| match (message.number(), refused) {
            (GET_CHANNEL, false) => ConsumerAct::Late(held.clone()),
            (GET_CHANNEL, true) => {
                held.pass();
                ConsumerAct::Refuse(lttngd_wire::consumer::ConsumerError::FATAL)
            }
            _ => ConsumerAct::Answer,
        });
        let (world, app) = world(script, &Silence::default()).await;
        let (waits, start) = asked(Start);
        let started = world.begin(start);
        eventually("buffers are made", || world.fake.count(GET_CHANNEL) > 0).await;
        drop(waits);
        let pending = world.begin(DataPending);
        eventually_so("it waits behind", async || report(&world).await.waiting == 1).await;
        assert!(!started.is_finished());
        gate.open();
        assert_eq!(started.await.unwrap().is_ok(), !refused);
        assert_eq!(world.shown_active(), !refused);
        assert_eq!(pending.await.unwrap().is_ok(), refused, "of an active session nobody can say");
        end(world, app).await;
    }
}

/// Starts and stops the session beside an application that says nothing any more, for one who does not wait for the stop. How
/// many packets had been closed before.
async fn stop_and_leave(world: &World, silence: &Silence) -> usize {
    world.ask(Start).await.unwrap();
    silence.begins();
    let flushes = world.fake.count(FLUSH);
    let (waits, stop) = asked(Stop);
    let stopped = world.begin(stop);
    runs(world).await;
    drop(waits);
    assert_eq!(stopped.await.unwrap(), Ok(()));
    assert_eq!(world.fake.count(FLUSH), flushes);
    flushes
}

#[actix::test]
async fn a_stop_whose_asker_has_gone_goes_on_beside_what_does_not_need_it() {
    let silence = Silence::default();
    let (world, silent) = world(ConsumerScript::default(), &silence).await;
    let flushes = stop_and_leave(&world, &silence).await;
    assert!(!world.shown_active());
    assert_eq!(report(&world).await, CommandQueue::default());
    assert_eq!(world.ask(Stop).await, Err(ErrorCode::TraceAlreadyStopped));
    assert_eq!(world.ask(DataPending).await, Ok(true), "it may record still");
    // Where a trace chunk ends is where nobody records any more.
    let rotated = world.begin(Rotate);
    runs(&world).await;
    assert_eq!(world.fake.count(FLUSH), flushes, "packets are closed when it has stopped");
    assert!(!rotated.is_finished());
    silence.over.open();
    rotated.await.unwrap().unwrap();
    assert!(world.fake.count(FLUSH) > flushes);
    assert_eq!(world.ask(DataPending).await, Ok(false));
    end(world, silent).await;
}

#[actix::test]
async fn a_start_after_a_stop_whose_asker_has_gone_leaves_nothing_of_it() {
    let silence = Silence::default();
    let (world, silent) = world(ConsumerScript::default(), &silence).await;
    let flushes = stop_and_leave(&world, &silence).await;
    let started = world.begin(Start);
    runs(&world).await;
    silence.over.open();
    started.await.unwrap().unwrap();
    assert!(world.shown_active());
    assert_eq!(world.fake.count(FLUSH), flushes, "nothing closes what is recorded to");
    world.ask(Stop).await.unwrap();
    assert!(world.fake.count(FLUSH) > flushes);
    assert_eq!(world.ask(DataPending).await, Ok(false));
    end(world, silent).await;
}

#[actix::test]
async fn the_end_does_what_a_stop_whose_asker_has_gone_had_left_to_do() {
    let silence = Silence::default();
    let (world, silent) = world(ConsumerScript::default(), &silence).await;
    let flushes = stop_and_leave(&world, &silence).await;
    let destroyed = world.begin(Destroy);
    runs(&world).await;
    assert!(!destroyed.is_finished());
    silence.over.open();
    destroyed.await.unwrap().unwrap();
    assert!(world.fake.count(FLUSH) > flushes);
    assert_eq!(silent.objects(), 0);
    drop(silent);
    world.end().await;
}

#[actix::test]
async fn nobody_waits_for_the_end_of_a_session_who_has_only_to_be_refused() {
    let silence = Silence::default();
    let (world, silent) = world(ConsumerScript::default(), &silence).await;
    world.ask(Start).await.unwrap();
    world.ask(Stop).await.unwrap();
    silence.begins();
    let destroyed = world.begin(Destroy);
    assert_eq!(world.ask(Start).await, Err(ErrorCode::SessNotFound));
    assert_eq!(world.ask(Destroy).await.map(drop), Err(ErrorCode::SessNotFound));
    assert!(!destroyed.is_finished(), "the application has not forgotten it");
    silence.over.open();
    destroyed.await.unwrap().unwrap();
    drop(silent);
    world.end().await;
}

#[actix::test]
async fn a_clear_whose_asker_has_gone_waits_for_no_application() {
    let silence = Silence::default();
    let (world, silent) = world(ConsumerScript::default(), &silence).await;
    world.ask(Start).await.unwrap();
    silence.begins();
    let chunks = world.fake.count(CREATE_CHUNK);
    let (waits, clear) = asked(Clear);
    let cleared = world.begin(clear);
    runs(&world).await;
    assert_eq!(world.fake.count(CREATE_CHUNK), chunks, "it waits for the application");
    drop(waits);
    assert_eq!(cleared.await.unwrap(), Ok(()));
    assert_eq!(world.fake.count(CREATE_CHUNK), chunks + 1, "what was asked for is done");
    assert_eq!(report(&world).await, CommandQueue::default());
    assert!(world.shown_active());
    silence.over.open();
    world.ask(Rotate).await.unwrap();
    world.ask(Stop).await.unwrap();
    end(world, silent).await;
}

#[actix::test]
async fn a_clear_whose_asker_has_gone_waits_for_no_relay_daemon_that_has_not_written() {
    let is_late = Arc::new(AtomicBool::new(false));
    let late = Arc::clone(&is_late);
    let remote = TraceChunkPresence::Remote.status().0.to_ne_bytes();
    let script = ConsumerScript::new(move |message| match message.number() {
        CHUNK_EXISTS if late.load(Ordering::SeqCst) => ConsumerAct::Bytes(remote.to_vec()),
        _ => ConsumerAct::Answer,
    });
    let world = World::configured(script, BufferScheme::PerUid, None, |config| {
        config.output = Output::None;
        config.relayds = super::world::relayds(Some(PATIENCE));
    })
    .await;
    let relayd = FakeRelayd::new();
    world.ask(stream_to(&relayd)).await.unwrap();
    let app = world.app(AppScript::default()).await;
    world.ask(Start).await.unwrap();
    is_late.store(true, Ordering::SeqCst);
    let (waits, clear) = asked(Clear);
    let cleared = world.begin(clear);
    eventually("it asks for the trace chunk", || world.fake.count(CHUNK_EXISTS) > 0).await;
    assert!(!cleared.is_finished());
    drop(waits);
    assert_eq!(cleared.await.unwrap(), Ok(()));
    assert_eq!(report(&world).await, CommandQueue::default());
    let destroyed = world.begin(Destroy);
    runs(&world).await;
    is_late.store(false, Ordering::SeqCst);
    destroyed.await.unwrap().unwrap();
    drop(app);
    world.end().await;
}

#[actix::test]
async fn a_snapshot_whose_asker_has_gone_is_written_beside_the_commands() {
    let (gate, closes) = (Gate::default(), 24);
    let held = gate.clone();
    let script = ConsumerScript::new(move |message| match message.number() {
        CONSUMER_DATA_PENDING => ConsumerAct::Late(held.clone()),
        _ => ConsumerAct::Answer,
    });
    let (world, app) = relay_snapshots::started(script).await;
    let relayd = FakeRelayd::new();
    let (waits, record) = asked(relay_snapshots::record(&relayd.url()));
    let recorded = world.begin(record);
    eventually("it is copied", || world.fake.count(CONSUMER_DATA_PENDING) > 0).await;
    assert!(!recorded.is_finished());
    drop(waits);
    assert_eq!(recorded.await.unwrap(), Ok(()));
    assert_eq!(report(&world).await, CommandQueue::default());
    assert_eq!(world.fake.count(closes), 0, "its trace chunk is there until it is written");
    let destroyed = world.begin(Destroy);
    runs(&world).await;
    gate.open();
    destroyed.await.unwrap().unwrap();
    assert_eq!((world.fake.count(SNAPSHOT_CHANNEL), world.fake.count(closes)), (2, 1));
    drop(app);
    world.end().await;
}

#[actix::test]
async fn nothing_is_kept_of_a_question_whose_asker_has_gone() {
    let gate = Gate::default();
    let held = gate.clone();
    let script = ConsumerScript::new(move |message| match message.number() {
        CONSUMER_DATA_PENDING => ConsumerAct::Late(held.clone()),
        _ => ConsumerAct::Answer,
    });
    let (world, app) = world(script, &Silence::default()).await;
    world.ask(Start).await.unwrap();
    world.ask(Stop).await.unwrap();
    let (waits, asked) = asked(DataPending);
    let pending = world.begin(asked);
    eventually("it is asked", || world.fake.count(CONSUMER_DATA_PENDING) > 0).await;
    assert!(!pending.is_finished());
    drop(waits);
    // The consumer daemon has not answered yet.
    assert_eq!(pending.await.unwrap(), Ok(true));
    gate.open();
    assert_eq!(world.ask(DataPending).await, Ok(false));
    end(world, app).await;
}
