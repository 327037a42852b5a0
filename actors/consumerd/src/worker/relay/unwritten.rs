//! Trace chunks that streams have left while packets for them are on their way to the relay daemon.
//!
//! Such a chunk is held until the relay daemon has written them. The stock session daemon learns that from
//! here alone, since relay daemons of 2.13 say too early that a chunk is gone: it would begin the next
//! rotation, at which a relay daemon that has not moved the chunk before closes the connection.

use std::{collections::HashMap, sync::Arc, time::Duration};

use lttngd_model::RelayStreamHandle;

use crate::chunk::Chunk;

/// How long the relay daemon is left alone after its first answer that something is missing; each time
/// twice as long.
const WAIT_MIN: Duration = Duration::from_millis(1);
/// At most so long.
const WAIT_MAX: Duration = Duration::from_millis(100);

/// Numbers of packets, by the handles of their streams.
pub(super) type Numbers = HashMap<RelayStreamHandle, u64>;

/// A trace chunk for which packets of a stream are on their way.
#[derive(Debug)]
pub(super) struct LeftChunk {
    handle: RelayStreamHandle,
    /// Number of the last of them.
    last_net_seq_num: u64,
    /// Held, and nothing else.
    _chunk: Arc<Chunk>,
}

impl LeftChunk {
    pub(super) fn new(handle: RelayStreamHandle, last_net_seq_num: u64, chunk: Arc<Chunk>) -> Self {
        Self { handle, last_net_seq_num, _chunk: chunk }
    }
}

/// What a relay daemon has not written yet, and when it is asked.
#[derive(Debug, Default)]
pub(super) struct Unwritten {
    chunks: Vec<LeftChunk>,
    state: State,
    wait: Duration,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum State {
    /// Nothing is done.
    #[default]
    Idle,
    /// It was asked.
    Asked,
    /// It will be asked later.
    Waits,
}

/// What a relay daemon is asked.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct UnwrittenQuestion {
    /// How many trace chunks it is about: the oldest ones.
    pub(super) count: usize,
    /// Up to which packets.
    pub(super) until: Numbers,
}

impl Unwritten {
    /// Holds a trace chunk.
    pub(super) fn hold(&mut self, leaving: LeftChunk) {
        self.chunks.push(leaving);
    }

    /// What the relay daemon is to be asked now, if anything.
    pub(super) fn asks(&mut self) -> Option<UnwrittenQuestion> {
        if self.state != State::Idle || self.chunks.is_empty() {
            return None;
        }
        self.state = State::Asked;
        // The later ones of a stream come later.
        let until = self.chunks.iter().map(|it| (it.handle, it.last_net_seq_num)).collect();
        Some(UnwrittenQuestion { count: self.chunks.len(), until })
    }

    /// It answered about the oldest `count` trace chunks whether something is missing: after what time it is
    /// asked again. Those that have all are let go.
    pub(super) fn answered(&mut self, count: usize, pending: bool) -> Option<Duration> {
        if pending {
            self.state = State::Waits;
            self.wait = (self.wait * 2).clamp(WAIT_MIN, WAIT_MAX);
            return Some(self.wait);
        }
        self.chunks.drain(..count);
        self.state = State::Idle;
        self.wait = Duration::ZERO;
        None
    }

    /// That time is over.
    pub(super) fn waited(&mut self) {
        self.state = State::Idle;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use lttngd_model::{ChunkId, SessionId};
    use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

    use super::*;
    use crate::{chunk::ChunkPlace, event::Event};

    /// A trace chunk that nobody else holds, and who is told of its end.
    fn leaving(handle: u64, last: u64) -> (LeftChunk, UnboundedReceiver<Event>) {
        let (events, told) = unbounded_channel();
        let chunk = Chunk::new(SessionId(1), ChunkId(last), ChunkPlace::Remote, events);
        (LeftChunk::new(RelayStreamHandle(handle), last, chunk), told)
    }

    fn ends(told: &mut UnboundedReceiver<Event>) -> bool {
        told.try_recv().is_ok()
    }

    #[test]
    fn a_relay_daemon_is_not_asked_about_nothing() {
        assert_eq!(Unwritten::default().asks(), None);
    }

    #[test]
    fn a_relay_daemon_is_asked_up_to_the_last_packet_of_each_stream() {
        let mut unwritten = Unwritten::default();
        for (handle, last) in [(5, 3), (6, 1), (5, 8)] {
            unwritten.hold(leaving(handle, last).0);
        }
        let question = unwritten.asks().unwrap();
        assert_eq!(question.count, 3);
        assert_eq!(
            question.until,
            Numbers::from([(RelayStreamHandle(5), 8), (RelayStreamHandle(6), 1)])
        );
    }

    #[test]
    fn a_relay_daemon_has_one_question_at_a_time() {
        let mut unwritten = Unwritten::default();
        unwritten.hold(leaving(5, 3).0);
        assert!(unwritten.asks().is_some());
        unwritten.hold(leaving(5, 4).0);
        assert_eq!(unwritten.asks(), None);
    }

    #[test]
    fn a_trace_chunk_ends_when_the_relay_daemon_has_written_it() {
        let mut unwritten = Unwritten::default();
        let (chunk, mut told) = leaving(5, 3);
        unwritten.hold(chunk);
        let question = unwritten.asks().unwrap();
        assert!(!ends(&mut told));
        assert_eq!(unwritten.answered(question.count, false), None);
        assert!(ends(&mut told));
        assert_eq!(unwritten.asks(), None);
    }

    #[test]
    fn a_trace_chunk_that_was_left_after_the_question_stays() {
        let mut unwritten = Unwritten::default();
        unwritten.hold(leaving(5, 3).0);
        let question = unwritten.asks().unwrap();
        let (chunk, mut told) = leaving(5, 4);
        unwritten.hold(chunk);
        unwritten.answered(question.count, false);
        assert!(!ends(&mut told));
        assert_eq!(unwritten.asks().unwrap().count, 1);
    }

    #[test]
    fn a_relay_daemon_that_misses_something_is_left_alone_for_a_while() {
        let mut unwritten = Unwritten::default();
        let (chunk, mut told) = leaving(5, 3);
        unwritten.hold(chunk);
        unwritten.asks();
        assert_eq!(unwritten.answered(1, true), Some(WAIT_MIN));
        assert_eq!(unwritten.asks(), None, "not before that time is over");
        unwritten.waited();
        assert!(unwritten.asks().is_some());
        assert!(!ends(&mut told));
    }

    #[test]
    fn a_slow_relay_daemon_is_asked_less_and_less_often() {
        let mut unwritten = Unwritten::default();
        unwritten.hold(leaving(5, 3).0);
        let waits = [(); 9].map(|()| {
            unwritten.asks().unwrap();
            let wait = unwritten.answered(1, true).unwrap();
            unwritten.waited();
            wait.as_millis()
        });
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 64, 100, 100]);
    }

    #[test]
    fn a_relay_daemon_that_caught_up_is_asked_soon_the_next_time() {
        let mut unwritten = Unwritten::default();
        unwritten.hold(leaving(5, 3).0);
        for pending in [true, true, false] {
            unwritten.asks().unwrap();
            unwritten.answered(1, pending);
            unwritten.waited();
        }
        unwritten.hold(leaving(5, 4).0);
        unwritten.asks().unwrap();
        assert_eq!(unwritten.answered(1, true), Some(WAIT_MIN));
    }
}
