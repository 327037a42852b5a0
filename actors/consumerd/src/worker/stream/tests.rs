//! A stream with a source that does what a test tells it: no memory is shared, and nobody waits.
#![allow(clippy::unwrap_used)]

mod kernel;
mod restart;
mod rooms;
mod source;
mod viewers;

use std::sync::Arc;

use lttngd_model::{ChunkId, NetIndex, RelayStreamHandle};
use tempfile::TempDir;
use tokio::sync::mpsc::unbounded_channel;

use self::source::{Does, FakeSource, SUBBUF};
use super::*;
use crate::{
    chunk::ChunkPlace,
    worker::{
        example::{self, PATH, SESSION, example_writing, len},
        remote::RemoteStream,
    },
};

const RELAY: NetIndex = NetIndex(2);

/// A stream, and what its source does.
struct World {
    stream: DataStream,
    does: Does,
    relays: Relays,
    clock: PacketClock,
}

impl World {
    fn of(writing: OutputConfig, is_live: bool, is_recorder: bool) -> Self {
        let (source, does) = FakeSource::new();
        let stream = DataStream::new(StreamParts {
            channel: ChannelKey(1),
            source: Box::new(source),
            wakeup: None,
            written: Default::default(),
            writing: Arc::new(writing),
            is_live,
            is_recorder,
        });
        Self { stream, does, relays: Relays::default(), clock: PacketClock::default() }
    }

    /// Of a channel that is written to files.
    fn local() -> Self {
        Self::of(example_writing("channel0", None), false, false)
    }

    /// Of a channel that goes to a relay daemon, which is not there: what is sent is lost.
    fn remote(is_live: bool) -> Self {
        let mut world = Self::of(example_writing("channel0", Some(RELAY)), is_live, false);
        world.stream.output = Output::Remote(RemoteStream::new(RELAY, RelayStreamHandle(5), true));
        world.stream.chunk = Some(chunk(0, ChunkPlace::Remote));
        world
    }

    fn serve(&mut self) -> TurnEnd {
        self.stream.serve(&self.clock, &mut self.relays)
    }

    /// Gives it files in a trace chunk of a new directory.
    fn open(&mut self) -> (TempDir, Arc<Chunk>) {
        let (directory, chunk) = local_chunk(0);
        self.stream.output =
            self.stream.open_files(&chunk, PATH, true).and_then(Opening::finish).unwrap();
        self.stream.chunk = Some(Arc::clone(&chunk));
        (directory, chunk)
    }
}

fn chunk(id: u64, place: ChunkPlace) -> Arc<Chunk> {
    Chunk::new(SESSION, ChunkId(id), place, unbounded_channel().0)
}

/// A trace chunk of files here for which there is room.
fn local_chunk(id: u64) -> (TempDir, Arc<Chunk>) {
    let (directory, chunk) = example::local_chunk(id, unbounded_channel().0);
    example::make_room(&directory);
    (directory, chunk)
}

#[test]
fn packets_are_written_to_the_files_of_the_trace_chunk() {
    let mut world = World::local();
    let (directory, _chunk) = world.open();
    world.does.produce(3);
    assert_eq!(world.serve(), TurnEnd::Idle);
    assert_eq!(world.stream.written.bytes(), 3 * SUBBUF);
    assert_eq!(len(&directory, "channel0_7"), 3 * SUBBUF);
    assert_eq!(world.stream.losses(), Losses::default());
}

#[test]
fn trace_files_have_the_size_that_they_may_have() {
    let mut writing = example_writing("channel0", None);
    (writing.tracefile_size_bytes, writing.tracefile_count) = (2 * SUBBUF, 2);
    let mut world = World::of(writing, false, false);
    let (directory, _chunk) = world.open();
    world.does.produce(5);
    world.serve();
    let lens = ["channel0_7_0", "channel0_7_1", "channel0_7_2"].map(|it| len(&directory, it));
    assert_eq!(lens, [SUBBUF, 2 * SUBBUF, 0], "the third one takes the place of the first");
}

#[test]
fn events_without_a_trace_chunk_are_lost() {
    let mut world = World::local();
    world.does.produce(2);
    assert_eq!(world.serve(), TurnEnd::Idle);
    assert_eq!(world.stream.losses().lost_packets, 2);
    assert_eq!(world.stream.written.bytes(), 0);
}

#[test]
fn an_empty_packet_without_a_trace_chunk_is_not_missed() {
    let mut world = World::local();
    world.does.produce(1);
    world.does.change(|it| it.has_events = false);
    world.serve();
    assert_eq!(world.stream.losses().lost_packets, 0);
}

