//! The ids of a trace's channels, events and enumerations, and the metadata text that tells readers
//! of them. One registry per trace: per user and word size, or per application.

mod context;
mod enumerations;
mod error;
mod events;
mod known;
#[cfg(test)]
mod tests;

pub use enumerations::{ENUMERATION_ENTRIES_MAX, ENUMERATIONS_MAX};
pub use error::RegistryError;
pub use events::{EVENTS_PER_CHANNEL_MAX, EventRegistration};
pub use known::KnownIds;

use std::ops::Range;

use lttngd_model::{EnumerationEntry, Field};

use crate::tsdl::{Clock, HeaderType, METADATA_MAX_LEN, Preamble, TraceDescription};
use crate::tsdl::{event_block, preamble, stream_block};
use context::modernize;
use enumerations::Enumerations;
use events::Events;

/// The ids and the metadata text of one trace.
///
/// A registration either gives an id and appends all of its text, or changes nothing. Applications
/// register events before the channel; its events are described behind the channel's stream all the same,
/// since a viewer of a live session takes the text as it comes, and ends when an event of a stream comes
/// that it does not know.
#[derive(Debug)]
pub struct UstRegistry {
    description: TraceDescription,
    channels: Vec<Channel>,
    enumerations: Enumerations,
    text: Text,
    version: u64,
}

#[derive(Debug, Default)]
struct Channel {
    events: Events,
    stream: Option<Stream>,
    /// Text of the events until the stream is described; theirs stands in it.
    waiting: Vec<u8>,
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
        let text = Text::new(preamble(&description, Preamble::First));
        Self {
            description,
            channels: Vec::new(),
            enumerations: Enumerations::default(),
            text,
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
        let text = if channel.stream.is_some() {
            self.text.append(&text)?
        } else {
            self.text.keep(&mut channel.waiting, &text)?
        };
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
        let text = self.text.append(&text)?;
        channel.describe(&mut self.text, Stream { header, context, text, is_empty: false });
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
                .and_then(|text| self.text.append(&text));
            match described {
                Ok(text) => {
                    let context = Vec::new();
                    let stream = Stream { header, context, text, is_empty: true };
                    channel.describe(&mut self.text, stream);
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
        let text = self.text.append(&text)?;
        channel(&mut self.channels, channel_id)?.stream =
            Some(Stream { header, context, text, is_empty: false });
        // Without the block before.
        self.regenerate(self.description.clock.clone());
        Ok(header)
    }

    /// The whole text. It only ever grows, until [`Self::regenerate`] begins it anew.
    #[must_use]
    pub fn metadata(&self) -> &[u8] {
        &self.text.all
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
        let mut new = preamble(&self.description, Preamble::Again).into_bytes();
        for channel in &mut self.channels {
            let Some(stream) = &mut channel.stream else { continue };
            for text in std::iter::once(&mut stream.text).chain(channel.events.texts_mut()) {
                let begin = new.len();
                new.extend_from_slice(self.text.all.get(text.clone()).unwrap_or_default());
                *text = begin..new.len();
            }
        }
        self.text.all = new;
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
        let begin = text.take(std::mem::take(&mut self.waiting));
        for event in self.events.texts_mut() {
            *event = begin + event.start..begin + event.end;
        }
        self.stream = Some(stream);
    }
}

/// The text of a trace, and how much more will come for certain.
#[derive(Debug)]
struct Text {
    all: Vec<u8>,
    /// Bytes of blocks that wait.
    waiting_len: usize,
}

impl Text {
    fn new(preamble: String) -> Self {
        Self { all: preamble.into_bytes(), waiting_len: 0 }
    }

    fn has_room_for(&self, block: &str) -> Result<(), RegistryError> {
        let len = self.all.len() + self.waiting_len;
        if block.len() > METADATA_MAX_LEN.saturating_sub(len) {
            return Err(RegistryError::MetadataFull);
        }
        Ok(())
    }

    /// Appends a block and says where it stands.
    fn append(&mut self, block: &str) -> Result<Range<usize>, RegistryError> {
        self.has_room_for(block)?;
        let begin = self.all.len();
        self.all.extend_from_slice(block.as_bytes());
        Ok(begin..self.all.len())
    }

    /// Keeps a block for later, and says where it stands among those that wait as well.
    fn keep(&mut self, waiting: &mut Vec<u8>, block: &str) -> Result<Range<usize>, RegistryError> {
        self.has_room_for(block)?;
        self.waiting_len += block.len();
        let begin = waiting.len();
        waiting.extend_from_slice(block.as_bytes());
        Ok(begin..waiting.len())
    }

    /// Appends blocks that were kept, and says where they begin.
    fn take(&mut self, waiting: Vec<u8>) -> usize {
        let begin = self.all.len();
        self.all.extend_from_slice(&waiting);
        self.waiting_len -= waiting.len();
        begin
    }
}
