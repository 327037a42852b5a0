//! Snapshots: the packets that the buffers of a channel hold are copied, a stream at a time. Here is what
//! comes next; how many packets a stream gives is decided where its buffer is read
//! (`StreamSource::take_snapshot`).

use std::collections::VecDeque;

use lttngd_wire::consumer::ConsumerError as Code;
use slab::Slab;

use super::{new::Recording, order::Answer, remote::Sent, turn};

/// Names a snapshot of a channel that is being recorded.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct JobId(pub(super) usize);

/// A snapshot of a channel that is being recorded.
#[derive(Debug)]
pub(super) struct SnapshotJob {
    recording: Recording,
    /// Streams that are still to come, by their slots.
    slots: Vec<usize>,
    /// The stream whose turn it is.
    current: Option<usize>,
    /// What went wrong with the streams so far.
    outcome: Result<(), Code>,
    answer: Answer,
}

/// What a snapshot does next.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Task {
    /// Opens a stream's output and takes what its buffer has.
    Begin(usize),
    /// Writes packets of the stream whose turn it is.
    Write(usize),
    /// All streams had their turn.
    Finish,
}

/// How far the packets of a stream were written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Written {
    /// All that were taken.
    All,
    /// Some of them.
    Some,
    /// Those that its relay daemon took.
    Parked,
}

/// How a snapshot goes on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Next {
    /// With the same stream, when others had their turn.
    Again,
    /// With the same stream, when its relay daemon takes more.
    Parked,
    /// With the next stream; this one's output is taken away.
    Close(usize),
}

impl SnapshotJob {
    pub(super) fn new(recording: Recording, slots: Vec<usize>, answer: Answer) -> Self {
        Self { recording, slots, current: None, outcome: Ok(()), answer }
    }

    /// Streams that are still to come.
    pub(super) fn slots(&self) -> &[usize] {
        &self.slots
    }

    pub(super) fn recording(&self) -> &Recording {
        &self.recording
    }

    /// What comes next.
    pub(super) fn next_task(&mut self) -> Task {
        match self.current {
            Some(slot) => Task::Write(slot),
            None => self.slots.pop().map_or(Task::Finish, Task::Begin),
        }
    }

    /// What became of a stream's begin. `false` for one that is lost, which takes nobody's packets with it.
    pub(super) fn begun(&mut self, slot: usize, outcome: Result<bool, Code>) -> Next {
        match outcome {
            Ok(true) => {
                self.current = Some(slot);
                Next::Again
            }
            Ok(false) => Next::Close(slot),
            Err(code) => self.failed(slot, code),
        }
    }

    /// What became of packets of a stream.
    pub(super) fn wrote(&mut self, slot: usize, outcome: Result<Written, Code>) -> Next {
        match outcome {
            Ok(Written::All) => {
                self.current = None;
                Next::Close(slot)
            }
            Ok(Written::Some) => Next::Again,
            Ok(Written::Parked) => Next::Parked,
            Err(code) => self.failed(slot, code),
        }
    }

    /// The other streams are recorded all the same; the first failure is told.
    fn failed(&mut self, slot: usize, code: Code) -> Next {
        self.current = None;
        self.outcome = self.outcome.and(Err(code));
        Next::Close(slot)
    }

    /// Answers whoever asked for it.
    pub(super) fn finish(self) {
        self.answer.answer(self.outcome);
    }

    /// Gives it up before its first stream: a relay daemon did not take the streams.
    pub(super) fn abandon(self) {
        self.answer.answer(Err(Code::RELAYD_FAIL));
    }
}

/// What is done after a packet of a snapshot.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum AfterPacket {
    /// The packet is put, and the next one comes.
    Put {
        /// Whether it counts as lost.
        lost: bool,
    },
    /// It stays until its relay daemon takes it.
    Park,
    /// The stream has failed.
    Fail,
}

/// What is done after a packet that was `sent`. One that no relay daemon takes is lost alone; `relay_lives`
/// says whether there is a relay daemon for those after it.
pub(super) fn after_packet(sent: Sent, relay_lives: bool) -> AfterPacket {
    match sent {
        Sent::Whole(_) => AfterPacket::Put { lost: false },
        Sent::Parked { .. } => AfterPacket::Park,
        Sent::Lost if relay_lives => AfterPacket::Put { lost: true },
        Sent::Lost => AfterPacket::Fail,
    }
}

