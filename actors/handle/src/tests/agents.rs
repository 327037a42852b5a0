//! Logging agents: what each is told and when, what its refusals mean, and whom its silence concerns.

use std::time::{Duration, Instant};

use lttngd_agent::Refusal;
use lttngd_model::{AppContext, BufferScheme, Domain, ErrorCode, EventDescription, LogLevelRule};
use lttngd_peer::{
    AgentAct, AgentScript, AppScript, ConsumerScript, FakeAgent, Gate, PATIENCE, eventually,
    eventually_so,
};
use lttngd_wire::{agent::Command, ust::command::Command as UstCommand};

use super::world::World;

const LIST: u32 = 1;
const ENABLE: u32 = 2;
const DISABLE: u32 = 3;
const REGISTRATION_DONE: u32 = 4;
const CONTEXT_ENABLE: u32 = 5;

fn logger(name: &str) -> EventDescription {
    EventDescription::tracepoint(name)
}

fn context() -> AppContext {
    AppContext { provider: "prov".to_owned(), name: "ctx".to_owned() }
}

impl World {
    /// An agent whose registration is done.
    pub(super) async fn registered(&self, script: AgentScript) -> FakeAgent {
        let agent = self.agent(script);
        let done = || agent.numbers().contains(&REGISTRATION_DONE);
        eventually("the registration is done", done).await;
        agent
    }

    async fn empty_session(&self, name: &str) {
        self.handle.create_session(None, self.descriptor(name)).await.unwrap();
    }

    async fn enable(&self, session: &str, name: &str) -> Result<(), ErrorCode> {
        self.handle.enable_agent_event(session, Domain::Jul, logger(name)).await
    }

    async fn disable(&self, session: &str, name: &str) -> Result<(), ErrorCode> {
        let event = EventDescription::of_any_kind(name);
        self.handle.disable_agent_event(session, Domain::Jul, event).await
    }

    /// The rules of a session by name, with whether they record.
    async fn rules(&self, session: &str) -> Vec<(String, bool)> {
        let listed = self.handle.list_agent_events(session, Domain::Jul).await.unwrap();
        listed.into_iter().map(|event| (event.name, event.enabled == 1)).collect()
    }
}

#[actix::test]
async fn agents_have_what_sessions_want_whoever_came_first() {
    let world = World::new(ConsumerScript::default(), Some(PATIENCE)).await;
    let early = world.registered(AgentScript::answering(Domain::Jul)).await;
    let other = world.registered(AgentScript::answering(Domain::Python)).await;
    world.empty_session("a").await;
    world.enable("a", "x").await.unwrap();
    world.enable("a", "y").await.unwrap();
    world.disable("a", "y").await.unwrap();
    world.handle.add_agent_context("a", Domain::Jul, context()).await.unwrap();
    world.handle.start("a").await.unwrap();
    world.empty_session("b").await;
    world.enable("b", "x").await.unwrap();
    assert_eq!(early.enabled(), ["prov:ctx", "x", "x"]);

    let late = world.registered(AgentScript::answering(Domain::Jul)).await;
    assert_eq!(late.numbers().last(), Some(&REGISTRATION_DONE), "all is told before");
    assert_eq!(late.enabled(), ["prov:ctx", "x", "x"]);
    world.enable("a", "z").await.unwrap();
    world.enable("a", "y").await.unwrap();
    for agent in [&early, &late] {
        assert_eq!(agent.enabled(), ["prov:ctx", "x", "x", "y", "z"]);
    }
    world.handle.stop("a").await.unwrap();
    world.handle.destroy_session("a").await.unwrap();
    for agent in [&early, &late] {
        assert_eq!(agent.enabled(), ["x"]);
    }
    drop(early);
    // Nobody is missing it.
    world.disable("b", "").await.unwrap();
    assert_eq!(late.enabled(), [""; 0]);
    assert_eq!(other.numbers(), [REGISTRATION_DONE]);
    assert_eq!(late.faults(), [""; 0]);
    world.end().await;
}

