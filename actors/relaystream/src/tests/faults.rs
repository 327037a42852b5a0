//! How connections die.

use lttngd_model::StreamKind;
use lttngd_wire::relay::RelayRefusal;

use super::*;

/// A connection with one command answered, two not, and packets on their way.
fn busy() -> (World, [Ticket; 3]) {
    let mut world = World::new();
    let tickets = [1, 2, 3].map(|handle| world.queue(&pending(RelayStreamHandle(handle))));
    world.reply(&ConsumerReply::Pending(true).encode());
    (world, tickets)
}

/// What is left of [`busy`].
fn assert_dead(mut world: World, [first, second, third]: [Ticket; 3]) -> Fault {
    let connection = &mut world.connection;
    assert_eq!(connection.next_outcome(), Some((first, Ok(ConsumerReply::Pending(true)))));
    assert_eq!(connection.next_outcome(), Some((second, Err(CommandError::Gone))));
    assert_eq!(connection.next_outcome(), Some((third, Err(CommandError::Gone))));
    assert_eq!(connection.next_outcome(), None);
    assert_eq!(connection.queue(world.now, &pending(RelayStreamHandle(1))), Err(QueueError::Gone));
    assert!(!connection.ready_for_packet() && !connection.ready_for_metadata());
    assert!(connection.is_idle() && connection.deadline().is_none());
    assert_eq!(connection.interest(), Interest::default());
    // Nothing brings it back.
    connection.on_control_ready(world.now);
    connection.on_data_ready(world.now);
    connection.flush(world.now);
    let mut stream = RelayStream::new(RelayStreamHandle(1));
    let offered = connection.offer_packet(world.now, &mut stream, &[], 0, None);
    assert_eq!(offered, Err(OfferError::Gone));
    world.connection.fault.unwrap()
}

#[test]
fn either_socket_may_close() {
    let (mut world, tickets) = busy();
    world.control.shutdown(std::net::Shutdown::Write).unwrap();
    world.connection.on_control_ready(world.now);
    let fault = assert_dead(world, tickets);
    assert!(matches!(fault, Fault::Closed(StreamKind::Control)), "{fault}");

    let (mut world, tickets) = busy();
    world.data.shutdown(std::net::Shutdown::Write).unwrap();
    world.connection.on_data_ready(world.now);
    let fault = assert_dead(world, tickets);
    assert!(matches!(fault, Fault::Closed(StreamKind::Data)), "{fault}");
}

#[test]
fn a_send_that_fails_is_the_end() {
    let (mut world, tickets) = busy();
    world.data.shutdown(std::net::Shutdown::Both).unwrap();
    let mut stream = RelayStream::new(RelayStreamHandle(1));
    assert_eq!(world.offer(&mut stream, b"x"), Err(OfferError::Gone));
    let fault = assert_dead(world, tickets);
    assert!(matches!(fault, Fault::Broken { socket: StreamKind::Data, .. }), "{fault}");

    let (mut world, tickets) = busy();
    world.control.shutdown(std::net::Shutdown::Read).unwrap();
    world.connection.queue_beacon(
        world.now,
        &RelayStream::new(RelayStreamHandle(1)),
        &PacketIndex::default(),
    );
    world.connection.flush(world.now);
    let fault = assert_dead(world, tickets);
    assert!(matches!(fault, Fault::Broken { socket: StreamKind::Control, .. }), "{fault}");
}

#[test]
fn what_nobody_asked_for_is_the_end() {
    let mut world = World::new();
    world.reply(&[0]);
    let fault = world.connection.fault().unwrap();
    assert!(matches!(fault, Fault::Unasked(StreamKind::Control)), "{fault}");

    let (mut world, tickets) = busy();
    world.data.write_all(&[0]).unwrap();
    world.connection.on_data_ready(world.now);
    let fault = assert_dead(world, tickets);
    assert!(matches!(fault, Fault::Unasked(StreamKind::Data)), "{fault}");
}

