//! Applications that come and go at any moment.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use lttngd_model::{BufferScheme, Credentials, Domain, ErrorCode, SessionKind};
use lttngd_peer::{
    AppAct, AppScript, ConsumerAct, ConsumerScript, Gate, event_description, eventually,
    eventually_so,
};
use lttngd_runtime::Asker;
use tokio::task::JoinHandle;

use super::world::World;
use crate::{
    Asked, CommandQueue, DataPending, Destroy, EnableEvent, GetQueueReport, ListChannels,
    ListEvents, Output, Rotate, SessionRequest, Start, Stop,
};

const CREATE_CHUNK: u32 = 23;
const GET_CHANNEL: u32 = 8;
const FLUSH: u32 = 13;
const SETUP_METADATA: u32 = 12;
const CLOSE_METADATA: u32 = 11;
const CLOSE_CHUNK: u32 = 24;
const APP_ENABLE: u32 = 0x80;

#[actix::test]
async fn an_application_that_arrives_while_the_session_is_active_has_it_at_once() {
    for scheme in [BufferScheme::PerUid, BufferScheme::PerPid] {
        let world = World::new(ConsumerScript::default(), scheme).await;
        world.ask(Start).await.unwrap();
        let mut fakes = vec![world.app(AppScript::default()).await];
        fakes.push(world.app(AppScript::default()).await);
        for fake in &fakes {
            assert!(fake.has_got(APP_ENABLE));
        }
        let sets = if scheme == BufferScheme::PerUid { 1 } else { 2 };
        assert_eq!(world.fake.count(SETUP_METADATA), sets, "{scheme:?}");
        world.ask(Destroy).await.unwrap();
        assert_eq!(world.fake.count(CLOSE_METADATA), sets, "{scheme:?}");
        assert_eq!(fakes[0].objects() + fakes[1].objects(), 0);
        drop(fakes);
        world.end().await;
    }
}

/// At the consumer's command `number` an application arrives, while `doing` waits for it.
async fn arrives_during<T>(
    scheme: BufferScheme,
    number: u32,
    started: bool,
    doing: impl FnOnce(&World) -> JoinHandle<Result<T, ErrorCode>>,
) -> World {
    let gate = Gate::default();
    let held = gate.clone();
    let world = World::new(
        ConsumerScript::new(move |message| match message.number() == number {
            true => ConsumerAct::Late(held.clone()),
            false => ConsumerAct::Answer,
        }),
        scheme,
    )
    .await;
    let first = world.app(AppScript::default()).await;
    if started {
        world.ask(Start).await.unwrap();
    }
    let done = doing(&world);
    eventually("the command is held", || world.fake.count(number) == 1).await;
    let (fake, info, app) = world.registered(AppScript::default()).await;
    let arrived = world.arrives(info, app);
    tokio::task::yield_now().await;
    gate.open();
    done.await.unwrap().map(drop).unwrap();
    arrived.await.unwrap();
    if !started {
        assert!(fake.has_got(APP_ENABLE), "{scheme:?} at {number}: it has the session");
    }
    // It fails where the session is gone already.
    let _ = world.ask(Destroy).await;
    for fake in [&first, &fake] {
        assert_eq!(fake.objects(), 0, "{scheme:?} at {number}");
        assert_eq!(fake.faults(), [""; 0]);
    }
    let (made, closed) = (world.fake.count(SETUP_METADATA), world.fake.count(CLOSE_METADATA));
    assert_eq!(made, closed, "{scheme:?} at {number}: metadata channels");
    drop((first, fake));
    world
}

#[actix::test]
async fn an_application_that_arrives_in_the_middle_of_anything_leaves_nothing() {
    for scheme in [BufferScheme::PerUid, BufferScheme::PerPid] {
        arrives_during(scheme, CREATE_CHUNK, false, |world| world.begin(Start)).await.end().await;
        arrives_during(scheme, GET_CHANNEL, false, |world| world.begin(Start)).await.end().await;
        arrives_during(scheme, SETUP_METADATA, false, |world| world.begin(Start)).await.end().await;
        arrives_during(scheme, FLUSH, true, |world| world.begin(Stop)).await.end().await;
        arrives_during(scheme, FLUSH, true, |world| world.begin(Destroy)).await.end().await;
        arrives_during(scheme, CLOSE_CHUNK, true, |world| world.begin(Destroy)).await.end().await;
    }
}