#[test]
fn an_empty_packet_is_lost_with_its_relay_daemon() {
    let mut world = World::of(example_writing("channel0", Some(RELAY)), false, false);
    world.does.produce(1);
    world.does.change(|it| it.has_events = false);
    world.serve();
    assert_eq!(world.stream.losses().lost_packets, 1);
}

#[test]
fn packets_that_a_relay_daemon_will_never_take_are_lost() {
    let mut world = World::remote(false);
    world.does.produce(2);
    assert_eq!(world.serve(), TurnEnd::Idle);
    assert_eq!(world.stream.losses().lost_packets, 2);
}

#[test]
fn files_that_could_not_be_opened_are_opened_with_the_next_packet() {
    let mut world = World::local();
    let (directory, chunk) = local_chunk(0);
    world.stream.chunk = Some(chunk);
    world.does.produce(1);
    world.serve();
    assert_eq!(len(&directory, "channel0_7"), SUBBUF);
    assert_eq!(world.stream.losses().lost_packets, 0);
}

#[test]
fn a_damaged_packet_is_lost_alone() {
    let mut world = World::local();
    let (directory, _chunk) = world.open();
    world.does.fails_once(NoPacket::Damaged(lttngd_ringbuffer::Damage::DataSize { data_size: 1 }));
    world.does.produce(2);
    assert_eq!(world.serve(), TurnEnd::Idle);
    assert_eq!(world.stream.losses().lost_packets, 1);
    assert_eq!(len(&directory, "channel0_7"), 2 * SUBBUF);
}

#[test]
fn a_damaged_packet_that_may_be_overwritten_is_told_by_the_next_number() {
    let mut world = World::local();
    world.does.change(|it| it.mode = Mode::Overwrite);
    world.does.fails_once(NoPacket::Damaged(lttngd_ringbuffer::Damage::DataSize { data_size: 1 }));
    world.serve();
    assert_eq!(world.stream.unwritten_packets, 0);
}

#[test]
fn a_packet_that_was_overwritten_is_passed_over() {
    let mut world = World::local();
    let (directory, _chunk) = world.open();
    world.does.fails_once(NoPacket::Overwritten);
    world.does.produce(1);
    assert_eq!(world.serve(), TurnEnd::Idle);
    assert_eq!(len(&directory, "channel0_7"), SUBBUF);
}

#[test]
fn writers_that_have_not_finished_are_waited_for() {
    let mut world = World::local();
    world.does.fails_once(NoPacket::Uncommitted);
    assert_eq!(world.serve(), TurnEnd::Unfinished);
}

#[test]
fn writers_that_are_gone_are_not_waited_for() {
    let mut world = World::local();
    world.stream.hang_up(&world.clock);
    world.does.fails_once(NoPacket::Uncommitted);
    assert_eq!(world.serve(), TurnEnd::Ended);
}

#[test]
fn a_stream_ends_when_its_writers_are_gone_and_all_was_read() {
    let mut world = World::local();
    let (directory, _chunk) = world.open();
    world.does.produce(1);
    world.stream.hang_up(&world.clock);
    assert_eq!(world.serve(), TurnEnd::Ended);
    assert_eq!(len(&directory, "channel0_7"), SUBBUF);
}

#[test]
fn a_stream_that_no_application_had_gets_no_packet_at_its_end() {
    let mut world = World::local();
    world.does.change(|it| it.is_untouched = true);
    world.stream.hang_up(&world.clock);
    assert_eq!(world.does.see(|it| it.finished), 0);
}

#[test]
fn a_stream_that_is_lost_has_nothing_more_and_ends_with_its_writers() {
    let mut world = World::local();
    world.does.produce(1);
    world.does.change(|it| it.lost = true);
    assert_eq!(world.serve(), TurnEnd::Idle);
    world.stream.extent.hang_up();
    assert_eq!(world.serve(), TurnEnd::Ended);
}

#[test]
fn a_fast_application_does_not_take_the_turns_of_others() {
    let mut world = World::local();
    let (_directory, _chunk) = world.open();
    world.does.produce(1000);
    assert_eq!(world.serve(), TurnEnd::More);
    assert!(world.does.see(|it| it.consumed) < 1000 * SUBBUF);
}

#[test]
fn the_end_of_the_consumer_does_not_wait_for_applications_that_write_for_ever() {
    let mut world = World::local();
    let (directory, _chunk) = world.open();
    world.does.produce(2);
    world.stream.end(&world.clock);
    world.does.produce(5);
    assert_eq!(world.serve(), TurnEnd::Idle);
    assert_eq!(len(&directory, "channel0_7"), 2 * SUBBUF);
}

