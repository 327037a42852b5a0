//! Data streams.

use std::{
    fs::File,
    io::{ErrorKind, Read},
    os::{
        fd::AsFd,
        unix::{fs::FileExt, net::UnixStream},
    },
    sync::Arc,
};

use lttngd_ringbuffer::{BeginOutcome, FlushMode, FlushOutcome, Positions};
use lttngd_wire::kernel::ReaderCall;
use rustix::io::Errno;

use super::fake::{FakeBuffer, SUBBUF};
use crate::{Calls, KernelStream, NoKernelPacket, NotSent, PACKET_HEADER_LEN};

fn stream(buffer: &Arc<FakeBuffer>, is_mapped: bool) -> KernelStream {
    KernelStream::new(Arc::clone(buffer) as Arc<dyn Calls>, 1, is_mapped).unwrap()
}

fn pair(num_subbuf: u64, overwrites: bool) -> (Arc<FakeBuffer>, KernelStream) {
    let buffer = FakeBuffer::new(num_subbuf, overwrites, true);
    let stream = stream(&buffer, true);
    (buffer, stream)
}

/// Records something in so many packets.
fn packets(buffer: &FakeBuffer, count: u8) {
    for event in 0..count {
        let mut state = buffer.state();
        state.record(event);
        state.close(false);
    }
}

/// The numbers of the packets that are read.
fn numbers(stream: &mut KernelStream) -> Vec<u64> {
    std::iter::from_fn(|| {
        stream.get_next().ok()?;
        let number = stream.packet()?.index.packet_seq_num;
        stream.put_next().ok().map(|()| number)
    })
    .collect()
}

#[test]
fn packets_are_read_in_their_order_and_given_back() {
    let (buffer, mut stream) = pair(4, false);
    assert_eq!(stream.get_next(), Err(NoKernelPacket::Empty));
    packets(&buffer, 3);
    assert!(stream.is_readable().unwrap());
    assert_eq!(stream.packets_left(), Ok(3));
    stream.get_next().unwrap();
    stream.get_next().unwrap();
    let packet = stream.packet().unwrap();
    assert_eq!((packet.index.packet_seq_num, packet.bytes.len() as u64), (0, SUBBUF));
    assert_eq!((packet.index.stream_id, packet.index.stream_instance_id), (3, u64::MAX));
    assert_eq!(packet.index.content_size_bits, (PACKET_HEADER_LEN + 1) * 8);
    assert_eq!(numbers(&mut stream), [0, 1, 2]);
    assert!(!stream.is_readable().unwrap());
    let at = Positions { consumed: 3 * SUBBUF, produced: 3 * SUBBUF };
    assert_eq!((stream.positions(), stream.gauge().positions()), (Ok(at), Some(at)));
    let gauge = stream.gauge();
    drop((stream, buffer));
    assert!(gauge.is_gone() && gauge.positions().is_none());
}

#[test]
fn a_packet_that_is_spliced_is_whole() {
    let buffer = FakeBuffer::new(4, false, false);
    let mut stream = stream(&buffer, false);
    for byte in [5, 6] {
        let mut state = buffer.state();
        (0..2000).for_each(|_| state.record(byte));
        state.close(false);
    }
    for byte in [5, 6] {
        stream.get_next().unwrap();
        assert_eq!(stream.packet().unwrap().bytes, b"", "it is where it was");
        stream.read().unwrap();
        assert_eq!(stream.movable_len(), None, "it is here now");
        let bytes = stream.packet().unwrap().bytes.to_vec();
        let header = usize::try_from(PACKET_HEADER_LEN).unwrap();
        assert_eq!(bytes.len() as u64, SUBBUF);
        assert_eq!(bytes[header..header + 2000], [byte; 2000]);
        assert_eq!(bytes[header + 2000..], vec![0xee; bytes.len() - header - 2000]);
        stream.put_next().unwrap();
    }
    assert_eq!(stream.get_next(), Err(NoKernelPacket::Empty));
    let mapped = KernelStream::new(Arc::clone(&buffer) as Arc<dyn Calls>, 0, true);
    assert!(mapped.unwrap_err().to_string().contains("where its packets are"));
}

