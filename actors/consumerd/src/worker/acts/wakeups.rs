//! Wake-ups of streams, and streams that get their turns.

use std::{io, time::Instant};

use lttngd_model::ChannelKey;
use lttngd_ringbuffer::Wakeup;

use crate::worker::{
    poller::{Poller, WatchToken, Watched},
    state::Worker,
    stream::TurnEnd,
    stream_source::StreamSource,
    throttle::MUTE_TIME,
    timers::Due,
    unfinished::Unfinished,
};

/// Watches a stream for packets, and for its end.
pub(super) fn watch_stream(
    poller: &mut Poller,
    source: &dyn StreamSource,
    slot: usize,
) -> io::Result<WatchToken> {
    let (descriptor, what) = (source.wakeup_fd(), Watched::Stream(slot));
    if source.stays_readable() {
        return poller.watch_news(descriptor, what);
    }
    poller.watch(descriptor, what)
}

impl Worker {
    /// Gives each stream that may have packets a turn.
    pub(in crate::worker) fn serve_ready(&mut self) {
        for _ in 0..self.ready.len() {
            let Some(slot) = self.ready.pop_front() else { return };
            self.serve(slot);
        }
    }

    /// Reads and writes packets of a stream until there are none, or its turn is over.
    pub(in crate::worker) fn serve(&mut self, slot: usize) {
        let holds = self.holds();
        let Some(stream) = self.streams.get_mut(slot) else { return };
        stream.queued = false;
        if holds {
            return self.make_ready(slot);
        }
        let relay = stream.output.remote().map(|remote| remote.net_index);
        match stream.serve(&self.setup.clock, &mut self.relays) {
            TurnEnd::More => self.make_ready(slot),
            TurnEnd::Idle => {
                if stream.source.awaits_owners() {
                    self.wait_for_writers(slot);
                }
            }
            TurnEnd::Unfinished => self.wait_for_writers(slot),
            TurnEnd::Parked { partly } => {
                if let Some(relay) = relay {
                    self.relays.park(relay, slot, partly);
                }
                return;
            }
            TurnEnd::Undescribed => self.wait_for_metadata(slot),
            TurnEnd::Rotating => {
                if let Some(relay) = relay {
                    self.relays.wait_for_indexes(relay, slot);
                }
            }
            TurnEnd::Ended => self.remove_stream(slot),
        }
        self.retire_if_lost(slot);
        if let Some(relay) = relay {
            self.relays.unpark(relay);
            self.carry_out_effects();
        }
    }

    /// Ends a stream that is lost at its relay daemon, which would wait for its packets before it
    /// ends a trace chunk, and has viewers wait for them.
    pub(in crate::worker) fn retire_if_lost(&mut self, slot: usize) {
        if let Some(stream) = self.streams.get_mut(slot)
            && stream.source.is_lost()
        {
            stream.leave_relay(&mut self.relays);
        }
    }

    /// A stream woke.
    pub(in crate::worker) fn stream_woken(&mut self, slot: usize) {
        let Some(stream) = self.streams.get_mut(slot) else { return };
        match stream.woken() {
            (Wakeup::HungUp, _) => {
                let watched = stream.watched.take();
                stream.hang_up(&self.setup.clock);
                if let Some(token) = watched {
                    self.poller.unwatch(self.streams[slot].source.wakeup_fd(), token);
                }
            }
            (_, true) => self.mute_stream(slot),
            _ => {}
        }
        self.make_ready(slot);
    }

    /// Does not listen to a stream's pipe for a while.
    fn mute_stream(&mut self, slot: usize) {
        let Some(stream) = self.streams.get_mut(slot) else { return };
        if let Some(token) = stream.watched.take() {
            self.poller.unwatch(stream.source.wakeup_fd(), token);
        }
        self.timers.schedule(Instant::now() + MUTE_TIME, Due::Listen(stream.channel));
    }

    /// Does not listen to a channel's pipe for a while.
    pub(in crate::worker) fn mute_channel(&mut self, key: ChannelKey) {
        let Some(channel) = self.channels.get_mut(&key) else { return };
        if let (Some(token), Some(pipe)) = (channel.watched.take(), channel.end.reader()) {
            self.poller.unwatch(pipe, token);
        }
        self.timers.schedule(Instant::now() + MUTE_TIME, Due::Listen(key));
    }

    /// Listens again to the pipes of a channel and of its streams.
    pub(in crate::worker) fn listen(&mut self, key: ChannelKey) {
        let Some(channel) = self.channels.get_mut(&key) else { return };
        if channel.throttle.unmute()
            && let Some(pipe) = channel.end.reader()
        {
            // Without memory for it the channel's end is not seen; nothing else depends on it.
            channel.watched = self.poller.watch(pipe, Watched::Channel(key)).ok();
        }
        for slot in channel.streams.clone() {
            let stream = &mut self.streams[slot];
            if stream.throttle.unmute() {
                // Without memory for it its packets are read when it is flushed.
                stream.watched = watch_stream(&mut self.poller, &*stream.source, slot).ok();
                self.make_ready_if_monitored(key, slot);
            }
        }
    }

    /// A stream comes no further before its writers do. They get some time for it.
    pub(in crate::worker) fn wait_for_writers(&mut self, slot: usize) {
        let Some(stream) = self.streams.get_mut(slot) else { return };
        if stream.unfinished.is_some() {
            return;
        }
        let until = stream.source.unfinished_until();
        // What was finished meanwhile woke.
        let Some(Some(until)) = stream.note(until) else { return };
        let unfinished = Unfinished::new(Instant::now(), until);
        stream.unfinished = Some(unfinished);
        self.timers.schedule(unfinished.due(), Due::Abandoned(stream.channel));
    }

    /// The time of writers of a channel may be over.
    pub(in crate::worker) fn finish_abandoned(&mut self, key: ChannelKey, now: Instant) {
        for slot in self.streams_of(key) {
            let stream = &mut self.streams[slot];
            if let Some(unfinished) = stream.unfinished.take_if(|it| it.is_abandoned(now)) {
                stream.finish_abandoned(unfinished.until, &self.setup.clock);
                self.make_ready_if_monitored(key, slot);
                // Others may have left packets later.
                self.wait_for_writers(slot);
            }
        }
    }
}
