//! Wishes, questions, refusals, and agents that answer late.

use std::time::{Duration, Instant};

use lttngd_model::{Domain, SessionId};
use lttngd_peer::{AgentAct, AgentScript, Gate, PATIENCE, eventually, eventually_so};
use lttngd_wire::agent::{Command, EnableEvent};

use super::world::{SESSION, World, context, forget, rule, synchronise, wish};
use crate::{AgentError, ListLoggers, Refusal, RegistrationDone};

const OTHER: SessionId = SessionId(6);
/// Far less than anybody is patient.
const SHORT: Duration = Duration::from_millis(500);

#[actix::test]
async fn each_session_has_its_own_wish() {
    let world = World::new(Some(PATIENCE));
    let (fake, agent) = world.answering().await;
    synchronise(&agent, SESSION, wish(&["a", "b"], &["x"])).await.unwrap();
    synchronise(&agent, OTHER, wish(&["a"], &["x"])).await.unwrap();
    assert_eq!(fake.enabled(), ["a", "a", "b", "p:x", "p:x"]);
    // Nothing that the agent has already is sent.
    let sent = fake.commands().len();
    synchronise(&agent, SESSION, wish(&["a", "b"], &["x"])).await.unwrap();
    assert_eq!(fake.commands().len(), sent);
    forget(&agent, SESSION).await.unwrap();
    assert_eq!(fake.enabled(), ["a", "p:x"]);
    forget(&agent, SESSION).await.unwrap();
    forget(&agent, OTHER).await.unwrap();
    assert_eq!(fake.enabled(), [""; 0]);
    assert_eq!(fake.faults(), [""; 0]);
    world.end();
}

#[actix::test]
async fn a_rule_is_told_with_its_filter() {
    let world = World::new(Some(PATIENCE));
    let (fake, agent) = world.answering().await;
    synchronise(&agent, SESSION, wish(&["a"], &["x"])).await.unwrap();
    agent.send(RegistrationDone).await.unwrap().unwrap();
    forget(&agent, SESSION).await.unwrap();
    let filter = rule("a").filter.map(|filter| filter.expression);
    let event = EnableEvent { name: "a".to_owned(), loglevel_type: 0, loglevel: -1, filter };
    let expected = [
        Command::EnableAppContext(context("x")),
        Command::EnableEvent(event),
        Command::RegistrationDone,
        Command::DisableEvent { name: "a".to_owned() },
        Command::DisableAppContext(context("x")),
    ];
    assert_eq!(fake.commands(), expected);
    world.end();
}

#[actix::test]
async fn loggers_are_listed_once_the_registration_is_done() {
    let world = World::new(Some(PATIENCE));
    let mut script = AgentScript::answering(Domain::Python);
    script.loggers = vec!["a".to_owned(), "b.c".to_owned()];
    let (fake, agent, info) = world.agent(script).await;
    assert_eq!((info.domain, info.pid), (Domain::Python, std::process::id()));
    assert!(agent.send(ListLoggers).await.unwrap().unwrap().is_empty());
    assert_eq!(fake.commands(), []);
    agent.send(RegistrationDone).await.unwrap().unwrap();
    let listed = agent.send(ListLoggers).await.unwrap().unwrap();
    assert!(listed.iter().map(|(name, ())| name).eq(["a", "b.c"]));
    world.end();
}

#[actix::test]
async fn a_listing_that_nobody_waits_for_any_more_holds_up_nothing() {
    let world = World::new(Some(PATIENCE));
    let mut script = AgentScript::answering(Domain::Jul);
    script.loggers = (0..1 << 17).map(|number| format!("{number:0>60}")).collect();
    let (fake, agent, _) = world.agent(script).await;
    agent.send(RegistrationDone).await.unwrap().unwrap();
    let listings: Vec<_> = (0..3)
        .map(|_| {
            let listed = agent.send(ListLoggers);
            tokio::task::spawn_local(async move { listed.await.map(drop) })
        })
        .collect();
    eventually("it is asked", || fake.numbers().contains(&1)).await;
    listings.iter().for_each(tokio::task::JoinHandle::abort);
    // All that is answered to the first is read; the others are not asked for.
    assert_eq!(synchronise(&agent, SESSION, wish(&["a"], &[])).await, Ok(()));
    assert_eq!(fake.numbers().iter().filter(|number| **number == 1).count(), 1);
    assert_eq!(agent.send(ListLoggers).await.unwrap().unwrap().len(), 1 << 17);
    world.end();
}

