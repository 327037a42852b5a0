#![allow(clippy::unwrap_used)]

mod recorded;

use std::sync::Arc;

use lttngd_model::{EnumerationEntry, Field, FieldType, Timestamp};

use super::{
    ENUMERATION_ENTRIES_MAX, ENUMERATIONS_MAX, EVENTS_PER_CHANNEL_MAX, Enumeration,
    EventRegistration, Events, RegistryError, Text, UstRegistry,
};
use crate::tsdl::samples::*;
use crate::tsdl::{
    Clock, FIELD_NESTING_MAX, FieldError, METADATA_MAX_LEN, Scheme, TraceDescription,
};

fn event(name: &str, fields: Vec<Field>) -> EventRegistration {
    EventRegistration { name: name.to_owned(), loglevel: 13, fields, model_emf_uri: None }
}

fn registry() -> UstRegistry {
    let mut registry = UstRegistry::new(description());
    assert_eq!(registry.add_channel(), 0);
    registry
}

fn per_pid() -> TraceDescription {
    let registered_at = Timestamp { epoch_s: 2_000_000_000 };
    let procname = "app".to_owned();
    TraceDescription { scheme: Scheme::Pid { pid: 7, procname, registered_at }, ..description() }
}

fn text(registry: &UstRegistry) -> String {
    String::from_utf8(registry.metadata().to_vec()).unwrap()
}

#[test]
fn an_event_is_known_by_all_that_readers_see_of_it() {
    let mut registry = registry();
    let base = event("p:e", vec![signed("a", 32), unsigned("b", 8)]);
    let with = |change: &dyn Fn(&mut EventRegistration)| {
        let mut event = base.clone();
        change(&mut event);
        event
    };
    let different = [
        base.clone(),
        with(&|event| event.name = "p:f".to_owned()),
        with(&|event| event.loglevel = 4),
        with(&|event| event.model_emf_uri = Some("u".to_owned())),
        with(&|event| event.model_emf_uri = Some("v".to_owned())),
        with(&|event| event.fields.truncate(1)),
        with(&|event| event.fields.reverse()),
        with(&|event| event.fields[0].name = "c".to_owned()),
        with(&|event| event.fields[0].kind = FieldType::Integer(integer_type(64, true))),
    ];
    registry.register_channel(0, vec![]).unwrap();
    for round in 0..2 {
        let before = registry.metadata().len();
        for (id, event) in (0..).zip(&different) {
            assert_eq!(registry.register_event(0, event.clone()), Ok(id));
        }
        assert_eq!(registry.metadata().len() > before, round == 0);
    }
}

#[test]
fn event_ids_are_counted_per_channel_and_enumeration_ids_per_trace() {
    let mut registry = registry();
    assert_eq!(registry.add_channel(), 1);
    for channel in 0..2 {
        assert_eq!(registry.register_event(channel, event("p:a", vec![])), Ok(0));
        assert_eq!(registry.register_event(channel, event("p:b", vec![])), Ok(1));
    }
    let entries = |label| vec![range(label, 0, 0)];
    assert_eq!(registry.register_enumeration(Enumeration::new("e", entries("A"))), Ok(0));
    assert_eq!(registry.register_enumeration(Enumeration::new("f", entries("A"))), Ok(1));
    assert_eq!(registry.register_enumeration(Enumeration::new("e", entries("B"))), Ok(2));
    assert_eq!(registry.register_enumeration(Enumeration::new("e", entries("A"))), Ok(0));
}

#[test]
fn legacy_encodings_of_an_event_are_other_events_with_the_same_text() {
    let legacy = |field: &Field| {
        let mut field = field.clone();
        match &mut field.kind {
            FieldType::Array { legacy, .. } | FieldType::Enumeration { legacy, .. } => {
                *legacy = true;
            }
            _ => panic!("no legacy form"),
        }
        field
    };
    let mut registry = registry();
    registry.register_enumeration(Enumeration::new("p_e", vec![range("A", 1, 1)])).unwrap();
    for field in [array("a", 3, text_type()), enumeration("e", "p_e", 0, integer_type(8, false))] {
        let begin = registry.metadata().len();
        let modern_id = registry.register_event(0, event("p:e", vec![field.clone()])).unwrap();
        let middle = registry.metadata().len();
        let legacy_id = registry.register_event(0, event("p:e", vec![legacy(&field)])).unwrap();
        assert_ne!(legacy_id, modern_id);
        let modern = String::from_utf8(registry.metadata()[begin..middle].to_vec()).unwrap();
        let id = |id: u32| format!("\tid = {id};");
        assert!(text(&registry).ends_with(&modern.replace(&id(modern_id), &id(legacy_id))));
    }
}

