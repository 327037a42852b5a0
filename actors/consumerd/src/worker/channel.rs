//! Data channels: what is done to all streams of one.

use std::{sync::Arc, time::Instant};

use lttngd_model::{ChannelKey, SessionId};
use lttngd_runtime::Held;
use lttngd_tracefile::FileError;
use lttngd_wire::consumer::{ConsumerError as Code, MonitorSample};
use rustix::event::epoll::EventFlags;

use super::{
    Due, Watched, Worker,
    new::{Counts, NewChannel, NewStream, Timers, Writing},
    order::Answer,
    rings::Rings,
    stream::{DataStream, Opening, Output},
    timers::Timer,
    unwatch,
};
use crate::{chunk::Chunk, event::Event, shm::ShmPlace};

/// A channel that runs.
pub(super) struct DataChannel {
    pub(super) session: SessionId,
    pub(super) monitored: bool,
    /// The chunk that its streams are to go to.
    pub(super) chunk: Option<Arc<Chunk>>,
    /// The streams' places in the slab.
    pub(super) streams: Vec<usize>,
    pub(super) ring: lttngd_ringbuffer::Channel,
    pub(super) watched: Option<usize>,
    pub(super) rings: Rings,
    timers: Timers,
    writing: Arc<Writing>,
    /// Counts of streams that have ended.
    ended: Counts,
    /// Removes the files of shared memory when it is dropped.
    _shm: Option<ShmPlace>,
    _held: Held,
}

impl Worker {
    /// Takes a channel over. Its streams have their outputs when the reply comes.
    pub(crate) fn add_channel(&mut self, new: NewChannel, reply: Answer) {
        let key = new.key;
        let relay = new.writing.relay.filter(|_| new.monitored);
        let outcome = self.insert_channel(new);
        match (outcome, relay) {
            (Ok(()), Some(relay)) => self.add_remote_streams(key, relay, reply),
            (outcome, _) => {
                if outcome.is_err() {
                    self.remove_channel(key);
                }
                reply.answer(outcome);
            }
        }
    }

    fn insert_channel(&mut self, new: NewChannel) -> Result<(), Code> {
        let NewChannel { key, writing, chunk, ring, streams, monitored, timers, .. } = new;
        let writing = Arc::new(writing);
        let is_live = new.is_live && new.timers.live_us > 0;
        let mut channel = DataChannel {
            session: writing.session,
            monitored,
            chunk: chunk.clone(),
            streams: Vec::with_capacity(streams.len()),
            ring,
            watched: None,
            rings: Rings::default(),
            timers,
            writing: Arc::clone(&writing),
            ended: Counts::default(),
            _shm: new.shm,
            _held: new.held,
        };
        let mut openings = Vec::new();
        for NewStream { ring, wakeup } in streams {
            let mut stream =
                DataStream::new(key, ring, wakeup, Arc::clone(&writing), is_live, !monitored);
            stream.chunk = chunk.clone().filter(|_| monitored);
            let opening = (monitored && writing.relay.is_none()).then(|| begin_output(&stream));
            let place = self.streams.insert(Box::new(stream));
            channel.streams.push(place);
            openings.extend(opening.map(|opening| (place, opening)));
        }
        let mut outcome = Ok(());
        for (place, opening) in openings {
            let finished = finish_output(&mut self.streams[place], opening);
            outcome = outcome.and(finished);
        }
        let places = channel.streams.clone();
        let pipe = channel.ring.hang_up_reader();
        // The descriptor is borrowed from what goes into the map below.
        match super::watch(
            &self.epoll,
            &mut self.watched,
            pipe,
            Watched::Channel(key),
            EventFlags::IN,
        ) {
            Ok(token) => channel.watched = Some(token),
            Err(error) => {
                tracing::error!(%error, "the end of a channel cannot be watched");
                outcome = Err(Code::FATAL);
            }
        }
        self.channels.insert(key, channel);
        outcome?;
        // Snapshots take what they find: nobody needs to tell that it is there.
        for place in places.into_iter().filter(|_| monitored) {
            let stream = &self.streams[place];
            let token = super::watch(
                &self.epoll,
                &mut self.watched,
                stream.ring.wakeup_reader(),
                Watched::Stream(place),
                EventFlags::IN,
            )
            .map_err(|error| {
                tracing::error!(%error, "a stream cannot be watched");
                Code::FATAL
            })?;
            self.streams[place].watched = Some(token);
        }
        let now = Instant::now();
        for timer in [Timer::Switch, Timer::Read, Timer::Live, Timer::Monitor] {
            self.schedule_channel(key, timer, now);
        }
        Ok(())
    }

