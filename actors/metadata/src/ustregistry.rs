//! The ids of a trace's channels, events and enumerations, and the metadata text that tells readers
//! of them. One registry per trace: per user and word size, or per application.

mod context;
mod enumerations;
mod error;
mod events;
#[cfg(test)]
mod tests;

pub use enumerations::{ENUMERATION_ENTRIES_MAX, ENUMERATIONS_MAX};
pub use error::RegistryError;
pub use events::{EVENTS_PER_CHANNEL_MAX, EventRegistration};

use std::ops::Range;

use lttngd_model::{EnumerationEntry, Field};

use crate::tsdl::{Clock, HeaderType, METADATA_MAX_LEN, Preamble, TraceDescription};
use crate::tsdl::{event_block, preamble, stream_block};
use context::modernize;
use enumerations::Enumerations;
use events::Events;

/// The ids and the metadata text of one trace.
///
/// A registration either gives an id and appends all of its text, or changes nothing.
#[derive(Debug)]
pub struct UstRegistry {
    description: TraceDescription,
    channels: Vec<Channel>,
    enumerations: Enumerations,
    metadata: Vec<u8>,
    version: u64,
}

#[derive(Debug, Default)]
struct Channel {
    events: Events,
    stream: Option<Stream>,
}

/// What the first application to register a channel made of it.
#[derive(Debug)]
struct Stream {
    header: HeaderType,
    context: Vec<Field>,
    text: Range<usize>,
    /// Whether no application has registered it yet.
    is_empty: bool,
}

impl UstRegistry {
    /// A registry without channels. The text of the trace as a whole is written at once.
    #[must_use]
    pub fn new(description: TraceDescription) -> Self {
        let metadata = preamble(&description, Preamble::First).into_bytes();
        Self {
            description,
            channels: Vec::new(),
            enumerations: Enumerations::default(),
            metadata,
            version: 0,
        }
    }

    /// Adds a channel and gives its id, from 0, which is the stream class id in the trace. Its stream
    /// is described when an application registers it.
    pub fn add_channel(&mut self) -> u32 {
        let id = self.channels.len();
        self.channels.push(Channel::default());
        u32::try_from(id).unwrap_or(u32::MAX)
    }

    /// Gives the id of an event within its channel, from 0. An event that is known with the same
    /// name, log level, fields and model URI keeps its id; any difference makes it another event.
    /// The same application registers an event again when it was taken out of the session for a
    /// while.
    ///
    /// # Errors
    ///
    /// [`RegistryError::UnknownChannel`], [`RegistryError::TooManyEvents`], [`RegistryError::Field`], [`RegistryError::MetadataFull`].
    pub fn register_event(
        &mut self,
        channel_id: u32,
        event: EventRegistration,
    ) -> Result<u32, RegistryError> {
        let channel = channel(&mut self.channels, channel_id)?;
        if let Some(id) = channel.events.find(&event) {
            return Ok(id);
        }
        let id = channel.events.next_id()?;
        let text =
            event_block(id, channel_id, &event, &|name, id| self.enumerations.get(name, id))?;
        let text = append(&mut self.metadata, &text)?;
        channel.events.insert(event, text);
        Ok(id)
    }

    /// Gives the id of an enumeration, from 0 and shared by all channels. Enumerations of equal name
    /// and entries are one. Nothing is written: each use in a field writes the entries.
    ///
    /// # Errors
    ///
    /// [`RegistryError::TooManyEnumerations`].
    pub fn register_enumeration(
        &mut self,
        name: &str,
        entries: Vec<EnumerationEntry>,
    ) -> Result<u64, RegistryError> {
        self.enumerations.register(name, entries)
    }

