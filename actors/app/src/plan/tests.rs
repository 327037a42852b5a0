#![allow(clippy::unwrap_used)]

use lttngd_model::{
    BufferMode, ChannelAttributes, ChannelOutput, ContextKind, Domain, EventKind, LogLevelRule,
};
use proptest::prelude::*;

use super::*;

/// More steps than any wish of these tests needs.
const STEPS_MAX: usize = 200;

pub(crate) fn rule(name: &str) -> EventRule {
    EventRule {
        kind: EventKind::Tracepoint,
        name: name.to_owned(),
        loglevel: LogLevelRule::All,
        filter: None,
        exclusions: Vec::new(),
        enabled: true,
        internal: false,
    }
}

pub(crate) fn channel(index: u32, contexts: usize, events: usize) -> Channel {
    let kinds = [ContextKind::Vpid, ContextKind::Vtid, ContextKind::Procname];
    Channel {
        index,
        name: format!("channel{index}"),
        domain: Domain::Ust,
        enabled: true,
        attributes: ChannelAttributes {
            mode: BufferMode::Discard,
            subbuf_size_bytes: 4096,
            num_subbuf: 4,
            switch_timer_interval_us: 0,
            read_timer_interval_us: 0,
            monitor_timer_interval_us: 0,
            live_timer_interval_us: 0,
            blocking_timeout_us: 0,
            output: ChannelOutput::Mmap,
            tracefile_size_bytes: 0,
            tracefile_count: 0,
        },
        contexts: kinds[..contexts].iter().map(|kind| Context::Plain(*kind)).collect(),
        events: (0..events).map(|event| rule(&format!("p:e{index}_{event}"))).collect(),
    }
}

/// Does in `has` what the step says.
fn apply(has: &mut AppSession, step: Step<'_>) {
    match step {
        Step::CreateSession => assert_eq!(has.handle.replace(1), None),
        Step::CreateChannel { channel } => {
            assert!(has.channel(channel).is_none(), "channel {channel} is there already");
            has.insert(AppChannel::new(channel, channel + 2));
        }
        Step::AddContext { channel, .. } => has.channel_mut(channel).unwrap().contexts += 1,
        Step::CreateEvent { channel, event, .. } => {
            let events = &mut has.channel_mut(channel).unwrap().events;
            let len = events.len().max(event + 1);
            events.resize_with(len, || None);
            assert!(events[event].is_none(), "event {event} is there already");
            events[event] = Some(AppEvent { handle: 0, enabled: false });
        }
        Step::SetEvent { channel, event, enabled } => {
            let channel = has.channel_mut(channel).unwrap();
            let state = &mut channel.events[event].as_mut().unwrap().enabled;
            assert_ne!(std::mem::replace(state, enabled), enabled);
        }
        Step::SetChannel { channel, enabled } => {
            let channel = has.channel_mut(channel).unwrap();
            assert_ne!(std::mem::replace(&mut channel.enabled, enabled), enabled);
        }
        Step::SetSession { active } => {
            assert_ne!(std::mem::replace(&mut has.active, active), active);
        }
    }
}

/// Follows the plan to its end, where each step that `refuse` names fails: the steps that were done.
fn follow<'a>(
    has: &mut AppSession,
    active: bool,
    channels: &'a Arc<[Channel]>,
    mut refuse: impl FnMut(&Step<'_>) -> bool,
) -> Vec<Step<'a>> {
    let mut walk = Walk::default();
    let mut failed = HashSet::new();
    let mut done = Vec::new();
    for _ in 0..STEPS_MAX {
        let expected = first_step(has, active, channels, &failed);
        let step = walk.next_step(has, active, channels);
        assert_eq!(step, expected, "the way and what is left to do are not the same");
        let Some(step) = step else { return done };
        if refuse(&step) {
            assert!(failed.insert(step.target()), "{step:?} is tried again");
            walk.failed(step.target());
        } else {
            assert!(!failed.contains(&step.target()), "{step:?} has failed before");
            apply(has, step);
            done.push(step);
        }
    }
    panic!("no end: {done:?}");
}

