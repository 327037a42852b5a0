//! Two senders of one text, of which each may be slow, refused or overtaken.

use lttngd_clock::sample_clock;
use lttngd_consumer::MetadataText;
use lttngd_metadata::ustregistry::EventRegistration;
use proptest::prelude::*;

use super::registry;
use crate::progress::MetadataProgress;

#[derive(Clone, Copy, Debug)]
enum Event {
    /// An application registers an event.
    Grow,
    Regenerate,
    /// The sender takes the text that is missing, unless it has one on its way.
    Take(usize),
    /// What the sender took reaches the consumer.
    Deliver(usize),
    /// What the sender took is lost or refused.
    Lose(usize),
    /// The oldest acknowledgement arrives.
    Accept,
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => Just(Event::Grow),
        1 => Just(Event::Regenerate),
        4 => (0..2_usize).prop_map(Event::Take),
        4 => (0..2_usize).prop_map(Event::Deliver),
        1 => (0..2_usize).prop_map(Event::Lose),
        3 => Just(Event::Accept),
    ]
}

/// What the consumer has, as its metadata cache takes it: a newer version begins it anew, an older
/// one is dropped.
#[derive(Debug, Default)]
struct Cache {
    version: u64,
    text: Vec<u8>,
}

impl Cache {
    fn write(&mut self, push: &MetadataText) {
        if push.version < self.version || push.bytes.is_empty() {
            return;
        }
        if push.version > self.version {
            *self = Self { version: push.version, text: Vec::new() };
        }
        let offset = usize::try_from(push.offset).unwrap();
        assert!(offset <= self.text.len(), "a hole from {} to {offset}", self.text.len());
        let known = (self.text.len() - offset).min(push.bytes.len());
        assert_eq!(self.text[offset..offset + known], push.bytes[..known]);
        self.text.extend_from_slice(&push.bytes[known..]);
    }
}

proptest! {
    #[test]
    fn no_order_of_events_leaves_a_hole(events in prop::collection::vec(event(), 1..80)) {
        let mut registry = registry();
        registry.add_channel();
        let mut progress = MetadataProgress::default();
        let mut cache = Cache::default();
        let mut taken: [Option<MetadataText>; 2] = [None, None];
        let mut acknowledged = Vec::new();
        for (number, event) in events.into_iter().enumerate() {
            match event {
                Event::Grow => {
                    let event = EventRegistration {
                        name: format!("p:{number}"),
                        loglevel: 13,
                        fields: Vec::new(),
                        model_emf_uri: None,
                    };
                    registry.register_event(0, event).unwrap();
                }
                Event::Regenerate => registry.regenerate(sample_clock()),
                Event::Take(sender) => {
                    taken[sender].get_or_insert_with(|| progress.missing(&registry));
                }
                Event::Deliver(sender) => {
                    if let Some(push) = taken[sender].take() {
                        cache.write(&push);
                        acknowledged.push((push.version, push.offset + push.bytes.len() as u64));
                    }
                }
                Event::Lose(sender) => taken[sender] = None,
                Event::Accept => {
                    if !acknowledged.is_empty() {
                        let (version, end) = acknowledged.remove(0);
                        progress.accept(version, end);
                    }
                }
            }
        }
        cache.write(&progress.missing(&registry));
        prop_assert_eq!(cache.text, registry.metadata());
    }
}
