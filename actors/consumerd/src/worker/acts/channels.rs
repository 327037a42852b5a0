//! Data channels: taken over, and what is done to all streams of one.

use std::{sync::Arc, time::Instant};

use lttngd_model::ChannelKey;
use lttngd_runtime::Held;
use lttngd_tracefile::FileError;
use lttngd_wire::consumer::ConsumerError as Code;

use crate::{
    event::Event,
    worker::{
        channel::DataChannel,
        new::{ChannelEnd, Counts, NewChannel, NewStream},
        order::Answer,
        output::Opening,
        poller::Watched,
        relay::{AfterAddition, NewRemoteStream, StreamName},
        state::Worker,
        stream::{DataStream, StreamParts},
        throttle::WakeupThrottle,
        timers::{Due, Timer, next_look_us},
    },
};

use super::wakeups::watch_stream;

impl Worker {
    /// Takes a channel over. Its streams have their outputs when the answer comes.
    pub(in crate::worker) fn add_channel(&mut self, new: NewChannel, answer: Answer) {
        let key = new.key;
        let relay = new.writing.relay.filter(|_| new.monitored);
        match (self.insert_channel(new), relay) {
            (Ok(()), Some(relay)) => {
                let slots = self.streams_of(key);
                let path = slots.first().map(|slot| self.streams[*slot].writing.path.clone());
                let (path, then) = (path.unwrap_or_default(), AfterAddition::Channel(key, answer));
                let streams = remote_streams(&self.streams, &slots, &path);
                self.relays.add_streams(relay, streams, then);
            }
            (outcome, _) => {
                match outcome {
                    Ok(()) => self.start_timers(key),
                    Err(_) => self.remove_channel(key),
                }
                answer.answer(outcome);
            }
        }
    }

    fn insert_channel(&mut self, new: NewChannel) -> Result<(), Code> {
        let NewChannel { key, writing, chunk, end, streams, monitored, timers, .. } = new;
        let writing = Arc::new(writing);
        let is_live = new.is_live && new.timers.live_us > 0;
        if timers.are_too_fast() {
            tracing::warn!(
                %key, channel = writing.name, ?timers,
                "timers of a channel fire every millisecond, less often than they are asked for"
            );
        }
        let mut channel = DataChannel {
            session: writing.session,
            monitored,
            chunk: chunk.clone(),
            streams: Vec::with_capacity(streams.len()),
            end,
            watched: None,
            throttle: WakeupThrottle::default(),
            timers,
            is_live,
            writing: Arc::clone(&writing),
            ended: Counts::default(),
            _shm: new.shm,
            held: vec![new.held],
        };
        let outcome = self.insert_streams(key, &mut channel, streams);
        let slots = channel.streams.clone();
        // The descriptor is borrowed from what goes into the map below.
        let watched = channel.end.reader().map(|end| self.poller.watch(end, Watched::Channel(key)));
        let watched = watched.transpose().map_err(|error| {
            tracing::error!(%error, "the end of a channel cannot be watched");
            Code::FATAL
        });
        channel.watched = watched.ok().flatten();
        self.channels.insert(key, channel);
        outcome.and(watched.map(drop))?;
        self.watch_streams(slots.into_iter().filter(|_| monitored))
    }

    /// Makes streams of a channel, with their outputs where those are files and there is room for them.
    fn insert_streams(
        &mut self,
        key: ChannelKey,
        channel: &mut DataChannel,
        streams: Vec<NewStream>,
    ) -> Result<(), Code> {
        let (writing, monitored) = (&channel.writing, channel.monitored);
        let mut openings = Vec::new();
        for NewStream { source, wakeup, written } in streams {
            let mut stream = DataStream::new(StreamParts {
                channel: key,
                source,
                wakeup,
                written,
                writing: Arc::clone(writing),
                is_live: channel.is_live,
                is_recorder: !monitored,
            });
            stream.chunk = channel.chunk.clone().filter(|_| monitored);
            let opening = (monitored && writing.relay.is_none()).then(|| begin_output(&stream));
            let slot = self.streams.insert(Box::new(stream));
            channel.streams.push(slot);
            openings.extend(opening.map(|opening| (slot, opening)));
        }
        let mut outcome = Ok(());
        for (slot, opening) in openings {
            let finished = finish_output(&mut self.streams[slot], opening);
            outcome = outcome.and(finished);
        }
        outcome
    }

