//! Making channels, of which each needs descriptors here.

use lttngd_ringbuffer::possible_cpu_count;
use lttngd_runtime::{Descriptors, Held, NoRoom, Outlet, Purpose, UserDescriptors};
use lttngd_wire::consumer::{AskChannel, CHANNEL_WAKEUP_FDS, Message, STREAM_FDS};

use crate::{ChannelObject, ChannelSampled, ConsumerError, link::Link};

/// How channels are made. No input or output.
pub(crate) struct Channels {
    descriptors: UserDescriptors,
    /// How many streams the last one had, and the first one will have: one for each processor that there may be.
    streams: u32,
}

/// The room for a channel's descriptors.
#[derive(Debug)]
pub(crate) struct Room {
    /// Where it is taken for a channel that has others than was foreseen: for nobody's share.
    descriptors: Descriptors,
    /// For a channel of so many streams.
    taken: (u32, Held),
}

impl Channels {
    /// None were made yet. A consumer daemon counts the processors as this one does; should it not, it is learnt by
    /// the first channel.
    pub(crate) fn new(descriptors: UserDescriptors) -> Self {
        Self::of_streams(descriptors, possible_cpu_count().unwrap_or(1))
    }

    fn of_streams(descriptors: UserDescriptors, streams: u32) -> Self {
        Self { descriptors, streams }
    }

    /// Room for one more of this user, before it is asked for.
    pub(crate) fn room(&self, uid: u32) -> Result<Room, NoRoom> {
        let taken = (self.streams, self.descriptors.take(uid, count(self.streams))?);
        Ok(Room { descriptors: self.descriptors.budget().clone(), taken })
    }

    /// A channel was asked for and has so many streams.
    pub(crate) fn count(&mut self, streams: u32) {
        self.streams = streams;
    }
}

impl Room {
    /// Whether it is for a channel of so many streams.
    fn fits(&self, streams: u32) -> bool {
        self.taken.0 == streams
    }

    /// Makes it fit.
    fn for_streams(self, streams: u32) -> Result<Held, NoRoom> {
        let (expected, held) = self.taken;
        if expected == streams {
            return Ok(held);
        }
        drop(held);
        Ok(self.descriptors.take(Purpose::Channels, count(streams))?)
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

    const ROOT: u32 = 0;

    #[test]
    fn room_is_taken_ahead_for_as_many_streams_as_a_channel_has() {
        // Room for the descriptors of 1 + 2 * 3, and the last ones that are kept.
        let budget = Descriptors::new(Shares::new(14, 0));
        let mut channels = Channels::of_streams(UserDescriptors::new(budget, ROOT), 1);
        // One that has others than was foreseen gets others.
        let room = channels.room(ROOT).unwrap();
        assert!(room.fits(1) && !room.fits(3));
        let held = room.for_streams(3).unwrap();
        channels.count(3);
        assert!(channels.room(ROOT).is_err(), "there is room for one");
        drop(held);
        let room = channels.room(ROOT).unwrap();
        assert!(room.fits(3));
        assert!(channels.room(ROOT).is_err());
        drop(room);
        assert!(channels.room(ROOT).unwrap().for_streams(30).is_err());
    }

    #[test]
    fn the_first_channel_is_in_its_users_share_as_the_others_are() {
        let budget = Descriptors::new(Shares::new(1024, 24));
        let channels = Channels::new(UserDescriptors::new(budget.clone(), ROOT));
        let cpus = possible_cpu_count().unwrap();
        let first = channels.room(54_321).unwrap();
        assert!(first.fits(cpus), "it is known before it is asked for");
        assert_eq!(budget.taken(Purpose::Channels), count(cpus));
        let more: Vec<_> = std::iter::from_fn(|| channels.room(54_321).ok()).collect();
        let left = budget.left(Purpose::Channels);
        assert!(left >= count(cpus) || cpus > 40, "{left} are left to others after {}", more.len());
        drop(first);
        assert!(channels.room(54_321).is_ok(), "the first one was counted: there is room again");
    }
}
