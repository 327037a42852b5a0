//! Event rules and contexts of agent domains.

use std::collections::BTreeSet;

use super::*;
use crate::{AppContext, Context, ContextKind, EventListing, LogLevelRule};

const AGENTS: [(Domain, &str, &str); 3] = [
    (Domain::Jul, "lttng_jul_channel", "lttng_jul:*"),
    (Domain::Log4j, "lttng_log4j_channel", "lttng_log4j:*"),
    (Domain::Python, "lttng_python_channel", "lttng_python:*"),
];

/// What `lttng enable-event -j` sends.
fn logger(name: &str, rule: LogLevelRule) -> EventDescription {
    event(name).at_log_level(rule).for_agents().unwrap()
}

fn all(name: &str) -> EventDescription {
    logger(name, LogLevelRule::All)
}

impl UstDomain {
    fn agent_event(&mut self, of: Domain, event: &EventDescription) -> Result<(), ErrorCode> {
        self.enable_agent_event(of, event, PER_UID, REGULAR)
    }

    fn agent_states(&self, of: Domain) -> Vec<(String, i8)> {
        let listed = self.list_agent_events(of).into_iter();
        listed.map(|event| (event.name, event.enabled)).collect()
    }
}

#[test]
fn a_rule_comes_with_a_channel_and_an_internal_rule() {
    for (of, channel_name, tracepoints) in AGENTS {
        let mut domain = domain();
        domain.agent_event(of, &logger("app.**", LogLevelRule::Range(800))).unwrap();
        let channel = domain.channel(channel_name).unwrap();
        assert_eq!((channel.domain, channel.events.len()), (of, 1));
        let internal = &channel.events[0];
        assert!(internal.internal && internal.enabled);
        assert_eq!((internal.name.as_str(), internal.loglevel), (tracepoints, LogLevelRule::All));
        let text = "(logger_name == \"app.**\") && (int_loglevel >= 800)".to_owned();
        assert_eq!(internal.filter.as_ref().map(|filter| &filter.expression), Some(&text));
        let listing = EventListing {
            kind: crate::EventKind::Tracepoint,
            name: "app.*".to_owned(),
            loglevel_type: 1,
            loglevel: 800,
            enabled: 1,
            pid: 0,
            flags: 0,
            filter_expression: Some(text),
            exclusions: Vec::new(),
            probe: None,
            userspace_probe: None,
        };
        assert_eq!(domain.list_agent_events(of), [listing]);
        assert_eq!(domain.list_events(channel_name), Ok(vec![]));
        assert_eq!(domain.list_domains(), [Domain::Ust, of]);
        // The channel was asked for by name.
        assert_eq!(domain.event("", &event("p:a")), Err(ErrorCode::NeedChannelName));
    }
}

#[test]
fn rules_are_told_apart_by_their_filters() {
    let mut domain = domain();
    domain.agent_event(Domain::Jul, &all("a")).unwrap();
    assert_eq!(domain.agent_event(Domain::Jul, &all("a")), Err(ErrorCode::UstEventEnabled));
    // Another name and no filter, as no stock client sends it.
    domain.agent_event(Domain::Jul, &all("*")).unwrap();
    assert_eq!(domain.agent_event(Domain::Jul, &event("b")), Err(ErrorCode::UstEventEnabled));
    domain.agent_event(Domain::Jul, &logger("a", LogLevelRule::Single(900))).unwrap();
    domain.agent_event(Domain::Log4j, &all("a")).unwrap();
    let expected = [("a", 1), ("*", 1), ("a", 1)].map(|(name, on)| (name.to_owned(), on));
    assert_eq!(domain.agent_states(Domain::Jul), expected);
    assert_eq!(domain.list_domains(), [Domain::Ust, Domain::Jul, Domain::Log4j]);
    assert_eq!(domain.list_agent_events(Domain::Python), []);
}

#[test]
fn disabling_is_by_name() {
    let mut domain = domain();
    let disable =
        |domain: &mut UstDomain, name: &str| domain.disable_agent_event(Domain::Jul, &every(name));
    assert_eq!(disable(&mut domain, ""), Err(ErrorCode::UstEventNotFound));
    for rule in [all("a"), logger("a", LogLevelRule::Range(800)), all("b")] {
        domain.agent_event(Domain::Jul, &rule).unwrap();
    }
    let recording = |domain: &UstDomain| {
        let states = domain.agent_states(Domain::Jul);
        let internal = domain.channel("lttng_jul_channel").unwrap().events.iter();
        assert!(internal.map(|rule| i8::from(rule.enabled)).eq(states.iter().map(|(_, on)| *on)));
        states.into_iter().map(|(_, on)| on).collect::<Vec<_>>()
    };
    assert_eq!(disable(&mut domain, "c"), Err(ErrorCode::UstEventNotFound));
    disable(&mut domain, "a").unwrap();
    assert_eq!(recording(&domain), [0, 0, 1]);
    disable(&mut domain, "a").unwrap();
    domain.agent_event(Domain::Jul, &all("a")).unwrap();
    assert_eq!(recording(&domain), [1, 0, 1]);
    disable(&mut domain, "").unwrap();
    assert_eq!(recording(&domain), [0, 0, 0]);
    disable(&mut domain, "").unwrap();
    for wrong in [
        EventDescription { kind: 0, ..every("a") },
        EventDescription { loglevel: 800, ..every("a") },
        EventDescription { loglevel_type: 1, ..every("nobody") },
    ] {
        let refused = domain.disable_agent_event(Domain::Jul, &wrong);
        assert_eq!(refused, Err(ErrorCode::Unk));
    }
}

