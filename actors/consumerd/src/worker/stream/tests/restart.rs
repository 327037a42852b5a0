//! Streams whose session starts again.

use super::*;

#[test]
fn a_start_after_a_stop_begins_a_packet() {
    let mut world = World::local();
    let (_directory, _chunk) = world.open();
    world.stream.restart(&world.clock);
    assert_eq!(world.does.see(|it| (it.begun, it.flushes.len())), (1, 0));
}

#[test]
fn a_packet_that_finds_no_room_at_the_start_is_begun_when_there_is_some() {
    is_begun_by_reading(|stream, clock| stream.restart(clock));
}

#[test]
fn a_stream_that_is_in_no_trace_chunk_gets_its_packet_with_the_next_one() {
    let mut world = World::local();
    world.stream.restart(&world.clock);
    assert_eq!(world.does.see(|it| it.begun), 0);
}

#[test]
fn a_stream_that_leaves_its_trace_chunk_gets_its_packet_in_the_next_one() {
    let mut world = World::local();
    let (_directory, _chunk) = world.open();
    let (_new, next) = local_chunk(1);
    world.does.produce(1);
    world.stream.begin_rotation(&next, &world.clock);
    world.stream.restart(&world.clock);
    assert_eq!(world.does.see(|it| it.begun), 0);
    world.stream.rotation_told(&world.clock, &mut world.relays);
    assert_eq!(world.does.see(|it| it.begun), 1);
}

#[test]
fn a_stream_that_nobody_writes_to_any_more_gets_none() {
    let mut world = World::local();
    let (_directory, _chunk) = world.open();
    world.stream.hang_up(&world.clock);
    world.stream.restart(&world.clock);
    assert_eq!(world.does.see(|it| it.begun), 0);
}

#[test]
fn a_packet_that_a_relay_daemon_waits_for_is_begun_as_that_wants_it() {
    let mut world = World::remote(false);
    world.does.produce(2);
    assert!(world.stream.clear(&world.clock, &mut world.relays));
    world.stream.restart(&world.clock);
    assert_eq!(world.does.see(|it| it.begun), 0);
    world.serve();
    assert_eq!(world.does.see(|it| it.flushes.clone()), [FlushMode::Full]);
}
