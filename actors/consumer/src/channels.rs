//! Making channels, of which each needs descriptors here.

use std::cell::Cell;

use lttngd_runtime::{Descriptors, Held, Purpose};
use lttngd_wire::consumer::{AskChannel, CHANNEL_WAKEUP_FDS, Message, STREAM_FDS};

use crate::{ChannelObject, ConsumerError, link::Link};

/// How channels are made.
#[derive(Debug)]
pub(crate) struct NewChannels {
    descriptors: Descriptors,
    /// How many streams the last one had: as many as the consumer daemon sees processors.
    streams: Cell<Option<u32>>,
}

impl NewChannels {
    pub(crate) fn new(descriptors: Descriptors) -> Self {
        Self { descriptors, streams: Cell::new(None) }
    }

    fn room(&self, streams: u32) -> Result<Held, ConsumerError> {
        let count = CHANNEL_WAKEUP_FDS + STREAM_FDS * streams as usize;
        Ok(self.descriptors.take(Purpose::Channels, count)?)
    }

    /// Asks for a channel and fetches it. There is room for its descriptors before it is fetched, and
    /// before it is asked for, once it is known how many streams channels have.
    pub(crate) async fn create(
        &self,
        link: &Link,
        ask: Box<AskChannel>,
    ) -> Result<ChannelObject, ConsumerError> {
        let key = ask.key;
        let expected = self.streams.get();
        let held = expected.map(|streams| self.room(streams)).transpose()?;
        let streams = link.ask_channel(&Message::AskChannelCreation(ask)).await?;
        self.streams.set(Some(streams));
        let held = match held {
            Some(held) if expected == Some(streams) => Ok(held),
            other => {
                drop(other);
                self.room(streams)
            }
        };
        let fetched = match held {
            Ok(held) => {
                let object = link.get_channel(key).await;
                object.map(|object| ChannelObject { _held: Some(held), ..object })
            }
            Err(error) => Err(error),
        };
        if let Err(ConsumerError::Refused(_) | ConsumerError::NoDescriptors(_)) = &fetched {
            // Nobody will fetch it.
            link.status(&Message::DestroyChannel { key }).await?;
        }
        fetched
    }
}
