//! Live sessions: viewers see a packet only when the metadata that describes it was sent, and are told
//! how far a stream without packets is.

use lttngd_model::ChannelKey;
use lttngd_ringbuffer::{Clock, FlushMode};
use lttngd_wire::ctf::PacketIndex;
use std::time::Instant;

use super::Worker;
use crate::worker::stream::Output;

/// Streams that wait for metadata, with the positions up to which it will describe their packets.
#[derive(Debug, Default)]
pub(in crate::worker) struct Live {
    /// Those that the request under way is for.
    asked: Vec<(usize, u64)>,
    /// Those that the next one is for.
    waiting: Vec<(usize, u64)>,
    under_way: bool,
}

impl Worker {
    /// Closes the packets of a live channel; where there is none, viewers are told the time.
    pub(in crate::worker) fn live_timer(&mut self, key: ChannelKey) {
        let Some(stream_id) = self.channels.get(&key).map(|channel| channel.stream_id()) else {
            return;
        };
        for place in self.streams_of(key) {
            let stream = &mut self.streams[place];
            stream.flush(FlushMode::Active, &self.setup.clock);
            let timestamp_end = self.setup.clock.now();
            let readable = stream.ring.is_readable();
            let readable = stream.note(readable);
            if readable.is_none() {
                self.retire_if_given_up(place);
            } else if readable == Some(true) {
                self.make_ready_if_monitored(key, place);
            } else if let Output::Remote(remote) = &stream.output
                && remote.indexed
                && let Some(relay) = self.relays.touch(remote.net_index)
                && relay.connection.ready_for_packet()
            {
                let index = PacketIndex { timestamp_end, stream_id, ..PacketIndex::default() };
                relay.connection.queue_beacon(Instant::now(), &remote.stream, &index);
            }
        }
    }

    /// Has the metadata of a stream asked for, up to the packets that it has now.
    pub(in crate::worker) fn wait_for_metadata(&mut self, place: usize) {
        let Some(stream) = self.streams.get_mut(place) else { return };
        let positions = stream.ring.sample_positions();
        let Some(positions) = stream.note(positions) else { return };
        let channel = stream.channel;
        let Some(metadata) = self.metadata_of(channel) else {
            // There is none to wait for yet.
            self.streams[place].described_until = Some(positions.produced);
            self.make_ready(place);
            return;
        };
        self.streams[place].awaits_metadata = true;
        if let Some(metadata) = self.metadata.get_mut(&metadata) {
            metadata.live.waiting.push((place, positions.produced));
        }
        self.ask_for_metadata(metadata);
    }

    fn ask_for_metadata(&mut self, key: ChannelKey) {
        let Some(metadata) = self.metadata.get_mut(&key) else { return };
        let live = &mut metadata.live;
        if !live.under_way && !live.waiting.is_empty() {
            live.under_way = true;
            live.asked = std::mem::take(&mut live.waiting);
            self.want_metadata(key);
        }
    }

    /// The session daemon was asked for metadata, and what it has is here.
    pub(crate) fn metadata_refreshed(&mut self, key: ChannelKey) {
        let Some(metadata) = self.metadata.get_mut(&key) else { return };
        if !std::mem::take(&mut metadata.live.under_way) {
            return;
        }
        let asked = std::mem::take(&mut metadata.live.asked);
        self.release(asked);
        self.ask_for_metadata(key);
    }

    /// Nobody will send the metadata that these wait for.
    pub(in crate::worker) fn release_waiting(&mut self, live: Live) {
        self.release(live.asked);
        self.release(live.waiting);
    }

    fn release(&mut self, streams: Vec<(usize, u64)>) {
        for (place, position) in streams {
            if let Some(stream) = self.streams.get_mut(place)
                && std::mem::take(&mut stream.awaits_metadata)
            {
                stream.described_until = Some(position);
                self.make_ready(place);
            }
        }
    }
}
