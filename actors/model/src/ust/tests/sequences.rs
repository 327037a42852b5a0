//! What holds after any sequence of commands.

use std::collections::HashSet;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::{
    AppContext, BufferScheme, Context, ContextKind,
    ust::{AgentDomain, agent_channel_name},
};

#[derive(Clone, Debug)]
enum Command {
    EnableChannel(ChannelListing, Domain, u32),
    DisableChannel(&'static str, Domain),
    EnableEvent(&'static str, EventDescription, u32),
    DisableEvent(&'static str, EventDescription),
    EnableAgentEvent(Domain, EventDescription, u32),
    DisableAgentEvent(Domain, EventDescription),
    AddContext(Domain, &'static str, u32),
    Start,
}

fn channel_name() -> impl Strategy<Value = &'static str> {
    select(vec!["", "channel0", "a", "b", "metadata", "lttng_jul_channel", ".bad", "b/d"])
}

fn any_domain() -> impl Strategy<Value = Domain> {
    prop_oneof![8 => Just(Domain::Ust), 1 => Just(Domain::Jul), 1 => Just(Domain::None)]
}

fn agents() -> impl Strategy<Value = Domain> {
    select(vec![Domain::Jul, Domain::Python])
}

fn any_attributes() -> impl Strategy<Value = ChannelAttributes> {
    let mode = select(vec![BufferMode::Default, BufferMode::Discard, BufferMode::Overwrite]);
    let output = select(vec![ChannelOutput::Mmap, ChannelOutput::Mmap, ChannelOutput::Splice]);
    let sizes = select(vec![4096, 8192, 65536, 5000, 0]);
    (mode, sizes, select(vec![1, 2, 4, 8, 3, 0]), output, select(vec![0, 1, 65536])).prop_map(
        |(mode, subbuf_size_bytes, num_subbuf, output, tracefile_size_bytes)| ChannelAttributes {
            mode,
            subbuf_size_bytes,
            num_subbuf,
            output,
            tracefile_size_bytes,
            ..attributes()
        },
    )
}

fn any_event() -> impl Strategy<Value = EventDescription> {
    let name = select(vec!["*", "**", "p:a", "p:b*", "p:b**", "lttng_jul:e", ""]);
    let exclusions = vec(select(vec!["x", "y", "y*", "y**"]), 0..3);
    let code = prop::option::of(select(vec!["f", "g"]));
    (name, -1..=6i8, -1..=3i8, select(vec![-1, 4, 6]), exclusions, code).prop_map(
        |(name, kind, loglevel_type, loglevel, exclusions, code)| EventDescription {
            // Mostly tracepoints of every level.
            kind: if kind > 3 { 0 } else { kind },
            loglevel_type,
            loglevel,
            exclusions: exclusions.into_iter().map(str::to_owned).collect(),
            filter: code.map(|code| filter(code, code.as_bytes())),
            ..event(name)
        },
    )
}

fn any_command() -> impl Strategy<Value = Command> {
    let scheme = || prop_oneof![8 => Just(PER_UID), 2 => Just(PER_PID), 1 => Just(2)];
    prop_oneof![
        6 => (channel_name(), any_attributes(), any_domain(), scheme()).prop_map(
            |(name, attributes, domain, scheme)| {
                Command::EnableChannel(ChannelListing { attributes, ..request(name) }, domain, scheme)
            }
        ),
        2 => (channel_name(), any_domain())
            .prop_map(|(name, domain)| Command::DisableChannel(name, domain)),
        8 => (channel_name(), any_event(), scheme())
            .prop_map(|(name, event, scheme)| Command::EnableEvent(name, event, scheme)),
        4 => (channel_name(), any_event()).prop_map(|(name, event)| {
            Command::DisableEvent(name, EventDescription { loglevel_type: 0, loglevel: -1, ..event })
        }),
        8 => (agents(), any_event(), scheme())
            .prop_map(|(of, event, scheme)| Command::EnableAgentEvent(of, event, scheme)),
        3 => (agents(), any_event()).prop_map(|(of, event)| {
            let event = EventDescription { kind: -1, loglevel_type: 0, loglevel: -1, ..event };
            Command::DisableAgentEvent(of, event)
        }),
        4 => (any_domain(), channel_name(), select(vec![0, 2, 5, 7, 15, 99]))
            .prop_map(|(of, name, context)| Command::AddContext(of, name, context)),
        1 => Just(Command::Start),
    ]
}

fn run(
    domain: &mut UstDomain,
    facts: &mut SessionFacts,
    command: &Command,
) -> Result<(), ErrorCode> {
    match command {
        Command::EnableChannel(request, of, scheme) => {
            domain.enable_channel(request, *of, *scheme, *facts)
        }
        Command::DisableChannel(name, of) => domain.disable_channel(name, *of),
        Command::EnableEvent(channel, event, scheme) => {
            domain.enable_event(channel, event, *scheme, *facts)
        }
        Command::DisableEvent(channel, event) => domain.disable_event(channel, event),
        Command::EnableAgentEvent(of, event, scheme) => {
            domain.enable_agent_event(*of, event, *scheme, *facts)
        }
        Command::DisableAgentEvent(of, event) => domain.disable_agent_event(*of, event),
        Command::AddContext(of, channel, raw) => {
            let app = || AppContext { provider: "p".to_owned(), name: "c".to_owned() };
            let context = ContextKind::from_raw(*raw).map(|kind| match kind {
                ContextKind::AppContext => Context::App(app()),
                kind => Context::Plain(kind),
            });
            domain.add_context(*of, channel, *raw, context.as_ref(), *facts)
        }
        Command::Start => {
            facts.was_started = true;
            Ok(())
        }
    }
}

/// Nothing is recorded that no rule of the agents asks for, and each rule has an internal one.
fn check_agents(domain: &UstDomain, of: Domain, agents: &AgentDomain) {
    let contexts: HashSet<_> = agents.contexts.iter().collect();
    assert_eq!(contexts.len(), agents.contexts.len());
    // A context alone makes no channel: that comes with the first rule.
    let Some(channel) = agent_channel_name(of).and_then(|name| domain.channel(name)) else {
        assert_eq!(agents.events, []);
        return;
    };
    let code = |filter: &Option<Filter>| filter.as_ref().map(|filter| filter.bytecode.clone());
    let rules = |on: bool| {
        let rules = agents.events.iter().filter(move |event| event.enabled || !on);
        rules.map(|event| code(&event.rule.filter)).collect::<HashSet<_>>()
    };
    let internal = |on: bool| {
        let internal = channel.events.iter().filter(move |rule| rule.enabled || !on);
        internal.map(|rule| code(&rule.filter)).collect::<HashSet<_>>()
    };
    assert!(internal(true).is_subset(&rules(true)));
    assert_eq!(internal(false), rules(false));
    let known: HashSet<_> = agents
        .events
        .iter()
        .map(|event| (&event.rule.name, event.rule.loglevel, &event.rule.filter))
        .collect();
    assert_eq!(known.len(), agents.events.len());
}

fn check(domain: &UstDomain, kind: SessionKind) {
    let names: HashSet<_> = domain.channels.iter().map(|channel| &channel.name).collect();
    assert_eq!(names.len(), domain.channels.len());
    for (index, channel) in (0..).zip(&domain.channels) {
        assert_eq!(channel.index, index);
        assert!(!channel.name.is_empty() && channel.name != "metadata");
        let own_name = agent_channel_name(channel.domain);
        assert_eq!(own_name.is_some(), channel.name.starts_with("lttng_"));
        assert!(own_name.is_none_or(|name| channel.name == name));
        assert_ne!(channel.attributes.mode, BufferMode::Default);
        assert_eq!(channel.attributes.output, ChannelOutput::Mmap);
        assert!(channel.attributes.num_subbuf > u64::from(channel.overwrites()));
        if let SessionKind::Live { timer_interval_us } = kind {
            assert_eq!(channel.attributes.live_timer_interval_us, timer_interval_us);
            assert_eq!(channel.attributes.switch_timer_interval_us, 0);
        }
        for (at, rule) in channel.events.iter().enumerate() {
            assert!(channel.events[..at].iter().all(|other| !other.is_same_rule(rule)));
            assert!(!rule.name.contains("**"));
            assert_eq!(rule.internal, channel.domain != Domain::Ust);
            assert_eq!(rule.internal, rule.name.starts_with("lttng_"));
        }
        let contexts: HashSet<_> = channel.contexts.iter().collect();
        assert_eq!(contexts.len(), channel.contexts.len());
        let shown = if channel.domain == Domain::Ust { channel.events.len() } else { 0 };
        assert_eq!(domain.list_events(&channel.name).unwrap().len(), shown);
    }
    for (of, agents) in &domain.agents {
        check_agents(domain, *of, agents);
    }
    assert_ne!(domain.scheme, BufferScheme::Global);
    assert_eq!(domain.list_channels().len(), domain.channels.len());
}

#[test]
fn a_context_for_agents_without_rules_makes_no_channel_of_theirs() {
    let mut domain = domain();
    let mut facts = SessionFacts { kind: SessionKind::Regular, was_started: false };
    let all = EventDescription { kind: 0, ..event("*") };
    let commands = [
        Command::EnableAgentEvent(Domain::Python, all, PER_UID),
        Command::AddContext(Domain::Jul, "", 15),
    ];
    for command in &commands {
        run(&mut domain, &mut facts, command).unwrap();
        check(&domain, facts.kind);
    }
    assert_eq!(domain.channels.len(), 1);
    assert_eq!(domain.agents[&Domain::Jul].events, []);
}

proptest! {
    #[test]
    fn commands_do_all_or_nothing(
        kind in select(vec![
            SessionKind::Regular,
            SessionKind::Snapshot,
            SessionKind::Live { timer_interval_us: 7 },
        ]),
        commands in vec(any_command(), 0..40),
    ) {
        let mut domain = domain();
        let mut facts = SessionFacts { kind, was_started: false };
        for command in &commands {
            let before = domain.clone();
            let result = run(&mut domain, &mut facts, command);
            check(&domain, kind);
            if result.is_err() {
                let after = UstDomain {
                    has_non_default_channel: before.has_non_default_channel,
                    ..domain.clone()
                };
                prop_assert_eq!(after, before, "{:?}", command);
            } else {
                prop_assert!(!before.scheme_is_fixed || domain.scheme == before.scheme);
                prop_assert!(
                    !facts.was_started || domain.channels.len() == before.channels.len()
                );
                // Channels only ever come, at the end.
                let known = before.channels.iter().map(|channel| (channel.index, &channel.name));
                let now = domain.channels.iter().map(|channel| (channel.index, &channel.name));
                prop_assert!(known.eq(now.take(before.channels.len())));
            }
        }
    }
}
