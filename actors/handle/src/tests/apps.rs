//! Applications: when their `main` begins, and what they list.

use std::time::Duration;

use lttngd_model::Domain;
use lttngd_peer::{
    AppAct, AppScript, ConsumerAct, ConsumerScript, Gate, eventually, eventually_so,
};

use super::world::World;

const REGISTER_DONE: u32 = 0x44;
const ENABLE: u32 = 0x80;

#[actix::test]
async fn main_begins_when_every_active_session_is_there() {
    let gate = Gate::default();
    let held = gate.clone();
    let script = ConsumerScript::new(move |message| match message.number() {
        12 => ConsumerAct::Late(held.clone()),
        _ => ConsumerAct::Answer,
    });
    let world = World::new(script, None).await;
    for name in ["a", "b"] {
        world.session(name).await;
        world.handle.start(name).await.unwrap();
    }
    let fake = world.app(AppScript::default());
    eventually("its buffers are being made", || world.fake.count(12) == 1).await;
    assert!(!fake.has_got(REGISTER_DONE));
    gate.open();
    eventually("main begins", || fake.has_got(REGISTER_DONE)).await;
    let commands = fake.commands();
    let done = commands.iter().position(|number| *number == REGISTER_DONE).unwrap();
    // In each session the event and the session.
    assert_eq!(commands[..done].iter().filter(|number| **number == ENABLE).count(), 4);
    drop(fake);
    world.end().await;
}

#[actix::test]
async fn main_begins_without_a_session_that_cannot_be_had() {
    let refuse = ConsumerAct::Refuse(lttngd_wire::consumer::ConsumerError::CHANNEL_FAIL);
    let world = World::new(ConsumerScript::at(7, refuse), None).await;
    world.session("a").await;
    world.handle.start("a").await.unwrap();
    let fake = world.app(AppScript::default());
    eventually("main begins", || fake.has_got(REGISTER_DONE)).await;
    assert!(!fake.has_got(ENABLE));
    drop(fake);
    world.end().await;
}

#[actix::test]
async fn listings_are_of_all_applications_that_answer() {
    let gate = Gate::default();
    let held = gate.clone();
    let world = World::new(ConsumerScript::default(), Some(Duration::from_millis(500))).await;
    let with = |tracepoint: &str| AppScript {
        tracepoints: vec![(tracepoint.to_owned(), 4)],
        ..AppScript::default()
    };
    let one = world.app(with("p:one"));
    eventually("it registers", || one.has_got(REGISTER_DONE)).await;
    let silent = world.app(AppScript::new(move |request| match request.command.number() {
        0x42 | 0x45 => AppAct::Late(held.clone()),
        _ => AppAct::Answer,
    }));
    eventually("it registers", || silent.has_got(REGISTER_DONE)).await;
    let two = world.app(with("p:two"));
    eventually("it registers", || two.has_got(REGISTER_DONE)).await;
    let listed = world.handle.list_tracepoints(Some(Domain::Ust)).await.unwrap();
    let seen: Vec<_> = listed.iter().map(|e| (e.name.as_str(), e.loglevel, e.enabled)).collect();
    assert_eq!(seen, [("p:one", 4, -1), ("p:two", 4, -1)]);
    assert_eq!(listed[0].pid, i32::try_from(std::process::id()).unwrap());
    let fields = world.handle.list_tracepoint_fields(Some(Domain::Ust)).await.unwrap();
    assert_eq!(fields, []);
    gate.open();
    drop(one);
    eventually_so("only the other one is listed", async || {
        world.handle.list_tracepoints(Some(Domain::Ust)).await.unwrap().len() == 1
    })
    .await;
    drop((silent, two));
    world.end().await;
}