#[test]
fn legacy_and_modern_context_share_a_channel() {
    fn age(fields: &mut [Field]) {
        for field in fields {
            match &mut field.kind {
                FieldType::Variant { legacy, choices, .. } => {
                    *legacy = true;
                    age(choices);
                }
                FieldType::Enumeration { legacy, .. }
                | FieldType::Array { legacy, .. }
                | FieldType::Struct { legacy, .. } => *legacy = true,
                _ => {}
            }
        }
    }
    let mut registry = registry();
    registry.register_enumeration(Enumeration::new("p_e", vec![range("_A", 1, 1)])).unwrap();
    let modern = vec![
        array("procname", 17, text_type()),
        enumeration("tag", "p_e", 0, integer_type(8, false)),
        variant("v", "tag", vec![empty_struct("A")]),
    ];
    let mut old = modern.clone();
    age(&mut old);
    assert_ne!(old, modern);
    registry.register_channel(0, old.clone()).unwrap();
    let before = registry.metadata().len();
    registry.register_channel(0, modern).unwrap();
    registry.register_channel(0, old).unwrap();
    assert_eq!(registry.metadata().len(), before);
}

#[test]
fn every_failure_leaves_text_and_ids_alone() {
    let deep = (0..=FIELD_NESTING_MAX).fold(string("s"), |field, _| variant("v", "t", vec![field]));
    let legacy_sequence = field(
        "q",
        FieldType::LegacySequence { length: integer_type(8, false), element: text_type() },
    );
    let mut registry = registry();
    registry.register_event(0, event("p:a", vec![])).unwrap();
    registry.register_channel(0, vec![signed("vpid", 32)]).unwrap();
    let second = registry.add_channel();
    let before = text(&registry);

    let failures = [
        (registry.register_event(9, event("p:b", vec![])).map(drop), -22),
        (registry.register_channel(9, vec![]).map(drop), -22),
        // Good fields first: their text must not stay.
        (
            registry.register_event(0, event("p:b", vec![string("s"), float("f", 8, 0)])).map(drop),
            -22,
        ),
        (registry.register_event(0, event("p:b", vec![deep.clone()])).map(drop), -22),
        (
            registry
                .register_event(
                    0,
                    event("p:b", vec![enumeration("e", "p_e", 0, integer_type(8, false))]),
                )
                .map(drop),
            -2,
        ),
        (registry.register_channel(0, vec![signed("vtid", 32)]).map(drop), -22),
        (registry.register_channel(0, vec![]).map(drop), -22),
        (registry.register_channel(second, vec![string("s"), legacy_sequence]).map(drop), -22),
        (registry.register_channel(second, vec![string("s"), deep]).map(drop), -22),
        (registry.register_channel(second, vec![float("f", 8, 0)]).map(drop), -22),
    ];
    for (at, (result, errno)) in failures.into_iter().enumerate() {
        assert_eq!(result.unwrap_err().errno(), errno, "failure {at}");
    }
    assert_eq!(text(&registry), before);
    assert_eq!(registry.register_event(0, event("p:b", vec![])), Ok(1));
    registry.register_channel(second, vec![string("s")]).unwrap();
}

#[test]
fn an_application_that_is_tracked_again_finds_its_events_in_buffers_of_its_own() {
    let mut registry = UstRegistry::new(per_pid());
    registry.add_channel();
    assert_eq!(registry.register_event(0, event("p:a", vec![])), Ok(0));
    let before = text(&registry);
    assert_eq!(registry.register_event(0, event("p:a", vec![])), Ok(0));
    assert_eq!(text(&registry), before);
    assert_eq!(registry.register_event(0, event("p:a", vec![string("s")])), Ok(1));
}

#[test]
fn enumerations_are_looked_up_by_name_and_id() {
    let mut registry = registry();
    registry.register_enumeration(Enumeration::new("p_e", vec![range("A", 1, 1)])).unwrap();
    let event_of =
        |name: &str, id| event("p:e", vec![enumeration("e", name, id, integer_type(8, false))]);
    for (name, id) in [("p_f", 0), ("p_e", 1), ("p_e", u64::MAX)] {
        let error = registry.register_event(0, event_of(name, id)).unwrap_err();
        let name = name.to_owned();
        let field = "e".to_owned();
        assert_eq!(error, RegistryError::Field(FieldError::UnknownEnumeration { field, name, id }));
    }
    assert_eq!(registry.register_event(0, event_of("p_e", 0)), Ok(0));
}