    fn schedule_channel(&mut self, key: ChannelKey, timer: Timer, now: Instant) {
        let period = self.channels.get(&key).and_then(|channel| channel.timers.period(timer));
        if let Some(period) = period {
            let at = self.timers.next_in(now, period);
            self.timers.schedule(at, Due::Channel(key, timer));
        }
    }

    /// Places of a channel's streams.
    pub(super) fn streams_of(&self, key: ChannelKey) -> Vec<usize> {
        self.channels.get(&key).map(|channel| channel.streams.clone()).unwrap_or_default()
    }

    /// The stream at a place, unless that has become another channel's.
    pub(super) fn stream_of(&mut self, key: ChannelKey, place: usize) -> Option<&mut DataStream> {
        self.streams.get_mut(place).map(|stream| &mut **stream).filter(|s| s.channel == key)
    }

    /// Closes the open packets of a channel for good, and marks them so.
    pub(crate) fn flush_channel(&mut self, key: ChannelKey) -> Result<(), Code> {
        if !self.channels.contains_key(&key) {
            return Err(Code::UST_CHAN_NOT_FOUND);
        }
        for place in self.streams_of(key) {
            self.streams[place].finish(&self.setup.clock);
            self.make_ready_if_monitored(key, place);
        }
        Ok(())
    }

    /// Takes the mark of [`Self::flush_channel`] away.
    pub(crate) fn clear_quiescent(&mut self, key: ChannelKey) -> Result<(), Code> {
        if !self.channels.contains_key(&key) {
            return Err(Code::UST_CHAN_NOT_FOUND);
        }
        for place in self.streams_of(key) {
            self.streams[place].clear_quiescent();
        }
        Ok(())
    }

    /// Begins a packet in each stream of a snapshot channel, so that its time begins now. Others have theirs
    /// from their output's beginning.
    pub(crate) fn open_packets(&mut self, key: ChannelKey) -> Result<(), Code> {
        let Some(channel) = self.channels.get(&key) else {
            let metadata = self.metadata.contains_key(&key);
            return Err(if metadata { Code::INVALID_PARAMETERS } else { Code::CHAN_NOT_FOUND });
        };
        if !channel.monitored {
            for place in self.streams_of(key) {
                let stream = &mut self.streams[place];
                let begun = stream.ring.begin_packet(&self.setup.clock);
                stream.note(begun);
            }
        }
        Ok(())
    }

    /// Drops what is in the buffers of a channel.
    pub(crate) fn clear_channel(&mut self, key: ChannelKey) -> Result<(), Code> {
        if !self.channels.contains_key(&key) {
            let metadata = self.metadata.contains_key(&key);
            return if metadata { Ok(()) } else { Err(Code::CHAN_NOT_FOUND) };
        }
        for place in self.streams_of(key) {
            let stream = &mut self.streams[place];
            stream.release_packet(&mut self.relays);
            let cleared = stream.ring.clear(&self.setup.clock);
            stream.note(cleared);
            stream.drop_packets();
            if stream.packet_due {
                self.make_ready(place);
            }
            // Where writers are missing behind the reader, later ones come no further.
            self.wait_for_writers(place);
        }
        Ok(())
    }

    /// What a channel has lost so far; told by [`Self::tell_counts`] when what is to be written has been.
    pub(super) fn counts(&self, key: ChannelKey) -> Counts {
        let Some(channel) = self.channels.get(&key) else { return Counts::default() };
        let mut counts = channel.ended;
        for place in &channel.streams {
            let losses = self.streams[*place].losses();
            counts.add(losses);
        }
        counts
    }

    /// Reads the streams of snapshot channels only when a snapshot is recorded.
    pub(super) fn make_ready_if_monitored(&mut self, key: ChannelKey, place: usize) {
        if self.channels.get(&key).is_some_and(|channel| channel.monitored) {
            self.make_ready(place);
        }
    }

    /// Neither the session daemon nor an application has the channel any more.
    pub(super) fn channel_hung_up(&mut self, key: ChannelKey) {
        let Some(channel) = self.channels.get_mut(&key) else { return };
        if !channel.ring.is_hung_up() {
            if channel.rings.rang() {
                self.go_deaf_for_channel(key);
            }
            return;
        }
        if let Some(token) = channel.watched.take() {
            unwatch(&self.epoll, &mut self.watched, channel.ring.hang_up_reader(), token);
        }
        if !channel.monitored {
            self.remove_channel(key);
            return;
        }
        // Now the streams' pipes show whether an application still writes.
        for place in channel.streams.clone() {
            self.streams[place].wakeup = None;
        }
    }