    /// Waits for packets of streams. Snapshots take what they find: nobody needs to tell that it is there.
    fn watch_streams(&mut self, slots: impl Iterator<Item = usize>) -> Result<(), Code> {
        for slot in slots {
            let stream = &mut self.streams[slot];
            let watched = watch_stream(&mut self.poller, &*stream.source, slot);
            stream.watched = Some(watched.map_err(|error| {
                tracing::error!(%error, "a stream cannot be watched");
                Code::FATAL
            })?);
        }
        Ok(())
    }

    /// Takes more streams of a channel over.
    pub(in crate::worker) fn add_streams(
        &mut self,
        key: ChannelKey,
        streams: Vec<NewStream>,
        held: Held,
        answer: Answer,
    ) {
        let Some(mut channel) = self.channels.remove(&key) else {
            return answer.answer(Err(Code::CHAN_NOT_FOUND));
        };
        channel.held.push(held);
        let known = channel.streams.len();
        let inserted = self.insert_streams(key, &mut channel, streams);
        let slots = channel.streams[known..].to_vec();
        let relay = channel.writing.relay.filter(|_| channel.monitored);
        let (monitored, path) = (channel.monitored, channel.writing.path.clone());
        self.channels.insert(key, channel);
        let watched = self.watch_streams(slots.iter().copied().filter(|_| monitored));
        match (inserted.and(watched), relay) {
            (Ok(()), Some(relay)) => {
                let streams = remote_streams(&self.streams, &slots, &path);
                let then = AfterAddition::Streams(relay, answer);
                self.relays.add_streams(relay, streams, then);
            }
            (outcome, _) => answer.answer(outcome),
        }
    }

    /// Ends a channel of which snapshots are recorded.
    pub(in crate::worker) fn destroy_channel(&mut self, key: ChannelKey) -> Result<(), Code> {
        if self.metadata.contains_key(&key) {
            return self.close_metadata(key);
        }
        self.remove_channel(key);
        Ok(())
    }

    /// A relay daemon knows all streams of a channel, or has not taken one.
    pub(in crate::worker) fn channel_added(
        &mut self,
        key: ChannelKey,
        taken: bool,
        answer: Answer,
    ) {
        if taken {
            self.start_timers(key);
        } else {
            self.remove_channel(key);
        }
        answer.answer(if taken { Ok(()) } else { Err(Code::RELAYD_FAIL) });
    }

    /// Starts the timers of a channel whose streams have their outputs: a packet that one closes before has
    /// nowhere to go.
    fn start_timers(&mut self, key: ChannelKey) {
        let now = Instant::now();
        for timer in [Timer::Switch, Timer::Read, Timer::Live] {
            self.schedule_channel(key, timer, now);
        }
    }

    fn schedule_channel(&mut self, key: ChannelKey, timer: Timer, now: Instant) {
        let period = self.channels.get(&key).and_then(|channel| channel.timers.period(timer));
        if let Some(period) = period {
            let at = self.timers.next_in(now, period);
            self.timers.schedule(at, Due::Channel(key, timer));
        }
    }

    /// Closes the open packets of a channel for good, and marks them so.
    pub(in crate::worker) fn flush_channel(&mut self, key: ChannelKey) -> Result<(), Code> {
        if !self.channels.contains_key(&key) {
            return Err(Code::UST_CHAN_NOT_FOUND);
        }
        for slot in self.streams_of(key) {
            self.streams[slot].finish(&self.setup.clock);
            self.make_ready_if_monitored(key, slot);
        }
        // Whoever stops the session reads what there is room for by now.
        if let Some(metadata) = self.metadata_of(key).and_then(|key| self.metadata.get_mut(&key)) {
            metadata.write_missing();
        }
        Ok(())
    }

