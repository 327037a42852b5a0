//! What comes of replies, of missing ones, and of relay daemons that are not there: without a socket.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use lttngd_model::{ChannelKey, ChunkId, NetIndex, RelayStreamHandle, SessionId};
use lttngd_relaystream::CommandError;
use lttngd_wire::{consumer::ConsumerError as Code, relay::ConsumerReply};
use tokio::sync::{mpsc::unbounded_channel, oneshot};

use super::{
    connections::{Awaited, Relays},
    *,
};
use crate::{
    chunk::{Chunk, ChunkPlace},
    event::Event,
    worker::{
        example::example_writing,
        new::{ClosingChunk, NewRemoteChunk},
        order::{Answer, Reply},
        remote::RemoteStream,
        rotation::RemoteRotation,
        snapshot::JobId,
    },
};

const RELAY: NetIndex = NetIndex(2);
const HANDLE: RelayStreamHandle = RelayStreamHandle(5);
const KEY: ChannelKey = ChannelKey(1);
const DONE: Result<ConsumerReply, CommandError> = Ok(ConsumerReply::Done);
const GONE: Result<ConsumerReply, CommandError> = Err(CommandError::Gone);
const ADDED: Result<ConsumerReply, CommandError> =
    Ok(ConsumerReply::StreamAdded { handle: HANDLE });

type Told<T = ()> = oneshot::Receiver<Result<T, Code>>;

fn answer<T>() -> (Answer<T>, Told<T>) {
    Reply::new()
}

/// What is to be done, all of it.
fn effects(relays: &mut Relays) -> Vec<Effect> {
    std::iter::from_fn(|| relays.next_effect()).collect()
}

fn chunk(id: u64) -> Arc<Chunk> {
    Chunk::new(SessionId(4), ChunkId(id), ChunkPlace::Remote, unbounded_channel().0)
}

/// Begins with the streams of a channel or snapshot, in these slots, and what is waited for of each.
fn add(relays: &mut Relays, slots: &[usize], then: AfterAddition) -> Vec<Awaited> {
    let indexed = matches!(then, AfterAddition::Channel(..));
    let addition = relays.additions.begin(slots.len(), then).unwrap();
    let of_slot = |&slot: &usize| Awaited::StreamAdded { addition, key: KEY, slot, indexed };
    slots.iter().map(of_slot).collect()
}

#[test]
fn a_trace_chunk_cannot_be_made_where_no_relay_daemon_is() {
    let mut relays = Relays::default();
    let (answer, mut told) = answer();
    let id = ChunkId(3);
    let new = NewRemoteChunk { net_index: RELAY, id, name: String::new(), created_at_s: 0 };
    relays.create_chunk(new, answer);
    assert_eq!(told.try_recv(), Ok(Err(Code::CREATE_TRACE_CHUNK_FAILED)));
}

#[test]
fn a_trace_chunk_cannot_be_closed_where_no_relay_daemon_is() {
    let mut relays = Relays::default();
    let (answer, mut told) = answer();
    let id = ChunkId(3);
    let closing = ClosingChunk { net_index: RELAY, id, closed_at_s: 0, command: None };
    relays.close_chunk(closing, answer);
    assert_eq!(told.try_recv(), Ok(Err(Code::CLOSE_TRACE_CHUNK_FAILED)));
}

#[test]
fn a_trace_chunk_is_not_asked_for_where_no_relay_daemon_is() {
    let mut relays = Relays::default();
    let (answer, mut told) = answer();
    relays.chunk_exists(RELAY, ChunkId(3), answer);
    assert_eq!(told.try_recv(), Ok(Err(Code::INVALID_PARAMETERS)));
}

#[test]
fn a_relay_daemon_that_is_not_there_cannot_be_given_up() {
    assert_eq!(Relays::default().give_up(RELAY), Err(Code::RELAYD_FAIL));
}

#[test]
fn streams_stay_where_they_are_without_a_relay_daemon_to_tell() {
    let mut relays = Relays::default();
    let rotation = RemoteRotation { net_index: RELAY, to: None, positions: Vec::new() };
    relays.rotate_channel(KEY, rotation, answer().0);
    let effects = effects(&mut relays);
    assert!(matches!(effects[..], [Effect::ChannelRotated { key: KEY, goes: false, .. }]));
}

