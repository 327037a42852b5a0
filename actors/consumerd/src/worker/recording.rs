//! Snapshots: the packets that the buffers of a channel hold are copied, a stream at a time.

use std::sync::Arc;

use lttngd_model::ChannelKey;
use lttngd_ringbuffer::FlushMode;
use lttngd_tracefile::MetadataFile;
use lttngd_wire::consumer::ConsumerError as Code;

use super::{
    Worker,
    new::Recording,
    order::Answer,
    relay::{Relays, Sent},
    stream::{DataStream, Opening, Output, packet_index},
};

/// A snapshot of a channel that is being recorded.
#[derive(Debug)]
pub(super) struct Job {
    recording: Recording,
    /// Streams that are still to come.
    places: Vec<usize>,
    /// The stream whose turn it is.
    current: Option<usize>,
    /// What went wrong with the streams so far.
    outcome: Result<(), Code>,
    reply: Answer,
}

impl Job {
    pub(super) fn places(&self) -> &[usize] {
        &self.places
    }

    pub(super) fn recording(&self) -> &Recording {
        &self.recording
    }
}

/// How a job came on.
enum Step {
    Again(Job),
    /// Its relay daemon does not take more now.
    Parked(Job),
    Done,
}

impl Worker {
    /// Records a snapshot of a channel.
    pub(crate) fn record(&mut self, recording: Recording, reply: Answer) {
        if recording.metadata {
            return self.record_metadata(&recording, reply);
        }
        match self.channels.get(&recording.key) {
            None => reply.answer(Err(Code::CHAN_NOT_FOUND)),
            Some(channel) if channel.monitored => {
                tracing::error!(key = %recording.key, "a channel that is drained has no snapshots");
                reply.answer(Err(Code::SNAPSHOT_FAILED));
            }
            Some(_) => {
                let places = self.streams_of(recording.key);
                let job = Job { recording, places, current: None, outcome: Ok(()), reply };
                match job.recording.relay {
                    Some(relay) => self.open_remote_snapshot(relay, job),
                    None => self.jobs.push_back(job),
                }
            }
        }
    }

    /// Takes a step in each snapshot.
    pub(super) fn work_on_jobs(&mut self) {
        for _ in 0..self.jobs.len() {
            let Some(job) = self.jobs.pop_front() else { return };
            match self.work_on(job) {
                Step::Again(job) => self.jobs.push_back(job),
                Step::Parked(job) => match job.recording.relay {
                    Some(relay) => self.park_job(relay, job),
                    None => self.jobs.push_back(job),
                },
                Step::Done => {}
            }
        }
    }

    /// Begins the next stream, or copies packets of the one whose turn it is.
    fn work_on(&mut self, mut job: Job) -> Step {
        let Some(place) = job.current.take() else {
            let Some(place) = job.places.pop() else {
                job.reply.answer(job.outcome);
                return Step::Done;
            };
            return match self.begin(place, &job.recording) {
                Ok(true) => {
                    job.current = Some(place);
                    Step::Again(job)
                }
                Ok(false) => self.go_on(job, place, Ok(())),
                Err(code) => self.go_on(job, place, Err(code)),
            };
        };
        match self.write(job.recording.key, place) {
            Ok(Written::All) => self.go_on(job, place, Ok(())),
            Ok(Written::Some) => {
                job.current = Some(place);
                Step::Again(job)
            }
            Ok(Written::Parked) => {
                job.current = Some(place);
                Step::Parked(job)
            }
            Err(code) => self.go_on(job, place, Err(code)),
        }
    }

    /// Goes on with the next stream, whatever became of this one: it takes nobody's packets with it.
    fn go_on(&mut self, mut job: Job, place: usize, outcome: Result<(), Code>) -> Step {
        self.close_recording(job.recording.key, place);
        job.outcome = job.outcome.and(outcome);
        Step::Again(job)
    }

    /// Gives a snapshot up before its first stream.
    pub(super) fn abandon_job(&mut self, job: Job) {
        for place in &job.places {
            self.close_recording(job.recording.key, *place);
        }
        job.reply.answer(Err(Code::RELAYD_FAIL));
    }

