//! Commands and their replies.

use lttngd_wire::relay::{
    AddStream, CloseTraceChunk, CreateTraceChunk, RelayRefusal, RotateStreams, STREAM_PATH_MAX,
};

use super::*;

fn add_stream() -> AddStream {
    AddStream {
        name: "c_0".to_owned(),
        path: "ust/uid/1/64-bit".to_owned(),
        tracefile_size_bytes: 0,
        tracefile_count: 0,
        chunk_id: ChunkId(0),
    }
}

fn close_chunk() -> ConsumerCommand {
    let close = CloseTraceChunk { chunk_id: ChunkId(1), closed_at_s: 2, command: None };
    ConsumerCommand::CloseTraceChunk(close)
}

fn create_chunk() -> ConsumerCommand {
    let create = CreateTraceChunk { chunk_id: ChunkId(1), created_at_s: 2, name: None };
    ConsumerCommand::CreateTraceChunk(create)
}

fn rotate() -> ConsumerCommand {
    ConsumerCommand::RotateStreams(RotateStreams { new_chunk_id: None, positions: Vec::new() })
}

#[test]
fn commands_go_together_and_replies_come_in_their_order() {
    let mut world = World::new();
    let add = ConsumerCommand::AddStream(add_stream());
    let metadata = ConsumerCommand::SendMetadata {
        handle: RelayStreamHandle(4),
        padding_len: 1,
        content: b"text".to_vec(),
    };
    let commands = [
        create_chunk(),
        add,
        ConsumerCommand::StreamsSent,
        metadata,
        pending(RelayStreamHandle(1)),
        close_chunk(),
        ConsumerCommand::TraceChunkExists(ChunkId(1)),
        rotate(),
    ];
    let tickets = commands.each_ref().map(|command| world.queue(command));
    assert_eq!(commands.each_ref().map(|_| world.command()), commands);
    assert_eq!(world.connection.next_outcome(), Some((tickets[3], Ok(ConsumerReply::Done))));
    let refusal = RelayRefusal(97);
    let outcomes: [Outcome; 7] = [
        Ok(ConsumerReply::Done),
        Ok(ConsumerReply::StreamAdded { handle: RelayStreamHandle(77) }),
        Ok(ConsumerReply::Done),
        Ok(ConsumerReply::Pending(true)),
        Ok(ConsumerReply::ChunkClosed { path: "host/s/archives/x".to_owned() }),
        Ok(ConsumerReply::ChunkExists(true)),
        Err(refusal.into()),
    ];
    let bytes: Vec<u8> = outcomes
        .iter()
        .flat_map(|outcome| match outcome {
            Ok(reply) => reply.encode(),
            Err(_) => ReplyKind::Code.encode_refusal(refusal),
        })
        .collect();
    for byte in bytes {
        assert!(!world.connection.is_idle());
        world.reply(&[byte]);
    }
    let [create, add, sent, _, pending, close, exists, rotate] = tickets;
    for (ticket, outcome) in
        [create, add, sent, pending, close, exists, rotate].into_iter().zip(outcomes)
    {
        assert_eq!(world.connection.next_outcome(), Some((ticket, outcome)));
    }
    assert_eq!(world.connection.next_outcome(), None);
    assert!(world.connection.is_idle() && world.connection.deadline().is_none());
}

#[test]
fn every_refusal_leaves_the_connection_as_it_was() {
    let mut world = World::new();
    let commands = [
        ConsumerCommand::AddStream(add_stream()),
        close_chunk(),
        ConsumerCommand::TraceChunkExists(ChunkId(1)),
        pending(RelayStreamHandle(5)),
    ];
    for command in commands {
        let ticket = world.queue(&command);
        world.command();
        let refusal = RelayRefusal(u32::MAX);
        world.reply(&ReplyKind::of(&command).unwrap().encode_refusal(refusal));
        assert_eq!(world.connection.next_outcome(), Some((ticket, Err(refusal.into()))));
    }
    assert!(world.connection.fault().is_none());
}

