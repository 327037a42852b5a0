//! Metadata channels: taken over, filled, asked for, moved, ended.

use std::time::{Duration, Instant};

use lttngd_model::ChannelKey;
use lttngd_wire::consumer::ConsumerError as Code;

use crate::{
    event::Event,
    worker::{
        live::{Waiter, closed_until},
        metadata::{Metadata, MetadataOutput},
        metadata_text::RETRY_PERIOD,
        new::{NewMetadata, PushedText},
        order::Answer,
        relay::StreamName,
        state::Worker,
        timers::Due,
    },
};

/// How long applications may have a channel when its trace has ended: one that is stopped, or that goes on ringing,
/// would have it for as long as it likes.
const LET_GO_AFTER: Duration = Duration::from_secs(10);

impl Worker {
    /// Takes a metadata channel over.
    pub(in crate::worker) fn add_metadata(&mut self, new: NewMetadata, answer: Answer) {
        let key = new.key;
        let relay = new.writing.relay.filter(|_| new.monitored);
        let mut metadata = Metadata::new(new);
        if relay.is_none()
            && let Err(code) = metadata.open_file()
        {
            return answer.answer(Err(code));
        }
        let metadata = self.metadata.entry(key).insert_entry(metadata).into_mut();
        match relay {
            Some(relay) => {
                let name = StreamName {
                    name: "metadata".to_owned(),
                    path: &metadata.writing.path,
                    chunk: metadata.chunk.as_ref().map(|chunk| chunk.id),
                };
                self.relays.add_metadata(relay, key, &metadata.writing, name, answer);
            }
            None => answer.answer(Ok(())),
        }
        let now = Instant::now();
        self.schedule_retry(key, now);
        self.schedule_refresh(key, now);
    }

    /// Viewers were told of all streams of a metadata channel's trace, or were not.
    pub(in crate::worker) fn metadata_announced(
        &mut self,
        key: ChannelKey,
        told: bool,
        answer: Answer,
    ) {
        let metadata = self.metadata.get(&key);
        let known = metadata.is_some_and(|metadata| metadata.output.remote().is_some());
        let outcome = if told && known { Ok(()) } else { Err(Code::RELAYD_FAIL) };
        if outcome.is_err() {
            // Its key is known: it was there when this began.
            let _ = self.close_metadata(key);
        }
        answer.answer(outcome);
    }

    fn schedule_refresh(&mut self, key: ChannelKey, now: Instant) {
        if let Some(period) = self.metadata.get_mut(&key).and_then(Metadata::next_period) {
            let at = self.timers.next_in(now, period);
            self.timers.schedule(at, Due::Metadata(key));
        }
    }

    /// It is time to ask for newer text.
    pub(in crate::worker) fn metadata_timer(&mut self, key: ChannelKey, now: Instant) {
        let recorded = self.recorded_in_trace_of(key);
        if self.metadata.get_mut(&key).is_some_and(|metadata| metadata.asks(recorded)) {
            self.want_metadata(key);
        }
        self.schedule_refresh(key, now);
    }

    /// How far writers have come in the streams that a metadata channel describes, all together.
    fn recorded_in_trace_of(&mut self, key: ChannelKey) -> u64 {
        let Some(metadata) = self.metadata.get(&key) else { return 0 };
        let described = self.channels.values().filter(|it| metadata.is_of_trace(&it.writing));
        let slots: Vec<usize> = described.flat_map(|it| it.streams.iter().copied()).collect();
        slots.into_iter().fold(0, |sum: u64, slot| {
            let positions = self.streams[slot].source.positions();
            sum.wrapping_add(positions.map_or(0, |positions| positions.produced))
        })
    }

    /// Has newer text asked for.
    fn want_metadata(&mut self, key: ChannelKey) {
        if let Some(metadata) = self.metadata.get(&key) {
            self.tell(Event::MetadataWanted { session: metadata.session(), key });
        }
    }

    /// Takes text, and writes it.
    pub(in crate::worker) fn push_metadata(&mut self, pushed: &PushedText) -> Result<(), Code> {
        let PushedText { key, offset, version, uuid, text } = pushed;
        let metadata = self.metadata.get_mut(key).ok_or(Code::CHANNEL_FAIL)?;
        if let Some(uuid) = uuid {
            metadata.set_uuid(*uuid);
        }
        if metadata.take(*offset, *version, text)? {
            metadata.write_missing();
            self.relays.send_metadata(*key, metadata);
            self.schedule_retry(*key, Instant::now());
        }
        Ok(())
    }

