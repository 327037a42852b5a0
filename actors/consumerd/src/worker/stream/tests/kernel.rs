//! What streams of the kernel do that others do not.

use std::{
    io::{ErrorKind, Read},
    os::unix::net::UnixStream,
};

use lttngd_model::RelaySessionId;
use lttngd_relaystream::RelayLimits;
use lttngd_wire::relay::{DATA_HEADER_LEN, Version};

use super::{source::BYTES, *};
use crate::worker::{new::RelaySockets, poller::Poller};

impl World {
    /// Has a relay daemon be there; its ends of the control and the data connection.
    fn connect(&mut self) -> (UnixStream, UnixStream) {
        let [(control, own_control), (data, own_data)] =
            [UnixStream::pair().unwrap(), UnixStream::pair().unwrap()];
        let sockets = RelaySockets {
            net_index: RELAY,
            session: SESSION,
            relay_session_id: RelaySessionId(70),
            version: Version { major: 2, minor: 13 },
            control: own_control.into(),
            data: own_data.into(),
        };
        let mut poller = Poller::new().unwrap();
        self.relays.add(sockets, RelayLimits::default(), &mut poller).unwrap();
        (control, data)
    }
}

#[test]
fn packets_that_can_be_moved_to_files_are_not_read() {
    let mut world = World::local();
    let (directory, _chunk) = world.open();
    world.does.change(|it| it.moves = true);
    world.does.produce(2);
    assert_eq!(world.serve(), TurnEnd::Idle);
    assert_eq!((world.does.see(|it| it.read), world.stream.written.bytes()), (0, 2 * SUBBUF));
    assert_eq!(len(&directory, "channel0_7"), 2 * SUBBUF);
}

/// The packets that came to a relay daemon whole.
fn packets(mut data: &UnixStream) -> Vec<Vec<u8>> {
    let mut bytes = Vec::new();
    data.set_nonblocking(true).unwrap();
    assert_eq!(data.read_to_end(&mut bytes).unwrap_err().kind(), ErrorKind::WouldBlock);
    bytes
        .chunks_exact(DATA_HEADER_LEN + BYTES.len())
        .map(|it| it[DATA_HEADER_LEN..].into())
        .collect()
}

#[test]
fn packets_that_can_be_moved_to_a_relay_daemon_are_not_read() {
    let mut world = World::remote(false);
    let (_control, data) = world.connect();
    world.does.change(|it| it.moves = true);
    world.does.produce(2);
    assert_eq!(world.serve(), TurnEnd::Idle);
    assert_eq!(packets(&data), [BYTES, BYTES]);
    assert_eq!((world.does.see(|it| it.read), world.stream.written.bytes()), (0, 2 * SUBBUF));
}

#[test]
fn what_is_left_of_a_packet_is_moved_when_its_relay_daemon_takes_more() {
    let mut world = World::remote(false);
    let (_control, data) = world.connect();
    world.does.change(|it| (it.moves, it.moves_at_most) = (true, 100));
    world.does.produce(2);
    for _ in 0..2 {
        assert_eq!(world.serve(), TurnEnd::Parked { partly: true });
    }
    assert_eq!(world.stream.written.bytes(), 0);
    world.does.change(|it| it.moves_at_most = usize::MAX);
    assert_eq!(world.serve(), TurnEnd::Idle);
    assert_eq!(packets(&data), [BYTES, BYTES]);
    assert_eq!(world.does.see(|it| it.read), 0);
}

#[test]
fn what_is_left_of_a_packet_is_read_when_its_stream_lets_go_of_it() {
    let mut world = World::remote(false);
    let (_control, data) = world.connect();
    world.does.change(|it| (it.moves, it.moves_at_most) = (true, 100));
    world.does.produce(1);
    assert_eq!(world.serve(), TurnEnd::Parked { partly: true });
    world.stream.clear(&world.clock, &mut world.relays);
    assert_eq!(world.does.see(|it| it.read), 1);
    world.relays.socket_ready(RELAY, false);
    assert_eq!(packets(&data), [BYTES]);
    // Where nothing was sent nothing is read.
    world.stream.clear(&world.clock, &mut world.relays);
    assert_eq!(world.does.see(|it| it.read), 1);
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