    /// Takes a stream out that was read to its end.
    pub(super) fn remove_stream(&mut self, place: usize) {
        let Some(mut stream) = self.streams.try_remove(place) else { return };
        if let Some(token) = stream.watched.take() {
            unwatch(&self.epoll, &mut self.watched, stream.ring.wakeup_reader(), token);
        }
        stream.release_packet(&mut self.relays);
        if let Output::Remote(remote) = &stream.output {
            self.close_remote(remote);
            if let Some(left) = stream.chunk.take() {
                self.relays.leave(remote, left);
            }
        }
        let Some(channel) = self.channels.get_mut(&stream.channel) else { return };
        let losses = stream.losses();
        channel.ended.add(losses);
        channel.streams.retain(|other| *other != place);
        if channel.streams.is_empty() {
            self.remove_channel(stream.channel);
        }
    }

    /// Lets go of a channel with all that is left of it.
    pub(super) fn remove_channel(&mut self, key: ChannelKey) {
        let Some(mut channel) = self.channels.remove(&key) else { return };
        for place in std::mem::take(&mut channel.streams) {
            self.remove_stream(place);
        }
        self.answer_last_counts(key, channel.ended);
        if let Some(token) = channel.watched.take() {
            unwatch(&self.epoll, &mut self.watched, channel.ring.hang_up_reader(), token);
        }
        // Nobody listens when the consumer ends.
        let _ = self.setup.events.send(Event::ChannelEnded { session: channel.session, key });
    }

    /// A timer of a channel fired.
    pub(super) fn channel_timer(&mut self, key: ChannelKey, timer: Timer, now: Instant) {
        if !self.channels.contains_key(&key) {
            return;
        }
        match timer {
            Timer::Switch => {
                for place in self.streams_of(key) {
                    self.streams[place].switch(&self.setup.clock);
                    self.make_ready_if_monitored(key, place);
                }
            }
            Timer::Read => {
                for place in self.streams_of(key) {
                    self.make_ready_if_monitored(key, place);
                }
            }
            Timer::Live => self.live_timer(key),
            Timer::Monitor => self.tell_sample(key),
        }
        self.schedule_channel(key, timer, now);
    }

    /// Tells how full the buffers of a channel are.
    fn tell_sample(&mut self, key: ChannelKey) {
        let Some(pipe) = &self.monitor else { return };
        let Some(channel) = self.channels.get(&key) else { return };
        let mut sample = MonitorSample { key, lowest: u64::MAX, highest: 0, total_consumed: 0 };
        for place in &channel.streams {
            let stream = &mut self.streams[*place];
            sample.total_consumed += stream.bytes_written;
            let Ok(positions) = stream.ring.sample_positions() else { continue };
            sample.lowest = sample.lowest.min(positions.used_bytes());
            sample.highest = sample.highest.max(positions.used_bytes());
        }
        if sample.lowest <= sample.highest {
            // A reader that does not keep up misses samples.
            let _ = rustix::io::write(pipe, &sample.encode());
        }
    }

    /// The metadata channel of a data channel's trace, while it runs here.
    pub(super) fn metadata_of(&self, key: ChannelKey) -> Option<ChannelKey> {
        let wanted = &self.channels.get(&key)?.writing;
        self.metadata.iter().find(|(_, metadata)| metadata.is_of_trace(wanted)).map(|(key, _)| *key)
    }
}

impl DataChannel {
    /// Its id in the trace.
    pub(super) fn stream_id(&self) -> u64 {
        self.ring.config().channel_id.into()
    }
}

/// Begins to open the files of a stream; it has its output when they are there.
fn begin_output(stream: &DataStream) -> Result<Opening, FileError> {
    match &stream.chunk {
        Some(chunk) => stream.open_files(chunk, &stream.writing.path, true),
        None => Ok(Opening::default()),
    }
}

fn finish_output(stream: &mut DataStream, opening: Result<Opening, FileError>) -> Result<(), Code> {
    stream.output = opening.and_then(Opening::finish).map_err(|error| {
        let (session, stream) = (stream.writing.session, stream.name());
        tracing::error!(%session, %stream, %error, "a stream has no files");
        Code::CHANNEL_FAIL
    })?;
    Ok(())
}
