//! What a session has, and what is decided by that.
#![allow(clippy::unwrap_used)]

use lttngd_model::{ChunkId, SessionId};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::*;
use crate::{
    chunk::ChunkPlace,
    event::Event,
    session::tests::{data_channel, metadata_channel, worker},
};

const KEY: ChannelKey = ChannelKey(7);

/// A chunk at a relay daemon: nothing of it is here.
fn chunk(id: u64) -> (Arc<Chunk>, UnboundedReceiver<Event>) {
    let (events, told) = unbounded_channel();
    (Chunk::new(SessionId(1), ChunkId(id), ChunkPlace::Remote, events), told)
}

/// A session with one channel that was made and not fetched.
fn with_channel(asked: Asked) -> State {
    let mut state = State::default();
    state.add_channel(KEY, worker().0, asked);
    state
}

fn is_gone(destroyed: Destroyed) -> bool {
    matches!(destroyed, Destroyed::Gone)
}

fn chunk_of_asked(state: &mut State) -> Option<ChunkId> {
    let fetched = state.fetch(KEY).unwrap();
    fetched.channel.chunk.map(|chunk| chunk.id)
}

#[test]
fn a_session_without_channels_and_chunks_is_empty() {
    let mut state = State::default();
    assert_eq!(state.empty(), Some(false));
    state.add_channel(KEY, worker().0, metadata_channel(KEY, true));
    assert_eq!(state.empty(), None);
    state.forget_channel(KEY);
    assert_eq!(state.empty(), Some(false));
    let (first, _told) = chunk(1);
    assert!(state.enter_chunk(&first));
    assert_eq!(state.empty(), None, "a chunk that nobody closed");
}

#[test]
fn a_session_that_had_a_channel_for_snapshots_remembers_that() {
    let mut state = with_channel(metadata_channel(KEY, false));
    state.forget_channel(KEY);
    assert_eq!(state.empty(), Some(true));
}

#[test]
fn a_channel_begins_in_no_chunk_or_in_one_that_was_published() {
    let mut state = State::default();
    assert!(matches!(state.admit_channel(None), Ok(None)));
    assert_eq!(state.admit_channel(Some(ChunkId(1))).err(), Some(Code::CHANNEL_FAIL));
    let (first, _told) = chunk(1);
    state.enter_chunk(&first);
    assert_eq!(state.admit_channel(Some(ChunkId(1))).unwrap().unwrap().id, ChunkId(1));
    state.close_chunk(ChunkId(1), None).map(drop).unwrap();
    assert_eq!(state.admit_channel(Some(ChunkId(1))).err(), Some(Code::CHANNEL_FAIL));
}

#[test]
fn a_data_channel_is_fetched_once() {
    let mut state = with_channel(data_channel(KEY, true));
    assert!(state.fetch(KEY).is_ok());
    assert_eq!(state.fetch(KEY).err(), Some(Refusal::UnknownChannel));
    assert!(state.worker_of(KEY).is_ok(), "it runs");
}

#[test]
fn metadata_is_not_fetched_and_data_is_not_set_up() {
    let mut state = with_channel(metadata_channel(KEY, true));
    assert_eq!(state.fetch(KEY).err(), Some(Refusal::UnknownChannel));
    assert!(state.set_up(KEY).is_ok(), "a wrong command leaves it as it was");
    let mut state = with_channel(data_channel(KEY, true));
    assert_eq!(state.set_up(KEY).err(), Some(Code::ERROR_METADATA.into()));
    assert!(state.fetch(KEY).is_ok(), "a wrong command leaves it as it was");
}

#[test]
fn metadata_is_set_up_once_and_asked_for_from_then_on() {
    let mut state = with_channel(metadata_channel(KEY, true));
    assert_eq!(state.metadata_request(KEY), None);
    assert!(state.set_up(KEY).is_ok());
    assert_eq!(state.metadata_request(KEY).unwrap().key, KEY);
    assert_eq!(state.set_up(KEY).err(), Some(Code::ERROR_METADATA.into()));
    assert_eq!(state.metadata_request(KEY).unwrap().key, KEY, "it runs on");
}

#[test]
fn data_is_never_asked_for_as_metadata() {
    let mut state = with_channel(data_channel(KEY, true));
    assert!(state.fetch(KEY).is_ok());
    assert_eq!(state.metadata_request(KEY), None);
}

#[test]
fn a_channel_that_is_not_there_is_unknown_to_all() {
    let mut state = State::default();
    assert_eq!(state.worker_of(KEY).err(), Some(Refusal::UnknownChannel));
    assert_eq!(state.fetch(KEY).err(), Some(Refusal::UnknownChannel));
    assert_eq!(state.set_up(KEY).err(), Some(Refusal::UnknownChannel));
    assert_eq!(state.record(KEY).err(), Some(Refusal::UnknownChannel));
    assert_eq!(state.metadata_request(KEY), None);
    assert!(!is_gone(state.destroy(KEY)));
}

#[test]
fn a_channel_is_destroyed_before_it_runs_and_left_alone_then() {
    let mut state = with_channel(data_channel(KEY, true));
    assert!(is_gone(state.destroy(KEY)) && !is_gone(state.destroy(KEY)));
    let mut state = with_channel(data_channel(KEY, true));
    assert!(state.fetch(KEY).is_ok());
    assert!(!is_gone(state.destroy(KEY)));
    assert!(state.worker_of(KEY).is_ok());
}

