//! Wake-ups that mean nothing. Writers ring when there is a packet; an application that rings without end
//! would have a data thread, which comes before all others, do nothing else.

use std::time::{Duration, Instant};

use lttngd_model::ChannelKey;
use rustix::event::epoll::EventFlags;

use super::{Due, Watched, Worker, unwatch};

/// Wake-ups without a packet after which a pipe is not listened to for a while.
const RINGS_MAX: u32 = 64;
/// How long it is not. Packets come as late at most.
const DEAF_TIME: Duration = Duration::from_millis(20);

/// How often a pipe rang in vain.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Rings {
    count: u32,
    is_deaf: bool,
}

impl Rings {
    /// It rang. Whether it is not to be listened to for now.
    pub(super) fn rang(&mut self) -> bool {
        self.count = self.count.saturating_add(1);
        self.is_deaf = self.count > RINGS_MAX;
        self.is_deaf
    }

    /// There was a packet.
    pub(super) fn meant_something(&mut self) {
        self.count = 0;
    }

    /// Ends the time without listening, if it is one.
    fn take_deaf(&mut self) -> bool {
        self.count = 0;
        std::mem::take(&mut self.is_deaf)
    }
}

impl Worker {
    /// Does not listen to a stream's pipe for a while.
    pub(super) fn go_deaf(&mut self, place: usize) {
        let Some(stream) = self.streams.get_mut(place) else { return };
        if let Some(token) = stream.watched.take() {
            unwatch(&self.epoll, &mut self.watched, stream.ring.wakeup_reader(), token);
        }
        self.timers.schedule(Instant::now() + DEAF_TIME, Due::Listen(stream.channel));
    }

    /// Does not listen to a channel's pipe for a while.
    pub(super) fn go_deaf_for_channel(&mut self, key: ChannelKey) {
        let Some(channel) = self.channels.get_mut(&key) else { return };
        if let Some(token) = channel.watched.take() {
            unwatch(&self.epoll, &mut self.watched, channel.ring.hang_up_reader(), token);
        }
        self.timers.schedule(Instant::now() + DEAF_TIME, Due::Listen(key));
    }

    /// Listens again to the pipes of a channel and of its streams.
    pub(super) fn listen(&mut self, key: ChannelKey) {
        let Some(channel) = self.channels.get_mut(&key) else { return };
        if channel.rings.take_deaf() {
            let (pipe, what) = (channel.ring.hang_up_reader(), Watched::Channel(key));
            // Without memory for it the channel's end is not seen; nothing else depends on it.
            let token = super::watch(&self.epoll, &mut self.watched, pipe, what, EventFlags::IN);
            channel.watched = token.ok();
        }
        for place in channel.streams.clone() {
            let stream = &mut self.streams[place];
            if stream.rings.take_deaf() {
                let (pipe, what) = (stream.ring.wakeup_reader(), Watched::Stream(place));
                // Without memory for it its packets are read when it is flushed.
                let token =
                    super::watch(&self.epoll, &mut self.watched, pipe, what, EventFlags::IN);
                stream.watched = token.ok();
                self.make_ready_if_monitored(key, place);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rings_in_vain_are_counted_until_there_is_a_packet() {
        let mut rings = Rings::default();
        for _ in 0..RINGS_MAX {
            assert!(!rings.rang());
        }
        rings.meant_something();
        for _ in 0..RINGS_MAX {
            assert!(!rings.rang());
        }
        assert!(rings.rang());
        assert!(rings.take_deaf() && !rings.take_deaf());
        assert!(!rings.rang());
    }
}