/// A file of nobody's.
fn file() -> File {
    rustix::fs::memfd_create("packets", rustix::fs::MemfdFlags::CLOEXEC).unwrap().into()
}

#[test]
fn a_packet_that_is_spliced_goes_to_a_file_whole() {
    let buffer = FakeBuffer::new(4, false, false);
    let mut stream = stream(&buffer, false);
    packets(&buffer, 3);
    let file = file();
    for (number, offset) in [(0, 0), (1, SUBBUF)] {
        stream.get_next().unwrap();
        assert_eq!(stream.movable_len(), Some(SUBBUF));
        if number == 1 {
            // The reader's end of another pipe cannot be written to.
            let (unwritable, _writer) = rustix::pipe::pipe().unwrap();
            assert!(stream.move_to(unwritable.as_fd(), 0).is_err());
            stream.put_next().unwrap();
            stream.get_next().unwrap();
        }
        stream.move_to(file.as_fd(), offset).unwrap();
        stream.put_next().unwrap();
    }
    let mut bytes = vec![0; usize::try_from(2 * SUBBUF).unwrap()];
    file.read_exact_at(&mut bytes, 0).unwrap();
    let header = usize::try_from(PACKET_HEADER_LEN).unwrap();
    let (first, last) = bytes.split_at(bytes.len() / 2);
    assert_eq!((first[header], first[header + 1]), (0, 0xee));
    assert_eq!((last[header], last[header + 1]), (2, 0xee), "nothing of the failed one is in it");
    assert_eq!(file.metadata().unwrap().len(), 2 * SUBBUF);
}

/// A socket that is soon full, and its other end.
fn sockets() -> (UnixStream, UnixStream) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    for end in [&ours, &theirs] {
        end.set_nonblocking(true).unwrap();
    }
    (ours, theirs)
}

/// All that is there.
fn arrived(mut socket: &UnixStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    let end = socket.read_to_end(&mut bytes).map_err(|error| error.kind());
    assert!(matches!(end, Ok(_) | Err(ErrorKind::WouldBlock)), "{end:?}");
    bytes
}

/// Moves up to `at_most` bytes of a packet to a socket, as far as it takes them; how many.
fn send(stream: &mut KernelStream, socket: &UnixStream, len: u64, at_most: usize) -> usize {
    let mut sent = 0;
    while sent < at_most {
        match stream.send_to(socket.as_fd(), len).unwrap() {
            0 => break,
            more => sent += more,
        }
    }
    sent
}

/// Records something in a packet which ends within a page; its content.
fn large_packet(buffer: &FakeBuffer) -> (u64, Vec<u8>) {
    let header = usize::try_from(PACKET_HEADER_LEN).unwrap();
    let events: Vec<u8> = (0..9000).map(|at| u8::try_from(at % 251).unwrap()).collect();
    let mut state = buffer.state();
    events.iter().for_each(|event| state.record(*event));
    state.close(false);
    let content = [vec![0; header], events].concat();
    (content.len() as u64, content)
}

#[test]
fn a_packet_that_is_spliced_goes_to_a_socket_without_what_fills_it_up() {
    let buffer = FakeBuffer::new(4, false, false);
    let mut stream = stream(&buffer, false);
    let (ours, theirs) = sockets();
    for _ in 0..3 {
        let (len, content) = large_packet(&buffer);
        stream.get_next().unwrap();
        let mut sent = 0;
        while sent < content.len() {
            sent += stream.send_to(ours.as_fd(), len).unwrap();
            assert_eq!(stream.movable_len(), Some(SUBBUF), "nothing of it is read");
        }
        assert_eq!(arrived(&theirs), content);
        stream.put_next().unwrap();
    }
    assert_eq!(stream.send_to(ours.as_fd(), 1), Err(NotSent::Buffer(Errno::INVAL)));
}

#[test]
fn what_a_full_socket_does_not_take_goes_on_where_it_stopped() {
    let buffer = FakeBuffer::new(4, false, false);
    let mut stream = stream(&buffer, false);
    let (ours, theirs) = sockets();
    while rustix::io::write(&ours, &[7; 4096]).is_ok() {}
    let (len, content) = large_packet(&buffer);
    stream.get_next().unwrap();
    assert_eq!(stream.send_to(ours.as_fd(), len), Ok(0));
    let before = arrived(&theirs).len();
    assert!(before > 0);
    assert_eq!(send(&mut stream, &ours, len, content.len()), content.len());
    assert_eq!(arrived(&theirs), content);
}

