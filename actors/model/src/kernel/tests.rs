//! Commands on the kernel's domain: what is refused, in which order, and what the tracer is to do.
#![allow(clippy::unwrap_used)]

use super::{Done, FailedPart, Failure, KernelDomain, KernelFacts, Plan, Step, TracerError};
use crate::{
    BufferMode, Bytecode, ChannelAttributes, ChannelListing, ChannelOutput, Context, ContextKind,
    ErrorCode, EventDescription, EventKind, Filter, ProbeAttributes, ProcessAttribute, SessionKind,
    TrackerValue, TrackingPolicy,
};

const FACTS: KernelFacts = KernelFacts {
    kind: SessionKind::Regular,
    was_started: false,
    has_snapshot_output: false,
    can_be_monitored: true,
};
const STARTED: KernelFacts = KernelFacts { was_started: true, ..FACTS };

fn done(plan: &Plan) -> Done {
    vec![Ok(()); plan.steps.len()]
}

/// All steps but the last one are done, which failed so.
fn failed(plan: &Plan, part: FailedPart, error: TracerError) -> Done {
    let mut done = done(plan);
    *done.last_mut().unwrap() = Err(Failure { part, error });
    done
}

fn channel(name: &str) -> ChannelListing {
    ChannelListing::new(name, ChannelAttributes::kernel())
}

fn event(kind: EventKind, name: &str) -> EventDescription {
    EventDescription { kind: kind as i8, ..EventDescription::tracepoint(name) }
}

/// Does what a plan says, with success.
fn carry_out(domain: &mut KernelDomain, plan: Result<Plan, ErrorCode>) -> Result<(), ErrorCode> {
    let plan = plan?;
    domain.settle(&plan, &done(&plan))
}

fn enable_channel(
    domain: &mut KernelDomain,
    name: &str,
    facts: KernelFacts,
) -> Result<(), ErrorCode> {
    let plan = domain.plan_enable_channel(&channel(name), facts);
    carry_out(domain, plan)
}

fn enable_event(
    domain: &mut KernelDomain,
    channel: &str,
    event: &EventDescription,
) -> Result<(), ErrorCode> {
    let plan = domain.plan_enable_event(channel, event, FACTS);
    carry_out(domain, plan)
}

#[test]
fn a_channel_is_made_once_and_comes_back_as_it_was() {
    let mut domain = KernelDomain::default();
    for name in [".c", "a/b"] {
        assert_eq!(enable_channel(&mut domain, name, FACTS), Err(ErrorCode::InvalidChannelName));
    }
    enable_channel(&mut domain, "c", FACTS).unwrap();
    assert_eq!(enable_channel(&mut domain, "c", STARTED), Err(ErrorCode::KernChanExist));
    assert_eq!(enable_channel(&mut domain, "d", STARTED), Err(ErrorCode::TraceAlreadyStarted));
    let plan = domain.plan_disable_channel("c");
    carry_out(&mut domain, plan).unwrap();
    assert!(!domain.channels[0].enabled);
    assert_eq!(domain.plan_disable_channel("c"), Ok(Plan::default()), "it is so already");
    enable_channel(&mut domain, "c", STARTED).unwrap();
    assert!(domain.channels[0].enabled);
    assert_eq!(domain.plan_disable_channel("e"), Err(ErrorCode::KernChanNotFound));
    enable_channel(&mut domain, "d", FACTS).unwrap();
    let names: Vec<_> = domain.list_channels().into_iter().map(|(_, it)| it.name).collect();
    assert_eq!(names, ["d", "c"], "the newest first");
}