#[test]
fn counting_up_is_no_part_of_an_enumeration() {
    let mut registry = registry();
    let automatic = counted_up("A");
    let given = EnumerationEntry { auto: false, ..automatic.clone() };
    assert_eq!(registry.register_enumeration(Enumeration::new("e", vec![automatic])), Ok(0));
    assert_eq!(registry.register_enumeration(Enumeration::new("e", vec![given])), Ok(0));
    // Signedness is.
    assert_eq!(registry.register_enumeration(Enumeration::new("f", vec![range("A", 1, 1)])), Ok(1));
    assert_eq!(
        registry.register_enumeration(Enumeration::new("f", vec![unsigned_range("A", 1, 1)])),
        Ok(2)
    );
}

#[test]
fn regenerated_text_has_the_new_clock_and_every_block() {
    let mut registry = registry();
    let second = registry.add_channel();
    registry.register_event(0, event("p:a", vec![string("s")])).unwrap();
    registry.register_event(second, event("p:b", vec![])).unwrap();
    registry.register_channel(0, vec![signed("vpid", 32)]).unwrap();
    registry.register_event(0, event("p:c", vec![])).unwrap();
    let old = text(&registry);
    let blocks = |text: &str| {
        let begin = text.find("\nevent {").into_iter().chain(text.find("\nstream {")).min();
        text[begin.unwrap() + 1..]
            .split_inclusive("\n};\n\n")
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let expected = blocks(&old);
    assert_eq!(expected.len(), 3, "the second channel is not registered yet");

    for version in 1..=2 {
        let offset_ns = -7 * i64::try_from(version).unwrap();
        registry.regenerate(Clock::monotonic(Some("boot".to_owned()), offset_ns));
        assert_eq!(registry.version(), version);
        let new = text(&registry);
        assert_eq!(blocks(&new), expected);
        assert!(new.contains(&format!("\toffset = {offset_ns};\n")));
        assert!(new.contains("\tuuid = \"boot\";\n"));
    }
    registry.register_channel(second, vec![]).unwrap();
    assert_eq!(blocks(&text(&registry)).len(), 5);
    assert_eq!(registry.register_event(0, event("p:c", vec![])), Ok(1));
}

#[test]
fn regenerated_text_does_not_repeat_the_application() {
    let mut registry = UstRegistry::new(per_pid());
    assert!(text(&registry).contains("\tprocname = \"app\";\n"));
    registry.regenerate(description().clock);
    let text = text(&registry);
    assert!(text.contains("\ttracer_buffering_id = 7;\n"));
    for key in ["tracer_patchlevel", "vpid", "procname", "vpid_datetime"] {
        assert!(!text.contains(key), "{key}");
    }
}

#[test]
fn limits_hold() {
    let mut registry = registry();
    let entries = vec![range("A", 1, 1); ENUMERATION_ENTRIES_MAX];
    let too_many = [entries.clone(), vec![range("B", 1, 1)]].concat();
    let error = registry.register_enumeration(Enumeration::new("e", too_many)).unwrap_err();
    assert_eq!((error.errno(), error), (-75, RegistryError::TooManyEnumerations));
    assert_eq!(registry.register_enumeration(Enumeration::new("e", entries)), Ok(0));

    // A small request that would print a large enumeration many times.
    let mut registry = UstRegistry::new(description());
    registry.add_channel();
    let entries = vec![range(&"l".repeat(255), 1, 1); 10_000];
    assert_eq!(registry.register_enumeration(Enumeration::new("e", entries)), Ok(0));
    let large = |n| enumeration(&format!("e{n}"), "e", 0, integer_type(8, false));
    let large = event("p:e", (0..1000).map(large).collect());
    let error = registry.register_event(0, large).unwrap_err();
    assert_eq!((error.errno(), error), (-22, RegistryError::Field(FieldError::Length)));

    let mut registry = UstRegistry::new(description());
    registry.add_channel();
    for id in 0..ENUMERATIONS_MAX as u64 {
        assert_eq!(registry.register_enumeration(Enumeration::new(id.to_string(), vec![])), Ok(id));
    }
    let error = registry.register_enumeration(Enumeration::new("e", vec![])).unwrap_err();
    assert_eq!(error, RegistryError::TooManyEnumerations);

    let mut events = Events::default();
    for id in 0..EVENTS_PER_CHANNEL_MAX {
        assert_eq!(events.next_id(), Ok(u32::try_from(id).unwrap()));
        events.insert(Arc::new(event("", vec![])), "".into());
    }
    let error = events.next_id().unwrap_err();
    assert_eq!((error.errno(), error), (-2, RegistryError::TooManyEvents));

    let mut text = Text::new(" ".repeat(METADATA_MAX_LEN - 2));
    let error = text.has_room_for(3).unwrap_err();
    assert_eq!((error.errno(), error), (-22, RegistryError::MetadataFull));
    text.wait_for("a");
    assert_eq!(text.has_room_for(2), Err(RegistryError::MetadataFull));
    assert_eq!(text.has_room_for(1), Ok(()));
    text.append("b".into());
    assert_eq!(text.has_room_for(1), Err(RegistryError::MetadataFull));
    text.append_waiting("a".into());
    assert_eq!(text.from(METADATA_MAX_LEN - 2), b"ba", "what was waited for has its room");
}

/// A program whose session is started after its rules were made registers events before channels.
#[test]
fn a_viewer_never_sees_an_event_of_a_stream_that_it_does_not_know() {
    let mut registry = registry();
    assert_eq!(registry.add_channel(), 1);
    let preamble = text(&registry);
    assert_eq!(registry.register_event(1, event("p:a", vec![])), Ok(0));
    assert_eq!(registry.register_event(0, event("p:b", vec![])), Ok(0));
    assert_eq!(registry.register_event(1, event("p:c", vec![])), Ok(1));
    assert_eq!(text(&registry), preamble);
    registry.regenerate(description().clock);
    assert_eq!(text(&registry), preamble);

    registry.register_channel(1, vec![]).unwrap();
    let one = text(&registry);
    assert!(one.starts_with(&preamble), "text that was given is not taken back");
    let places = ["stream {", "p:a", "p:c"].map(|part| one.find(part).unwrap());
    assert!(places.is_sorted(), "{places:?}");
    assert!(!one.contains("p:b"), "another application may never register that channel");
    assert_eq!(registry.register_event(1, event("p:d", vec![])), Ok(2));
    assert!(text(&registry).contains("p:d"), "the channel is known now");

    registry.describe_rest();
    let both = text(&registry);
    assert!(both.starts_with(&one) && both.contains("p:b"));
    registry.regenerate(description().clock);
    assert_eq!(text(&registry).len(), both.len(), "all blocks are there again, each once");
}

/// A program that is killed before it has registered its channels leaves packets without events.
#[test]
fn streams_that_no_application_has_registered_are_described_all_the_same() {
    let mut registry = registry();
    assert_eq!(registry.add_channel(), 1);
    registry.register_channel(1, vec![signed("c", 32)]).unwrap();
    registry.describe_rest();
    let described = text(&registry);
    assert_eq!(described.matches("stream {").count(), 2);
    registry.describe_rest();
    assert_eq!(text(&registry), described);
    // One that comes after all and brings nothing finds it as it would be.
    assert_eq!(registry.add_channel(), 2);
    registry.describe_rest();
    let described = text(&registry);
    registry.register_channel(2, vec![]).unwrap();
    assert_eq!((text(&registry), registry.version()), (described, 0));
    assert_eq!(
        registry.register_channel(2, vec![signed("c", 32)]),
        Err(RegistryError::ContextMismatch(2))
    );
}

#[test]
fn a_stream_that_was_described_as_empty_gets_the_context_of_its_events() {
    let mut registry = registry();
    registry.describe_rest();
    registry.register_channel(0, vec![signed("c", 32)]).unwrap();
    registry.register_event(0, event("p:a", vec![])).unwrap();
    let mut straight = self::registry();
    straight.register_channel(0, vec![signed("c", 32)]).unwrap();
    straight.register_event(0, event("p:a", vec![])).unwrap();
    assert_eq!(text(&registry), text(&straight), "without a trace of the first description");
    assert_eq!((registry.version(), straight.version()), (1, 0), "readers begin anew");
    assert_eq!(registry.register_channel(0, vec![]), Err(RegistryError::ContextMismatch(0)));
}

#[test]
fn what_is_known_is_what_would_be_given_and_nothing_else() {
    let mut registry = registry();
    registry.add_channel();
    let context = || vec![signed("c", 32)];
    assert_eq!((registry.count(), registry.known().header(0, &[])), (0, None));
    assert_eq!(registry.register_event(0, event("p:a", vec![])), Ok(0));
    assert_eq!(registry.register_event(0, event("p:b", vec![])), Ok(1));
    let header = registry.register_channel(0, context()).unwrap();
    // It is described, and no application has registered it.
    registry.describe_rest();
    assert_eq!(registry.count(), 3);
    let known = registry.known();
    assert_eq!(known.event(0, &event("p:b", vec![])), Some(1));
    assert_eq!(known.event(0, &event("p:b", vec![signed("f", 8)])), None);
    assert_eq!(known.event(1, &event("p:b", vec![])), None);
    assert_eq!(known.event(2, &event("p:b", vec![])), None);
    assert_eq!(known.header(0, &context()), Some(header));
    assert_eq!((known.header(0, &[]), known.header(1, &[])), (None, None));
    assert_eq!(registry.register_event(0, event("p:a", vec![])), Ok(0));
    assert_eq!(registry.register_channel(1, vec![]), Ok(header));
    assert_eq!((registry.count(), registry.known().header(1, &[])), (4, Some(header)));
}
