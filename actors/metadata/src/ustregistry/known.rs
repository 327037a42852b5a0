//! What a registry has given, for those who would ask for the same again.

use std::{collections::HashMap, sync::Arc};

use lttngd_model::Field;

use super::{EventRegistration, UstRegistry};
use crate::tsdl::HeaderType;

/// The ids of events and the channels that a registry knew at one moment. What is in it stays as it is, and
/// stands in the metadata text.
#[derive(Debug, Default)]
pub struct KnownIds {
    channels: Vec<KnownChannel>,
}

#[derive(Debug)]
struct KnownChannel {
    /// Once an application has registered it.
    registered: Option<(Vec<Field>, HeaderType)>,
    events: HashMap<Arc<EventRegistration>, u32>,
}

impl KnownIds {
    /// The id of an event of a channel, as [`UstRegistry::register_event`] would give it; `None` if that has to
    /// be asked.
    #[must_use]
    pub fn event(&self, channel_id: u32, event: &EventRegistration) -> Option<u32> {
        self.channel(channel_id)?.events.get(event).copied()
    }

    /// The header type of a channel, as [`UstRegistry::register_channel`] would give it to an application with
    /// this context; `None` if that has to be asked.
    #[must_use]
    pub fn header(&self, channel_id: u32, context: &[Field]) -> Option<HeaderType> {
        let (known, header) = self.channel(channel_id)?.registered.as_ref()?;
        (known == context).then_some(*header)
    }

    fn channel(&self, id: u32) -> Option<&KnownChannel> {
        self.channels.get(usize::try_from(id).ok()?)
    }
}

impl<S> UstRegistry<S> {
    /// How many ids of events and channels it has given, each counted once.
    #[must_use]
    pub fn count(&self) -> usize {
        let registered = |channel: &&super::Channel| channel.registered().is_some();
        self.channels.iter().map(|channel| channel.events.all().len()).sum::<usize>()
            + self.channels.iter().filter(registered).count()
    }

    /// What it knows now. Takes as long as there are ids.
    #[must_use]
    pub fn known(&self) -> KnownIds {
        let channels = self.channels.iter().map(|channel| KnownChannel {
            registered: channel.registered().map(|of| (of.context.clone(), of.header)),
            events: channel.events.all().cloned().zip(0..).collect(),
        });
        KnownIds { channels: channels.collect() }
    }
}