#[test]
fn old_relay_daemons_are_not_told_what_they_do_not_know() {
    let mut world = World::of_minor(3);
    let reset = ConsumerCommand::ResetMetadata { handle: RelayStreamHandle(1), version: 2 };
    let refused = world.connection.queue(world.now, &reset);
    assert_eq!(refused, Err(QueueError::Unsupported { minor: 3, since_minor: 8 }));
    for (command, reply) in [
        (ConsumerCommand::StreamsSent, ConsumerReply::Done),
        (create_chunk(), ConsumerReply::Done),
        (rotate(), ConsumerReply::Done),
        (close_chunk(), ConsumerReply::ChunkClosed { path: String::new() }),
        (ConsumerCommand::TraceChunkExists(ChunkId(1)), ConsumerReply::ChunkExists(false)),
    ] {
        let ticket = world.queue(&command);
        assert_eq!(world.connection.next_outcome(), Some((ticket, Ok(reply))));
    }
    let mut stream = RelayStream::new(RelayStreamHandle(1));
    assert_eq!(world.offer(&mut stream, b"packet"), Ok(Offered::Sent));
    world.connection.queue_beacon(world.now, &stream, &PacketIndex::default());
    world.connection.flush(world.now);
    assert!(!world.has_command());
    assert!(world.connection.is_idle());
    world.queue(&pending(RelayStreamHandle(1)));
    assert_eq!(world.command(), pending(RelayStreamHandle(1)));
}

#[test]
fn streams_are_told_so_that_relay_daemons_can_take_them() {
    let mut world = World::new();
    let endless = AddStream { tracefile_size_bytes: 4096, ..add_stream() };
    world.queue(&ConsumerCommand::AddStream(endless.clone()));
    let told = AddStream { tracefile_count: 1 << 20, ..endless };
    assert_eq!(world.command(), ConsumerCommand::AddStream(told));
    let long = AddStream { path: "x".repeat(STREAM_PATH_MAX), ..add_stream() };
    let refused = world.connection.queue(world.now, &ConsumerCommand::AddStream(long.clone()));
    assert_eq!(refused, Err(QueueError::TooLong { len: 255, limit: 254 }));
    let mut old = World::of_minor(10);
    old.queue(&ConsumerCommand::AddStream(long.clone()));
    assert_eq!(old.command(), ConsumerCommand::AddStream(long));
    let named = AddStream { name: "x".repeat(264), ..add_stream() };
    assert!(old.connection.queue(old.now, &ConsumerCommand::AddStream(named)).is_err());
}

#[test]
fn what_waits_is_limited() {
    let mut world = World::new();
    for _ in 0..COMMANDS_MAX {
        world.connection.queue(world.now, &pending(RelayStreamHandle(1))).unwrap();
    }
    assert_eq!(
        world.connection.queue(world.now, &pending(RelayStreamHandle(1))),
        Err(QueueError::Full)
    );
    world.connection.flush(world.now);
    world.command();
    world.reply(&ConsumerReply::Pending(false).encode());
    // The outcome is still to be taken.
    assert_eq!(
        world.connection.queue(world.now, &pending(RelayStreamHandle(1))),
        Err(QueueError::Full)
    );
    assert!(world.connection.next_outcome().is_some());
    assert!(world.connection.queue(world.now, &pending(RelayStreamHandle(1))).is_ok());

    let mut world = World::new();
    let content = vec![b'x'; 4096];
    let metadata =
        ConsumerCommand::SendMetadata { handle: RelayStreamHandle(1), padding_len: 0, content };
    let mut queued = 0;
    while world.connection.ready_for_metadata() {
        world.connection.queue(world.now, &metadata).unwrap();
        assert!(world.connection.next_outcome().is_some());
        queued += 1;
    }
    assert_eq!(world.connection.queue(world.now, &metadata), Err(QueueError::Full));
    assert_eq!(queued, CONTROL_UNSENT_MAX_BYTES.div_ceil(24 + 12 + 4096));
    // Other commands are small.
    world.connection.queue(world.now, &pending(RelayStreamHandle(1))).unwrap();
    world.connection.flush(world.now);
    assert!(world.connection.interest().control_writable);
    for _ in 0..queued {
        let mut bytes = vec![0; 24 + 12 + 4096];
        world.control.set_nonblocking(false).unwrap();
        let mut read = 0;
        while read < bytes.len() {
            world.connection.on_control_ready(world.now);
            read += world.control.read(&mut bytes[read..]).unwrap();
        }
    }
    world.connection.on_control_ready(world.now);
    assert_eq!(world.command(), pending(RelayStreamHandle(1)));
    assert!(!world.connection.interest().control_writable);
}