/// Whether a snapshot that has written `bytes` lets others have their turn.
pub(super) fn is_turn_over(bytes: u64) -> bool {
    bytes >= turn::BYTES_MAX
}

/// All snapshots that are being recorded, and which of them can go on.
#[derive(Debug, Default)]
pub(super) struct Snapshots {
    jobs: Slab<SnapshotJob>,
    line: VecDeque<JobId>,
}

impl Snapshots {
    /// Takes a snapshot, which waits until it is resumed.
    pub(super) fn insert(&mut self, job: SnapshotJob) -> JobId {
        JobId(self.jobs.insert(job))
    }

    pub(super) fn get(&self, JobId(id): JobId) -> Option<&SnapshotJob> {
        self.jobs.get(id)
    }

    pub(super) fn get_mut(&mut self, JobId(id): JobId) -> Option<&mut SnapshotJob> {
        self.jobs.get_mut(id)
    }

    pub(super) fn remove(&mut self, JobId(id): JobId) -> Option<SnapshotJob> {
        self.jobs.try_remove(id)
    }

    /// Puts a snapshot in line.
    pub(super) fn resume(&mut self, id: JobId) {
        self.line.push_back(id);
    }

    /// Takes the first in line.
    pub(super) fn pop_ready(&mut self) -> Option<JobId> {
        self.line.pop_front()
    }