#[actix::test]
async fn a_session_that_is_destroyed_while_an_application_gets_its_buffers() {
    for scheme in [BufferScheme::PerUid, BufferScheme::PerPid] {
        let gate = Gate::default();
        let script = ConsumerScript::at(GET_CHANNEL, ConsumerAct::Late(gate.clone()));
        let world = World::new(script, scheme).await;
        world.ask(Start).await.unwrap();
        let (fake, info, app) = world.registered(AppScript::default()).await;
        let arrived = world.arrives(info, app);
        eventually("GET_CHANNEL is held", || world.fake.count(GET_CHANNEL) == 1).await;
        let destroyed = world.begin(Destroy);
        tokio::task::yield_now().await;
        gate.open();
        arrived.await.unwrap();
        destroyed.await.unwrap().unwrap();
        assert_eq!(fake.objects(), 0);
        assert_eq!(world.fake.count(CLOSE_METADATA), world.fake.count(SETUP_METADATA));
        drop(fake);
        world.end().await;
    }
}

#[actix::test]
async fn data_is_pending_until_the_buffers_of_an_application_that_is_gone_are_finished() {
    let gate = Gate::default();
    let held = gate.clone();
    let mut flushes = 0;
    let world = World::new(
        ConsumerScript::new(move |message| match message.number() {
            FLUSH => {
                flushes += 1;
                if flushes == 2 { ConsumerAct::Late(held.clone()) } else { ConsumerAct::Answer }
            }
            17 => ConsumerAct::Bytes(5_u64.to_ne_bytes().to_vec()),
            _ => ConsumerAct::Answer,
        }),
        BufferScheme::PerPid,
    )
    .await;
    let fake = world.app(AppScript::default()).await;
    world.ask(Start).await.unwrap();
    world.ask(Stop).await.unwrap();
    drop(fake);
    eventually("the last flush is held", || world.fake.count(FLUSH) == 2).await;
    assert!(world.ask(DataPending).await.unwrap(), "its buffers are not finished");
    gate.open();
    eventually("they are", || world.fake.count(CLOSE_METADATA) == 1).await;
    eventually_so("nothing is pending", async || !world.ask(DataPending).await.unwrap()).await;
    let listed = world.ask(ListChannels { domain: Domain::Ust }).await.unwrap();
    assert_eq!(listed[0].discarded_events, 5, "what it lost is remembered");
    world.ask(Destroy).await.unwrap();
    assert_eq!(world.fake.count(CLOSE_METADATA), 1);
    world.end().await;
}

#[actix::test]
async fn an_application_that_dies_before_its_buffers_are_made_leaves_none() {
    let gate = Gate::default();
    let script = ConsumerScript::at(GET_CHANNEL, ConsumerAct::Late(gate.clone()));
    let world = World::new(script, BufferScheme::PerPid).await;
    world.ask(Start).await.unwrap();
    let (fake, info, app) = world.registered(AppScript::default()).await;
    let arrived = world.arrives(info, app.clone());
    eventually("GET_CHANNEL is held", || world.fake.count(GET_CHANNEL) == 1).await;
    drop(fake);
    eventually("its actor is gone", || !app.connected()).await;
    gate.open();
    arrived.await.unwrap();
    eventually("its metadata is closed", || world.fake.count(CLOSE_METADATA) == 1).await;
    world.ask(Destroy).await.unwrap();
    assert_eq!((world.fake.count(SETUP_METADATA), world.fake.count(CLOSE_METADATA)), (1, 1));
    world.end().await;
}

#[actix::test]
async fn a_program_of_another_user_does_not_wait_for_buffers_that_are_not_made() {
    const OTHER: Credentials = Credentials { uid: 54_321, gid: 54_321 };

    for scheme in [BufferScheme::PerUid, BufferScheme::PerPid] {
        let gate = Gate::default();
        let script = ConsumerScript::at(GET_CHANNEL, ConsumerAct::Late(gate.clone()));
        let world = World::configured(script, scheme, None, |config| {
            config.owner = OTHER;
            // No directory is to be his.
            config.kind = SessionKind::Snapshot;
            config.output = Output::None;
        })
        .await;
        world.ask(Start).await.unwrap();
        // The first one waits a little, the second not at all.
        let fakes = [world.app(AppScript::default()).await, world.app(AppScript::default()).await];
        assert!(fakes.iter().all(|fake| !fake.has_got(APP_ENABLE)), "there are no buffers");
        assert!(world.fake.count(GET_CHANNEL) > 0);
        gate.open();
        for fake in &fakes {
            eventually("it has the session", || fake.has_got(APP_ENABLE)).await;
        }
        world.ask(Destroy).await.unwrap();
        drop(fakes);
        world.end().await;
    }
}