#[test]
fn streams_go_where_a_relay_daemon_goes() {
    let mut relays = Relays::default();
    relays.came(RELAY, Awaited::ChannelRotated(KEY, answer().0), DONE);
    let effects = effects(&mut relays);
    assert!(matches!(effects[..], [Effect::ChannelRotated { key: KEY, goes: true, .. }]));
}

#[test]
fn metadata_knows_where_it_was_when_a_relay_daemon_does_not_go() {
    let mut relays = Relays::default();
    let remote = RemoteStream::new(RELAY, HANDLE, false);
    relays.rotate_metadata(KEY, &remote, Some(chunk(0)), Some(chunk(1)), answer().0);
    match &effects(&mut relays)[..] {
        [Effect::MetadataRotated { goes: false, from: Some(from), to: Some(to), .. }] => {
            assert_eq!((from.id, to.id), (ChunkId(0), ChunkId(1)));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_channel_is_known_after_its_streams_have_their_outputs() {
    let mut relays = Relays::default();
    let then = AfterAddition::Channel(KEY, answer().0);
    for awaited in add(&mut relays, &[3, 4], then) {
        relays.came(RELAY, awaited, ADDED);
    }
    match &effects(&mut relays)[..] {
        [
            Effect::OpenStream { slot: 3, remote, .. },
            Effect::OpenStream { slot: 4, .. },
            Effect::ChannelAdded { key: KEY, taken: true, .. },
        ] => assert_eq!(*remote, RemoteStream::new(RELAY, HANDLE, true)),
        other => panic!("{other:?}"),
    }
}

#[test]
fn packets_of_snapshots_are_not_indexed() {
    let mut relays = Relays::default();
    let then = AfterAddition::Snapshot(JobId(8));
    for awaited in add(&mut relays, &[3], then) {
        relays.came(RELAY, awaited, ADDED);
    }
    match &effects(&mut relays)[..] {
        [
            Effect::OpenStream { remote, .. },
            Effect::SnapshotOpened { id: JobId(8), taken: true },
        ] => assert!(!remote.indexed),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_stream_that_a_relay_daemon_does_not_take_fails_its_channel_when_all_were_answered() {
    let mut relays = Relays::default();
    let then = AfterAddition::Channel(KEY, answer().0);
    let mut awaited = add(&mut relays, &[3, 4], then).into_iter();
    relays.came(RELAY, awaited.next().unwrap(), GONE);
    assert!(relays.next_effect().is_none(), "the other one may be open");
    relays.came(RELAY, awaited.next().unwrap(), ADDED);
    assert!(matches!(
        effects(&mut relays)[..],
        [Effect::OpenStream { slot: 4, .. }, Effect::ChannelAdded { taken: false, .. }]
    ));
}

#[test]
fn streams_are_not_taken_where_no_relay_daemon_is() {
    let mut relays = Relays::default();
    let writing = example_writing("channel0", Some(RELAY));
    let name = StreamName { name: "channel0_0".to_owned(), path: "", chunk: None };
    let stream = NewRemoteStream { key: KEY, slot: 3, writing: &writing, name };
    relays.add_streams(RELAY, vec![stream], AfterAddition::Snapshot(JobId(8)));
    let effects = effects(&mut relays);
    assert!(matches!(effects[..], [Effect::SnapshotOpened { id: JobId(8), taken: false }]));
}

#[test]
fn a_channel_without_streams_is_refused() {
    let mut relays = Relays::default();
    relays.add_streams(RELAY, Vec::new(), AfterAddition::Channel(KEY, answer().0));
    assert!(matches!(effects(&mut relays)[..], [Effect::ChannelAdded { taken: false, .. }]));
}

#[test]
fn viewers_are_told_of_a_trace_after_its_metadata_is_known() {
    let mut relays = Relays::default();
    relays.came(RELAY, Awaited::MetadataAdded(KEY), ADDED);
    relays.came(RELAY, Awaited::MetadataAnnounced(KEY, answer().0), DONE);
    assert!(matches!(
        effects(&mut relays)[..],
        [Effect::OpenMetadata { .. }, Effect::MetadataAnnounced { told: true, .. }]
    ));
}

#[test]
fn metadata_that_no_relay_daemon_takes_is_announced_to_nobody() {
    let mut relays = Relays::default();
    let writing = example_writing("metadata", Some(RELAY));
    let name = StreamName { name: "metadata".to_owned(), path: "", chunk: None };
    relays.add_metadata(RELAY, KEY, &writing, name, answer().0);
    let effects = effects(&mut relays);
    assert!(matches!(effects[..], [Effect::MetadataAnnounced { key: KEY, told: false, .. }]));
}

#[test]
fn text_of_a_snapshot_is_sent_when_the_relay_daemon_knows_its_stream() {
    let mut relays = Relays::default();
    relays.came(RELAY, Awaited::TextAdded(KEY, answer().0), ADDED);
    let effects = effects(&mut relays);
    assert!(matches!(effects[..], [Effect::RecordText { net_index: RELAY, handle: HANDLE, .. }]));
}

#[test]
fn a_snapshot_fails_whose_text_a_relay_daemon_does_not_take() {
    let mut relays = Relays::default();
    let (refused, mut told) = answer();
    relays.came(RELAY, Awaited::TextAdded(KEY, refused), DONE);
    assert_eq!(told.try_recv(), Ok(Err(Code::SNAPSHOT_FAILED)));
    let (lost, mut told) = answer();
    let text = RecordedText { handle: HANDLE, uuid: [0; 16], text: b"text".to_vec(), answer: lost };
    relays.send_recorded_text(RELAY, text);
    assert_eq!(told.try_recv(), Ok(Err(Code::SNAPSHOT_FAILED)), "it is gone since");
}

#[test]
fn a_session_without_relay_daemons_has_nothing_pending_there() {
    let mut relays = Relays::default();
    assert!(relays.that_may_owe(SessionId(4)).is_empty());
    let (reply, mut pending) = Reply::new();
    relays.ask_pending(&[], reply);
    assert_eq!(pending.try_recv(), Ok(false));
}

#[test]
fn a_relay_daemon_that_was_lost_meanwhile_has_nothing_pending() {
    let mut relays = Relays::default();
    let (reply, mut pending) = Reply::new();
    relays.ask_pending(&[(RELAY, OpenStreams::default())], reply);
    assert_eq!(pending.try_recv(), Ok(false));
}

#[test]
fn a_question_is_answered_after_the_last_reply() {
    let mut relays = Relays::default();
    let (reply, mut told) = Reply::new();
    let question = relays.questions.begin(2, pending::Asker::SessionDaemon(reply));
    let awaited = |of_ended| Awaited::Pending { question, matters: true, of_ended };
    relays.came(RELAY, awaited(false), Ok(ConsumerReply::Pending(true)));
    assert!(told.try_recv().is_err());
    relays.came(RELAY, awaited(true), Ok(ConsumerReply::Pending(false)));
    assert_eq!(told.try_recv(), Ok(true));
}

#[test]
fn a_snapshot_does_not_wait_for_a_relay_daemon_that_is_gone() {
    let mut relays = Relays::default();
    relays.park_snapshot(RELAY, JobId(8));
    assert!(matches!(effects(&mut relays)[..], [Effect::ResumeSnapshot(JobId(8))]));
}

#[test]
fn a_trace_chunk_for_which_nothing_is_on_its_way_is_let_go_at_once() {
    for indexed in [true, false] {
        let mut relays = Relays::default();
        let (events, mut told) = unbounded_channel();
        let chunk = Chunk::new(SessionId(4), ChunkId(0), ChunkPlace::Remote, events);
        relays.leave(&RemoteStream::new(RELAY, HANDLE, indexed), chunk);
        assert!(matches!(told.try_recv(), Ok(Event::ChunkEnded { chunk: ChunkId(0), .. })));
    }
}

#[test]
fn nothing_is_owed_by_a_relay_daemon_that_is_not_there() {
    let mut relays = Relays::default();
    assert!(!relays.are_busy() && !relays.lives(RELAY));
    relays.close(&RemoteStream::new(RELAY, HANDLE, true));
    relays.waited_for_unwritten(RELAY);
    assert!(effects(&mut relays).is_empty());
}
