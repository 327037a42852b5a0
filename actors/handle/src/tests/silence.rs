//! Applications that do not answer: what they cost, and whom.

use std::time::{Duration, Instant};

use futures::future::join_all;
use lttngd_model::{Domain, ErrorCode, EventDescription};
use lttngd_peer::{
    AppAct, AppScript, ConsumerScript, FakeApp, Gate, event_description, eventually, eventually_so,
};

use super::world::World;

const REGISTER_DONE: u32 = 0x44;
const ENABLE: u32 = 0x80;
const STATEDUMP: u32 = 0x54;

/// How long silent applications are waited for here.
const DEADLINE: Duration = Duration::from_millis(300);

/// Applications that are registered and answer nothing while the gate is closed.
async fn silent(world: &World, count: usize) -> (Vec<FakeApp>, Gate) {
    let gate = Gate::default();
    let fakes: Vec<_> = (0..count)
        .map(|_| {
            let (held, mut is_registered) = (gate.clone(), false);
            world.app(AppScript::new(move |request| {
                if is_registered {
                    return AppAct::Late(held.clone());
                }
                is_registered = request.command.number() == REGISTER_DONE;
                AppAct::Answer
            }))
        })
        .collect();
    eventually("they are registered", || fakes.iter().all(|fake| fake.has_got(REGISTER_DONE)))
        .await;
    (fakes, gate)
}

/// Every command that concerns applications, for two sessions that record.
async fn every_command(world: &World) {
    let handle = &world.handle;
    for name in ["a", "b"] {
        handle.enable_event(name, "c", event_description("p:more")).await.unwrap();
        let disabled = EventDescription { kind: -1, ..event_description("p:more") };
        handle.disable_event(name, "c", disabled).await.unwrap();
        handle.enable_event(name, "c", event_description("p:more")).await.unwrap();
        handle.regenerate_statedump(name).await.unwrap();
        handle.rotate(name).await.unwrap();
        eventually_so("it is cleared", async || match handle.clear(name).await {
            Err(ErrorCode::RotationPending) => false,
            cleared => cleared.map(|()| true).unwrap(),
        })
        .await;
        assert_eq!(handle.list_tracepoints(Some(Domain::Ust)).await.unwrap(), []);
        assert_eq!(handle.list_tracepoint_fields(Some(Domain::Ust)).await.unwrap(), []);
        handle.stop(name).await.unwrap();
        handle.start(name).await.unwrap();
    }
}

#[actix::test]
async fn ten_silent_applications_cost_one_deadline_together() {
    const COUNT: usize = 10;
    let world = World::new(ConsumerScript::default(), Some(DEADLINE)).await;
    let (fakes, gate) = silent(&world, COUNT).await;
    let prompt = world.app(AppScript::default());
    eventually("it registers", || prompt.has_got(REGISTER_DONE)).await;
    for name in ["a", "b"] {
        world.session(name).await;
    }
    let handle = &world.handle;
    let begun = Instant::now();
    // Several commands meet them at once.
    let (started, listed) = tokio::join!(
        join_all(["a", "b"].map(|name| handle.start(name))),
        handle.list_tracepoints(Some(Domain::Ust)),
    );
    started.into_iter().for_each(|started| started.unwrap());
    assert_eq!(listed.unwrap(), []);
    let first = begun.elapsed();
    assert!(first >= DEADLINE, "they were given {first:?}");
    let begun = Instant::now();
    every_command(&world).await;
    // A session that is made later.
    world.session("late").await;
    handle.start("late").await.unwrap();
    for name in ["late", "a"] {
        handle.destroy_session(name).await.unwrap();
    }
    // Some thirty commands, each of which would pay it.
    let rest = begun.elapsed();
    assert!(rest < DEADLINE * 20, "commands wait again: {rest:?}");
    assert!(prompt.has_got(ENABLE));

    gate.open();
    let count = |fake: &FakeApp, number| {
        fake.commands().iter().filter(|command| **command == number).count()
    };
    // Of the session that is left: the session, its channel and two events.
    eventually("the wish is fulfilled", || fakes.iter().all(|fake| fake.objects() == 4)).await;
    eventually("the state dump is recorded, once", || {
        fakes.iter().all(|fake| count(fake, STATEDUMP) == 1)
    })
    .await;
    eventually_so("they are waited for again", async || {
        handle.list_tracepoints(Some(Domain::Ust)).await.unwrap();
        fakes.iter().all(|fake| fake.has_got(0x42))
    })
    .await;
    handle.destroy_session("b").await.unwrap();
    eventually("all is gone", || fakes.iter().all(|fake| fake.objects() == 0)).await;
    assert!(fakes.iter().all(|fake| fake.faults().is_empty()));
    drop((fakes, prompt));
    world.end().await;
}

#[actix::test]
async fn an_application_that_falls_silent_while_it_registers_holds_up_nobody() {
    let world = World::new(ConsumerScript::default(), Some(DEADLINE)).await;
    world.session("a").await;
    world.handle.start("a").await.unwrap();
    let gate = Gate::default();
    let held = gate.clone();
    let silent = world.app(AppScript::new(move |request| match request.command.number() {
        ENABLE => AppAct::Late(held.clone()),
        _ => AppAct::Answer,
    }));
    eventually("it gets the session", || silent.has_got(ENABLE)).await;
    let begun = Instant::now();
    for _ in 0..10 {
        world.handle.stop("a").await.unwrap();
        world.handle.start("a").await.unwrap();
    }
    assert!(begun.elapsed() < DEADLINE * 10, "{:?}", begun.elapsed());
    gate.open();
    eventually("its main begins all the same", || silent.has_got(REGISTER_DONE)).await;
    drop(silent);
    world.end().await;
}