#[test]
fn a_stop_closes_the_open_packet_once() {
    let mut world = World::local();
    world.stream.finish(&world.clock);
    world.stream.finish(&world.clock);
    assert_eq!(world.does.see(|it| (it.finished, it.marked)), (1, 0));
    world.stream.clear_quiescent();
    world.stream.finish(&world.clock);
    assert_eq!(world.does.see(|it| it.finished), 2);
}

#[test]
fn a_stop_closes_nothing_of_which_snapshots_are_recorded() {
    let mut world = World::of(example_writing("channel0", None), false, true);
    world.stream.finish(&world.clock);
    assert_eq!(world.does.see(|it| (it.finished, it.marked)), (0, 1));
}

#[test]
fn a_switch_timer_closes_packets_with_events_alone_where_snapshots_are_recorded() {
    for (is_recorder, mode) in [(false, FlushMode::Active), (true, FlushMode::Filled)] {
        let mut world = World::of(example_writing("channel0", None), false, is_recorder);
        world.stream.switch(&world.clock);
        assert_eq!(world.does.see(|it| it.flushes.clone()), [mode]);
    }
}

#[test]
fn packets_before_the_stop_are_pending_until_they_are_read() {
    let mut world = World::local();
    let (_directory, _chunk) = world.open();
    world.does.produce(1);
    world.stream.finish(&world.clock);
    assert!(world.stream.is_pending());
    world.serve();
    world.does.produce(1);
    assert!(!world.stream.is_pending(), "what comes after it is not");
}

#[test]
fn losses_that_numbers_tell_count_in_overwrite_mode_alone() {
    for (mode, lost) in [(Mode::Discard, 2), (Mode::Overwrite, 9)] {
        let mut world = World::local();
        world.stream.unwritten_packets = 2;
        world.does.change(|it| {
            it.mode = mode;
            it.losses = Losses { discarded_events: 3, lost_packets: 7 };
        });
        let losses = world.stream.losses();
        assert_eq!((losses.discarded_events, losses.lost_packets), (3, lost));
    }
}

#[test]
fn a_stream_rotates_with_the_packet_that_was_open() {
    let mut world = World::local();
    let (old, _chunk) = world.open();
    let (new, next) = local_chunk(1);
    world.does.produce(2);
    world.stream.begin_rotation(&next, &world.clock);
    assert_eq!(world.does.see(|it| it.flushes.clone()), [FlushMode::Active]);
    world.does.produce(1);
    world.serve();
    assert_eq!([len(&old, "channel0_7"), len(&new, "channel0_7")], [2 * SUBBUF, SUBBUF]);
    assert!(world.stream.is_in(&next));
}

#[test]
fn a_stream_that_had_no_packet_leaves_an_empty_one() {
    let mut world = World::local();
    let (_old, _chunk) = world.open();
    let (_new, next) = local_chunk(1);
    world.stream.begin_rotation(&next, &world.clock);
    assert_eq!(world.does.see(|it| it.flushes.clone()), [FlushMode::Full]);
}

#[test]
fn a_stream_that_is_in_no_trace_chunk_closes_nothing_to_enter_one() {
    let mut world = World::local();
    let (_new, next) = local_chunk(1);
    world.stream.begin_rotation(&next, &world.clock);
    assert!(world.does.see(|it| it.flushes.is_empty()));
    world.stream.rotation_told(&world.clock, &mut world.relays);
    assert!(world.stream.is_in(&next));
}

#[test]
fn a_trace_chunk_begins_at_the_time_of_its_rotation() {
    let mut world = World::local();
    let (_old, _chunk) = world.open();
    let (_new, next) = local_chunk(1);
    world.stream.begin_rotation(&next, &world.clock);
    world.stream.rotation_told(&world.clock, &mut world.relays);
    assert_eq!(world.does.see(|it| it.begun), 1);
}

/// A packet that finds no room when it is to begin, by `begin`, begins when what was there has been read.
fn is_begun_by_reading(begin: impl FnOnce(&mut DataStream, &PacketClock)) {
    let mut world = World::local();
    let (_directory, _chunk) = world.open();
    world.does.change(|it| it.begins = BeginOutcome::NoRoom);
    begin(&mut world.stream, &world.clock);
    world.does.change(|it| it.begins = BeginOutcome::Begun);
    world.does.produce(1);
    world.serve();
    assert_eq!(world.does.see(|it| it.begun), 2);
    assert!(!world.stream.packet_due.is_due());
}

#[test]
fn a_trace_chunk_that_finds_no_room_for_its_first_packet_gets_it_by_reading() {
    is_begun_by_reading(|stream, clock| stream.begin_packet(clock));
}

