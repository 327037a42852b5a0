//! What event notifiers ask of agents.

use std::{sync::Arc, time::Duration};

use actix::{Actor, Addr};
use lttngd_model::{
    AppContext, Domain, Filter, LogLevelRule, TracerToken,
    ust::{NotifierEvents, NotifierRule, NotifierSet},
};
use lttngd_peer::{AgentAct, AgentScript, FakeAgent, Gate, PATIENCE, eventually};
use lttngd_runtime::Outlet;
use lttngd_wire::agent::{Command, EnableEvent};
use tokio::task::JoinHandle;

use super::world::{SESSION, World, synchronise, wish};
use crate::{Agent, AgentRegistered, Agents, Refusal, SetNotifiers};

const SHORT: Duration = Duration::from_millis(300);
const ENABLE: u32 = 2;

/// A notifier of what a logger logs.
fn notifier(token: u64, domain: Domain, logger: &str) -> NotifierRule {
    let filter = Filter::compile(format!("logger_name == \"{logger}\"")).unwrap();
    NotifierRule {
        token: TracerToken(token),
        error_counter_index: 0,
        events: NotifierEvents::loggers(domain, logger, LogLevelRule::Range(800), Some(filter)),
        captures: Vec::new(),
        app_contexts: Vec::new(),
    }
}

async fn set(agents: &Addr<Agents>, rules: impl IntoIterator<Item = NotifierRule>) {
    let set = Arc::new(NotifierSet::new(rules.into_iter().map(Arc::new)));
    agents.send(SetNotifiers { set }).await.unwrap();
}

fn agents() -> Addr<Agents> {
    Agents::new(Outlet::closed()).start()
}

/// An agent that is registered; over when its program goes on.
async fn arrives(
    world: &World,
    agents: &Addr<Agents>,
    script: AgentScript,
) -> (FakeAgent, Addr<Agent>, JoinHandle<()>) {
    let (fake, agent, info) = world.agent(script).await;
    let told = agents.send(AgentRegistered { info, agent: agent.clone() });
    (fake, agent, tokio::task::spawn_local(async move { told.await.unwrap() }))
}

async fn registered(world: &World, agents: &Addr<Agents>, domain: Domain) -> FakeAgent {
    let (fake, _, goes_on) = arrives(world, agents, AgentScript::answering(domain)).await;
    goes_on.await.unwrap();
    // Nobody waits until that has come.
    eventually("it is told", || fake.commands().last() == Some(&Command::RegistrationDone)).await;
    fake
}

#[actix::test]
async fn agents_of_a_domain_hand_over_what_its_notifiers_ask_for() {
    let (world, agents) = (World::new(Some(PATIENCE)), agents());
    let early = registered(&world, &agents, Domain::Jul).await;
    let other = registered(&world, &agents, Domain::Python).await;
    set(&agents, [notifier(1, Domain::Jul, "a"), notifier(2, Domain::Jul, "b")]).await;
    let late = registered(&world, &agents, Domain::Jul).await;
    assert_eq!(early.enabled(), ["a", "b"]);
    assert_eq!(late.enabled(), ["a", "b"]);
    assert_eq!(late.commands().last(), Some(&Command::RegistrationDone));
    let filter = Some("logger_name == \"a\"".to_owned());
    let event = EnableEvent { name: "a".to_owned(), loglevel_type: 1, loglevel: 800, filter };
    assert_eq!(late.commands()[0], Command::EnableEvent(event));
    assert_eq!(other.commands(), [Command::RegistrationDone]);
    set(&agents, [notifier(2, Domain::Jul, "b"), notifier(3, Domain::Python, "c")]).await;
    assert_eq!(early.enabled(), ["b"]);
    assert_eq!(other.enabled(), ["c"]);
    set(&agents, []).await;
    for fake in [early, late, other] {
        assert_eq!(fake.enabled(), [""; 0]);
        assert_eq!(fake.faults(), [""; 0]);
    }
    world.end();
}

#[actix::test]
async fn contexts_that_are_captured_are_attached() {
    let (world, agents) = (World::new(Some(PATIENCE)), agents());
    let fake = registered(&world, &agents, Domain::Log4j).await;
    let captured = AppContext { provider: "p".to_owned(), name: "c".to_owned() };
    let rule =
        NotifierRule { app_contexts: vec![captured.clone()], ..notifier(1, Domain::Log4j, "a") };
    set(&agents, [rule]).await;
    let commands = fake.commands();
    assert_eq!(commands[1], Command::EnableAppContext(captured), "{commands:?}");
    assert_eq!(fake.enabled(), ["a", "p:c"]);
    set(&agents, []).await;
    assert_eq!(fake.enabled(), [""; 0]);
    world.end();
}

#[actix::test]
async fn what_a_session_and_a_notifier_want_are_counted_apart() {
    let (world, agents) = (World::new(Some(PATIENCE)), agents());
    let (fake, agent, goes_on) =
        arrives(&world, &agents, AgentScript::answering(Domain::Jul)).await;
    goes_on.await.unwrap();
    synchronise(&agent, SESSION, wish(&["a"], &[])).await.unwrap();
    set(&agents, [notifier(1, Domain::Jul, "a")]).await;
    assert_eq!(fake.enabled(), ["a", "a"]);
    synchronise(&agent, SESSION, wish(&[], &[])).await.unwrap();
    assert_eq!(fake.enabled(), ["a"]);
    set(&agents, []).await;
    assert_eq!(fake.enabled(), [""; 0]);
    world.end();
}

#[actix::test]
async fn an_agent_that_refuses_or_does_not_answer_holds_nobody_up() {
    let (world, agents) = (World::new(Some(SHORT)), agents());
    let gate = Gate::default();
    let held = gate.clone();
    let script =
        AgentScript::new(Domain::Jul, move |request| match request.command.number() == ENABLE {
            true => AgentAct::Late(held.clone()),
            false => AgentAct::Answer,
        });
    let (silent, _, goes_on) = arrives(&world, &agents, script).await;
    goes_on.await.unwrap();
    let script = AgentScript::refusing(Domain::Jul, ENABLE, Refusal::UnknownName);
    let (refuses, _, goes_on) = arrives(&world, &agents, script).await;
    goes_on.await.unwrap();
    let answers = registered(&world, &agents, Domain::Jul).await;
    for logger in ["a", "b", "c"] {
        set(&agents, [notifier(1, Domain::Jul, logger)]).await;
        assert_eq!(answers.enabled(), [logger]);
    }
    assert_eq!(refuses.enabled(), [""; 0]);
    gate.open();
    eventually("it has the newest", || silent.enabled() == ["c"]).await;
    world.end();
}