    /// How many stand in line.
    pub(super) fn ready_count(&self) -> usize {
        self.line.len()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use lttngd_model::{ChannelKey, ChunkId, SessionId};
    use tokio::sync::{mpsc::unbounded_channel, oneshot};

    use super::*;
    use crate::{
        chunk::{Chunk, ChunkPlace},
        worker::order::Reply,
    };

    fn job(slots: &[usize]) -> (SnapshotJob, oneshot::Receiver<Result<(), Code>>) {
        let (events, _) = unbounded_channel();
        let recording = Recording {
            key: ChannelKey(1),
            metadata: false,
            path: String::new(),
            relay: None,
            packets_max: 0,
            chunk: Chunk::new(SessionId(1), ChunkId(0), ChunkPlace::Remote, events),
        };
        let (answer, outcome) = Reply::new();
        (SnapshotJob::new(recording, slots.to_vec(), answer), outcome)
    }

    #[test]
    fn a_channel_without_streams_is_recorded_at_once() {
        let (mut job, mut outcome) = job(&[]);
        assert_eq!(job.next_task(), Task::Finish);
        job.finish();
        assert_eq!(outcome.try_recv(), Ok(Ok(())));
    }

    #[test]
    fn streams_are_recorded_one_after_the_other() {
        let (mut job, _outcome) = job(&[4, 5]);
        for slot in [5, 4] {
            assert_eq!(job.next_task(), Task::Begin(slot));
            assert_eq!(job.begun(slot, Ok(true)), Next::Again);
            assert_eq!(job.next_task(), Task::Write(slot));
            assert_eq!(job.wrote(slot, Ok(Written::All)), Next::Close(slot));
        }
        assert_eq!(job.next_task(), Task::Finish);
    }

    #[test]
    fn a_stream_with_many_packets_is_written_in_turns() {
        let (mut job, _outcome) = job(&[4]);
        job.next_task();
        job.begun(4, Ok(true));
        for _ in 0..3 {
            assert_eq!(job.next_task(), Task::Write(4));
            assert_eq!(job.wrote(4, Ok(Written::Some)), Next::Again);
        }
    }

    #[test]
    fn a_stream_whose_relay_daemon_takes_no_more_goes_on_where_it_was() {
        let (mut job, _outcome) = job(&[4, 5]);
        job.next_task();
        job.begun(5, Ok(true));
        assert_eq!(job.next_task(), Task::Write(5));
        assert_eq!(job.wrote(5, Ok(Written::Parked)), Next::Parked);
        assert_eq!(job.next_task(), Task::Write(5));
        assert_eq!(job.slots(), [4], "the other one has its turn later");
    }

    #[test]
    fn a_stream_that_is_lost_does_not_fail_the_snapshot() {
        let (mut job, mut outcome) = job(&[4, 5]);
        job.next_task();
        assert_eq!(job.begun(5, Ok(false)), Next::Close(5));
        assert_eq!(job.next_task(), Task::Begin(4));
        job.begun(4, Ok(true));
        job.wrote(4, Ok(Written::All));
        job.finish();
        assert_eq!(outcome.try_recv(), Ok(Ok(())));
    }

    #[test]
    fn a_stream_without_a_file_fails_the_snapshot_and_no_other_stream() {
        let (mut job, mut outcome) = job(&[4, 5]);
        job.next_task();
        assert_eq!(job.begun(5, Err(Code::SNAPSHOT_FAILED)), Next::Close(5));
        assert_eq!(job.next_task(), Task::Begin(4), "others are recorded");
        assert_eq!(job.begun(4, Ok(true)), Next::Again);
        assert_eq!(job.wrote(4, Ok(Written::All)), Next::Close(4));
        job.finish();
        assert_eq!(outcome.try_recv(), Ok(Err(Code::SNAPSHOT_FAILED)));
    }

    #[test]
    fn a_stream_that_cannot_be_written_is_not_tried_again() {
        let (mut job, mut outcome) = job(&[4]);
        job.next_task();
        job.begun(4, Ok(true));
        assert_eq!(job.wrote(4, Err(Code::SNAPSHOT_FAILED)), Next::Close(4));
        assert_eq!(job.next_task(), Task::Finish);
        job.finish();
        assert_eq!(outcome.try_recv(), Ok(Err(Code::SNAPSHOT_FAILED)));
    }

    #[test]
    fn the_first_of_many_failures_is_told() {
        let (mut job, mut outcome) = job(&[4, 5]);
        job.next_task();
        job.begun(5, Err(Code::CHAN_NOT_FOUND));
        job.next_task();
        job.begun(4, Err(Code::SNAPSHOT_FAILED));
        job.finish();
        assert_eq!(outcome.try_recv(), Ok(Err(Code::CHAN_NOT_FOUND)));
    }

    #[test]
    fn a_relay_daemon_that_does_not_take_the_streams_fails_the_snapshot() {
        let (job, mut outcome) = job(&[4]);
        job.abandon();
        assert_eq!(outcome.try_recv(), Ok(Err(Code::RELAYD_FAIL)));
    }

    #[test]
    fn a_packet_that_a_relay_daemon_cannot_take_is_lost_alone() {
        assert_eq!(after_packet(Sent::Lost, true), AfterPacket::Put { lost: true });
    }

    #[test]
    fn a_relay_daemon_that_is_lost_fails_the_stream() {
        assert_eq!(after_packet(Sent::Lost, false), AfterPacket::Fail);
    }

    #[test]
    fn a_packet_that_is_partly_sent_stays_until_the_rest_is() {
        assert_eq!(after_packet(Sent::Parked { partly: true }, true), AfterPacket::Park);
        assert_eq!(after_packet(Sent::Parked { partly: false }, false), AfterPacket::Park);
    }

    #[test]
    fn a_packet_that_is_written_is_put() {
        assert_eq!(after_packet(Sent::Whole(4096), false), AfterPacket::Put { lost: false });
    }

    #[test]
    fn a_large_snapshot_lets_others_have_their_turn() {
        assert!(!is_turn_over(turn::BYTES_MAX - 1));
        assert!(is_turn_over(turn::BYTES_MAX));
    }

    #[test]
    fn snapshots_side_by_side_have_turns() {
        let mut snapshots = Snapshots::default();
        let ids = [(); 2].map(|()| snapshots.insert(job(&[]).0));
        assert_eq!(snapshots.ready_count(), 0, "a relay daemon may have to be asked first");
        ids.iter().for_each(|id| snapshots.resume(*id));
        assert_eq!(snapshots.ready_count(), 2);
        assert_eq!([snapshots.pop_ready(), snapshots.pop_ready()], ids.map(Some));
        assert_eq!(snapshots.pop_ready(), None);
        assert!(snapshots.get(ids[0]).is_some() && snapshots.get_mut(ids[1]).is_some());
        assert!(snapshots.remove(ids[0]).is_some() && snapshots.remove(ids[0]).is_none());
    }
}