#[test]
fn attributes_are_those_of_session_and_tracer() {
    let live = SessionKind::Live { timer_interval_us: 9 };
    for (facts, mode, output, live, monitor) in [
        (FACTS, BufferMode::Discard, ChannelOutput::Splice, 0, 1_000_000),
        (
            KernelFacts { kind: SessionKind::Snapshot, ..FACTS },
            BufferMode::Overwrite,
            ChannelOutput::Mmap,
            0,
            1_000_000,
        ),
        (
            KernelFacts { kind: live, ..FACTS },
            BufferMode::Discard,
            ChannelOutput::Splice,
            9,
            1_000_000,
        ),
        (
            KernelFacts { has_snapshot_output: true, ..FACTS },
            BufferMode::Discard,
            ChannelOutput::Mmap,
            0,
            1_000_000,
        ),
        (
            KernelFacts { can_be_monitored: false, ..FACTS },
            BufferMode::Discard,
            ChannelOutput::Splice,
            0,
            0,
        ),
    ] {
        let mut domain = KernelDomain::default();
        enable_channel(&mut domain, "c", facts).unwrap();
        let made = domain.channels[0].attributes;
        assert_eq!((made.mode, made.output), (mode, output), "{facts:?}");
        assert_eq!(made.live_timer_interval_us, live, "{facts:?}");
        assert_eq!(made.monitor_timer_interval_us, monitor, "{facts:?}");
    }
    let mut domain = KernelDomain::default();
    let one = ChannelAttributes {
        mode: BufferMode::Overwrite,
        num_subbuf: 1,
        ..ChannelAttributes::kernel()
    };
    let waits = ChannelAttributes { blocking_timeout_us: 1, ..ChannelAttributes::kernel() };
    for attributes in [one, waits] {
        let request = ChannelListing::new("c", attributes);
        let plan = domain.plan_enable_channel(&request, FACTS);
        assert_eq!(plan, Err(ErrorCode::Invalid));
    }
}

#[test]
fn of_a_channel_that_the_tracer_refuses_only_the_name_is_remembered() {
    let mut domain = KernelDomain::default();
    let plan = domain.plan_enable_channel(&channel("c"), FACTS).unwrap();
    let refused = failed(&plan, FailedPart::Itself, TracerError::Invalid);
    assert_eq!(domain.settle(&plan, &refused), Err(ErrorCode::KernChanFail));
    assert!(domain.channels.is_empty());
    let unnamed = event(EventKind::Tracepoint, "e");
    let plan = domain.plan_enable_event("", &unnamed, FACTS);
    assert_eq!(plan, Err(ErrorCode::NeedChannelName));
}

#[test]
fn an_event_brings_the_default_channel_and_takes_it_away_when_it_is_refused() {
    let mut domain = KernelDomain::default();
    let kprobe = event(EventKind::Probe, "p");
    let plan = domain.plan_enable_event("", &kprobe, FACTS).unwrap();
    assert!(matches!(&plan.steps[..], [Step::CreateChannel(_), Step::CreateRule { .. }]));
    assert_eq!(plan.undoes(&plan.steps[1]), Some(0));
    let refused = failed(&plan, FailedPart::Itself, TracerError::Invalid);
    assert_eq!(domain.settle(&plan, &refused), Err(ErrorCode::KernEnableFail));
    assert!(domain.channels.is_empty());
    // Refused system calls leave it.
    let syscall = event(EventKind::Syscall, "open");
    let plan = domain.plan_enable_event("", &syscall, FACTS).unwrap();
    assert_eq!(plan.undoes(&plan.steps[1]), None);
    let refused = failed(&plan, FailedPart::Itself, TracerError::Other);
    assert_eq!(domain.settle(&plan, &refused), Err(ErrorCode::KernEnableFail));
    assert_eq!(domain.channels.len(), 1);
    assert!(domain.channels[0].name == "channel0" && domain.channels[0].index == 1);
}

#[test]
fn codes_are_those_of_the_call_that_failed() {
    use FailedPart as P;
    use TracerError as E;
    for (part, error, code) in [
        (P::Itself, E::Exists, ErrorCode::KernEventExist),
        (P::Itself, E::NotImplemented, ErrorCode::KernEventEnosys),
        (P::Itself, E::Missing, ErrorCode::KernEnableFail),
        (P::Filter, E::NoMemory, ErrorCode::FilterNomem),
        (P::Filter, E::Invalid, ErrorCode::FilterInval),
        (P::Location(ErrorCode::ElfParsing), E::Other, ErrorCode::ElfParsing),
        (P::Callsite, E::Exists, ErrorCode::KernEnableFail),
        (P::Enable, E::Exists, ErrorCode::KernEventExist),
        (P::Enable, E::NotImplemented, ErrorCode::KernEnableFail),
    ] {
        let mut domain = KernelDomain::default();
        let plan = domain.plan_enable_event("c", &event(EventKind::Probe, "p"), FACTS).unwrap();
        assert_eq!(
            domain.settle(&plan, &failed(&plan, part, error)),
            Err(code),
            "{part:?} {error:?}"
        );
    }
}