#[test]
fn what_is_no_reply_is_the_end() {
    let mut world = World::new();
    world.queue(&ConsumerCommand::TraceChunkExists(ChunkId(1)));
    world.reply(&[0, 0, 0, 10, 2]);
    assert!(matches!(world.connection.fault(), Some(Fault::Malformed(_))));
    assert!(matches!(world.connection.next_outcome(), Some((_, Err(CommandError::Gone)))));

    let mut world = World::new();
    let close =
        lttngd_wire::relay::CloseTraceChunk { chunk_id: ChunkId(1), closed_at_s: 1, command: None };
    world.queue(&ConsumerCommand::CloseTraceChunk(close));
    // A path longer than any.
    world.reply(&[0, 0, 0, 10, 0, 1, 0, 0]);
    assert!(matches!(world.connection.fault(), Some(Fault::Malformed(_))));
}

#[test]
fn a_refused_index_is_the_end() {
    let mut world = World::new();
    let mut stream = RelayStream::new(RelayStreamHandle(1));
    world.offer(&mut stream, b"x").unwrap();
    let ticket = world.queue(&pending(RelayStreamHandle(1)));
    world.reply(&ReplyKind::Code.encode_refusal(RelayRefusal(11)));
    let fault = world.connection.fault().unwrap();
    assert!(matches!(fault, Fault::IndexRefused(RelayRefusal(11))), "{fault}");
    assert_eq!(world.connection.next_outcome(), Some((ticket, Err(CommandError::Gone))));
}

#[test]
fn a_relay_daemon_that_does_not_answer_is_given_up() {
    let (mut world, tickets) = busy();
    let begun = world.now;
    assert_eq!(world.connection.deadline(), Some(begun + TIMEOUT));
    world.now += TIMEOUT - Duration::from_nanos(1);
    world.connection.on_deadline(world.now);
    assert!(world.connection.fault().is_none());
    world.now = begun + TIMEOUT;
    world.connection.on_deadline(world.now);
    let fault = assert_dead(world, tickets);
    assert!(matches!(fault, Fault::Stalled { socket: StreamKind::Control, .. }), "{fault}");
}

#[test]
fn a_slow_relay_daemon_is_not_given_up() {
    let mut world = World::new();
    for _ in 0..10 {
        world.queue(&pending(RelayStreamHandle(1)));
    }
    for _ in 0..10 {
        world.now += TIMEOUT - Duration::from_secs(1);
        world.connection.on_deadline(world.now);
        world.reply(&ConsumerReply::Pending(false).encode());
    }
    assert_eq!(world.connection.deadline(), None);
    world.now += TIMEOUT * 2;
    // The time in which nothing was due does not count.
    world.queue(&pending(RelayStreamHandle(1)));
    world.connection.on_deadline(world.now);
    assert!(world.connection.fault().is_none());
}

#[test]
fn data_that_nobody_reads_has_a_deadline_of_its_own() {
    let mut world = World::of_minor(3);
    let mut stream = RelayStream::new(RelayStreamHandle(1));
    let content = [0; 5000];
    while world.offer(&mut stream, &content).unwrap() == Offered::Sent {}
    let due = world.connection.deadline().unwrap();
    assert_eq!(due, world.now + TIMEOUT);
    let mut bytes = [0; 64 * 1024];
    let read = world.data.read(&mut bytes).unwrap();
    assert!(read > 0);
    world.now += Duration::from_secs(1);
    // The packet moves, and so does the deadline.
    assert_eq!(world.offer(&mut stream, &content), Ok(Offered::Sent));
    while world.offer(&mut stream, &content).unwrap() == Offered::Sent {}
    assert_eq!(world.connection.deadline(), Some(world.now + TIMEOUT));
    world.now += TIMEOUT;
    world.connection.on_deadline(world.now);
    let fault = world.connection.fault().unwrap();
    assert!(matches!(fault, Fault::Stalled { socket: StreamKind::Data, .. }), "{fault}");
}

#[test]
fn a_stream_that_gave_up_its_packet_leaves_no_deadline_behind() {
    let mut world = World::of_minor(3);
    let mut stream = RelayStream::new(RelayStreamHandle(1));
    // Packets small enough to be taken whole or not at all.
    let mut offered = Offered::Sent;
    while offered == Offered::Sent {
        offered = world.offer(&mut stream, b"x").unwrap();
    }
    assert_eq!(offered, Offered::NotReady);
    assert!(world.connection.deadline().is_some() && world.connection.interest().data_writable);
    let mut bytes = [0; 64 * 1024];
    let _ = world.data.read(&mut bytes).unwrap();
    world.connection.on_data_ready(world.now);
    assert_eq!(world.connection.deadline(), None);
    assert!(!world.connection.interest().data_writable);
}
