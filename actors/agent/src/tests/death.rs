//! Agents that die or break the protocol, at any moment.

use actix::System;
use lttngd_model::Domain;
use lttngd_peer::{
    AgentAct, AgentScript, Gate, alone, at_rest, eventually, eventually_so, open_descriptors,
};
use lttngd_wire::agent::LOGGERS_MAX_LEN;

use super::world::{SESSION, World, synchronise, wish};
use crate::{AgentError, ListLoggers, RegistrationDone, Synchronise, link::LIST_DEADLINE};

/// Numbers of the last commands of a life that are for the wish, the end of the registration, and the
/// list.
const LAST: [usize; 3] = [2, 3, 4];

/// A life that the agent ends at its command number `at` in the way of `end`.
async fn life(world: &World, at: usize, end: AgentAct) {
    let before = world.told.unregistered().len();
    let mut script = AgentScript::new(Domain::Jul, move |request| match request.index == at {
        true => end.clone(),
        false => AgentAct::Answer,
    });
    script.loggers = vec!["a".to_owned()];
    let (fake, agent, info) = world.agent(script).await;
    let want = wish(&["a", "b"], &["x"]);
    let asked = (
        agent.send(Synchronise { session: SESSION, want }),
        agent.send(RegistrationDone),
        agent.send(ListLoggers),
    );
    let (wish, done, list) = tokio::join!(asked.0, asked.1, asked.2);
    let outcomes = [wish, done, list.map(|outcome| outcome.map(drop))];
    for (outcome, last) in outcomes.into_iter().zip(LAST) {
        match outcome.unwrap_or(Err(AgentError::Gone)) {
            // The end of the registration is not answered.
            Ok(()) => assert!(at > last || (at, last) == (LAST[1], LAST[1]), "{last} at {at}"),
            Err(AgentError::Gone) => assert!(at <= last, "{last} at {at}"),
            Err(error) => panic!("{last} at {at}: {error}"),
        }
    }
    eventually("the end is told", || world.told.unregistered().len() > before).await;
    assert_eq!(world.told.unregistered()[before..], [info.id], "at command {at}");
    assert_eq!(fake.faults(), [""; 0]);
}

#[test]
fn death_at_any_message_is_told_once_and_leaves_nothing() {
    alone(
        concat!(module_path!(), "::death_at_any_message_is_told_once_and_leaves_nothing"),
        || {
            System::new().block_on(async {
                let world = World::new(None);
                // The first life opens what stays open.
                life(&world, 0, AgentAct::Cut(0)).await;
                let before = at_rest(open_descriptors).await;
                for at in 0..=LAST[2] {
                    for len in [0, 1, 3] {
                        life(&world, at, AgentAct::Cut(len)).await;
                    }
                }
                for len in 4..14 {
                    life(&world, LAST[2], AgentAct::Cut(len)).await;
                }
                eventually("every descriptor is closed", || open_descriptors() <= before).await;
                world.end();
            });
        },
    );
}

#[actix::test]
async fn more_than_was_asked_for_ends_the_agent() {
    let world = World::new(None);
    // Behind a good reply, and where none is awaited.
    for (number, bytes) in [(2, vec![0, 0, 0, 1, 0]), (4, vec![0, 0, 0, 1])] {
        let before = world.told.unregistered().len();
        let script = AgentScript::new(Domain::Jul, move |request| {
            match request.command.number() == number {
                true => AgentAct::Bytes(bytes.clone()),
                false => AgentAct::Answer,
            }
        });
        let (_fake, agent, _) = world.agent(script).await;
        synchronise(&agent, SESSION, wish(&["a"], &[])).await.unwrap();
        // Whether it is told in time is by chance.
        let _ = agent.send(RegistrationDone).await;
        eventually("its end is told", || world.told.unregistered().len() > before).await;
    }
    let (fake, agent) = world.answering().await;
    agent.send(RegistrationDone).await.unwrap().unwrap();
    fake.write(b"x").unwrap();
    eventually("its end is told", || world.told.unregistered().len() == 3).await;
    eventually("the connection is closed", || fake.has_ended()).await;
    world.end();
}

#[actix::test]
async fn a_listing_that_is_none_ends_the_agent() {
    let world = World::new(None);
    let list = |data_size: u32, count: u32, names: &[u8]| {
        let head = [1, data_size, count].map(u32::to_be_bytes).concat();
        AgentAct::Bytes([&head, names].concat())
    };
    for act in [
        list(LOGGERS_MAX_LEN + 1, 1, b""),
        list(u32::MAX, u32::MAX, b""),
        list(1, 2, b"\0"),
        list(2, 1, b"ab"),
        list(4, 1, b"a\0b\0"),
    ] {
        life(&world, LAST[2], act).await;
    }
    world.end();
}

#[actix::test]
async fn a_listing_that_is_begun_and_not_ended_ends_the_agent() {
    let world = World::new(None);
    let script = AgentScript::new(Domain::Jul, move |request| match request.command.number() {
        1 => AgentAct::Bytes([1, 100, 10, 0].map(u32::to_be_bytes).concat()),
        _ => AgentAct::Answer,
    });
    let (fake, agent, _) = world.agent(script).await;
    agent.send(RegistrationDone).await.unwrap().unwrap();
    let list = tokio::task::spawn_local(agent.send(ListLoggers));
    eventually("it is asked", || fake.numbers().contains(&1)).await;
    // The clock jumps whenever nothing else is left to do.
    tokio::time::pause();
    eventually_so("the end is told", async || {
        tokio::time::sleep(LIST_DEADLINE).await;
        !world.told.unregistered().is_empty()
    })
    .await;
    tokio::time::resume();
    assert!(matches!(list.await.unwrap().unwrap_or(Err(AgentError::Gone)), Err(AgentError::Gone)));
    world.end();
}

#[actix::test]
async fn whoever_waits_for_a_silent_agent_that_dies_is_told() {
    let gate = Gate::default();
    let held = gate.clone();
    let world = World::new(None);
    let script = AgentScript::new(Domain::Jul, move |request| match request.command.number() {
        2 => AgentAct::Late(held.clone()),
        _ => AgentAct::Answer,
    });
    let (mut fake, agent, _) = world.agent(script).await;
    let want = wish(&["a"], &[]);
    let wish = tokio::task::spawn_local(agent.send(Synchronise { session: SESSION, want }));
    let done = tokio::task::spawn_local(agent.send(RegistrationDone));
    eventually("the command is held", || fake.numbers() == [2]).await;
    let died = tokio::task::spawn_blocking(move || fake.die());
    // The connection closes at once, the thread ends when the gate opens.
    assert_eq!(wish.await.unwrap().unwrap(), Err(AgentError::Gone));
    assert_eq!(done.await.unwrap().unwrap(), Err(AgentError::Gone));
    gate.open();
    died.await.unwrap();
    eventually("its end is told", || world.told.unregistered().len() == 1).await;
    world.end();
}