#[actix::test]
async fn applications_record_what_agents_hand_over() {
    let world = World::new(ConsumerScript::default(), Some(PATIENCE)).await;
    let app = world.app(AppScript::default());
    world.empty_session("s").await;
    world.enable("s", "x").await.unwrap();
    world.handle.start("s").await.unwrap();
    let rule = logger("y").at_log_level(LogLevelRule::Range(800));
    world.handle.enable_agent_event("s", Domain::Jul, rule).await.unwrap();
    let count = |wanted: fn(&UstCommand) -> bool| {
        app.requests().iter().filter(|request| wanted(&request.command)).count()
    };
    let events = || {
        count(|command| {
            matches!(command, UstCommand::Event { name, loglevel, .. }
                if name == "lttng_jul:*" && *loglevel == LogLevelRule::All)
        })
    };
    eventually("both rules are there", || events() == 2).await;
    assert_eq!(count(|command| matches!(command, UstCommand::Filter(_))), 2);
    assert_eq!(app.faults(), [""; 0]);
    world.end().await;
}

#[actix::test]
async fn what_an_agent_refuses_is_not_there() {
    let world = World::new(ConsumerScript::default(), Some(PATIENCE)).await;
    world.empty_session("s").await;
    world.enable("s", "known").await.unwrap();
    let willing = world.registered(AgentScript::answering(Domain::Jul)).await;
    for (refusal, code) in [
        (Refusal::UnknownName, ErrorCode::UstEventNotFound),
        (Refusal::Invalid, ErrorCode::Unk),
        (Refusal::Unknown(9), ErrorCode::Unk),
    ] {
        let mut unwilling =
            world.registered(AgentScript::refusing(Domain::Jul, ENABLE, refusal)).await;
        assert_eq!(world.enable("s", "new").await, Err(code));
        assert_eq!(world.enable("s", "new").await, Err(code), "it is asked again");
        assert_eq!(world.rules("s").await, [("known".to_owned(), true)]);
        assert_eq!(willing.enabled(), ["known"]);
        // It has nothing that it could take back.
        world.disable("s", "known").await.unwrap();
        unwilling.die();
        eventually_so("its end is noticed", async || world.enable("s", "known").await.is_ok())
            .await;
        assert_eq!(unwilling.faults(), [""; 0]);
    }
    let script = AgentScript::refusing(Domain::Jul, CONTEXT_ENABLE, Refusal::Invalid);
    let mut unwilling = world.registered(script).await;
    let add = world.handle.add_agent_context("s", Domain::Jul, context()).await;
    assert_eq!(add, Err(ErrorCode::Unk));
    let filtered = logger("new").filtered_by("$app.prov:ctx == 1").unwrap();
    let enable = world.handle.enable_agent_event("s", Domain::Jul, filtered.clone()).await;
    assert_eq!(enable, Err(ErrorCode::Unk));
    assert_eq!(willing.enabled(), ["known"]);
    unwilling.die();
    eventually_so("its end is noticed", async || {
        world.handle.enable_agent_event("s", Domain::Jul, filtered.clone()).await.is_ok()
    })
    .await;
    assert_eq!(willing.enabled(), ["known", "new", "prov:ctx"]);
    assert_eq!(willing.faults(), [""; 0]);
    world.end().await;
}

#[actix::test]
async fn a_rule_that_an_agent_will_not_take_back_is_disabled_all_the_same() {
    let world = World::new(ConsumerScript::default(), Some(PATIENCE)).await;
    let script = AgentScript::refusing(Domain::Jul, 3, Refusal::Invalid);
    let agent = world.registered(script).await;
    world.empty_session("s").await;
    world.enable("s", "x").await.unwrap();
    assert_eq!(world.disable("s", "x").await, Err(ErrorCode::Unk));
    assert_eq!(world.rules("s").await, [("x".to_owned(), false)]);
    world.disable("s", "x").await.unwrap();
    world.enable("s", "x").await.unwrap();
    assert_eq!(agent.numbers(), [REGISTRATION_DONE, ENABLE, DISABLE, ENABLE]);
    world.end().await;
}