#[actix::test]
async fn commands_do_not_wait_for_applications_behind_one_whose_asker_has_gone() {
    // Nothing else ends the wait for an application that is silent.
    let forever = None;
    let world = World::with_deadlines(
        ConsumerScript::default(),
        BufferScheme::PerUid,
        forever,
        lttngd_peer::PATIENCE,
    )
    .await;
    let (gate, is_silent) = (Gate::default(), Arc::new(AtomicBool::new(false)));
    let (held, asked) = (gate.clone(), Arc::clone(&is_silent));
    let silent = world
        .app(AppScript::new(move |_| match asked.load(Ordering::SeqCst) {
            true => AppAct::Late(held.clone()),
            false => AppAct::Answer,
        }))
        .await;
    let good = world.app(AppScript::default()).await;
    world.ask(Start).await.unwrap();
    is_silent.store(true, Ordering::SeqCst);
    let enable = |name: &str, asker| {
        let (domain, channel) = (Domain::Ust, super::world::CHANNEL.to_owned());
        let event = event_description(name);
        let request = EnableEvent { domain, buffer_type: 1, channel, event };
        Asked { needs: request.needs(), request, served: Ok(()), asker }
    };
    let report = async || world.ask(GetQueueReport).await.unwrap();
    let (waits, asker) = Asker::new();
    let first = world.begin(enable("p:first", asker));
    let runs = async || report().await.running.is_some();
    eventually_so("it waits for the application", runs).await;
    let (waits_too, asker) = Asker::new();
    let second = world.begin(enable("p:second", asker));
    let waits_behind = async || report().await.waiting == 1;
    eventually_so("another one waits behind it", waits_behind).await;
    assert!(!first.is_finished() && !second.is_finished());
    drop(waits);
    assert_eq!(first.await.unwrap(), Ok(()));
    let runs_now = async || report().await.running.is_some() && report().await.waiting == 0;
    eventually_so("the other one runs", runs_now).await;
    drop(waits_too);
    assert_eq!(second.await.unwrap(), Ok(()));
    assert_eq!(report().await, CommandQueue::default());
    let list = ListEvents { domain: Domain::Ust, channel: super::world::CHANNEL.to_owned() };
    assert_eq!(world.ask(list).await.unwrap().len(), 3, "what was asked for is done");
    eventually("who answers has it at once", || good.objects() > silent.objects() + 1).await;
    gate.open();
    eventually("who was silent gets it", || good.objects() == silent.objects()).await;
    world.ask(Stop).await.unwrap();
    world.ask(Destroy).await.unwrap();
    drop((silent, good));
    world.end().await;
}

#[actix::test]
async fn a_silent_application_delays_a_command_by_its_deadline_and_others_not_at_all() {
    let gate = Gate::default();
    let held = gate.clone();
    let soon = Duration::from_millis(500);
    let world = World::with_deadlines(
        ConsumerScript::default(),
        BufferScheme::PerUid,
        Some(soon),
        lttngd_peer::PATIENCE,
    )
    .await;
    let silent = world
        .app(AppScript::new(move |request| match request.command.number() {
            0x51 => AppAct::Late(held.clone()),
            _ => AppAct::Answer,
        }))
        .await;
    let good = world.app(AppScript::default()).await;
    let started = world.begin(Start);
    eventually("the good one has it", || good.has_got(APP_ENABLE)).await;
    started.await.unwrap().unwrap();
    assert!(!silent.has_got(APP_ENABLE));
    world.ask(Stop).await.unwrap();
    world.ask(Destroy).await.unwrap();
    gate.open();
    eventually("it forgets the session when it wakes", || {
        silent.objects() == 0 && silent.has_got(0x01)
    })
    .await;
    assert!(!silent.has_got(APP_ENABLE), "what is over is not begun");
    drop((silent, good));
    world.end().await;
}

