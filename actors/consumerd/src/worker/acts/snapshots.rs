//! Snapshots: what is done for each step of one.

use std::sync::Arc;

use lttngd_model::{ChannelKey, NetIndex, RelayStreamHandle};
use lttngd_ringbuffer::FlushMode;
use lttngd_tracefile::MetadataFile;
use lttngd_wire::consumer::ConsumerError as Code;

use super::channels::remote_streams;
use crate::worker::{
    new::Recording,
    order::Answer,
    output::{NotWritten, Opening, Output, write_packet},
    relay::{AfterAddition, RecordedText, StreamName},
    remote::Sent,
    snapshot::{AfterPacket, JobId, Next, SnapshotJob, Task, Written, after_packet, is_turn_over},
    state::Worker,
};

impl Worker {
    /// Records a snapshot of a channel.
    pub(in crate::worker) fn record(&mut self, recording: Recording, answer: Answer) {
        if recording.metadata {
            return self.record_metadata(&recording, answer);
        }
        match self.channels.get(&recording.key) {
            None => answer.answer(Err(Code::CHAN_NOT_FOUND)),
            Some(channel) if channel.monitored => {
                tracing::error!(key = %recording.key, "a channel that is drained has no snapshots");
                answer.answer(Err(Code::SNAPSHOT_FAILED));
            }
            Some(channel) if !channel.end.keeps_packets() => {
                tracing::error!(
                    channel = channel.writing.name,
                    "snapshots are recorded of channels with mmap output alone"
                );
                answer.answer(Err(Code::SNAPSHOT_FAILED));
            }
            Some(channel) => {
                let slots = channel.streams.clone();
                let relay = recording.relay;
                let id = self.snapshots.insert(SnapshotJob::new(recording, slots, answer));
                match relay {
                    Some(relay) => self.open_remote_snapshot(relay, id),
                    None => self.snapshots.resume(id),
                }
            }
        }
    }

    /// Makes the streams of a snapshot known to a relay daemon.
    fn open_remote_snapshot(&mut self, net_index: NetIndex, id: JobId) {
        self.relays.note_snapshot(net_index);
        let Some(job) = self.snapshots.get(id) else { return };
        for slot in job.slots() {
            self.streams[*slot].chunk = Some(Arc::clone(&job.recording().chunk));
        }
        let streams = remote_streams(&self.streams, job.slots(), &job.recording().path);
        self.relays.add_streams(net_index, streams, AfterAddition::Snapshot(id));
    }

    /// A relay daemon knows the streams of a snapshot, or has not taken one.
    pub(in crate::worker) fn snapshot_opened(&mut self, id: JobId, taken: bool) {
        if taken {
            return self.snapshots.resume(id);
        }
        let Some(job) = self.snapshots.remove(id) else { return };
        for slot in job.slots() {
            self.close_recording(job.recording().key, *slot);
        }
        job.abandon();
    }

    /// Takes a step in each snapshot.
    pub(in crate::worker) fn work_on_snapshots(&mut self) {
        for _ in 0..self.snapshots.ready_count() {
            let Some(id) = self.snapshots.pop_ready() else { return };
            self.work_on(id);
        }
    }

    /// Begins the next stream, or copies packets of the one whose turn it is.
    fn work_on(&mut self, id: JobId) {
        let Some(job) = self.snapshots.get_mut(id) else { return };
        let key = job.recording().key;
        let next = match job.next_task() {
            Task::Finish => {
                if let Some(job) = self.snapshots.remove(id) {
                    job.finish();
                }
                return;
            }
            Task::Begin(slot) => {
                let begun = self.begin_recording(id, slot);
                self.snapshots.get_mut(id).map(|job| job.begun(slot, begun))
            }
            Task::Write(slot) => {
                let written = self.write_recording(key, slot);
                self.snapshots.get_mut(id).map(|job| job.wrote(slot, written))
            }
        };
        match (next, self.snapshots.get(id).and_then(|job| job.recording().relay)) {
            (Some(Next::Close(slot)), _) => {
                self.close_recording(key, slot);
                self.snapshots.resume(id);
            }
            (Some(Next::Parked), Some(relay)) => self.relays.park_snapshot(relay, id),
            (Some(Next::Again | Next::Parked), _) => self.snapshots.resume(id),
            (None, _) => {}
        }
    }