/// The first of all steps that are left and have not failed: the definition of the way, which looks at
/// everything.
fn first_step<'a>(
    has: &AppSession,
    active: bool,
    channels: &'a [Channel],
    failed: &HashSet<Target>,
) -> Option<Step<'a>> {
    let fresh = |step: &Step<'_>| !failed.contains(&step.target());
    if !active {
        return has.active.then_some(Step::SetSession { active: false }).filter(fresh);
    }
    if has.handle.is_none() {
        return Some(Step::CreateSession).filter(fresh);
    }
    let session = (!has.active).then_some(Step::SetSession { active: true });
    let steps = channels.iter().flat_map(|want| channel_steps(has, want));
    steps.chain(session).find(fresh)
}

/// All steps that are left for a channel and do not need others first.
fn channel_steps<'a>(has: &AppSession, want: &'a Channel) -> Vec<Step<'a>> {
    let channel = want.index;
    let Some(there) = has.channels().iter().find(|there| there.index == channel) else {
        return vec![Step::CreateChannel { channel }];
    };
    if let Some(context) = want.contexts.get(there.contexts) {
        return vec![Step::AddContext { channel, context }];
    }
    let event = |(event, rule): (usize, &'a EventRule)| match there
        .events
        .get(event)
        .and_then(Option::as_ref)
    {
        None => Some(Step::CreateEvent { channel, event, rule }),
        Some(known) => (known.enabled != rule.enabled).then_some(Step::SetEvent {
            channel,
            event,
            enabled: rule.enabled,
        }),
    };
    let state = (there.enabled != want.enabled)
        .then_some(Step::SetChannel { channel, enabled: want.enabled });
    want.events.iter().enumerate().filter_map(event).chain(state).collect()
}

/// Whether the application has exactly what an active session wants.
fn matches(has: &AppSession, channels: &[Channel]) -> bool {
    has.active
        && has.channels().len() == channels.len()
        && has.channels().iter().zip(channels).all(|(has, want)| {
            let enabled = |event: &Option<AppEvent>| event.as_ref().map(|event| event.enabled);
            has.index == want.index
                && has.enabled == want.enabled
                && has.contexts == want.contexts.len()
                && has.events.iter().map(enabled).eq(want.events.iter().map(|e| Some(e.enabled)))
        })
}

#[test]
fn a_fresh_application_gets_everything_in_the_order_of_the_protocol() {
    let mut has = AppSession::default();
    let channels = [channel(0, 1, 1), channel(4, 0, 1)].into();
    let steps = follow(&mut has, true, &channels, |_| false);
    let expected = [
        Step::CreateSession,
        Step::CreateChannel { channel: 0 },
        Step::AddContext { channel: 0, context: &channels[0].contexts[0] },
        Step::CreateEvent { channel: 0, event: 0, rule: &channels[0].events[0] },
        Step::SetEvent { channel: 0, event: 0, enabled: true },
        Step::CreateChannel { channel: 4 },
        Step::CreateEvent { channel: 4, event: 0, rule: &channels[1].events[0] },
        Step::SetEvent { channel: 4, event: 0, enabled: true },
        Step::SetSession { active: true },
    ];
    assert_eq!(steps, expected);
}

#[test]
fn an_inactive_session_makes_nothing() {
    let mut has = AppSession::default();
    assert_eq!(follow(&mut has, false, &[channel(0, 1, 2)].into(), |_| false), []);
    assert_eq!(has.handle, None);
}