#[actix::test]
async fn a_refusal_is_told_to_who_asked_for_it() {
    let world = World::new(Some(PATIENCE));
    for (number, want) in [(2, wish(&["a"], &[])), (5, wish(&[], &["x"]))] {
        for refusal in [Refusal::Invalid, Refusal::UnknownName, Refusal::Unknown(0)] {
            let script = AgentScript::refusing(Domain::Jul, number, refusal);
            let (fake, agent, _) = world.agent(script).await;
            let refused = synchronise(&agent, SESSION, want.clone()).await;
            assert_eq!(refused, Err(AgentError::Refused(refusal)));
            // It is not asked again, and the next wish is not to blame.
            assert_eq!(synchronise(&agent, SESSION, want.clone()).await, Ok(()));
            assert_eq!(fake.numbers(), [number]);
            agent.send(RegistrationDone).await.unwrap().unwrap();
        }
    }
    let script = AgentScript::refusing(Domain::Jul, 1, Refusal::Invalid);
    let (_fake, agent, _) = world.agent(script).await;
    agent.send(RegistrationDone).await.unwrap().unwrap();
    let refused = agent.send(ListLoggers).await.unwrap();
    assert_eq!(refused, Err(AgentError::Refused(Refusal::Invalid)));
    world.end();
}

#[actix::test]
async fn a_silent_agent_is_waited_for_so_long_and_catches_up() {
    let gate = Gate::default();
    let held = gate.clone();
    let world = World::new(Some(SHORT));
    let script = AgentScript::new(Domain::Jul, move |request| match request.index {
        0 => AgentAct::Late(held.clone()),
        _ => AgentAct::Answer,
    });
    let (fake, agent, _) = world.agent(script).await;
    let timed_out = Err(AgentError::TimedOut);
    assert_eq!(synchronise(&agent, SESSION, wish(&["a"], &[])).await, timed_out);
    assert_eq!(synchronise(&agent, SESSION, wish(&["b"], &[])).await, timed_out);
    assert_eq!(synchronise(&agent, SESSION, wish(&["c"], &[])).await, timed_out);
    assert_eq!(forget(&agent, OTHER).await, Ok(()), "it has nothing of that one");
    assert_eq!(agent.send(RegistrationDone).await.unwrap(), timed_out);
    assert_eq!(fake.numbers(), [2]);
    gate.open();
    // Only the first and the newest wish.
    eventually("the agent has caught up", || fake.enabled() == ["c"]).await;
    eventually("it is registered", || fake.numbers() == [2, 3, 2, 4]).await;
    assert_eq!(fake.faults(), [""; 0]);
    world.end();
}

#[actix::test]
async fn a_silent_agent_costs_one_deadline_and_keeps_nothing_of_what_comes_and_goes() {
    const MANY: u32 = 50;
    let gate = Gate::default();
    let held = gate.clone();
    let world = World::new(Some(SHORT));
    let script = AgentScript::new(Domain::Jul, move |request| match request.index {
        1 => AgentAct::Late(held.clone()),
        _ => AgentAct::Answer,
    });
    let (fake, agent, _) = world.agent(script).await;
    agent.send(RegistrationDone).await.unwrap().unwrap();
    let timed_out = Err(AgentError::TimedOut);
    assert_eq!(synchronise(&agent, SESSION, wish(&["a"], &[])).await, timed_out);
    let begun = Instant::now();
    for _ in 0..MANY {
        assert_eq!(synchronise(&agent, OTHER, wish(&["b"], &[])).await, timed_out);
        assert_eq!(agent.send(ListLoggers).await.unwrap(), Err(AgentError::TimedOut));
        assert_eq!(forget(&agent, OTHER).await, Ok(()), "nothing of it was begun");
    }
    assert!(begun.elapsed() < SHORT * MANY, "each waits again: {:?}", begun.elapsed());
    gate.open();
    eventually_so("it is asked again, and its answer awaited", async || {
        agent.send(ListLoggers).await.unwrap().is_ok_and(|listed| listed.is_empty())
    })
    .await;
    assert_eq!(fake.enabled(), ["a"]);
    // Not what is over, and no listing that nobody would have taken.
    let numbers = fake.numbers();
    assert_eq!(numbers[..3], [4, 2, 1]);
    assert!(numbers[3..].iter().all(|number| *number == 1), "{numbers:?}");
    assert_eq!(fake.faults(), [""; 0]);
    world.end();
}

#[actix::test]
async fn a_silent_agent_holds_nobody_else_up() {
    let gate = Gate::default();
    let held = gate.clone();
    let world = World::new(Some(PATIENCE));
    let script = AgentScript::new(Domain::Jul, move |_| AgentAct::Late(held.clone()));
    let (_silent, silent, _) = world.agent(script).await;
    let waiting =
        tokio::task::spawn_local(
            async move { synchronise(&silent, SESSION, wish(&["a"], &[])).await },
        );
    let (_fake, agent) = world.answering().await;
    synchronise(&agent, SESSION, wish(&["a"], &[])).await.unwrap();
    assert!(!waiting.is_finished());
    gate.open();
    assert_eq!(waiting.await.unwrap(), Ok(()));
    world.end();
}