    /// Opens a stream's output, then takes all that its buffer has at once: writing it may last. `false`
    /// for a stream that is lost.
    fn begin_recording(&mut self, id: JobId, slot: usize) -> Result<bool, Code> {
        let recording = self.snapshots.get(id).ok_or(Code::SNAPSHOT_FAILED)?.recording();
        let stream = self.streams.get_mut(slot).filter(|stream| stream.channel == recording.key);
        let stream = stream.ok_or(Code::CHAN_NOT_FOUND)?;
        if recording.relay.is_none() {
            stream.output = stream
                .open_files(&recording.chunk, &recording.path, false)
                .and_then(Opening::finish)
                .map_err(|error| {
                    tracing::error!(%error, "a stream has no file for a snapshot");
                    Code::SNAPSHOT_FAILED
                })?;
        }
        stream.chunk = Some(Arc::clone(&recording.chunk));
        let unfinished = stream.source.take_snapshot(recording.packets_max, &self.setup.clock);
        let Some(unfinished) = stream.note(unfinished) else { return Ok(false) };
        if unfinished {
            // Behind what a writer left there nothing would be seen: events that follow begin another packet,
            // and this one is finished for it.
            stream.flush(FlushMode::Filled, &self.setup.clock);
            self.wait_for_writers(slot);
        }
        Ok(true)
    }

    /// Writes packets that were taken, as many as a turn allows.
    fn write_recording(&mut self, key: ChannelKey, slot: usize) -> Result<Written, Code> {
        let stream = self.streams.get_mut(slot).filter(|stream| stream.channel == key);
        let stream = stream.ok_or(Code::CHAN_NOT_FOUND)?;
        let mut bytes = 0;
        while let Some(packet) = stream.source.packet() {
            let chunk = stream.chunk.as_deref();
            let sent = match write_packet(&mut stream.output, chunk, &packet, &mut self.relays) {
                Ok(sent) => sent,
                Err(error) => {
                    if let NotWritten::File(error) = error {
                        tracing::error!(%error, "a packet of a snapshot was not written");
                    }
                    // Its memory may not be there any more.
                    let usable = stream.source.check();
                    let failed = Err(Code::SNAPSHOT_FAILED);
                    return stream.note(usable).map_or(Ok(Written::All), |()| failed);
                }
            };
            if let Sent::Whole(len) = sent {
                bytes += len;
            }
            let remote = stream.output.remote();
            let lives = remote.is_some_and(|remote| self.relays.lives(remote.net_index));
            let lost = match after_packet(sent, lives) {
                AfterPacket::Put { lost } => lost,
                AfterPacket::Park => return Ok(Written::Parked),
                AfterPacket::Fail => {
                    stream.source.count_lost_packet();
                    return Err(Code::SNAPSHOT_FAILED);
                }
            };
            if lost {
                stream.source.count_lost_packet();
            }
            let put = stream.source.put_snapshot_packet();
            stream.note(put);
            if is_turn_over(bytes) {
                return Ok(Written::Some);
            }
        }
        let whole = stream.source.check();
        stream.note(whole);
        Ok(Written::All)
    }

    /// Takes the output of a snapshot away from a stream.
    fn close_recording(&mut self, key: ChannelKey, slot: usize) {
        let stream = self.streams.get_mut(slot).filter(|stream| stream.channel == key);
        let Some(stream) = stream else { return };
        stream.release_packet(&mut self.relays);
        stream.source.drop_snapshot();
        stream.chunk = None;
        if let Output::Remote(remote) = std::mem::replace(&mut stream.output, Output::Nowhere) {
            self.relays.close(&remote);
        }
    }

    fn record_metadata(&mut self, recording: &Recording, answer: Answer) {
        let key = recording.key;
        let Some(metadata) = self.metadata.get(&key) else {
            return answer.answer(Err(Code::CHAN_NOT_FOUND));
        };
        if let Some(relay) = recording.relay {
            self.relays.note_snapshot(relay);
            let name = StreamName {
                name: "metadata".to_owned(),
                path: &recording.path,
                chunk: Some(recording.chunk.id),
            };
            return self.relays.add_recorded_text(relay, key, &metadata.writing, name, answer);
        }
        let outcome = recording.chunk.local().ok_or(Code::SNAPSHOT_FAILED).and_then(|files| {
            MetadataFile::create(files, &recording.path, metadata.uuid)
                .and_then(|mut file| file.append(metadata.text.all()))
                .map_err(|error| {
                    tracing::error!(%error, "the metadata of a snapshot was not written");
                    Code::SNAPSHOT_FAILED
                })
        });
        answer.answer(outcome);
    }

    /// A relay daemon takes the metadata of a snapshot.
    pub(in crate::worker) fn record_text(
        &mut self,
        net_index: NetIndex,
        handle: RelayStreamHandle,
        key: ChannelKey,
        answer: Answer,
    ) {
        let Some(metadata) = self.metadata.get(&key) else {
            return answer.answer(Err(Code::CHAN_NOT_FOUND));
        };
        let (uuid, text) = (metadata.uuid, metadata.text.all().to_vec());
        self.relays.send_recorded_text(net_index, RecordedText { handle, uuid, text, answer });
    }
}