#[test]
fn a_stop_stops_and_a_restart_makes_up_for_what_changed_meanwhile() {
    let mut has = AppSession::default();
    let mut channels = vec![channel(0, 0, 1)];
    follow(&mut has, true, &channels.clone().into(), |_| false);
    channels[0].events[0].enabled = false;
    channels[0].events.push(rule("p:new"));
    let channels = channels.into();
    let stop = follow(&mut has, false, &channels, |_| false);
    assert_eq!(stop, [Step::SetSession { active: false }]);
    let restart = follow(&mut has, true, &channels, |_| false);
    let expected = [
        Step::SetEvent { channel: 0, event: 0, enabled: false },
        Step::CreateEvent { channel: 0, event: 1, rule: &rule("p:new") },
        Step::SetEvent { channel: 0, event: 1, enabled: true },
        Step::SetSession { active: true },
    ];
    assert_eq!(restart, expected);
}

#[test]
fn disabled_channels_and_events_are_there_and_disabled() {
    let mut has = AppSession::default();
    let mut channels = [channel(0, 0, 2)];
    channels[0].enabled = false;
    channels[0].events[1].enabled = false;
    let channels = channels.into();
    let steps = follow(&mut has, true, &channels, |_| false);
    assert!(steps.contains(&Step::SetChannel { channel: 0, enabled: false }));
    assert!(matches(&has, &channels));
    assert!(!has.channels()[0].enabled);
    assert!(!has.channels()[0].events[1].as_ref().unwrap().enabled, "made, and not enabled");
}

#[test]
fn a_context_that_fails_keeps_the_events_of_its_channel_back_and_nothing_else() {
    let mut has = AppSession::default();
    let channels = [channel(0, 2, 1), channel(1, 1, 1)].into();
    follow(
        &mut has,
        true,
        &channels,
        |step| matches!(step, Step::AddContext { channel: 0, context } if **context == channels[0].contexts[1]),
    );
    assert!(has.active);
    assert_eq!((has.channels()[0].contexts, has.channels()[0].events.len()), (1, 0));
    assert_eq!((has.channels()[1].contexts, has.channels()[1].events.len()), (1, 1));
}

#[test]
fn each_kind_of_step_may_fail_for_good() {
    let channels = [channel(0, 1, 2), Channel { enabled: false, ..channel(1, 0, 1) }].into();
    let kinds: [fn(&Step) -> bool; 7] = [
        |step| matches!(step, Step::CreateSession),
        |step| matches!(step, Step::CreateChannel { .. }),
        |step| matches!(step, Step::AddContext { .. }),
        |step| matches!(step, Step::CreateEvent { .. }),
        |step| matches!(step, Step::SetEvent { .. }),
        |step| matches!(step, Step::SetChannel { .. }),
        |step| matches!(step, Step::SetSession { .. }),
    ];
    for kind in kinds {
        let mut has = AppSession::default();
        follow(&mut has, true, &channels, kind);
        follow(&mut has, false, &channels, kind);
        has.active = has.handle.is_some();
        follow(&mut has, false, &channels, kind);
    }
}

/// A wish after the ones before: whether active, and for each channel whether it and its events
/// are enabled. Its length says how many events there are.
type Wish = (bool, Vec<(bool, Vec<bool>)>);

const CHANNELS: usize = 3;

fn wishes() -> impl Strategy<Value = Vec<Wish>> {
    let channel = (any::<bool>(), prop::collection::vec(any::<bool>(), 0..4));
    let wish = (any::<bool>(), prop::collection::vec(channel, CHANNELS));
    prop::collection::vec(wish, 1..6)
}

/// Turns the channels into what the next wish says; events only ever grow in number.
fn change(channels: &mut [Channel], wish: &Wish) {
    for (channel, (enabled, events)) in channels.iter_mut().zip(&wish.1) {
        channel.enabled = *enabled;
        for (event, enabled) in events.iter().enumerate() {
            if channel.events.len() <= event {
                channel.events.push(rule(&format!("p:e{event}")));
            }
            channel.events[event].enabled = *enabled;
        }
    }
}

fn some_channels() -> Vec<Channel> {
    (0..CHANNELS).map(|at| channel(at as u32, at, 0)).collect()
}

