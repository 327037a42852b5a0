//! Streams at relay daemons: made known, asked about, closed.

use lttngd_model::{ChannelKey, NetIndex, SessionId};
use lttngd_relaystream::{Outcome, RelayStream};
use lttngd_wire::{
    consumer::ConsumerError as Code,
    relay::{AddStream, ConsumerCommand, ConsumerReply},
};

use super::{RemoteStream, Worker, data_pending::Question, text::RecordedText};
use crate::worker::{
    metadata::MetadataOutput,
    new::{Recording, Writing},
    order::Answer,
    recording::Job,
    stream::Output,
};

/// Streams of a channel that are being made known.
#[derive(Debug)]
struct Addition {
    left: usize,
    failed: bool,
    then: AfterAddition,
}

/// What comes when a relay daemon knows the streams of a channel.
#[derive(Debug)]
enum AfterAddition {
    /// An answer.
    Channel(ChannelKey, Answer),
    /// A snapshot.
    Snapshot(Box<Job>),
}

/// What consists of several commands to a relay daemon.
#[derive(Default)]
pub(in crate::worker) struct Check {
    additions: slab::Slab<Addition>,
    pub(super) questions: slab::Slab<Question>,
}

impl Worker {
    fn add_stream_command(
        &self,
        net_index: NetIndex,
        writing: &Writing,
        stream: Place<'_>,
    ) -> ConsumerCommand {
        // Older relay daemons are told the whole path, which the session daemon has made.
        let is_old = self.relay_minor(net_index).is_some_and(|minor| minor < 11);
        let path = match (is_old, stream.path.is_empty()) {
            (true, _) => stream.path.to_owned(),
            (false, true) => "ust".to_owned(),
            (false, false) => format!("ust/{}", stream.path),
        };
        ConsumerCommand::AddStream(AddStream {
            name: stream.name,
            path,
            tracefile_size_bytes: writing.tracefile_size_bytes,
            tracefile_count: writing.tracefile_count.into(),
            chunk_id: stream.chunk_id,
        })
    }

    /// Makes the streams of a channel known to a relay daemon.
    pub(in crate::worker) fn add_remote_streams(
        &mut self,
        key: ChannelKey,
        net_index: NetIndex,
        answer: Answer,
    ) {
        let places = self.streams_of(key);
        let path = places.first().map(|place| self.streams[*place].writing.path.clone());
        self.add_streams(
            net_index,
            &places,
            &path.unwrap_or_default(),
            true,
            AfterAddition::Channel(key, answer),
        );
    }

    /// Makes the streams of a snapshot known to a relay daemon.
    pub(in crate::worker) fn open_remote_snapshot(&mut self, net_index: NetIndex, job: Job) {
        self.note_snapshot(net_index);
        let (places, path) = (job.places().to_vec(), job.recording().path.clone());
        for place in &places {
            self.streams[*place].chunk = Some(job.recording().chunk.clone());
        }
        let then = AfterAddition::Snapshot(Box::new(job));
        self.add_streams(net_index, &places, &path, false, then);
    }

    fn add_streams(
        &mut self,
        net_index: NetIndex,
        places: &[usize],
        path: &str,
        indexed: bool,
        then: AfterAddition,
    ) {
        let addition = Addition { left: places.len(), failed: places.is_empty(), then };
        let number = self.checks.additions.insert(addition);
        for place in places.iter().copied() {
            let stream = &self.streams[place];
            let what = Place {
                name: stream.name(),
                path,
                chunk_id: stream.chunk.as_ref().map_or(0, |chunk| chunk.id.0),
            };
            let command = self.add_stream_command(net_index, &stream.writing, what);
            let key = stream.channel;
            self.command(net_index, &command, move |worker, outcome| {
                let handle = added(outcome);
                if let (Some(handle), Some(stream)) = (handle, worker.stream_of(key, place)) {
                    let remote =
                        RemoteStream { net_index, stream: RelayStream::new(handle), indexed };
                    stream.output = Output::Remote(remote);
                    worker.count_stream(net_index);
                }
                worker.stream_added(number, handle.is_some());
            });
        }
        if places.is_empty() {
            self.finish_addition(number);
        }
    }

    fn count_stream(&mut self, net_index: NetIndex) {
        if let Some(relay) = self.relays.touch(net_index) {
            relay.open_streams += 1;
            relay.has_all = false;
        }
    }

    fn stream_added(&mut self, number: usize, succeeded: bool) {
        let Some(addition) = self.checks.additions.get_mut(number) else { return };
        addition.failed |= !succeeded;
        addition.left -= 1;
        if addition.left == 0 {
            self.finish_addition(number);
        }
    }

    fn finish_addition(&mut self, number: usize) {
        let Some(addition) = self.checks.additions.try_remove(number) else { return };
        match addition.then {
            AfterAddition::Channel(key, answer) => {
                let outcome = if addition.failed { Err(Code::RELAYD_FAIL) } else { Ok(()) };
                if addition.failed {
                    self.remove_channel(key);
                }
                answer.answer(outcome);
            }
            AfterAddition::Snapshot(job) if addition.failed => self.abandon_job(*job),
            AfterAddition::Snapshot(job) => self.jobs.push_back(*job),
        }
    }

