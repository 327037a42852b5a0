//! Files that find no room when they are to be made.

use super::*;

/// The directory of the streams of a trace chunk, away and back: as long as it is away no file can be made.
struct Room<'a>(&'a TempDir);

impl Room<'_> {
    fn none(&self) {
        std::fs::rename(self.0.path().join("uid"), self.0.path().join("away")).unwrap();
    }

    fn some(&self) {
        std::fs::rename(self.0.path().join("away"), self.0.path().join("uid")).unwrap();
    }
}

#[test]
fn what_finds_no_files_is_lost_and_what_finds_some_later_is_written() {
    let mut world = World::local();
    let (directory, chunk) = local_chunk(0);
    let room = Room(&directory);
    room.none();
    world.stream.chunk = Some(chunk);
    world.does.produce(2);
    assert_eq!(world.serve(), TurnEnd::Idle);
    assert_eq!(world.stream.losses().lost_packets, 2);
    assert_eq!(world.stream.written.bytes(), 0);
    room.some();
    world.does.produce(3);
    world.serve();
    assert_eq!(len(&directory, "channel0_7"), 3 * SUBBUF);
    assert_eq!(world.stream.losses().lost_packets, 2);
}

#[test]
fn a_stream_without_files_goes_to_the_next_trace_chunk() {
    let mut world = World::local();
    let (old, chunk) = local_chunk(0);
    Room(&old).none();
    world.stream.chunk = Some(chunk);
    let (new, next) = local_chunk(1);
    world.does.produce(2);
    world.stream.begin_rotation(&next, &world.clock);
    world.does.produce(1);
    world.serve();
    assert_eq!(world.stream.losses().lost_packets, 2);
    assert!(world.stream.is_in(&next));
    assert_eq!(len(&new, "channel0_7"), SUBBUF);
}

#[test]
fn what_a_stream_without_files_holds_goes_to_the_trace_chunk_that_it_leaves() {
    let mut world = World::local();
    let (old, chunk) = local_chunk(0);
    world.stream.chunk = Some(chunk);
    let (new, next) = local_chunk(1);
    world.does.produce(2);
    world.stream.begin_rotation(&next, &world.clock);
    world.does.produce(1);
    world.serve();
    assert_eq!([len(&old, "channel0_7"), len(&new, "channel0_7")], [2 * SUBBUF, SUBBUF]);
}

#[test]
fn trace_files_of_a_certain_size_begin_with_the_first_one_when_there_is_room() {
    let mut writing = example_writing("channel0", None);
    (writing.tracefile_size_bytes, writing.tracefile_count) = (2 * SUBBUF, 2);
    let mut world = World::of(writing, false, false);
    let (directory, chunk) = local_chunk(0);
    let room = Room(&directory);
    room.none();
    world.stream.chunk = Some(chunk);
    world.does.produce(3);
    world.serve();
    room.some();
    world.does.produce(3);
    world.serve();
    let lens = ["channel0_7_0", "channel0_7_1"].map(|it| len(&directory, it));
    assert_eq!(lens, [2 * SUBBUF, SUBBUF]);
    assert_eq!(world.stream.losses().lost_packets, 3);
}

#[test]
fn a_stream_without_files_is_cleared() {
    let mut world = World::local();
    let (directory, chunk) = local_chunk(0);
    let room = Room(&directory);
    room.none();
    world.stream.chunk = Some(chunk);
    world.does.produce(2);
    assert!(!world.stream.clear(&world.clock, &mut world.relays));
    room.some();
    world.does.produce(1);
    world.serve();
    assert_eq!(len(&directory, "channel0_7"), SUBBUF);
    assert_eq!(world.stream.losses().lost_packets, 0, "what is cleared is not lost");
}