    /// Opens a stream's output, then takes all that its buffer has at once: writing it may last. `false`
    /// for a stream that was given up.
    fn begin(&mut self, place: usize, recording: &Recording) -> Result<bool, Code> {
        let stream = self.stream_of(recording.key, place).ok_or(Code::CHAN_NOT_FOUND)?;
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
        let stream = &mut self.streams[place];
        let unfinished = stream.ring.take_snapshot(recording.packets_max, &self.setup.clock);
        let Some(unfinished) = stream.note(unfinished) else { return Ok(false) };
        if unfinished {
            // Behind what a writer left there nothing would be seen: events that follow begin another packet,
            // and this one is finished for it.
            stream.flush(FlushMode::Filled, &self.setup.clock);
            self.wait_for_writers(place);
        }
        Ok(true)
    }

    /// Writes packets that were taken, as many as a turn allows.
    fn write(&mut self, key: ChannelKey, place: usize) -> Result<Written, Code> {
        const TURN_BYTES_MAX: usize = 4 << 20;
        self.stream_of(key, place).ok_or(Code::CHAN_NOT_FOUND)?;
        let stream = &mut self.streams[place];
        let mut bytes = 0;
        while stream.ring.packet().is_some() {
            match stream.write_snapshot_packet(&mut self.relays) {
                // Its memory may not be there any more.
                Err(code) => {
                    let usable = stream.ring.check();
                    return stream.note(usable).map_or(Ok(Written::All), |()| Err(code));
                }
                Ok(Sent::Parked { .. }) => return Ok(Written::Parked),
                Ok(Sent::Lost) => {
                    stream.ring.count_lost_packet();
                    let Output::Remote(remote) = &stream.output else {
                        return Err(Code::SNAPSHOT_FAILED);
                    };
                    // A packet that no relay daemon takes is lost alone.
                    if !self.relays.live(remote.net_index) {
                        return Err(Code::SNAPSHOT_FAILED);
                    }
                }
                Ok(Sent::Whole(len)) => bytes += usize::try_from(len).unwrap_or(usize::MAX),
            }
            let put = stream.ring.put_snapshot_packet();
            stream.note(put);
            if bytes >= TURN_BYTES_MAX {
                return Ok(Written::Some);
            }
        }
        let whole = stream.ring.check();
        stream.note(whole);
        Ok(Written::All)
    }

    /// Takes the output of a snapshot away from a stream.
    fn close_recording(&mut self, key: ChannelKey, place: usize) {
        if self.stream_of(key, place).is_none() {
            return;
        }
        let stream = &mut self.streams[place];
        stream.release_packet(&mut self.relays);
        stream.ring.drop_snapshot();
        stream.chunk = None;
        if let Output::Remote(remote) = std::mem::replace(&mut stream.output, Output::Nowhere) {
            self.close_remote(&remote);
        }
    }

    fn record_metadata(&mut self, recording: &Recording, reply: Answer) {
        let outcome = match self.metadata.get(&recording.key) {
            None => Err(Code::CHAN_NOT_FOUND),
            Some(metadata) => match (recording.relay, recording.chunk.local()) {
                (Some(relay), _) => return self.record_remote_metadata(relay, recording, reply),
                (None, None) => Err(Code::SNAPSHOT_FAILED),
                (None, Some(files)) => MetadataFile::create(files, &recording.path, metadata.uuid)
                    .and_then(|mut file| file.append(metadata.text()))
                    .map_err(|error| {
                        tracing::error!(%error, "the metadata of a snapshot was not written");
                        Code::SNAPSHOT_FAILED
                    }),
            },
        };
        reply.answer(outcome);
    }
}

enum Written {
    /// All packets of the stream.
    All,
    /// Some of them.
    Some,
    /// Those that its relay daemon took.
    Parked,
}

impl DataStream {
    fn write_snapshot_packet(&mut self, relays: &mut Relays) -> Result<Sent, Code> {
        let Some(packet) = self.ring.packet() else { return Err(Code::SNAPSHOT_FAILED) };
        match (&mut self.output, &self.chunk) {
            (Output::Local(file), Some(chunk)) => {
                let files = chunk.local().ok_or(Code::SNAPSHOT_FAILED)?;
                file.write_packet(files, &packet.views(), &packet_index(packet.header)).map_err(
                    |error| {
                        tracing::error!(%error, "a packet of a snapshot was not written");
                        Code::SNAPSHOT_FAILED
                    },
                )?;
                Ok(Sent::Whole(packet.size_bytes() as u64))
            }
            (Output::Remote(remote), Some(_)) => Ok(remote.send(&packet, relays)),
            _ => Err(Code::SNAPSHOT_FAILED),
        }
    }
}