/// A channel of the kernel that is announced with so many streams.
fn announced(streams: u32, monitor: bool) -> Asked {
    let add = AddChannel {
        key: KEY,
        session_id: SessionId(1),
        chunk_id: None,
        pathname: String::new(),
        relayd_id: None,
        nb_init_streams: streams,
        name: "channel".to_owned(),
        output: ChannelOutput::Splice,
        metadata: false,
        tracefile_size_bytes: 0,
        tracefile_count: 0,
        monitor,
        live_timer_interval_us: 0,
        is_live: false,
        monitor_timer_interval_us: 0,
    };
    Asked::Kernel(Box::new(Announced { add: Box::new(add), chunk: None, streams: Vec::new() }))
}

fn stream(cpu: u32) -> (u32, OwnedFd) {
    (cpu, std::fs::File::open("/dev/null").unwrap().into())
}

#[test]
fn a_channel_of_the_kernel_runs_with_the_last_of_its_streams() {
    let mut state = with_channel(announced(2, true));
    assert!(matches!(state.add_stream(KEY, stream(0)), Ok(Streamed::Waits)));
    assert_eq!(state.fetch(KEY).err(), Some(Refusal::UnknownChannel), "it is no application's");
    let Ok(Streamed::Whole(_, whole)) = state.add_stream(KEY, stream(1)) else {
        panic!("both have come");
    };
    assert_eq!(whole.streams.iter().map(|(cpu, _)| *cpu).collect::<Vec<_>>(), [0, 1]);
    let late = state.add_stream(KEY, stream(2));
    assert!(matches!(late, Ok(Streamed::Late { is_mapped: false, stream: (2, _), .. })));
    assert!(matches!(state.destroy(KEY), Destroyed::Stays), "it ends with the tracer's");
}

#[test]
fn a_channel_of_the_kernel_that_nobody_drains_is_destroyed_where_it_is() {
    let mut state = with_channel(announced(1, false));
    assert!(is_gone(state.destroy(KEY)), "it has no streams yet");
    let mut state = with_channel(announced(1, false));
    assert!(matches!(state.add_stream(KEY, stream(0)), Ok(Streamed::Whole(..))));
    assert!(matches!(state.destroy(KEY), Destroyed::Runs(_)));
    assert!(state.worker_of(KEY).is_ok(), "its data thread tells when it is gone");
}

#[test]
fn a_channel_of_applications_takes_no_streams_of_the_kernel() {
    for asked in [data_channel(KEY, true), metadata_channel(KEY, true)] {
        let mut state = with_channel(asked);
        assert_eq!(state.add_stream(KEY, stream(0)).err(), Some(Refusal::UnknownChannel));
    }
    let none = State::default().add_stream(KEY, stream(0));
    assert_eq!(none.err(), Some(Refusal::UnknownChannel));
}

#[test]
fn a_snapshot_needs_a_trace_chunk() {
    let mut state = with_channel(data_channel(KEY, false));
    assert_eq!(state.record(KEY).err(), Some(Code::SNAPSHOT_FAILED.into()));
    let (first, _told) = chunk(1);
    state.enter_chunk(&first);
    assert_eq!(state.record(KEY).unwrap().1.id, ChunkId(1));
}

#[test]
fn a_snapshot_goes_to_the_newest_chunk_and_back_to_the_one_before_when_that_is_given_up() {
    let mut state = with_channel(data_channel(KEY, false));
    let ((first, _), (second, _)) = (chunk(1), chunk(2));
    assert!(state.enter_chunk(&first) && state.enter_chunk(&second));
    assert_eq!(state.record(KEY).unwrap().1.id, ChunkId(2));
    let closed = state.close_chunk(ChunkId(2), None).unwrap();
    assert_eq!((closed.chunk.id, closed.before.unwrap().id), (ChunkId(2), ChunkId(1)));
    assert_eq!(state.record(KEY).unwrap().1.id, ChunkId(1));
}

#[test]
fn closing_the_chunk_before_leaves_the_current_one() {
    let mut state = with_channel(data_channel(KEY, false));
    let ((first, _), (second, _)) = (chunk(1), chunk(2));
    assert!(state.enter_chunk(&first) && state.enter_chunk(&second));
    let closed = state.close_chunk(ChunkId(1), None).unwrap();
    assert_eq!(closed.before.unwrap().id, ChunkId(2));
    assert_eq!(state.record(KEY).unwrap().1.id, ChunkId(2));
}

#[test]
fn a_channel_that_no_data_thread_has_follows_the_chunks() {
    let ((first, _), (second, _)) = (chunk(1), chunk(2));
    let mut state = with_channel(data_channel(KEY, true));
    state.enter_chunk(&first);
    assert_eq!(chunk_of_asked(&mut state), Some(ChunkId(1)));
    let mut state = with_channel(data_channel(KEY, true));
    assert!(state.enter_chunk(&first) && state.enter_chunk(&second));
    state.close_chunk(ChunkId(2), None).map(drop).unwrap();
    assert_eq!(chunk_of_asked(&mut state), Some(ChunkId(1)));
}

#[test]
fn a_chunk_is_entered_once() {
    let mut state = State::default();
    let ((first, _), (again, _)) = (chunk(1), chunk(1));
    assert!(state.enter_chunk(&first));
    assert!(!state.enter_chunk(&again));
    state.close_chunk(ChunkId(1), None).map(drop).unwrap();
    assert!(!state.enter_chunk(&again), "somebody still has it");
}

#[test]
fn a_chunk_is_closed_once() {
    let mut state = State::default();
    let (first, _told) = chunk(1);
    assert_eq!(state.close_chunk(ChunkId(1), None).err(), Some(Code::UNKNOWN_TRACE_CHUNK));
    state.enter_chunk(&first);
    assert!(state.close_chunk(ChunkId(1), None).is_ok());
    assert_eq!(state.close_chunk(ChunkId(1), None).err(), Some(Code::UNKNOWN_TRACE_CHUNK));
}