#[test]
fn a_stream_that_is_in_the_trace_chunk_already_leaves_it_for_none() {
    let mut world = World::local();
    let (_directory, chunk) = world.open();
    world.stream.begin_rotation(&chunk, &world.clock);
    world.stream.rotation_told(&world.clock, &mut world.relays);
    assert!(world.stream.chunk.is_none());
    assert!(matches!(world.stream.output, Output::Nowhere));
}

#[test]
fn a_stream_that_is_lost_leaves_its_trace_chunk_at_once() {
    let mut world = World::local();
    let (_directory, _chunk) = world.open();
    let (_new, next) = local_chunk(1);
    world.does.change(|it| it.lost = true);
    world.stream.begin_rotation(&next, &world.clock);
    assert!(world.stream.chunk.is_none() && world.stream.rotation.is_none());
}

#[test]
fn one_rotation_comes_to_its_end_before_the_next_one() {
    let mut world = World::local();
    let (old, _chunk) = world.open();
    let (_new, next) = local_chunk(1);
    world.does.produce(3);
    world.stream.begin_rotation(&next, &world.clock);
    world.stream.read_to_rotation(&world.clock, &mut world.relays);
    assert!(world.stream.is_in(&next));
    assert_eq!(len(&old, "channel0_7"), 3 * SUBBUF);
}

#[test]
fn a_stream_waits_with_its_rotation_until_its_relay_daemon_was_told() {
    let mut world = World::remote(false);
    let next = chunk(1, ChunkPlace::Remote);
    world.stream.begin_rotation(&next, &world.clock);
    assert_eq!(world.serve(), TurnEnd::Rotating);
    assert!(!world.stream.is_in(&next));
    world.stream.rotation_told(&world.clock, &mut world.relays);
    assert!(world.stream.is_in(&next));
    assert!(world.stream.output.is_remote(), "it stays at its relay daemon");
}

#[test]
fn packets_of_a_live_stream_wait_for_their_metadata() {
    let mut world = World::remote(true);
    assert_eq!(world.serve(), TurnEnd::Idle, "there is nothing to describe");
    world.does.produce(1);
    assert_eq!(world.serve(), TurnEnd::Undescribed);
    world.stream.described.awaits();
    assert_eq!(world.serve(), TurnEnd::Idle);
    assert!(world.stream.described.released(SUBBUF));
    assert_eq!(world.serve(), TurnEnd::Idle);
    assert_eq!(world.does.see(|it| it.consumed), SUBBUF, "it went its way");
}

#[test]
fn a_clear_before_a_relay_daemon_has_a_packet_begun_at_once() {
    let mut world = World::remote(false);
    world.does.produce(2);
    assert!(world.stream.clear(&world.clock, &mut world.relays));
    assert_eq!(world.serve(), TurnEnd::Idle);
    assert_eq!(world.does.see(|it| it.flushes.clone()), [FlushMode::Full]);
}

#[test]
fn a_clear_of_files_begins_nothing() {
    let mut world = World::local();
    let (_directory, _chunk) = world.open();
    world.does.produce(2);
    assert!(!world.stream.clear(&world.clock, &mut world.relays));
    assert_eq!(world.serve(), TurnEnd::Idle);
    assert_eq!(world.stream.losses().lost_packets, 0, "what is cleared is not lost");
}

#[test]
fn what_a_lost_relay_daemon_had_not_confirmed_is_lost() {
    let mut world = World::remote(false);
    world.stream.lose_output(3);
    assert_eq!(world.stream.losses().lost_packets, 3);
    assert!(world.stream.chunk.is_none() && !world.stream.output.is_remote());
}

#[test]
fn a_stream_that_leaves_its_relay_daemon_goes_nowhere() {
    let mut world = World::remote(false);
    world.stream.leave_relay(&mut world.relays);
    assert!(world.stream.chunk.is_none() && !world.stream.output.is_remote());
    let mut local = World::local();
    let (_directory, chunk) = local.open();
    local.stream.leave_relay(&mut local.relays);
    assert!(local.stream.is_in(&chunk), "files are not left so");
}

#[test]
fn a_pipe_that_wakes_in_vain_is_muted_and_its_end_is_seen() {
    let mut world = World::local();
    let mute = std::iter::repeat_with(|| world.stream.woken()).position(|(_, muted)| muted);
    assert_eq!(mute, Some(64));
    world.does.change(|it| it.wakeup = Wakeup::HungUp);
    assert_eq!(world.stream.woken(), (Wakeup::HungUp, false));
}

#[test]
fn packets_of_writers_that_are_gone_are_finished() {
    let mut world = World::local();
    world.does.change(|it| it.unfinished_until = Some(5 * SUBBUF));
    world.stream.finish_all_abandoned(&world.clock);
    assert_eq!(world.does.see(|it| it.abandoned.clone()), [5 * SUBBUF]);
}
