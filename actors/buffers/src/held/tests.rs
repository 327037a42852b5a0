#![allow(clippy::unwrap_used)]

use lttngd_metadata::tsdl::{Clock, Scheme, TraceDescription};
use lttngd_model::{Bitness, EnumerationEntry, EnumerationValue, Timestamp};
use lttngd_peer::app::integer_field;
use lttngd_wire::ust::registration::Alignments;

use super::*;

const ONE: u32 = 1000;
const OTHER: u32 = 1001;
/// The user whose daemon it is.
const OWNER: u32 = 7;

fn description() -> TraceDescription {
    TraceDescription {
        uuid: [0x11; 16],
        alignments: Alignments::PACKED,
        bitness: Bitness::Bits64,
        tracer_version: (2, 13, 5),
        scheme: Scheme::Uid(ONE),
        session_name: "s".to_owned(),
        auto_named: false,
        session_created_at: Timestamp { epoch_s: 0 },
        hostname: "host".to_owned(),
        clock: Clock::monotonic(None, 7),
    }
}

/// The registry of one more trace of a user, with a channel.
fn trace(held: &AllHeld, uid: u32) -> Registry {
    let mut registry = Registry::sharing(description(), held.of(uid));
    registry.add_channel();
    registry.register_channel(0, Vec::new()).unwrap();
    registry
}

/// One as programs have: some fields.
fn event(number: usize) -> EventRegistration {
    EventRegistration {
        name: format!("provider:event_{number}"),
        loglevel: 13,
        fields: ["identifier", "size", "position", "result"].map(integer_field).to_vec(),
        model_emf_uri: None,
    }
}

/// An enumeration of a mebibyte.
fn large(number: usize) -> (String, Vec<EnumerationEntry>) {
    let value = EnumerationValue { value: 0, signed: false };
    let label = "l".repeat(1 << 20);
    (format!("e{number}"), vec![EnumerationEntry { start: value, end: value, label, auto: false }])
}

/// How many large enumerations a trace takes.
fn fill(registry: &mut Registry, first: usize) -> usize {
    let takes = |number: &usize| {
        let (name, entries) = large(*number);
        registry.register_enumeration(Enumeration::new(name, entries)).is_ok()
    };
    (first..).take_while(takes).count()
}

#[test]
fn equal_programs_in_traces_of_their_own_hold_their_events_once() {
    const EVENTS: usize = 100;

    let held = AllHeld::new(OWNER);
    let mut traces: Vec<_> = (0..30).map(|_| trace(&held, ONE)).collect();
    let mut lens = Vec::new();
    for trace in &mut traces {
        for number in 0..EVENTS {
            trace.register_event(0, event(number)).unwrap();
        }
        lens.push(held.ledger.held_by(ONE));
    }
    let (one, all) = (lens[0], lens[29]);
    assert_eq!(all, one + 29 * EVENTS as u64 * ENTRY_LEN);
    assert!(one > 4 * EVENTS as u64 * ENTRY_LEN, "most of an event is held once: {one}");
    let text = traces[0].metadata();
    assert!(traces.iter().all(|trace| trace.metadata() == text));
    drop(traces);
    assert_eq!(held.ledger.taken(), 0);
}

#[test]
fn one_user_leaves_others_something() {
    let held = AllHeld::new(OWNER);
    let mut traces: Vec<_> = (0..3).map(|_| trace(&held, ONE)).collect();
    let taken: usize = traces.iter_mut().enumerate().map(|(at, one)| fill(one, at << 20)).sum();
    assert!(taken > 0 && held.ledger.held_by(ONE) <= ANNOUNCED_MAX_LEN * 3 / 4);
    assert!(held.ledger.held_by(ONE) > ANNOUNCED_MAX_LEN / 2);
    let mut other = trace(&held, OTHER);
    for number in 0..1000 {
        assert_eq!(other.register_event(0, event(number)), Ok(u32::try_from(number).unwrap()));
    }
    let (name, entries) = large(usize::MAX);
    let refused = traces[2].register_enumeration(Enumeration::new(name, entries));
    assert!(matches!(refused, Err(RegistryError::NoRoom { uid: ONE, .. })));
    // What it has announced before it announces again.
    drop(traces);
    let mut again = trace(&held, ONE);
    assert!(fill(&mut again, 0) > 0);
}

#[test]
fn of_root_and_of_the_user_whose_daemon_it_is_nothing_is_counted() {
    let held = AllHeld::new(OWNER);
    for uid in [0, OWNER] {
        let mut traces: Vec<_> = (0..2).map(|_| trace(&held, uid)).collect();
        for trace in &mut traces {
            assert_eq!(trace.register_event(0, event(0)), Ok(0));
        }
    }
    assert_eq!(held.ledger.taken(), 0);
}

#[test]
fn a_trace_that_ends_leaves_the_others_what_they_have() {
    let held = AllHeld::new(OWNER);
    let mut kept = trace(&held, ONE);
    kept.register_event(0, event(1)).unwrap();
    let kept_len = held.ledger.taken();
    for round in 0..50 {
        let mut gone = trace(&held, ONE);
        for number in 0..100 {
            gone.register_event(0, event(round * 100 + number)).unwrap();
        }
        let known = gone.known();
        drop(gone);
        // Applications that come may still be told what it knew.
        drop(known);
    }
    assert!(held.ledger.taken() < 4 * kept_len + 100 * 2048, "{}", held.ledger.taken());
    assert_eq!(kept.register_event(0, event(1)), Ok(0));
    assert!(String::from_utf8(kept.metadata()).unwrap().contains("event_1"));
}

#[test]
fn short_labels_are_counted_as_the_memory_that_they_take() {
    const ENTRIES: u64 = 1000;

    let held = AllHeld::new(OWNER);
    let mut registry = trace(&held, ONE);
    let before = held.ledger.taken();
    let value = EnumerationValue { value: 0, signed: false };
    let entry = EnumerationEntry { start: value, end: value, label: "l".to_owned(), auto: false };
    let entry_len = size_of_val(&entry) as u64;
    registry
        .register_enumeration(Enumeration::new("e", vec![entry; usize::try_from(ENTRIES).unwrap()]))
        .unwrap();
    let counted = held.ledger.taken() - before;
    assert!(counted >= ENTRIES * (entry_len + 32), "{counted}");
}
