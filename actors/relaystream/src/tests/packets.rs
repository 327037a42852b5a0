//! Packets and their indexes.

use std::os::fd::BorrowedFd;

use lttngd_wire::relay::SendIndex;
use rustix::io::Errno;

use super::*;

/// More than the socket takes at once.
const LARGE_LEN: usize = 300_000;

fn large() -> Vec<u8> {
    (0_u32..).flat_map(u32::to_ne_bytes).take(LARGE_LEN).collect()
}

fn index_command(handle: RelayStreamHandle, net_seq_num: u64, content: &[u8]) -> ConsumerCommand {
    ConsumerCommand::SendIndex(SendIndex { handle, net_seq_num, index: index_of(content) })
}

#[test]
fn a_packet_is_followed_by_its_index_and_nothing_is_awaited() {
    let mut world = World::new();
    let mut streams =
        [RelayStream::new(RelayStreamHandle(5)), RelayStream::new(RelayStreamHandle(6))];
    assert_eq!(streams[0].last_net_seq_num(), u64::MAX);
    for stream in &mut streams {
        for content in [b"one".as_slice(), b"three"] {
            assert!(world.connection.ready_for_packet());
            assert_eq!(world.offer(stream, content), Ok(Offered::Sent));
        }
    }
    for handle in [5, 6].map(RelayStreamHandle) {
        for (net_seq_num, content) in [(0, b"one".as_slice()), (1, b"three")] {
            let (header, bytes) = world.packet();
            let content_len = u32::try_from(content.len()).unwrap();
            let expected = DataHeader { handle, net_seq_num, content_len, padding_len: 7 };
            assert_eq!((header, bytes.as_slice()), (expected, content));
            assert_eq!(world.command(), index_command(handle, net_seq_num, content));
        }
    }
    let [first, _] = &streams;
    assert_eq!(
        (first.data_pending(), first.close()),
        (
            ConsumerCommand::DataPending { handle: RelayStreamHandle(5), last_net_seq_num: 1 },
            ConsumerCommand::CloseStream { handle: RelayStreamHandle(5), last_net_seq_num: 1 }
        )
    );
    assert!(!world.connection.is_idle(), "replies are due");
    for _ in 0..4 {
        world.reply(&ConsumerReply::Done.encode());
    }
    assert!(world.connection.is_idle() && world.connection.next_outcome().is_none());
}

#[test]
fn a_live_beacon_names_the_last_packet() {
    let mut world = World::new();
    let mut stream = RelayStream::new(RelayStreamHandle(5));
    let index = PacketIndex {
        packet_size_bits: 1,
        timestamp_end: 2,
        stream_id: 3,
        packet_seq_num: 4,
        ..PacketIndex::default()
    };
    let told = PacketIndex { timestamp_end: 2, stream_id: 3, ..PacketIndex::default() };
    for net_seq_num in [u64::MAX, 0] {
        world.connection.queue_beacon(world.now, &stream, &index);
        world.connection.flush(world.now);
        let expected = SendIndex { handle: RelayStreamHandle(5), net_seq_num, index: told };
        assert_eq!(world.command(), ConsumerCommand::SendIndex(expected));
        world.offer(&mut stream, b"x").unwrap();
        world.command();
    }
}

#[test]
fn the_indexes_of_a_stream_are_awaited_and_no_others() {
    let mut world = World::new();
    let mut streams = [
        RelayStream::new(RelayStreamHandle(5)),
        RelayStream::new(RelayStreamHandle(6)),
        RelayStream::new(RelayStreamHandle(7)),
    ];
    let [first, second, idle] = &mut streams;
    assert!(world.connection.has_indexes_of(first));
    world.offer(first, b"one").unwrap();
    world.queue(&ConsumerCommand::StreamsSent);
    world.offer(second, b"two").unwrap();
    let taken = |world: &World, streams: &[RelayStream; 3]| {
        streams.each_ref().map(|stream| world.connection.has_indexes_of(stream))
    };
    assert!(world.connection.has_indexes_of(idle));
    for expected in [[true, false, true], [true, false, true], [true, true, true]] {
        world.reply(&ConsumerReply::Done.encode());
        assert_eq!(taken(&world, &streams), expected);
    }
}

#[test]
fn a_packet_without_an_index_is_a_snapshots() {
    let mut world = World::new();
    let mut stream = RelayStream::new(RelayStreamHandle(5));
    let view = [b"abc".as_slice().into()];
    let offered = world.connection.offer_packet(world.now, &mut stream, &view, 0, None);
    assert_eq!(offered, Ok(Offered::Sent));
    assert_eq!(world.packet().1, b"abc");
    assert!(world.connection.is_idle());
}