#[test]
fn the_rest_of_a_packet_can_be_read_of_which_a_socket_has_the_beginning() {
    let buffer = FakeBuffer::new(4, false, false);
    let mut stream = stream(&buffer, false);
    let (ours, theirs) = sockets();
    for at_most in [0, 1, 5000, 9084] {
        let (len, content) = large_packet(&buffer);
        stream.get_next().unwrap();
        let sent = send(&mut stream, &ours, len, at_most);
        assert_eq!(arrived(&theirs), content[..sent]);
        stream.read_rest();
        assert_eq!(stream.movable_len(), None);
        let bytes = stream.packet().unwrap().bytes;
        assert_eq!(bytes.len() as u64, SUBBUF);
        assert_eq!(bytes[sent..content.len()], content[sent..], "{sent} were sent");
        stream.put_next().unwrap();
    }
    // Nothing of one that was let go of is in the next.
    let (len, _) = large_packet(&buffer);
    stream.get_next().unwrap();
    send(&mut stream, &ours, len, 1);
    stream.put_next().unwrap();
    arrived(&theirs);
    let (len, content) = large_packet(&buffer);
    stream.get_next().unwrap();
    assert_eq!(send(&mut stream, &ours, len, content.len()), content.len());
    assert_eq!(arrived(&theirs), content);
}

#[test]
fn the_rest_of_a_packet_that_cannot_be_had_is_zeros() {
    let buffer = FakeBuffer::new(4, false, false);
    let mut stream = stream(&buffer, false);
    let (ours, theirs) = sockets();
    let (len, content) = large_packet(&buffer);
    stream.get_next().unwrap();
    let sent = send(&mut stream, &ours, len, 1);
    assert_eq!(arrived(&theirs), content[..sent]);
    buffer.state().splice_fails = Some(Errno::IO);
    assert_eq!(stream.send_to(ours.as_fd(), len), Err(NotSent::Buffer(Errno::IO)));
    assert!(stream.usable().is_err());
    stream.read_rest();
    assert_eq!(stream.packet().unwrap().bytes, vec![0; usize::try_from(SUBBUF).unwrap()]);
}

#[test]
fn a_socket_whose_peer_is_gone_takes_no_pages_and_the_stream_is_left() {
    let buffer = FakeBuffer::new(4, false, false);
    let mut stream = stream(&buffer, false);
    let (ours, theirs) = sockets();
    drop(theirs);
    let (len, _) = large_packet(&buffer);
    stream.get_next().unwrap();
    assert_eq!(stream.send_to(ours.as_fd(), len), Err(NotSent::Socket(Errno::PIPE)));
    stream.put_next().unwrap();
    assert_eq!(stream.usable(), Ok(()));
}

#[test]
fn a_packet_that_is_mapped_is_not_moved() {
    let (buffer, mut stream) = pair(4, false);
    packets(&buffer, 1);
    stream.get_next().unwrap();
    assert_eq!(stream.movable_len(), None);
    let file = file();
    assert_eq!(stream.move_to(file.as_fd(), 0), Err(Errno::INVAL));
}

#[test]
fn no_snapshot_takes_packets_that_would_be_gone_from_their_buffer() {
    let buffer = FakeBuffer::new(4, true, false);
    let mut stream = stream(&buffer, false);
    packets(&buffer, 1);
    stream.take_snapshot(0).unwrap_err();
    assert_eq!(numbers(&mut stream), [0]);
}

#[test]
fn events_and_packets_that_are_lost_are_counted() {
    let (buffer, mut stream) = pair(2, false);
    packets(&buffer, 5);
    assert_eq!(numbers(&mut stream), [0, 1]);
    packets(&buffer, 1);
    assert_eq!(numbers(&mut stream), [2]);
    assert_eq!((stream.losses().discarded_events, stream.losses().lost_packets), (3, 0));
    let (buffer, mut stream) = pair(2, true);
    packets(&buffer, 5);
    assert_eq!(numbers(&mut stream), [4]);
    assert_eq!(stream.losses().lost_packets, 4);
}