#[test]
fn what_a_missing_channel_answers_comes_first() {
    let mut domain = domain();
    let started = domain.enable_agent_event(Domain::Jul, &all("a"), PER_UID, STARTED);
    assert_eq!(started, Err(ErrorCode::TraceAlreadyStarted));
    let global = domain.enable_agent_event(Domain::Jul, &all("a"), 2, REGULAR);
    assert_eq!(global, Err(ErrorCode::BufferNotSupported));
    assert_eq!(domain.agent_event(Domain::Ust, &all("a")), Err(ErrorCode::UnknownDomain));
    let odd = EventDescription { loglevel_type: 3, ..event("a") };
    assert_eq!(domain.agent_event(Domain::Jul, &odd), Err(ErrorCode::Invalid));
    assert!(domain.channels.is_empty() && domain.agents.is_empty());
    // Where it exists, rules come in a session that was started as well.
    domain.agent_event(Domain::Jul, &all("a")).unwrap();
    domain.enable_agent_event(Domain::Jul, &all("b"), 2, STARTED).unwrap();
    let other = domain.enable_agent_event(Domain::Python, &all("b"), PER_PID, REGULAR);
    assert_eq!(other, Err(ErrorCode::BufferTypeMismatch));
}

#[test]
fn agents_are_asked_for_the_contexts_that_filters_and_channels_need() {
    let app = |provider: &str, name: &str| AppContext {
        provider: provider.to_owned(),
        name: name.to_owned(),
    };
    let mut domain = domain();
    let filtered =
        event("a").filtered_by("$app.one:x == 1 && $ctx.vpid > 0 || $app.two:y == \"t\"");
    let filtered = filtered.unwrap().for_agents().unwrap();
    domain.agent_event(Domain::Jul, &filtered).unwrap();
    let contexts = |domain: &UstDomain, of| domain.agents[&of].contexts.clone();
    assert_eq!(contexts(&domain, Domain::Jul), [app("one", "x"), app("two", "y")]);
    let raw = ContextKind::AppContext as u32;
    let mut add = |of, channel: &str, context: &Context| {
        domain.add_context(of, channel, raw, Some(context), REGULAR)
    };
    let known = Context::App(app("one", "x"));
    for channel in ["channel0", "lttng_log4j_channel", "x"] {
        assert_eq!(add(Domain::Jul, channel, &known), Err(ErrorCode::UstChanNotFound));
    }
    add(Domain::Jul, "lttng_jul_channel", &known).unwrap();
    assert_eq!(add(Domain::Jul, "", &known), Err(ErrorCode::UstContextExist));
    add(Domain::Log4j, "", &Context::App(app("three", "z"))).unwrap();
    for of in [Domain::Python, Domain::None, Domain::Kernel] {
        assert_eq!(add(of, "", &known), Err(ErrorCode::Und));
    }
    assert_eq!(contexts(&domain, Domain::Jul), [app("one", "x"), app("two", "y")]);
    assert_eq!(contexts(&domain, Domain::Log4j), [app("three", "z")]);
    assert_eq!(domain.channels[0].contexts.len(), 2);
    // A context alone shows no domain.
    assert_eq!(domain.list_domains(), [Domain::Ust, Domain::Jul]);
}

#[test]
fn the_first_context_of_an_agent_domain_makes_its_channel() {
    for (of, channel, _) in &AGENTS[..2] {
        let mut domain = domain();
        domain.add_context(*of, "", 5, Some(&Context::Plain(ContextKind::Vpid)), REGULAR).unwrap();
        let names: BTreeSet<_> = domain.channels.iter().map(|known| known.name.as_str()).collect();
        assert_eq!(names, BTreeSet::from([*channel]));
        assert!(domain.agents.is_empty());
    }
}

#[test]
fn filters_are_made_as_liblttng_ctl_makes_them() {
    let text = |event: EventDescription| {
        let event = event.for_agents().unwrap();
        (event.name, event.filter.map(|filter| filter.expression))
    };
    let filtered = |name| event(name).filtered_by("x == 1").unwrap();
    let some = |name: &str, text: &str| (name.to_owned(), Some(text.to_owned()));
    assert_eq!(text(event("*")), ("*".to_owned(), None));
    assert_eq!(text(event("")), ("*".to_owned(), None));
    assert_eq!(text(event("l")), some("l", "logger_name == \"l\""));
    assert_eq!(text(filtered("*")), some("*", "x == 1"));
    assert_eq!(text(filtered("l")), some("l", "(x == 1) && (logger_name == \"l\")"));
    let at = |event: EventDescription, rule| text(event.at_log_level(rule)).1.unwrap();
    assert_eq!(at(event("*"), LogLevelRule::Range(-3)), "int_loglevel >= -3");
    assert_eq!(at(event("*"), LogLevelRule::Single(20)), "int_loglevel == 20");
    assert_eq!(at(filtered("*"), LogLevelRule::Single(20)), "(x == 1) && (int_loglevel == 20)");
    let three = "((x == 1) && (logger_name == \"l\")) && (int_loglevel >= 20)";
    assert_eq!(at(filtered("l"), LogLevelRule::Range(20)), three);
    assert!(event("a\"b").for_agents().is_err());
}
