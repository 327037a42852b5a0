//! The ids of a trace's channels, events and enumerations, and the metadata text that tells readers
//! of them. One registry per trace: per user and word size, or per application.

mod context;
mod enumeration;
mod enumerations;
mod error;
mod events;
mod known;
mod share;
#[cfg(test)]
mod tests;
mod text;

pub use enumeration::Enumeration;
pub use enumerations::{ENUMERATION_ENTRIES_MAX, ENUMERATIONS_MAX};
pub use error::RegistryError;
pub use events::{EVENTS_PER_CHANNEL_MAX, EventRegistration};
pub use known::KnownIds;
pub use share::{Alone, Share};

use std::sync::Arc;

use lttngd_model::Field;

use crate::tsdl::{Clock, HeaderType, Preamble, TraceDescription};
use crate::tsdl::{event_block, preamble, stream_block};
use context::modernize;
use enumerations::Enumerations;
use events::Events;
use text::Text;

/// The ids and the metadata text of one trace.
///
/// A registration either gives an id and appends all of its text, or changes nothing. Applications
/// register events before the channel; its events are described behind the channel's stream all the same,
/// since a viewer of a live session takes the text as it comes, and ends when an event of a stream comes
/// that it does not know.
#[derive(Debug)]
pub struct UstRegistry<S = Alone> {
    description: TraceDescription,
    channels: Vec<Channel>,
    enumerations: Enumerations,
    text: Text,
    version: u64,
    /// The last one, since what is held there is let go of first.
    share: S,
}

#[derive(Debug, Default)]
struct Channel {
    /// Their text waits until the stream is described.
    events: Events,
    stream: Option<Stream>,
}

/// What the first application to register a channel made of it.
#[derive(Debug)]
struct Stream {
    header: HeaderType,
    context: Vec<Field>,
    text: Arc<str>,
    /// Whether no application has registered it yet.
    is_empty: bool,
}

impl UstRegistry {
    /// A registry without channels. The text of the trace as a whole is written at once.
    #[must_use]
    pub fn new(description: TraceDescription) -> Self {
        Self::sharing(description, Alone)
    }
}

impl<S: Share> UstRegistry<S> {
    /// The same of one that has there what it holds.
    #[must_use]
    pub fn sharing(description: TraceDescription, share: S) -> Self {
        let text = Text::new(preamble(&description, Preamble::First));
        Self {
            description,
            channels: Vec::new(),
            enumerations: Enumerations::default(),
            text,
            version: 0,
            share,
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
    /// [`RegistryError::UnknownChannel`], [`RegistryError::TooManyEvents`], [`RegistryError::Field`],
    /// [`RegistryError::MetadataFull`], [`RegistryError::NoRoom`].
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
        self.text.has_room_for(text.len())?;
        let (text, event) = (self.share.text(text)?, self.share.event(event)?);
        if channel.stream.is_some() {
            self.text.append(Arc::clone(&text));
        } else {
            self.text.wait_for(&text);
        }
        channel.events.insert(event, text);
        Ok(id)
    }

    /// Gives the id of an enumeration, from 0 and shared by all channels. Enumerations of equal name
    /// and entries are one. Nothing is written: each use in a field writes the entries.
    ///
    /// # Errors
    ///
    /// [`RegistryError::TooManyEnumerations`], [`RegistryError::NoRoom`].
    pub fn register_enumeration(&mut self, enumeration: Enumeration) -> Result<u64, RegistryError> {
        self.enumerations.register(enumeration, &mut self.share)
    }

    /// Registers a channel with the context fields of its events, and gives the header type of its
    /// events. The first registration describes the stream; later ones must bring equal context.
    ///
    /// # Errors
    ///
    /// [`RegistryError::UnknownChannel`], [`RegistryError::ContextMismatch`],
    /// [`RegistryError::LegacySequence`], [`RegistryError::Field`], [`RegistryError::MetadataFull`],
    /// [`RegistryError::NoRoom`].
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
        self.text.has_room_for(text.len())?;
        self.share.context(&context)?;
        channel.describe(&mut self.text, Stream::new(header, context, text));
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
                .and_then(|text| self.text.has_room_for(text.len()).map(|()| text));
            match described {
                Ok(text) => {
                    let stream = Stream::new(header, Vec::new(), text);
                    channel.describe(&mut self.text, Stream { is_empty: true, ..stream });
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
        self.text.has_room_for(text.len())?;
        self.share.context(&context)?;
        channel(&mut self.channels, channel_id)?.stream = Some(Stream::new(header, context, text));
        // Without the block before.
        self.regenerate(self.description.clock.clone());
        Ok(header)
    }

    /// The whole text. It only ever grows, until [`Self::regenerate`] begins it anew.
    #[must_use]
    pub fn metadata(&self) -> Vec<u8> {
        self.text.from(0)
    }

    /// What of it stands behind its first `begin` bytes.
    #[must_use]
    pub fn metadata_from(&self, begin: usize) -> Vec<u8> {
        self.text.from(begin)
    }

    /// How many bytes it has.
    #[must_use]
    pub fn metadata_len(&self) -> usize {
        self.text.len()
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
        self.text.begin_anew(preamble(&self.description, Preamble::Again));
        for channel in &self.channels {
            let Some(stream) = &channel.stream else { continue };
            for text in std::iter::once(&stream.text).chain(channel.events.texts()) {
                self.text.append(Arc::clone(text));
            }
        }
        self.version += 1;
    }
}

fn channel(channels: &mut [Channel], id: u32) -> Result<&mut Channel, RegistryError> {
    usize::try_from(id)
        .ok()
        .and_then(|at| channels.get_mut(at))
        .ok_or(RegistryError::UnknownChannel(id))
}

impl Channel {
    /// The stream, once an application has registered it.
    fn registered(&self) -> Option<&Stream> {
        self.stream.as_ref().filter(|stream| !stream.is_empty)
    }

    /// The stream is described: its events can be.
    fn describe(&mut self, text: &mut Text, stream: Stream) {
        text.append(Arc::clone(&stream.text));
        for event in self.events.texts() {
            text.append_waiting(Arc::clone(event));
        }
        self.stream = Some(stream);
    }
}

impl Stream {
    /// One that an application has registered.
    fn new(header: HeaderType, context: Vec<Field>, text: String) -> Self {
        Self { header, context, text: text.into(), is_empty: false }
    }
}