    /// Takes the mark of [`Self::flush_channel`] away.
    pub(in crate::worker) fn clear_quiescent(&mut self, key: ChannelKey) -> Result<(), Code> {
        if !self.channels.contains_key(&key) {
            return Err(Code::UST_CHAN_NOT_FOUND);
        }
        for slot in self.streams_of(key) {
            self.streams[slot].clear_quiescent();
        }
        Ok(())
    }

    /// Begins a packet in each stream of a channel that has none open, so that its time begins now. The kernel
    /// begins one with its first event alone: what it would close instead, without any, is for snapshots.
    pub(in crate::worker) fn open_packets(&mut self, key: ChannelKey) -> Result<(), Code> {
        let Some(channel) = self.channels.get(&key) else {
            let metadata = self.metadata.contains_key(&key);
            return Err(if metadata { Code::INVALID_PARAMETERS } else { Code::CHAN_NOT_FOUND });
        };
        let (monitored, is_ring) = (channel.monitored, matches!(channel.end, ChannelEnd::Ring(_)));
        if monitored && !is_ring {
            return Ok(());
        }
        for slot in self.streams_of(key) {
            let stream = &mut self.streams[slot];
            if monitored {
                stream.restart(&self.setup.clock);
                self.make_ready(slot);
            } else {
                let begun = stream.source.begin_packet(&self.setup.clock);
                stream.note(begun);
            }
        }
        Ok(())
    }

    /// Drops what is in the buffers of a channel.
    pub(in crate::worker) fn clear_channel(&mut self, key: ChannelKey) -> Result<(), Code> {
        if !self.channels.contains_key(&key) {
            let metadata = self.metadata.contains_key(&key);
            return if metadata { Ok(()) } else { Err(Code::CHAN_NOT_FOUND) };
        }
        for slot in self.streams_of(key) {
            if self.streams[slot].clear(&self.setup.clock, &mut self.relays) {
                self.make_ready(slot);
            }
            // Where writers are missing behind the reader, later ones come no further.
            self.wait_for_writers(slot);
        }
        Ok(())
    }

    /// Neither the session daemon nor an application has the channel any more.
    pub(in crate::worker) fn channel_hung_up(&mut self, key: ChannelKey) {
        let Some(channel) = self.channels.get_mut(&key) else { return };
        if !channel.end.is_there() {
            if channel.throttle.note_wakeup() {
                self.mute_channel(key);
            }
            return;
        }
        if let (Some(token), Some(pipe)) = (channel.watched.take(), channel.end.reader()) {
            self.poller.unwatch(pipe, token);
        }
        if !channel.monitored {
            self.remove_channel(key);
            return;
        }
        // Now the streams' pipes show whether an application still writes.
        for slot in channel.streams.clone() {
            self.streams[slot].wakeup = None;
        }
    }

    /// Lets go of a channel that applications have still, though its trace has ended: what they had written by now is
    /// read, and their pipes are closed.
    pub(in crate::worker) fn let_go(&mut self, key: ChannelKey) {
        let Some(channel) = self.channels.get(&key) else { return };
        // Where it is described again the trace goes on. Those of the kernel end by themselves.
        if self.metadata_of(key).is_some() || !matches!(channel.end, ChannelEnd::Ring(_)) {
            return;
        }
        let (session, slots) = (channel.session, channel.streams.clone());
        tracing::warn!(%session, channel = channel.writing.name,
            "a channel of a trace that has ended is let go: an application did not");
        if !channel.monitored {
            return self.remove_channel(key);
        }
        for slot in slots {
            let stream = &mut self.streams[slot];
            stream.wakeup = None;
            stream.end(&self.setup.clock);
            stream.hang_up(&self.setup.clock);
            if let Some(token) = stream.watched.take() {
                self.poller.unwatch(stream.source.wakeup_fd(), token);
            }
            self.make_ready(slot);
        }
    }