proptest! {
    #[test]
    fn every_wish_is_reached(wishes in wishes()) {
        let mut has = AppSession::default();
        let mut channels = some_channels();
        for wish in &wishes {
            change(&mut channels, wish);
            follow(&mut has, wish.0, &channels.clone().into(), |_| false);
            if wish.0 {
                prop_assert!(matches(&has, &channels), "{has:?} is not {channels:?}");
            } else {
                prop_assert!(!has.active);
            }
        }
    }

    #[test]
    fn failures_end_and_the_next_wish_makes_up_for_them(
        wishes in wishes(),
        refused in prop::collection::vec(any::<bool>(), 1..40),
    ) {
        let mut has = AppSession::default();
        let mut channels = some_channels();
        let mut turn = 0;
        for wish in &wishes {
            change(&mut channels, wish);
            follow(&mut has, wish.0, &channels.clone().into(), |_| {
                turn += 1;
                refused[turn % refused.len()]
            });
        }
        follow(&mut has, true, &channels.clone().into(), |_| false);
        prop_assert!(matches(&has, &channels), "{has:?} is not {channels:?}");
    }

    #[test]
    fn the_way_is_the_definition_whichever_of_some_wishes_is_the_newest(
        wishes in wishes(),
        // A new job, a few steps, or all that are left.
        turns in prop::collection::vec(
            (any::<prop::sample::Index>(), prop::bool::weighted(0.9), prop_oneof![0..4_usize, Just(STEPS_MAX)]),
            1..20,
        ),
        refused in prop::collection::vec(prop::bool::weighted(0.05), 1..40),
    ) {
        let mut channels = some_channels();
        let wishes: Vec<Arc<[Channel]>> = wishes
            .iter()
            .map(|wish| {
                change(&mut channels, wish);
                channels.clone().into()
            })
            .collect();
        let mut has = AppSession::default();
        let (mut walk, mut failed) = (Walk::default(), HashSet::new());
        let mut asked = 0;
        for (which, active, steps) in &turns {
            let channels = which.get(&wishes);
            if *steps == 0 {
                // The next job.
                (walk, failed) = (Walk::default(), HashSet::new());
            }
            for _ in 0..*steps {
                let expected = first_step(&has, *active, channels, &failed);
                let step = walk.next_step(&mut has, *active, channels);
                prop_assert_eq!(step, expected);
                let Some(step) = step else { break };
                asked += 1;
                if refused[asked % refused.len()] {
                    failed.insert(step.target());
                    walk.failed(step.target());
                } else {
                    apply(&mut has, step);
                }
            }
        }
    }
}

#[test]
fn what_was_not_switched_is_tried_again_with_the_next_wish() {
    let channels: Arc<[Channel]> = [channel(3, 0, 2)].into();
    let mut has = AppSession::default();
    follow(&mut has, true, &channels, |_| false);
    let mut wanted = channels.to_vec();
    wanted[0].enabled = false;
    wanted[0].events[1].enabled = false;
    let wanted: Arc<[Channel]> = wanted.into();
    let mut walk = Walk::default();
    for target in [Target::Event(3, 1), Target::ChannelState(3)] {
        let step = walk.next_step(&mut has, true, &wanted).unwrap();
        assert!(step.is_switch() && step.target() == target, "{step:?}");
        let (_, enabled) = has.switch(step).unwrap();
        assert!(!enabled);
    }
    assert_eq!(walk.next_step(&mut has, true, &wanted), None, "their answers are not waited for");
    has.not_switched(Target::Event(3, 1), false);
    walk.failed(Target::Event(3, 1));
    assert_eq!(walk.next_step(&mut has, true, &wanted), None, "it has failed");
    let left = follow(&mut has, true, &wanted, |_| false);
    assert_eq!(left, [Step::SetEvent { channel: 3, event: 1, enabled: false }]);
    assert_eq!(has.switch(Step::SetEvent { channel: 3, event: 7, enabled: true }), None);
}