#[test]
fn a_packet_goes_on_where_it_stopped() {
    let mut world = World::new();
    let (mut stream, mut other) =
        (RelayStream::new(RelayStreamHandle(5)), RelayStream::new(RelayStreamHandle(6)));
    let content = large();
    let mut arrived = Vec::new();
    let mut rounds = 0;
    while world.offer(&mut stream, &content).unwrap() == Offered::Partial {
        assert_eq!(world.offer(&mut other, b"other"), Ok(Offered::NotReady));
        assert!(!world.connection.ready_for_packet());
        assert!(world.connection.interest().data_writable);
        assert!(!world.has_command(), "no index before its packet");
        let mut bytes = [0; 777];
        let count = world.data.read(&mut bytes).unwrap();
        arrived.extend_from_slice(&bytes[..count]);
        world.connection.on_data_ready(world.now);
        rounds += 1;
    }
    assert!(rounds > 10, "{rounds}");
    let left = DATA_HEADER_LEN + LARGE_LEN - arrived.len();
    arrived.extend(world.data_bytes(left));
    assert_eq!(arrived[DATA_HEADER_LEN..], content);
    assert_eq!(world.command(), index_command(RelayStreamHandle(5), 0, &content));
    assert_eq!(world.offer(&mut other, b"other"), Ok(Offered::Sent));
    assert_eq!(world.packet().1, b"other");
    assert!(!world.connection.interest().data_writable);
}

#[test]
fn the_rest_of_a_packet_can_be_kept() {
    // The socket takes a part of the header, the header, or a part of the packet before it is full.
    for len in [1, 84, 85, 5000, LARGE_LEN] {
        let mut world = World::new();
        let (mut stream, mut other) =
            (RelayStream::new(RelayStreamHandle(5)), RelayStream::new(RelayStreamHandle(6)));
        let content = &large()[..len];
        while world.offer(&mut other, b"fill").unwrap() == Offered::Sent {}
        let filled = other.last_net_seq_num() + 1;
        let mut arrived = Vec::new();
        let mut bytes = [0; 10];
        // Room for a part.
        let mut offered = Offered::NotReady;
        while offered == Offered::NotReady {
            let count = world.data.read(&mut bytes).unwrap();
            arrived.extend_from_slice(&bytes[..count]);
            world.connection.on_data_ready(world.now);
            if world.connection.ready_for_packet() {
                offered = world.offer(&mut stream, content).unwrap();
            } else {
                while world.has_command() {
                    world.command();
                    world.reply(&ConsumerReply::Done.encode());
                }
            }
        }
        let (head, rest) = content.split_at(len.min(84));
        let views = [head, rest].map(SharedBytes::from);
        let index = index_of(content);
        if offered == Offered::Partial {
            world.connection.keep_rest(world.now, &mut stream, &views, 7, Some(&index));
        }
        // Once is enough.
        world.connection.keep_rest(world.now, &mut stream, &views, 7, Some(&index));
        assert_eq!(stream.last_net_seq_num(), 0);
        let whole =
            usize::try_from(filled).unwrap() * (DATA_HEADER_LEN + 4) + DATA_HEADER_LEN + len;
        while arrived.len() < whole {
            let count = world.data.read(&mut bytes).unwrap();
            arrived.extend_from_slice(&bytes[..count]);
            world.connection.on_data_ready(world.now);
        }
        let packet = &arrived[whole - len - DATA_HEADER_LEN..];
        let header = DataHeader::decode(&packet[..DATA_HEADER_LEN]).unwrap();
        assert_eq!((header.handle, header.content_len as usize), (RelayStreamHandle(5), len));
        assert_eq!(&packet[DATA_HEADER_LEN..], content, "{len}");
        assert!(world.connection.ready_for_packet());
        world.connection.flush(world.now);
        let mut last = None;
        while world.has_command() {
            last = Some(world.command());
        }
        assert_eq!(last, Some(index_command(RelayStreamHandle(5), 0, content)));
    }
}

#[test]
fn packets_wait_while_their_indexes_do() {
    let mut world = World::new();
    let mut stream = RelayStream::new(RelayStreamHandle(5));
    let mut sent = 0;
    while world.connection.ready_for_packet() {
        assert_eq!(world.offer(&mut stream, b"x"), Ok(Offered::Sent));
        world.packet();
        sent += 1;
        if sent % 16 == 0 {
            (0..16).for_each(|_| drop(world.command()));
        }
    }
    assert_eq!(sent, INDEXES_IN_FLIGHT_MAX);
    assert_eq!(world.offer(&mut stream, b"x"), Ok(Offered::NotReady));
    assert!(!world.connection.interest().data_writable, "it is the indexes that wait");
    world.reply(&ConsumerReply::Done.encode());
    assert_eq!(world.offer(&mut stream, b"x"), Ok(Offered::Sent));
}