    /// Takes a stream out that was read to its end.
    pub(in crate::worker) fn remove_stream(&mut self, slot: usize) {
        let Some(mut stream) = self.streams.try_remove(slot) else { return };
        if let Some(token) = stream.watched.take() {
            self.poller.unwatch(stream.source.wakeup_fd(), token);
        }
        stream.leave_relay(&mut self.relays);
        let Some(channel) = self.channels.get_mut(&stream.channel) else { return };
        channel.ended.add(stream.losses());
        channel.streams.retain(|other| *other != slot);
        if channel.streams.is_empty() {
            self.remove_channel(stream.channel);
        }
    }

    /// Lets go of a channel with all that is left of it.
    pub(in crate::worker) fn remove_channel(&mut self, key: ChannelKey) {
        let Some(mut channel) = self.channels.remove(&key) else { return };
        for slot in std::mem::take(&mut channel.streams) {
            self.remove_stream(slot);
        }
        self.answer_last_counts(key, channel.ended);
        if let (Some(token), Some(pipe)) = (channel.watched.take(), channel.end.reader()) {
            self.poller.unwatch(pipe, token);
        }
        self.tell(Event::ChannelEnded { session: channel.session, key });
    }

    /// Tells the control thread something. Nobody listens when the consumer ends.
    pub(in crate::worker) fn tell(&self, event: Event) {
        let _ = self.setup.events.send(event);
    }

    /// A timer of a channel fired.
    pub(in crate::worker) fn channel_timer(&mut self, key: ChannelKey, timer: Timer, now: Instant) {
        if !self.channels.contains_key(&key) {
            return;
        }
        match timer {
            Timer::Switch => {
                for slot in self.streams_of(key) {
                    self.streams[slot].switch(&self.setup.clock);
                    self.make_ready_if_monitored(key, slot);
                }
            }
            Timer::Read => self.read_timer(key),
            Timer::Live => self.live_timer(key),
        }
        self.schedule_channel(key, timer, now);
    }

    /// Reads what nobody tells of.
    fn read_timer(&mut self, key: ChannelKey) {
        let mut found = false;
        for slot in self.streams_of(key) {
            let source = &mut self.streams[slot].source;
            found |= source.stays_readable() && source.is_readable().is_ok_and(|is| is);
            self.make_ready_if_monitored(key, slot);
        }
        if let Some(channel) = self.channels.get_mut(&key)
            && matches!(channel.end, ChannelEnd::Kernel { .. })
        {
            channel.timers.read_us = next_look_us(channel.timers.read_us, found);
        }
    }
}

/// Streams as a relay daemon is told of them; `path` is their directory.
pub(super) fn remote_streams<'a>(
    streams: &'a slab::Slab<Box<DataStream>>,
    slots: &[usize],
    path: &'a str,
) -> Vec<NewRemoteStream<'a>> {
    let of_slot = |&slot: &usize| {
        let stream = &streams[slot];
        let chunk = stream.chunk.as_ref().map(|chunk| chunk.id);
        let name = StreamName { name: stream.name(), path, chunk };
        NewRemoteStream { key: stream.channel, slot, writing: &stream.writing, name }
    };
    slots.iter().map(of_slot).collect()
}

/// Begins to open the files of a stream; it has its output when they are there.
fn begin_output(stream: &DataStream) -> Result<Opening, FileError> {
    match &stream.chunk {
        Some(chunk) => stream.open_files(chunk, &stream.writing.path, true),
        None => Ok(Opening::default()),
    }
}

/// What applications record is in memory until it is written: a stream whose files find no room is made all the
/// same, and its files with the first packet that finds some.
fn finish_output(stream: &mut DataStream, opening: Result<Opening, FileError>) -> Result<(), Code> {
    match opening.and_then(Opening::finish) {
        Ok(output) => {
            stream.output = output;
            Ok(())
        }
        Err(error) => {
            let (session, may_pass) = (stream.writing.session, error.may_pass());
            let stream = stream.name();
            tracing::error!(%session, %stream, %error, "a stream has no files");
            if may_pass { Ok(()) } else { Err(Code::CHANNEL_FAIL) }
        }
    }
}
