//! Relay daemons: what came of them is done to streams, snapshots and metadata.

use std::time::Instant;

use lttngd_model::{ChannelKey, NetIndex};
use lttngd_wire::{consumer::ConsumerError as Code, ctf::PacketIndex};

use crate::worker::{
    live::{self, Tick},
    metadata::MetadataOutput,
    output::Output,
    relay::{Effect, LostRelay, OpenStreams},
    remote::RemoteStream,
    state::Worker,
};

impl Worker {
    /// Does what came of relay daemons in this turn, until nothing more comes.
    pub(in crate::worker) fn settle_relays(&mut self) {
        self.relays.note_left();
        self.carry_out_effects();
        while let Some(net_index) = self.relays.next_touched() {
            self.relays.settle(net_index, &mut self.poller);
            self.carry_out_effects();
        }
    }

    /// Does what is to be done.
    pub(in crate::worker) fn carry_out_effects(&mut self) {
        while let Some(effect) = self.relays.next_effect() {
            self.carry_out_effect(effect);
        }
    }

    fn carry_out_effect(&mut self, effect: Effect) {
        match effect {
            Effect::MakeReady(slot) => self.make_ready(slot),
            Effect::ResumeSnapshot(id) => self.snapshots.resume(id),
            Effect::SendMetadata(key) => self.send_metadata(key),
            Effect::OpenStream { key, slot, remote } => self.open_stream(key, slot, remote),
            Effect::ChannelAdded { key, taken, answer } => self.channel_added(key, taken, answer),
            Effect::SnapshotOpened { id, taken } => self.snapshot_opened(id, taken),
            Effect::OpenMetadata { key, remote } => {
                if let Some(metadata) = self.metadata.get_mut(&key) {
                    let net_index = remote.net_index;
                    metadata.output = MetadataOutput::Remote(remote);
                    self.relays.stream_opened(net_index);
                }
            }
            Effect::MetadataAnnounced { key, told, answer } => {
                self.metadata_announced(key, told, answer);
            }
            Effect::StreamsAdded { relay, taken: true, answer } => {
                self.relays.announce_streams(relay, answer);
            }
            Effect::StreamsAdded { answer, .. } => answer.answer(Err(Code::RELAYD_FAIL)),
            Effect::ChannelRotated { key, goes, answer } => self.channel_rotated(key, goes, answer),
            Effect::MetadataRotated { key, goes, from, to, answer } => {
                self.metadata_rotated(key, goes, from, to, answer);
            }
            Effect::RecordText { net_index, handle, key, answer } => {
                self.record_text(net_index, handle, key, answer);
            }
            Effect::AskUnwritten(net_index) => {
                let open = self.open_streams(net_index);
                self.relays.ask_unwritten(net_index, &open);
            }
            Effect::Schedule(at, due) => self.timers.schedule(at, due),
            Effect::Lost(lost) => self.lose_relay(&lost),
        }
    }

    fn open_stream(&mut self, key: ChannelKey, slot: usize, remote: RemoteStream) {
        let net_index = remote.net_index;
        if let Some(stream) = self.stream_of(key, slot) {
            stream.output = Output::Remote(remote);
            self.relays.stream_opened(net_index);
        }
    }

    /// What is open at a relay daemon.
    pub(in crate::worker) fn open_streams(&self, net_index: NetIndex) -> OpenStreams {
        let is_there = |remote: &&RemoteStream| remote.net_index == net_index;
        let streams = self.streams.iter().filter_map(|(_, stream)| stream.output.remote());
        let metadata = self.metadata.values().filter_map(|metadata| metadata.output.remote());
        OpenStreams {
            data: streams
                .filter(is_there)
                .map(|remote| (remote.handle(), remote.stream.last_net_seq_num()))
                .collect(),
            metadata: metadata.filter(is_there).map(|remote| remote.handle()).collect(),
        }
    }

    /// What goes to a relay daemon that is lost goes nowhere from now on.
    fn lose_relay(&mut self, lost: &LostRelay) {
        let mut slots = Vec::new();
        for (slot, stream) in &mut self.streams {
            if let Some(remote) = stream.output.remote().filter(|it| it.net_index == lost.net_index)
            {
                let unanswered = lost.unanswered_of(&remote.stream);
                stream.lose_output(unanswered);
                slots.push((stream.channel, slot));
            }
        }
        for (channel, slot) in slots {
            self.make_ready_if_monitored(channel, slot);
        }
        for metadata in self.metadata.values_mut() {
            if metadata.output.remote().is_some_and(|it| it.net_index == lost.net_index) {
                metadata.lose_output();
            }
        }
    }

    /// A socket of a relay daemon gives or takes something.
    pub(in crate::worker) fn relay_ready(&mut self, net_index: NetIndex, is_control: bool) {
        self.relays.socket_ready(net_index, is_control);
        self.carry_out_effects();
    }

    /// A deadline of a relay daemon may have come.
    pub(in crate::worker) fn relay_timer(&mut self, net_index: NetIndex, now: Instant) {
        self.relays.deadline_came(net_index, now);
    }

    /// A relay daemon is asked again for what it had not written.
    pub(in crate::worker) fn leaving_timer(&mut self, net_index: NetIndex) {
        self.relays.waited_for_unwritten(net_index);
        self.carry_out_effects();
    }

    /// Closes the packets of a live channel; where there is none, viewers are told the time.
    pub(in crate::worker) fn live_timer(&mut self, key: ChannelKey) {
        let Some(stream_id) = self.channels.get(&key).map(|channel| channel.stream_id()) else {
            return;
        };
        for slot in self.streams_of(key) {
            let stream = &mut self.streams[slot];
            let told = live::tick(&mut *stream.source, &self.setup.clock);
            match stream.note(told) {
                None => self.retire_if_lost(slot),
                Some(Tick::Packet) => self.make_ready_if_monitored(key, slot),
                Some(Tick::Quiet { until: timestamp_end }) => {
                    if let Some(remote) = stream.output.remote() {
                        let index =
                            PacketIndex { timestamp_end, stream_id, ..PacketIndex::default() };
                        self.relays.send_beacon(remote, &index);
                    }
                }
            }
        }
    }
}