    /// Sends the text that a relay daemon does not have.
    pub(in crate::worker) fn send_metadata(&mut self, key: ChannelKey) {
        if let Some(metadata) = self.metadata.get_mut(&key) {
            self.relays.send_metadata(key, metadata);
        }
    }

    fn schedule_retry(&mut self, key: ChannelKey, now: Instant) {
        if self.metadata.get_mut(&key).is_some_and(Metadata::expects_retry) {
            self.timers.schedule(now + RETRY_PERIOD, Due::Unwritten(key));
        }
    }

    /// Tries once more to write what is missing: there may be room again.
    pub(in crate::worker) fn write_again(&mut self, key: ChannelKey, now: Instant) {
        if let Some(metadata) = self.metadata.get_mut(&key) {
            metadata.retry();
            self.schedule_retry(key, now);
        }
    }

    /// Ends a metadata channel.
    pub(in crate::worker) fn close_metadata(&mut self, key: ChannelKey) -> Result<(), Code> {
        self.write_again(key, Instant::now());
        let metadata = self.metadata.remove(&key).ok_or(Code::UST_CHAN_NOT_FOUND)?;
        if let MetadataOutput::Remote(remote) = &metadata.output {
            self.relays.close(remote);
        }
        let session = metadata.session();
        self.await_end_of_trace(&metadata);
        // Nobody will send what these wait for.
        self.release(metadata.waiters.into_all());
        self.tell(Event::ChannelEnded { session, key });
        Ok(())
    }

    /// The trace that a metadata channel describes has ended: applications let go of its channels soon.
    fn await_end_of_trace(&mut self, metadata: &Metadata) {
        let at = Instant::now() + LET_GO_AFTER;
        let described = self.channels.iter().filter(|(_, it)| metadata.is_of_trace(&it.writing));
        for (key, _) in described {
            self.timers.schedule(at, Due::Over(*key));
        }
    }

    /// Moves metadata to the trace chunk of its channel, where all of it is written again; to none
    /// when it is there already.
    pub(in crate::worker) fn rotate_metadata(&mut self, key: ChannelKey, answer: Answer) {
        // What is not there when it leaves will never be.
        self.write_again(key, Instant::now());
        let Some(metadata) = self.metadata.get_mut(&key) else {
            return answer.answer(Err(Code::CHAN_NOT_FOUND));
        };
        let outcome = match (metadata.rotation_target(), &metadata.output) {
            (Ok(to), MetadataOutput::Remote(remote)) => {
                // Text that comes meanwhile waits: it would be in the new trace chunk ahead of all other.
                let from = metadata.chunk.take();
                return self.relays.rotate_metadata(key, remote, from, to, answer);
            }
            (Ok(to), _) => {
                metadata.rotate(to);
                Ok(())
            }
            (Err(code), _) => Err(code),
        };
        self.schedule_retry(key, Instant::now());
        answer.answer(outcome);
    }

    /// Has the metadata of a stream asked for, up to the packets that are closed now.
    pub(in crate::worker) fn wait_for_metadata(&mut self, slot: usize) {
        let Some(stream) = self.streams.get_mut(slot) else { return };
        let Some(produced) = stream.produced() else { return };
        let closed = closed_until(produced, stream.source.subbuf_size_bytes());
        let channel = stream.channel;
        let Some(metadata) = self.metadata_of(channel) else {
            // There is none to wait for yet.
            self.streams[slot].described.described(closed);
            self.make_ready(slot);
            return;
        };
        self.streams[slot].described.awaits();
        if let Some(metadata) = self.metadata.get_mut(&metadata) {
            metadata.waiters.wait(slot, closed);
        }
        self.ask_for_metadata(metadata);
    }

    fn ask_for_metadata(&mut self, key: ChannelKey) {
        if self.metadata.get_mut(&key).is_some_and(|metadata| metadata.waiters.asks()) {
            self.want_metadata(key);
        }
    }

    /// The session daemon was asked for metadata, and what it has is here.
    pub(in crate::worker) fn metadata_refreshed(&mut self, key: ChannelKey) {
        let Some(metadata) = self.metadata.get_mut(&key) else { return };
        let asked = metadata.waiters.refreshed();
        self.release(asked);
        self.ask_for_metadata(key);
    }

    fn release(&mut self, waiters: Vec<Waiter>) {
        for (slot, position) in waiters {
            if let Some(stream) = self.streams.get_mut(slot)
                && stream.described.released(position)
            {
                self.make_ready(slot);
            }
        }
    }
}
