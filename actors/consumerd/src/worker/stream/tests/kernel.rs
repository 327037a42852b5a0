//! What streams of the kernel do that others do not.

use super::*;

#[test]
fn packets_that_can_be_moved_to_files_are_read_for_relay_daemons_alone() {
    let mut world = World::local();
    let (directory, _chunk) = world.open();
    world.does.change(|it| it.moves = true);
    world.does.produce(2);
    assert_eq!(world.serve(), TurnEnd::Idle);
    assert_eq!((world.does.see(|it| it.read), world.stream.written.bytes()), (0, 2 * SUBBUF));
    assert_eq!(len(&directory, "channel0_7"), 2 * SUBBUF);
    let mut world = World::remote(false);
    world.does.change(|it| it.moves = true);
    world.does.produce(2);
    world.serve();
    assert_eq!(world.does.see(|it| it.read), 2);
}

#[test]
fn a_stream_ends_with_its_last_packet_though_nothing_woke_for_its_end() {
    let mut world = World::local();
    let (directory, _chunk) = world.open();
    world.does.produce(2);
    assert_eq!(world.serve(), TurnEnd::Idle);
    world.does.fails_once(NoPacket::Ended);
    assert_eq!(world.serve(), TurnEnd::Ended);
    assert!(world.stream.extent.is_hung_up());
    assert_eq!(len(&directory, "channel0_7"), 2 * SUBBUF);
}