#[actix::test]
async fn data_may_be_pending_until_a_stop_is_through() {
    let gate = Gate::default();
    let held = gate.clone();
    let world = World::new(ConsumerScript::default(), BufferScheme::PerUid).await;
    let fake = world
        .app(AppScript::new(move |request| match request.command.number() {
            0x81 => AppAct::Late(held.clone()),
            _ => AppAct::Answer,
        }))
        .await;
    world.ask(Start).await.unwrap();
    let stopped = world.begin(Stop);
    eventually("the application is being stopped", || fake.has_got(0x81)).await;
    let pending = world.begin(DataPending);
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
    assert!(!pending.is_finished(), "nobody can know yet");
    gate.open();
    stopped.await.unwrap().unwrap();
    assert!(!pending.await.unwrap().unwrap());
    drop(fake);
    world.end().await;
}

#[actix::test]
async fn who_asks_before_a_stop_is_told_that_the_session_is_active() {
    let gate = Gate::default();
    let held = gate.clone();
    let world = World::new(ConsumerScript::default(), BufferScheme::PerUid).await;
    let fake = world
        .app(AppScript::new(move |request| match request.command.number() {
            0x81 => AppAct::Late(held.clone()),
            _ => AppAct::Answer,
        }))
        .await;
    world.ask(Start).await.unwrap();
    // The stop has begun by the time the first one is answered.
    let (pending, stopped) = (world.begin(DataPending), world.begin(Stop));
    assert_eq!(pending.await.unwrap(), Err(ErrorCode::SessionStarted));
    gate.open();
    stopped.await.unwrap().unwrap();
    assert_eq!(world.ask(DataPending).await, Ok(false));
    drop(fake);
    world.end().await;
}

#[actix::test]
async fn an_application_whose_buffers_are_there_does_not_wait_for_a_rotation() {
    let gate = Gate::default();
    let held = gate.clone();
    let mut chunks = 0;
    let world = World::new(
        ConsumerScript::new(move |message| {
            chunks += u32::from(message.number() == CREATE_CHUNK);
            match message.number() == CREATE_CHUNK && chunks == 2 {
                true => ConsumerAct::Late(held.clone()),
                false => ConsumerAct::Answer,
            }
        }),
        BufferScheme::PerUid,
    )
    .await;
    let first = world.app(AppScript::default()).await;
    world.ask(Start).await.unwrap();
    let rotated = world.begin(Rotate);
    eventually("the rotation is held", || world.fake.count(CREATE_CHUNK) == 2).await;
    let second = world.app(AppScript::default()).await;
    assert!(second.has_got(APP_ENABLE) && !rotated.is_finished());
    gate.open();
    rotated.await.unwrap().unwrap();
    // What changes meanwhile is handed to both, and made once.
    world.enable_event("p:other").await.unwrap();
    assert_eq!(world.fake.count(GET_CHANNEL), 1);
    assert_eq!(first.objects(), second.objects());
    world.ask(Destroy).await.unwrap();
    assert_eq!(first.objects() + second.objects(), 0);
    drop((first, second));
    world.end().await;
}

#[actix::test]
async fn a_crowd_that_arrives_while_its_buffers_are_made_has_them_when_they_are() {
    let gate = Gate::default();
    let script = ConsumerScript::at(GET_CHANNEL, ConsumerAct::Late(gate.clone()));
    let world = World::new(script, BufferScheme::PerUid).await;
    world.ask(Start).await.unwrap();
    let (first, info, app) = world.registered(AppScript::default()).await;
    let first_address = app.clone();
    let mut arrived = vec![world.arrives(info, app)];
    eventually("GET_CHANNEL is held", || world.fake.count(GET_CHANNEL) == 1).await;
    let mut crowd = Vec::new();
    for _ in 0..5 {
        let (fake, info, app) = world.registered(AppScript::default()).await;
        arrived.push(world.arrives(info, app));
        crowd.push(fake);
    }
    drop(first);
    eventually("the first is gone", || !first_address.connected()).await;
    assert!(crowd.iter().all(|fake| !fake.has_got(APP_ENABLE)), "there are no buffers yet");
    gate.open();
    for arrived in arrived {
        arrived.await.unwrap();
    }
    assert!(crowd.iter().all(|fake| fake.has_got(APP_ENABLE)));
    assert_eq!((world.fake.count(SETUP_METADATA), world.fake.count(GET_CHANNEL)), (1, 1));
    world.ask(Destroy).await.unwrap();
    assert!(crowd.iter().all(|fake| fake.objects() == 0));
    drop(crowd);
    world.end().await;
}