    /// Registers a channel with the context fields of its events, and gives the header type of its
    /// events. The first registration describes the stream; later ones must bring equal context.
    ///
    /// # Errors
    ///
    /// [`RegistryError::UnknownChannel`], [`RegistryError::ContextMismatch`],
    /// [`RegistryError::LegacySequence`], [`RegistryError::Field`], [`RegistryError::MetadataFull`].
    pub fn register_channel(
        &mut self,
        channel_id: u32,
        context: Vec<Field>,
    ) -> Result<HeaderType, RegistryError> {
        let channel = channel(&mut self.channels, channel_id)?;
        let context = modernize(context)?;
        if let Some(stream) = &mut channel.stream {
            if std::mem::take(&mut stream.is_empty) && stream.context != context {
                return self.describe_anew(channel_id, context);
            }
            return if stream.context == context {
                Ok(stream.header)
            } else {
                Err(RegistryError::ContextMismatch(channel_id))
            };
        }
        let header = HeaderType::Large;
        let text = stream_block(channel_id, header, &context, &|name, id| {
            self.enumerations.get(name, id)
        })?;
        let text = append(&mut self.metadata, &text)?;
        channel.stream = Some(Stream { header, context, text, is_empty: false });
        Ok(header)
    }

    /// Describes the streams that no application has registered, as such without events. Their packets
    /// are in the trace all the same, since a program may be killed before it registers anything, and
    /// readers would give the whole trace up for one stream that they do not know.
    pub fn describe_rest(&mut self) {
        for (id, channel) in (0..).zip(&mut self.channels) {
            if channel.stream.is_some() {
                continue;
            }
            let header = HeaderType::Large;
            let described = stream_block(id, header, &[], &|_, _| None)
                .map_err(RegistryError::from)
                .and_then(|text| append(&mut self.metadata, &text));
            match described {
                Ok(text) => {
                    let context = Vec::new();
                    channel.stream = Some(Stream { header, context, text, is_empty: true });
                }
                Err(error) => {
                    tracing::error!(id, %error, "a stream without events is not described")
                }
            }
        }
    }

    /// Describes a stream that was described as one without events, and has some from now on: the text
    /// begins anew.
    fn describe_anew(
        &mut self,
        channel_id: u32,
        context: Vec<Field>,
    ) -> Result<HeaderType, RegistryError> {
        let header = HeaderType::Large;
        let text = stream_block(channel_id, header, &context, &|name, id| {
            self.enumerations.get(name, id)
        })?;
        let text = append(&mut self.metadata, &text)?;
        channel(&mut self.channels, channel_id)?.stream =
            Some(Stream { header, context, text, is_empty: false });
        // Without the block before.
        self.regenerate(self.description.clock.clone());
        Ok(header)
    }

    /// The whole text. It only ever grows, until [`Self::regenerate`] begins it anew.
    #[must_use]
    pub fn metadata(&self) -> &[u8] {
        &self.metadata
    }

    /// Counts how often the text was begun anew.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Writes the text anew with another relation of the clock to the world: each channel's stream
    /// block, then its events. What a per-PID trace says of its application is not repeated.
    pub fn regenerate(&mut self, clock: Clock) {
        self.description.clock = clock;
        let old = std::mem::take(&mut self.metadata);
        let mut new = preamble(&self.description, Preamble::Again).into_bytes();
        for channel in &mut self.channels {
            let stream = channel.stream.as_mut().map(|stream| &mut stream.text);
            for text in stream.into_iter().chain(channel.events.texts_mut()) {
                let begin = new.len();
                new.extend_from_slice(old.get(text.clone()).unwrap_or_default());
                *text = begin..new.len();
            }
        }
        self.metadata = new;
        self.version += 1;
    }
}

fn channel(channels: &mut [Channel], id: u32) -> Result<&mut Channel, RegistryError> {
    usize::try_from(id)
        .ok()
        .and_then(|at| channels.get_mut(at))
        .ok_or(RegistryError::UnknownChannel(id))
}

/// Appends a block and says where it stands.
fn append(metadata: &mut Vec<u8>, text: &str) -> Result<Range<usize>, RegistryError> {
    let begin = metadata.len();
    if text.len() > METADATA_MAX_LEN.saturating_sub(begin) {
        return Err(RegistryError::MetadataFull);
    }
    metadata.extend_from_slice(text.as_bytes());
    Ok(begin..metadata.len())
}