#[test]
fn every_kind_is_tracepoints_and_then_system_calls() {
    let mut domain = KernelDomain::default();
    let all = event(EventKind::All, "*");
    enable_event(&mut domain, "c", &all).unwrap();
    let listed = domain.list_events("c").unwrap();
    let kinds: Vec<_> = listed.iter().map(|event| event.kind).collect();
    assert_eq!(kinds, [EventKind::Syscall, EventKind::Tracepoint], "the newest first");
    assert_eq!(enable_event(&mut domain, "c", &all), Err(ErrorCode::KernEventExist));
    // What is there already is refused when the rest is done.
    enable_event(&mut domain, "d", &event(EventKind::Syscall, "*")).unwrap();
    assert_eq!(enable_event(&mut domain, "d", &all), Err(ErrorCode::KernEventExist));
    assert_eq!(domain.list_events("d").unwrap().len(), 2);
    assert_eq!(enable_event(&mut domain, "d", &event(EventKind::Noop, "n")), Err(ErrorCode::Unk));
    assert_eq!(domain.list_events("e"), Err(ErrorCode::KernChanNotFound));
}

#[test]
fn a_rule_with_another_filter_is_another_one() {
    let mut domain = KernelDomain::default();
    let filter = |code: u8| Filter {
        expression: format!("f{code}"),
        bytecode: Bytecode { reloc_table_offset: 0, seqnum: 0, data: vec![code] },
    };
    let plain = event(EventKind::Tracepoint, "e**");
    let with = |code| EventDescription { filter: Some(filter(code)), ..plain.clone() };
    for event in [plain.clone(), with(1), with(2)] {
        enable_event(&mut domain, "c", &event).unwrap();
        assert_eq!(enable_event(&mut domain, "c", &event), Err(ErrorCode::KernEventExist));
    }
    let listed = domain.list_events("c").unwrap();
    assert!(listed.iter().all(|event| event.name == "e*"));
    let filters: Vec<_> = listed.into_iter().map(|event| event.filter_expression).collect();
    assert_eq!(filters, [Some("f2".to_owned()), Some("f1".to_owned()), None]);
}

#[test]
fn rules_are_disabled_by_kind_and_name() {
    let mut domain = KernelDomain::default();
    for (kind, name) in
        [(EventKind::Tracepoint, "a"), (EventKind::Syscall, "a"), (EventKind::Tracepoint, "b")]
    {
        enable_event(&mut domain, "c", &event(kind, name)).unwrap();
    }
    let disable = |domain: &mut KernelDomain, kind, name| {
        let plan = domain.plan_disable_event("c", &event(kind, name));
        carry_out(domain, plan)?;
        let listed = domain.list_events("c")?;
        Ok(listed.into_iter().rev().map(|event| event.enabled).collect::<Vec<_>>())
    };
    assert_eq!(disable(&mut domain, EventKind::Syscall, "b"), Err(ErrorCode::NoEvent));
    assert_eq!(disable(&mut domain, EventKind::UserspaceProbe, ""), Err(ErrorCode::Unk));
    assert_eq!(disable(&mut domain, EventKind::Syscall, "a"), Ok(vec![1, 0, 1]));
    assert_eq!(disable(&mut domain, EventKind::Tracepoint, ""), Ok(vec![0, 0, 0]));
    // One that fails keeps the others from nothing.
    let all = event(EventKind::All, "");
    for (kind, name) in [(EventKind::Tracepoint, "a"), (EventKind::Tracepoint, "b")] {
        enable_event(&mut domain, "c", &event(kind, name)).unwrap();
    }
    let plan = domain.plan_disable_event("c", &all).unwrap();
    let other = Failure { part: FailedPart::Itself, error: TracerError::Other };
    assert!(!plan.ends_with(&plan.steps[0], other));
    let outcome = domain.settle(&plan, &vec![Err(other), Ok(())]);
    assert_eq!(outcome, Err(ErrorCode::KernDisableFail));
    let enabled = domain.list_events("c").unwrap().iter().filter(|it| it.enabled == 1).count();
    assert_eq!(enabled, 1);
    let more = EventDescription { loglevel: 3, ..all };
    assert_eq!(domain.plan_disable_event("c", &more), Err(ErrorCode::Unk));
    let gone = domain.plan_disable_event("d", &event(EventKind::All, ""));
    assert_eq!(gone, Err(ErrorCode::KernChanNotFound));
}

