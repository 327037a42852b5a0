//! Making channels, of which each needs descriptors here.

use lttngd_runtime::{Descriptors, Held, NoRoom, Outlet, Purpose, UserDescriptors};
use lttngd_wire::consumer::{AskChannel, CHANNEL_WAKEUP_FDS, Message, STREAM_FDS};

use crate::{ChannelObject, ChannelSampled, ConsumerError, link::Link};

/// How channels are made. No input or output.
pub(crate) struct Channels {
    descriptors: UserDescriptors,
    /// How many streams the last one had: as many as the consumer daemon sees processors.
    streams: Option<u32>,
}

/// The room for a channel's descriptors.
#[derive(Debug)]
pub(crate) struct Room {
    /// Where it is taken for a channel that has others than was foreseen, as the first one has: for nobody's share.
    descriptors: Descriptors,
    /// For a channel of so many streams, once it is known how many they have.
    taken: Option<(u32, Held)>,
}

impl Channels {
    pub(crate) fn new(descriptors: UserDescriptors) -> Self {
        Self { descriptors, streams: None }
    }

    /// Room for one more of this user, before it is asked for, if it is known how many streams it will have.
    pub(crate) fn room(&self, uid: u32) -> Result<Room, NoRoom> {
        let take = |streams| self.descriptors.take(uid, count(streams)).map(|held| (streams, held));
        let taken = self.streams.map(take).transpose()?;
        Ok(Room { descriptors: self.descriptors.budget().clone(), taken })
    }

    /// A channel was asked for and has so many streams.
    pub(crate) fn count(&mut self, streams: u32) {
        self.streams = Some(streams);
    }
}

impl Room {
    /// Whether it is for a channel of so many streams.
    fn fits(&self, streams: u32) -> bool {
        matches!(self.taken, Some((expected, _)) if expected == streams)
    }

    /// Makes it fit.
    fn for_streams(self, streams: u32) -> Result<Held, NoRoom> {
        match self.taken {
            Some((expected, held)) if expected == streams => Ok(held),
            other => {
                drop(other);
                Ok(self.descriptors.take(Purpose::Channels, count(streams))?)
            }
        }
    }
}

/// Descriptors of a channel of so many streams.
fn count(streams: u32) -> usize {
    CHANNEL_WAKEUP_FDS + STREAM_FDS * streams as usize
}

/// Asks for a channel and fetches it.
#[derive(Debug)]
pub(crate) struct FetchChannel {
    pub(crate) ask: Box<AskChannel>,
    pub(crate) sampled: Outlet<ChannelSampled>,
    pub(crate) room: Room,
}

/// Asks for a channel and fetches it. There is room for its descriptors before it is fetched. `counted` is
/// told how many streams it has, when that was not foreseen.
pub(crate) async fn fetch(
    link: &Link,
    ask: Box<AskChannel>,
    room: Room,
    counted: impl FnOnce(u32),
) -> Result<ChannelObject, ConsumerError> {
    let key = ask.key;
    let streams = link.ask_channel(&Message::AskChannelCreation(ask)).await?;
    if !room.fits(streams) {
        counted(streams);
    }
    let fetched = match room.for_streams(streams) {
        Ok(held) => {
            let object = link.get_channel(key).await;
            object.map(|object| ChannelObject { _held: Some(held), ..object })
        }
        Err(error) => Err(error.into()),
    };
    if let Err(ConsumerError::Refused(_) | ConsumerError::NoRoom(_)) = &fetched {
        // Nobody will fetch it.
        link.status(&Message::DestroyChannel { key }).await?;
    }
    fetched
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use lttngd_runtime::Shares;

    use super::*;

    const ONE: u32 = 0;

    #[test]
    fn room_is_taken_ahead_once_it_is_known_how_much() {
        // Room for the descriptors of 1 + 2 * 3, and the last ones that are kept.
        let budget = Descriptors::new(Shares::new(14, 0));
        let mut channels = Channels::new(UserDescriptors::new(budget, 0));
        let unknown = channels.room(ONE).unwrap();
        assert!(!unknown.fits(3));
        let held = unknown.for_streams(3).unwrap();
        channels.count(3);
        assert!(channels.room(ONE).is_err(), "there is room for one");
        drop(held);
        let room = channels.room(ONE).unwrap();
        assert!(room.fits(3) && !room.fits(2));
        assert!(channels.room(ONE).is_err());
        drop(room);
        // One that has others than was foreseen gets others.
        let held = channels.room(ONE).unwrap().for_streams(1).unwrap();
        drop(held);
        assert!(channels.room(ONE).unwrap().for_streams(30).is_err());
    }
}