#[test]
fn memory_that_is_gone_costs_its_packet_alone() {
    let file = tempfile::tempfile().unwrap();
    file.set_len(1 << 20).unwrap();
    let (protection, flags) = (rustix::mm::ProtFlags::READ, rustix::mm::MapFlags::SHARED);
    // SAFETY: a new mapping, which stays to the end of the process.
    let start =
        unsafe { rustix::mm::mmap(std::ptr::null_mut(), 1 << 20, protection, flags, &file, 0) }
            .unwrap();
    // The second half is no memory any more.
    file.set_len(1 << 19).unwrap();
    let bytes = |offset: usize, len| {
        // SAFETY: within the mapping; only the system looks at what is gone.
        SharedBytes::from(unsafe {
            std::slice::from_raw_parts(start.cast::<u8>().add(offset), len)
        })
    };
    let mut world = World::new();
    let mut stream = RelayStream::new(RelayStreamHandle(5));
    let gone = [bytes(1 << 19, 4096)];
    let mut offer = |world: &mut World, views: &[SharedBytes<'_>]| {
        let offered =
            world.connection.offer_packet(world.now, &mut stream, views, 0, Some(&index_of(b"")));
        world.connection.flush(world.now);
        offered
    };
    let mut outcome = offer(&mut world, &gone);
    assert_eq!(outcome, Err(OfferError::Unreadable));
    // A part of it is sent before it turns out.
    let half = [bytes((1 << 19) - (1 << 17), 1 << 18)];
    let mut arrived = Vec::new();
    let mut buffer = [0; 4096];
    world.data.set_nonblocking(true).unwrap();
    outcome = offer(&mut world, &half);
    while outcome == Ok(Offered::Partial) {
        let count = world.data.read(&mut buffer).unwrap();
        arrived.extend_from_slice(&buffer[..count]);
        outcome = offer(&mut world, &half);
    }
    assert_eq!(outcome, Err(OfferError::Unreadable));
    while let Ok(count) = world.data.read(&mut buffer) {
        arrived.extend_from_slice(&buffer[..count]);
        world.connection.on_data_ready(world.now);
    }
    let mut arrived = arrived.as_slice();
    let mut numbers = Vec::new();
    while !arrived.is_empty() {
        let header = DataHeader::decode(&arrived[..DATA_HEADER_LEN]).unwrap();
        numbers.push((header.net_seq_num, header.content_len));
        arrived = &arrived[DATA_HEADER_LEN + header.content_len as usize..];
    }
    assert_eq!(numbers.last(), Some(&(numbers.len() as u64 - 1, 1 << 18)));
    assert!(world.connection.fault().is_none() && world.connection.ready_for_packet());
}

#[test]
fn pages_go_on_where_they_stopped_behind_a_header() {
    let mut world = World::new();
    let (mut stream, mut other) =
        (RelayStream::new(RelayStreamHandle(5)), RelayStream::new(RelayStreamHandle(6)));
    let content = large();
    let lens = (u32::try_from(LARGE_LEN).unwrap(), 7);
    let index = index_of(&content);
    let (mut moved, mut arrived) = (0, Vec::new());
    loop {
        let pages = |socket: BorrowedFd<'_>| match rustix::io::write(socket, &content[moved..]) {
            Ok(count) => {
                moved += count;
                Ok(count)
            }
            Err(Errno::AGAIN) => Ok(0),
            Err(errno) => Err(SendError::Socket(errno.into())),
        };
        let offered =
            world.connection.offer_pages(world.now, &mut stream, lens, Some(&index), pages);
        if offered == Ok(Offered::Sent) {
            break;
        }
        assert_eq!(offered, Ok(Offered::Partial));
        assert!(world.connection.has_part_of(&stream) && !world.connection.has_part_of(&other));
        assert_eq!(world.offer(&mut other, b"other"), Ok(Offered::NotReady));
        let mut bytes = [0; 10_007];
        let count = world.data.read(&mut bytes).unwrap();
        arrived.extend_from_slice(&bytes[..count]);
        world.connection.on_data_ready(world.now);
    }
    assert!(!world.connection.has_part_of(&stream));
    let left = DATA_HEADER_LEN + LARGE_LEN - arrived.len();
    arrived.extend(world.data_bytes(left));
    let header = DataHeader::decode(&arrived[..DATA_HEADER_LEN]).unwrap();
    assert_eq!((header.content_len, header.padding_len), lens);
    assert_eq!(arrived[DATA_HEADER_LEN..], content);
    world.connection.flush(world.now);
    assert_eq!(world.command(), index_command(RelayStreamHandle(5), 0, &content));
}

#[test]
fn pages_that_cannot_be_had_leave_the_connection_in_step() {
    let mut world = World::new();
    let mut stream = RelayStream::new(RelayStreamHandle(5));
    let index = index_of(b"abc");
    let none = |_: BorrowedFd<'_>| Err(SendError::Unreadable);
    let offered = world.connection.offer_pages(world.now, &mut stream, (3, 0), Some(&index), none);
    assert_eq!(offered, Err(OfferError::Unreadable));
    world.connection.on_data_ready(world.now);
    let (header, bytes) = world.packet();
    assert_eq!((header.content_len, bytes), (3, vec![0; 3]));
    assert_eq!(world.offer(&mut stream, b"next"), Ok(Offered::Sent));
    assert_eq!(world.packet().1, b"next");
}

#[test]
fn a_socket_that_takes_no_pages_is_the_end_of_the_connection() {
    let mut world = World::new();
    let mut stream = RelayStream::new(RelayStreamHandle(5));
    let broken = |_: BorrowedFd<'_>| Err(SendError::Socket(Errno::PIPE.into()));
    let offered = world.connection.offer_pages(world.now, &mut stream, (3, 0), None, broken);
    assert_eq!(offered, Err(OfferError::Gone));
    assert!(world.connection.fault().is_some());
}