#[actix::test]
async fn a_silent_agent_delays_who_needs_it_and_catches_up() {
    const SHORT: Duration = Duration::from_millis(500);
    let gate = Gate::default();
    let held = gate.clone();
    let world = World::new(ConsumerScript::default(), Some(SHORT)).await;
    let script = AgentScript::new(Domain::Jul, move |request| match request.command.number() {
        ENABLE => AgentAct::Late(held.clone()),
        _ => AgentAct::Answer,
    });
    let silent = world.registered(script).await;
    let prompt = world.registered(AgentScript::answering(Domain::Jul)).await;
    world.empty_session("s").await;
    let begun = Instant::now();
    world.enable("s", "x").await.unwrap();
    assert!(begun.elapsed() >= SHORT);
    assert_eq!(world.rules("s").await, [("x".to_owned(), true)]);
    assert_eq!(prompt.enabled(), ["x"]);
    assert_eq!(silent.enabled(), [""; 0]);
    // Its registration would wait behind that.
    let listed = world.handle.list_tracepoints(Some(Domain::Jul)).await.unwrap();
    assert_eq!(listed, []);
    world.handle.destroy_session("s").await.unwrap();
    gate.open();
    eventually("it has caught up", || silent.numbers().last() == Some(&DISABLE)).await;
    eventually("it has nothing", || silent.enabled().is_empty()).await;
    assert_eq!(silent.faults(), [""; 0]);
    world.end().await;
}

#[actix::test]
async fn the_end_of_an_agent_in_the_middle_of_a_command_is_no_error() {
    let world = World::new(ConsumerScript::default(), Some(PATIENCE)).await;
    world.empty_session("s").await;
    let script = AgentScript::new(Domain::Jul, |request| match request.command {
        Command::EnableEvent(_) => AgentAct::Cut(2),
        _ => AgentAct::Answer,
    });
    let _dying = world.registered(script).await;
    world.enable("s", "x").await.unwrap();
    assert_eq!(world.rules("s").await, [("x".to_owned(), true)]);
    world.end().await;
}

#[actix::test]
async fn loggers_of_all_agents_of_a_domain_are_listed() {
    let world = World::new(ConsumerScript::default(), Some(PATIENCE)).await;
    let with = |domain, names: &[&str]| {
        let mut script = AgentScript::answering(domain);
        script.loggers = names.iter().map(|&name| name.to_owned()).collect();
        script
    };
    let long = "n".repeat(256);
    let one = world.registered(with(Domain::Jul, &["a", &long, "b"])).await;
    let _two = world.registered(with(Domain::Jul, &["a"])).await;
    let _other = world.registered(with(Domain::Log4j, &["c"])).await;
    let refusing = AgentScript::refusing(Domain::Jul, LIST, Refusal::Invalid);
    let _refusing = world.registered(refusing).await;
    let listed = world.handle.list_tracepoints(Some(Domain::Jul)).await.unwrap();
    let names: Vec<_> = listed.iter().map(|event| event.name.as_str()).collect();
    assert_eq!(names, ["a", "b", "a"]);
    let pid = i32::try_from(std::process::id()).unwrap();
    assert!(listed.iter().all(|event| (event.pid, event.enabled, event.loglevel) == (pid, -1, 0)));
    drop(one);
    eventually_so("only the other one is listed", async || {
        world.handle.list_tracepoints(Some(Domain::Jul)).await.unwrap().len() == 1
    })
    .await;
    world.end().await;
}

#[actix::test]
async fn the_scheme_of_a_session_goes_for_its_agents() {
    let world = World::new(ConsumerScript::default(), None).await;
    world.empty_session("s").await;
    let channel = lttngd_peer::channel_listing("c");
    world.handle.enable_channel("s", BufferScheme::PerPid, channel).await.unwrap();
    assert_eq!(world.enable("s", "x").await, Err(ErrorCode::BufferTypeMismatch));
    let domains = world.handle.list_domains("s").await.unwrap();
    assert_eq!(domains, [(Domain::Ust, BufferScheme::PerPid)]);
    world.end().await;
}
