//! The events of a channel.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use lttngd_model::Field;

use super::RegistryError;

/// Largest count of events in a channel. Each difference between two applications' notions of an
/// event of one name takes an id.
pub const EVENTS_PER_CHANNEL_MAX: usize = 1 << 18;

/// An event as an application describes it.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct EventRegistration {
    /// Name, `provider:event`.
    pub name: String,
    /// Log level.
    pub loglevel: i32,
    /// Fields of the payload.
    pub fields: Vec<Field>,
    /// Where the event's model is described, if anywhere.
    pub model_emf_uri: Option<String>,
}

/// The events of a channel by id, and their text.
#[derive(Debug, Default)]
pub(super) struct Events {
    all: Vec<(Arc<EventRegistration>, Arc<str>)>,
    /// By all that makes an event: an application may register any number of one name.
    ids_by_hash: HashMap<u64, Vec<u32>>,
    hasher: RandomState,
}

impl Events {
    pub(super) fn find(&self, event: &EventRegistration) -> Option<u32> {
        self.ids_by_hash
            .get(&self.hasher.hash_one(event))?
            .iter()
            .copied()
            .find(|id| self.all.get(*id as usize).is_some_and(|(known, _)| **known == *event))
    }

    /// The id that the next event gets.
    pub(super) fn next_id(&self) -> Result<u32, RegistryError> {
        if self.all.len() >= EVENTS_PER_CHANNEL_MAX {
            return Err(RegistryError::TooManyEvents);
        }
        u32::try_from(self.all.len()).map_err(|_| RegistryError::TooManyEvents)
    }

    pub(super) fn insert(&mut self, event: Arc<EventRegistration>, text: Arc<str>) {
        if let Ok(id) = self.next_id() {
            self.ids_by_hash.entry(self.hasher.hash_one(&*event)).or_default().push(id);
            self.all.push((event, text));
        }
    }

    /// Those that have an id, in the order of their ids.
    pub(super) fn all(&self) -> impl ExactSizeIterator<Item = &Arc<EventRegistration>> {
        self.all.iter().map(|(event, _)| event)
    }

    /// Their text, in the same order.
    pub(super) fn texts(&self) -> impl Iterator<Item = &Arc<str>> {
        self.all.iter().map(|(_, text)| text)
    }
}
