//! Channels that are written to files of this machine.

use std::path::Path;

use lttngd_runas::Owner;
use lttngd_tracefile::TraceChunk;

use super::*;

const PATH: &str = "uid/0/64-bit";
const SUBBUF: u64 = 4096;

/// A trace chunk in a directory.
fn local(world: &World, directory: &Path) -> Arc<Chunk> {
    let files = std::fs::File::open(directory).unwrap();
    let files = TraceChunk::new(files.into(), Owner::process()).unwrap();
    let events = world.worker.setup.events.clone();
    Chunk::new(SESSION, ChunkId(0), ChunkPlace::Local(files), events)
}

/// Makes the directory of the streams, without which no file can be.
fn make_room(directory: &Path) {
    std::fs::create_dir_all(directory.join(PATH).join("index")).unwrap();
}

fn len(directory: &Path, name: &str) -> u64 {
    std::fs::metadata(directory.join(PATH).join(name)).map_or(0, |it| it.len())
}

/// Adds a channel of one stream. Besides the answer, what applications have of it.
fn add_channel(
    world: &mut World,
    chunk: Arc<Chunk>,
    path: &str,
) -> (Result<(), Code>, [OwnedFd; 3]) {
    let clock = PacketClock::default();
    let mut ring = example_ring(4, false).unwrap();
    let (stream, object) = ring.create_stream(0, Storage::Memory, &clock).unwrap();
    let held = ring.wakeup().unwrap().try_clone_to_owned().unwrap();
    ring.close_wakeup();
    let wakeup = object.wakeup.as_fd().try_clone_to_owned().unwrap();
    let mut writing = example_writing("channel0", None);
    path.clone_into(&mut writing.path);
    let channel = NewChannel {
        held: lttngd_runtime::Descriptors::unlimited().control(0),
        key: KEY,
        writing,
        chunk: Some(chunk),
        end: ChannelEnd::Ring(Box::new(ring)),
        streams: vec![NewStream {
            source: Box::new(stream),
            wakeup: Some(object.wakeup),
            written: Default::default(),
        }],
        shm: None,
        monitored: true,
        is_live: false,
        timers: Timers { switch_us: 0, read_us: 0, live_us: 0 },
    };
    let (reply, mut outcome) = Reply::new();
    world.worker.carry_out(Order::AddChannel(Box::new(channel), reply));
    (outcome.try_recv().unwrap(), [held, wakeup, object.memory])
}

#[test]
fn a_channel_that_finds_no_room_for_its_files_is_made_and_written_later() {
    let directory = tempfile::tempdir().unwrap();
    let mut world = World::new();
    let chunk = local(&world, directory.path());
    let (added, _application) = add_channel(&mut world, chunk, PATH);
    assert_eq!(added, Ok(()));
    make_room(directory.path());
    world.worker.flush_channel(KEY).unwrap();
    world.turn();
    assert_eq!(len(directory.path(), "channel0_0"), SUBBUF);
    assert_eq!(world.worker.counts(KEY).lost_packets, 0);
}

#[test]
fn what_a_channel_without_files_cannot_write_is_counted_as_lost() {
    let directory = tempfile::tempdir().unwrap();
    let mut world = World::new();
    let chunk = local(&world, directory.path());
    let (_, _application) = add_channel(&mut world, chunk, PATH);
    world.worker.flush_channel(KEY).unwrap();
    world.turn();
    assert_eq!(world.worker.counts(KEY).lost_packets, 1);
}

#[test]
fn a_channel_whose_files_can_never_be_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let mut world = World::new();
    let chunk = local(&world, directory.path());
    let (added, _application) = add_channel(&mut world, chunk, "\0");
    assert_eq!(added, Err(Code::CHANNEL_FAIL));
    assert!(world.worker.channels.is_empty());
}

#[test]
fn metadata_that_finds_no_room_for_its_file_is_taken_and_written_when_the_session_stops() {
    let directory = tempfile::tempdir().unwrap();
    let mut world = World::new();
    let chunk = local(&world, directory.path());
    let metadata = NewMetadata {
        key: METADATA_KEY,
        writing: example_writing("metadata", None),
        chunk: Some(Arc::clone(&chunk)),
        uuid: [0; 16],
        monitored: true,
        refresh_interval_us: 0,
    };
    let (reply, mut outcome) = Reply::new();
    world.worker.carry_out(Order::AddMetadata(Box::new(metadata), reply));
    assert_eq!(outcome.try_recv(), Ok(Ok(())));
    let (_, _application) = add_channel(&mut world, chunk, PATH);
    let text = b"text".to_vec();
    let pushed = PushedText { key: METADATA_KEY, offset: 0, version: 0, uuid: None, text };
    world.worker.push_metadata(&pushed).unwrap();
    assert_eq!(len(directory.path(), "metadata"), 0);
    make_room(directory.path());
    world.worker.flush_channel(KEY).unwrap();
    assert!(len(directory.path(), "metadata") > 0);
}

#[test]
fn a_start_after_a_stop_begins_a_packet_that_ends_with_the_next_stop() {
    let directory = tempfile::tempdir().unwrap();
    make_room(directory.path());
    let mut world = World::new();
    let chunk = local(&world, directory.path());
    let (_, _application) = add_channel(&mut world, chunk, PATH);
    world.worker.flush_channel(KEY).unwrap();
    world.worker.clear_quiescent(KEY).unwrap();
    for _ in 0..2 {
        world.worker.open_packets(KEY).unwrap();
        world.turn();
        let slot = world.worker.streams_of(KEY)[0];
        let at = world.worker.streams[slot].produced().unwrap();
        assert_eq!(at / SUBBUF, 1);
        assert!(!at.is_multiple_of(SUBBUF), "one is open");
    }
    world.worker.flush_channel(KEY).unwrap();
    world.turn();
    assert_eq!(len(directory.path(), "channel0_0"), 2 * SUBBUF);
    assert_eq!(world.worker.counts(KEY).lost_packets, 0);
}
