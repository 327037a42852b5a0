//! Channels that are written to files of this machine.

use super::*;
use crate::worker::example::{SUBBUF, len, local_chunk, make_room};

/// Adds a channel of one stream. Besides the answer, what applications have of it.
fn add_channel(
    world: &mut World,
    chunk: Arc<Chunk>,
    path: Option<&str>,
) -> (Result<(), Code>, Application) {
    let mut writing = example_writing("channel0", None);
    if let Some(path) = path {
        path.clone_into(&mut writing.path);
    }
    let (channel, application) = example_channel(writing, chunk, NO_TIMERS);
    let (reply, mut outcome) = Reply::new();
    world.worker.carry_out(Order::AddChannel(channel, reply));
    (outcome.try_recv().unwrap(), application)
}

#[test]
fn a_channel_that_finds_no_room_for_its_files_is_made_and_written_later() {
    let mut world = World::new();
    let (directory, chunk) = local_chunk(0, world.worker.setup.events.clone());
    let (added, _application) = add_channel(&mut world, chunk, None);
    assert_eq!(added, Ok(()));
    make_room(&directory);
    world.worker.flush_channel(KEY).unwrap();
    world.turn();
    assert_eq!(len(&directory, "channel0_0"), SUBBUF);
    assert_eq!(world.worker.counts(KEY).lost_packets, 0);
}

#[test]
fn what_a_channel_without_files_cannot_write_is_counted_as_lost() {
    let mut world = World::new();
    let (_directory, chunk) = local_chunk(0, world.worker.setup.events.clone());
    let (_, _application) = add_channel(&mut world, chunk, None);
    world.worker.flush_channel(KEY).unwrap();
    world.turn();
    assert_eq!(world.worker.counts(KEY).lost_packets, 1);
}

#[test]
fn a_channel_whose_files_can_never_be_is_refused() {
    let mut world = World::new();
    let (_directory, chunk) = local_chunk(0, world.worker.setup.events.clone());
    let (added, _application) = add_channel(&mut world, chunk, Some("\0"));
    assert_eq!(added, Err(Code::CHANNEL_FAIL));
    assert!(world.worker.channels.is_empty());
}

#[test]
fn metadata_that_finds_no_room_for_its_file_is_taken_and_written_when_the_session_stops() {
    let mut world = World::new();
    let (directory, chunk) = local_chunk(0, world.worker.setup.events.clone());
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
    let (_, _application) = add_channel(&mut world, chunk, None);
    let text = b"text".to_vec();
    let pushed = PushedText { key: METADATA_KEY, offset: 0, version: 0, uuid: None, text };
    world.worker.push_metadata(&pushed).unwrap();
    assert_eq!(len(&directory, "metadata"), 0);
    make_room(&directory);
    world.worker.flush_channel(KEY).unwrap();
    assert!(len(&directory, "metadata") > 0);
}

#[test]
fn a_start_after_a_stop_begins_a_packet_that_ends_with_the_next_stop() {
    let mut world = World::new();
    let (directory, chunk) = local_chunk(0, world.worker.setup.events.clone());
    make_room(&directory);
    let (_, _application) = add_channel(&mut world, chunk, None);
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
    assert_eq!(len(&directory, "channel0_0"), 2 * SUBBUF);
    assert_eq!(world.worker.counts(KEY).lost_packets, 0);
}