#[test]
fn an_open_packet_is_closed_when_it_has_something_or_is_to_be_in_any_case() {
    let (buffer, mut stream) = pair(2, false);
    assert_eq!(stream.flush(FlushMode::Active), Ok(FlushOutcome::Nothing));
    buffer.state().record(1);
    assert_eq!(stream.flush(FlushMode::Active), Ok(FlushOutcome::Closed));
    assert_eq!(stream.begin_packet(), Ok(BeginOutcome::Begun));
    assert_eq!(stream.begin_packet(), Ok(BeginOutcome::NoRoom), "it is full");
    assert_eq!(numbers(&mut stream), [0, 1]);
}

#[test]
fn what_is_cleared_is_no_loss() {
    let (buffer, mut stream) = pair(4, false);
    packets(&buffer, 2);
    stream.get_next().unwrap();
    buffer.state().record(9);
    stream.clear().unwrap();
    assert!(stream.packet().is_none());
    assert_eq!(stream.packets_left(), Ok(0));
    packets(&buffer, 1);
    assert_eq!(numbers(&mut stream), [3]);
    assert_eq!(stream.losses().lost_packets, 0);
}

#[test]
fn a_snapshot_takes_the_newest_packets_and_leaves_them() {
    let (buffer, mut stream) = pair(8, true);
    packets(&buffer, 3);
    buffer.state().record(9);
    for (packets_max, expected) in [(0, vec![0, 1, 2, 3]), (2, vec![2, 3]), (9, vec![0, 1, 2, 3])] {
        stream.take_snapshot(packets_max).unwrap();
        let numbers: Vec<u64> = std::iter::from_fn(|| {
            let number = stream.packet()?.index.packet_seq_num;
            stream.put_snapshot_packet();
            Some(number)
        })
        .collect();
        assert_eq!(numbers, expected, "{packets_max} packets");
    }
    stream.take_snapshot(0).unwrap();
    stream.drop_snapshot();
    assert!(stream.packet().is_none());
}

#[test]
fn a_snapshot_of_nothing_has_a_packet_that_tells_the_time() {
    let (buffer, mut stream) = pair(4, true);
    stream.take_snapshot(0).unwrap();
    assert_eq!(stream.packet().unwrap().index.content_size_bits, PACKET_HEADER_LEN * 8);
    assert!(buffer.state().calls.contains(&ReaderCall::FlushEmpty));
}

#[test]
fn a_packet_of_a_snapshot_that_was_overwritten_is_a_lost_one() {
    let (buffer, mut stream) = pair(4, true);
    packets(&buffer, 3);
    buffer.state().fails = Some((ReaderCall::GetSubbuf, Errno::AGAIN));
    stream.take_snapshot(0).unwrap();
    assert!(stream.packet().is_none());
    assert_eq!(stream.losses().lost_packets, 3);
}

#[test]
fn a_stream_that_nobody_writes_to_ends_with_its_last_packet() {
    let (buffer, mut stream) = pair(4, false);
    packets(&buffer, 2);
    buffer.state().is_ended = true;
    assert_eq!(numbers(&mut stream), [0, 1]);
    assert_eq!(stream.get_next(), Err(NoKernelPacket::Ended));
    assert_eq!((stream.is_readable(), stream.usable()), (Ok(false), Ok(())));
}

#[test]
fn a_stream_that_the_kernel_gave_up_stays_lost() {
    let (buffer, mut stream) = pair(4, false);
    packets(&buffer, 1);
    buffer.state().fails = Some((ReaderCall::GetNext, Errno::IO));
    let Err(NoKernelPacket::Lost(lost)) = stream.get_next() else { panic!("it is lost") };
    assert!(lost.to_string().contains("give a packet"), "{lost}");
    buffer.state().fails = None;
    assert_eq!(stream.get_next(), Err(NoKernelPacket::Lost(lost)));
    assert_eq!((stream.positions(), stream.usable()), (Err(lost), Err(lost)));
    assert_eq!(stream.flush(FlushMode::Full), Err(lost));
}