    /// Makes a metadata stream known to a relay daemon, and with it all streams of the trace to
    /// viewers.
    pub(in crate::worker) fn add_remote_metadata(
        &mut self,
        key: ChannelKey,
        net_index: NetIndex,
        answer: Answer,
    ) {
        let Some(metadata) = self.metadata.get(&key) else {
            answer.answer(Err(Code::UST_CHAN_NOT_FOUND));
            return;
        };
        let what = Place {
            name: "metadata".to_owned(),
            path: &metadata.writing.path,
            chunk_id: metadata.chunk.as_ref().map_or(0, |chunk| chunk.id.0),
        };
        let command = self.add_stream_command(net_index, &metadata.writing, what);
        self.command(net_index, &command, move |worker, outcome| {
            if let (Some(handle), Some(metadata)) = (added(outcome), worker.metadata.get_mut(&key))
            {
                let stream = RelayStream::new(handle);
                metadata.output =
                    MetadataOutput::Remote(RemoteStream { net_index, stream, indexed: false });
                worker.count_stream(net_index);
            }
        });
        self.command(net_index, &ConsumerCommand::StreamsSent, move |worker, outcome| {
            let known = worker
                .metadata
                .get(&key)
                .is_some_and(|metadata| matches!(metadata.output, MetadataOutput::Remote(_)));
            let outcome = if outcome.is_ok() && known { Ok(()) } else { Err(Code::RELAYD_FAIL) };
            if outcome.is_err() {
                // Its key is known: it was there when this began.
                let _ = worker.close_metadata(key);
            }
            answer.answer(outcome);
        });
    }

    /// Gives up the connections of snapshots of a session of which nothing is left, as the stock
    /// session daemon does not. One that a session streams to stays: there may be neither channels nor
    /// trace chunks for a while.
    pub(crate) fn destroy_snapshot_relays(&mut self, session: SessionId) {
        let indexes: Vec<NetIndex> = self
            .relays
            .known
            .iter()
            .filter(|(_, relay)| relay.session == session && relay.of_snapshots)
            .map(|(index, _)| *index)
            .collect();
        for index in indexes {
            // It is one of those that are known.
            let _ = self.destroy_relay(index);
        }
    }

    /// Remembers that a snapshot is sent there.
    pub(super) fn note_snapshot(&mut self, net_index: NetIndex) {
        if let Some(relay) = self.relays.known.get_mut(&net_index) {
            relay.of_snapshots = true;
            relay.has_all = false;
        }
    }

    /// Sends the metadata of a snapshot to a relay daemon.
    pub(in crate::worker) fn record_remote_metadata(
        &mut self,
        net_index: NetIndex,
        recording: &Recording,
        answer: Answer,
    ) {
        let key = recording.key;
        self.note_snapshot(net_index);
        let Some(metadata) = self.metadata.get(&key) else {
            answer.answer(Err(Code::CHAN_NOT_FOUND));
            return;
        };
        let what = Place {
            name: "metadata".to_owned(),
            path: &recording.path,
            chunk_id: recording.chunk.id.0,
        };
        let command = self.add_stream_command(net_index, &metadata.writing, what);
        self.command(net_index, &command, move |worker, outcome| {
            let Some(handle) = added(outcome) else {
                answer.answer(Err(Code::SNAPSHOT_FAILED));
                return;
            };
            let Some(metadata) = worker.metadata.get(&key) else {
                answer.answer(Err(Code::CHAN_NOT_FOUND));
                return;
            };
            let (uuid, text) = (metadata.uuid, metadata.text().to_vec());
            let recorded = RecordedText { handle, uuid, text, answer };
            worker.send_recorded_metadata(net_index, recorded);
        });
    }

    /// Ends a stream that was given up at its relay daemon, which would wait for its packets before it
    /// ends a trace chunk, and has viewers wait for them.
    pub(in crate::worker) fn retire_if_given_up(&mut self, place: usize) {
        let Some(stream) = self.streams.get_mut(place) else { return };
        if !stream.ring.is_given_up() || !matches!(stream.output, Output::Remote(_)) {
            return;
        }
        stream.release_packet(&mut self.relays);
        stream.rotation = None;
        let left = stream.chunk.take();
        if let Output::Remote(remote) = std::mem::replace(&mut stream.output, Output::Nowhere) {
            self.close_remote(&remote);
            if let Some(left) = left {
                self.relays.leave(&remote, left);
            }
        }
    }

    /// Closes a stream at its relay daemon.
    pub(in crate::worker) fn close_remote(&mut self, remote: &RemoteStream) {
        self.command(remote.net_index, &remote.stream.close(), |_, _| {});
        if let Some(relay) = self.relays.touch(remote.net_index) {
            relay.open_streams = relay.open_streams.saturating_sub(1);
        }
    }
}

/// What a stream is called at a relay daemon.
struct Place<'a> {
    name: String,
    path: &'a str,
    chunk_id: u64,
}

/// The handle of a stream that was made known.
fn added(outcome: Outcome) -> Option<u64> {
    match outcome {
        Ok(ConsumerReply::StreamAdded { handle }) => Some(handle),
        Ok(_) => None,
        Err(error) => {
            tracing::error!(%error, "a relay daemon does not take a stream");
            None
        }
    }
}