#[test]
fn the_offset_that_clients_send_with_an_address_is_not_added_to_it() {
    let mut domain = KernelDomain::default();
    let probe = |address, offset, symbol: &str| EventDescription {
        probe: Some(ProbeAttributes { address, offset, symbol: symbol.to_owned() }),
        ..event(EventKind::Probe, symbol)
    };
    enable_event(&mut domain, "c", &probe(0x1000, 0x1000, "")).unwrap();
    enable_event(&mut domain, "c", &probe(0, 4, "do_sys")).unwrap();
    let listed = domain.list_events("c").unwrap();
    let offsets: Vec<_> = listed.into_iter().map(|it| it.probe.unwrap().offset).collect();
    assert_eq!(offsets, [4, 0]);
}

#[test]
fn contexts_are_added_once_to_each_channel() {
    let mut domain = KernelDomain::default();
    let tid = Context::Plain(ContextKind::Tid);
    let add = |domain: &mut KernelDomain, channel: &str, context: &Context, facts| {
        domain.plan_add_context(channel, context.kind() as u32, Some(context), facts)
    };
    assert_eq!(add(&mut domain, "", &tid, STARTED), Err(ErrorCode::TraceAlreadyStarted));
    let ip = Context::Plain(ContextKind::Ip);
    assert_eq!(add(&mut domain, "c", &ip, FACTS), Err(ErrorCode::KernContextFail));
    assert_eq!(add(&mut domain, "c", &tid, FACTS), Err(ErrorCode::KernChanNotFound));
    let plan = add(&mut domain, "", &tid, FACTS).unwrap();
    let refused = failed(&plan, FailedPart::Itself, TracerError::NotImplemented);
    assert_eq!(domain.settle(&plan, &refused), Err(ErrorCode::KernContextUnavailable));
    assert!(domain.channels.is_empty(), "it was made for the context alone");
    for name in ["c", "d"] {
        enable_channel(&mut domain, name, FACTS).unwrap();
    }
    let plan = add(&mut domain, "d", &tid, FACTS);
    carry_out(&mut domain, plan).unwrap();
    let plan = add(&mut domain, "", &tid, FACTS).unwrap();
    assert_eq!(plan.steps.len(), 1);
    // The tracer has it already: as good.
    let exists = failed(&plan, FailedPart::Itself, TracerError::Exists);
    domain.settle(&plan, &exists).unwrap();
    assert!(domain.channels.iter().all(|channel| channel.contexts == [tid.clone()]));
}

#[test]
fn trackers_are_six() {
    let mut domain = KernelDomain::default();
    let uid = ProcessAttribute::UserId;
    let set = TrackingPolicy::IncludeSet;
    let not_a_set = Err(ErrorCode::ProcessAttrTrackerInvalidTrackingPolicy);
    assert_eq!(domain.plan_set_tracked(uid, TrackerValue::Uid(1), 1, true), not_a_set);
    let plan = Ok(domain.plan_set_tracking_policy(uid, set));
    carry_out(&mut domain, plan).unwrap();
    assert_eq!(domain.plan_set_tracking_policy(uid, set), Plan::default());
    let pid = domain.plan_set_tracked(uid, TrackerValue::Pid(1), 1, true);
    assert_eq!(pid, Err(ErrorCode::Invalid));
    let plan = domain.plan_set_tracked(uid, TrackerValue::Uid(1), 1, true);
    carry_out(&mut domain, plan).unwrap();
    let again = domain.plan_set_tracked(uid, TrackerValue::Uid(1), 1, true);
    assert_eq!(again, Err(ErrorCode::ProcessAttrExists));
    // The same number by another name: the tracer says so.
    let named = TrackerValue::UserName("one".to_owned());
    let plan = domain.plan_set_tracked(uid, named, 1, true).unwrap();
    let exists = failed(&plan, FailedPart::Itself, TracerError::Exists);
    assert_eq!(domain.settle(&plan, &exists), Err(ErrorCode::ProcessAttrExists));
    assert_eq!(domain.trackers.inclusion_set(uid), Ok(vec![TrackerValue::Uid(1)]));
    let missing = domain.plan_set_tracked(uid, TrackerValue::Uid(2), 2, false);
    assert_eq!(missing, Err(ErrorCode::ProcessAttrMissing));
    let plan = domain.plan_set_tracked(uid, TrackerValue::Uid(1), 1, false);
    carry_out(&mut domain, plan).unwrap();
    assert_eq!(domain.trackers.inclusion_set(uid), Ok(Vec::new()));
    let other = domain.trackers.policy(ProcessAttribute::VirtualUserId);
    assert_eq!(other, TrackingPolicy::IncludeAll);
}
