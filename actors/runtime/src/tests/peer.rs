//! Sockets with descriptors, against a blocking other end.

use std::{
    fs::File,
    future::poll_fn,
    io::{Read, Write},
    os::{
        fd::{AsFd, AsRawFd},
        unix::net::UnixStream,
    },
    pin::pin,
};

use lttngd_peer::alone;
use rustix::process::{Resource, Rlimit, setrlimit};

use crate::{Peer, PeerError, Sent};

/// A user without rights.
const NOBODY: u32 = 65534;
/// How many descriptors it may have, and have sent.
const LIMIT: usize = 40;

fn pair() -> (Peer, UnixStream) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    (Peer::new(ours.into()).unwrap(), theirs)
}

#[tokio::test]
async fn bytes_cross_in_pieces() {
    let (peer, mut other) = pair();
    let writer = std::thread::spawn(move || {
        for byte in b"hello" {
            other.write_all(&[*byte]).unwrap();
            std::thread::yield_now();
        }
        other
    });
    let mut buffer = [0; 5];
    peer.read_exact(&mut buffer).await.unwrap();
    assert_eq!(&buffer, b"hello");
    drop(writer.join().unwrap());
    assert!(matches!(peer.read_exact(&mut buffer).await, Err(PeerError::Closed)));
    assert!(!peer.read_exact_or_end(&mut buffer).await.unwrap());
}

/// A peer that reads ahead, and its other end.
fn pair_that_reads_ahead() -> (Peer, UnixStream) {
    let (peer, other) = pair();
    (peer.reading_ahead(), other)
}

#[tokio::test]
async fn what_was_read_ahead_is_there_in_the_order_in_which_it_came() {
    // All lengths of frames within what is read ahead, and around it.
    const TOTAL: usize = 200_000;
    let (peer, mut other) = pair_that_reads_ahead();
    let sent: Vec<u8> = (0..TOTAL as u32).map(|i| (i ^ (i >> 8)).to_le_bytes()[0]).collect();
    let bytes = sent.clone();
    let writer = std::thread::spawn(move || {
        let mut rest = bytes.as_slice();
        for len in (1..700).cycle() {
            if rest.is_empty() {
                break;
            }
            let (now, later) = rest.split_at(len.min(rest.len()));
            other.write_all(now).unwrap();
            rest = later;
        }
        other
    });
    let mut got = Vec::new();
    for len in [1, 3, 324, 2047, 2048, 2049, 0, 5000, 612].into_iter().cycle() {
        let mut frame = vec![0; len.min(TOTAL - got.len())];
        peer.read_exact(&mut frame).await.unwrap();
        got.extend(frame);
        if got.len() == TOTAL {
            break;
        }
    }
    assert!(got == sent, "the order of what came is another");
    // What is behind its end is its end.
    let mut other = writer.join().unwrap();
    other.write_all(b"end").unwrap();
    drop(other);
    assert!(matches!(peer.read_exact(&mut [0; 4]).await, Err(PeerError::Closed)));
    assert!(!peer.read_exact_or_end(&mut [0; 4]).await.unwrap());
    assert!(peer.closed().await.is_ok());
}

#[tokio::test]
async fn what_was_read_ahead_and_nobody_asked_for_is_seen() {
    let (peer, mut other) = pair_that_reads_ahead();
    {
        let mut waiting = pin!(peer.closed());
        assert!(futures::poll!(waiting.as_mut()).is_pending());
    }
    other.write_all(b"abc").unwrap();
    peer.read_exact(&mut [0; 2]).await.unwrap();
    assert!(matches!(peer.closed().await, Err(PeerError::Unsolicited)));
    peer.read_exact(&mut [0]).await.unwrap();
    let mut waiting = pin!(peer.closed());
    assert!(futures::poll!(waiting.as_mut()).is_pending());
    drop(other);
    assert!(waiting.await.is_ok());
}

#[tokio::test]
async fn a_peer_that_reads_ahead_wakes_for_each_piece() {
    let (peer, mut other) = pair_that_reads_ahead();
    // Each is awaited before the next is sent: a wake-up that is lost is waited for without end.
    let (next, mut asked) = tokio::sync::mpsc::unbounded_channel::<usize>();
    let writer = std::thread::spawn(move || {
        while let Some(len) = asked.blocking_recv() {
            other.write_all(&vec![7; len]).unwrap();
        }
    });
    for len in (1..400).chain([2048, 2049, 4096]) {
        next.send(len).unwrap();
        let mut bytes = vec![0; len];
        peer.read_exact(&mut bytes).await.unwrap();
        assert!(bytes.iter().all(|byte| *byte == 7));
    }
    drop(next);
    writer.join().unwrap();
}

#[tokio::test]
async fn a_large_write_waits_for_the_reader() {
    let (peer, mut other) = pair();
    let reader = std::thread::spawn(move || {
        let mut all = vec![0; 1 << 20];
        other.read_exact(&mut all).unwrap();
        all
    });
    let sent: Vec<u8> = (0..1 << 20).map(|i: u32| i.to_le_bytes()[1]).collect();
    peer.write_all(&sent).await.unwrap();
    assert_eq!(reader.join().unwrap(), sent);
}

#[tokio::test]
async fn descriptors_cross_close_on_exec() {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let (ours, theirs) = (Peer::new(ours.into()).unwrap(), Peer::new(theirs.into()).unwrap());
    let file = File::open("/dev/null").unwrap();
    ours.write_descriptors(&[file.as_fd(), file.as_fd()]).await.unwrap();
    let got = theirs.read_descriptors(2).await.unwrap();
    for descriptor in &got {
        let flags = rustix::io::fcntl_getfd(descriptor).unwrap();
        assert!(flags.contains(rustix::io::FdFlags::CLOEXEC));
    }
}

#[tokio::test]
async fn a_wrong_count_of_descriptors_is_an_error_and_closes_them() {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let (ours, theirs) = (Peer::new(ours.into()).unwrap(), Peer::new(theirs.into()).unwrap());
    let (reader, writer) = std::io::pipe().unwrap();
    ours.write_descriptors(&[writer.as_fd(), writer.as_fd()]).await.unwrap();
    drop(writer);
    assert!(matches!(
        theirs.read_descriptors(1).await,
        Err(PeerError::Descriptors { expected: 1, got: 2 })
    ));
    let mut rest = Vec::new();
    let mut reader = reader;
    assert_eq!(reader.read_to_end(&mut rest).unwrap(), 0, "no copy of the write end is left");
    ours.write_all(&[0]).await.unwrap();
    assert!(matches!(
        theirs.read_descriptors(1).await,
        Err(PeerError::Descriptors { expected: 1, got: 0 })
    ));
}

#[tokio::test]
async fn a_quiet_peer_that_closes_or_speaks() {
    let (peer, other) = pair();
    let mut waiting = Box::pin(peer.closed());
    assert!(futures::poll!(&mut waiting).is_pending());
    drop(waiting);
    drop(other);
    assert!(peer.closed().await.is_ok());
    let (peer, mut other) = pair();
    other.write_all(b"x").unwrap();
    assert!(matches!(peer.closed().await, Err(PeerError::Unsolicited)));
}

#[test]
fn descriptors_wait_while_too_many_are_sent_and_not_received() {
    // The limit is one of a user without rights, so the test needs a process, and as root a user.
    alone(
        concat!(module_path!(), "::descriptors_wait_while_too_many_are_sent_and_not_received"),
        || {
            if nix::unistd::geteuid().is_root() {
                nix::unistd::setuid(NOBODY.into()).unwrap();
            }
            let limits = Rlimit { current: Some(LIMIT as u64), maximum: Some(LIMIT as u64) };
            setrlimit(Resource::Nofile, limits).unwrap();
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let (ours, theirs) = UnixStream::pair().unwrap();
                let ours = Peer::new(ours.into()).unwrap();
                let theirs = Peer::new(theirs.into()).unwrap();
                let file = File::open("/dev/null").unwrap();
                let some = [file.as_fd(); LIMIT / 2];
                for _ in 0..3 {
                    ours.write_descriptors(&some).await.unwrap();
                }
                let mut waiting = pin!(ours.write_descriptors(&some));
                assert!(futures::poll!(waiting.as_mut()).is_pending());
                for _ in 0..3 {
                    drop(theirs.read_descriptors(some.len()).await.unwrap());
                }
                waiting.await.unwrap();
                assert_eq!(theirs.read_descriptors(some.len()).await.unwrap().len(), some.len());
            });
        },
    );
}

#[tokio::test]
async fn a_peer_that_is_turned_away_finds_the_end_whatever_it_said() {
    let (peer, mut other) = pair();
    other.write_all(&[1; 10_000]).unwrap();
    peer.turn_away();
    assert_eq!(other.read(&mut [0]).unwrap(), 0);
}

#[test]
fn no_room_for_descriptors_is_no_fault_of_the_peer() {
    alone(concat!(module_path!(), "::no_room_for_descriptors_is_no_fault_of_the_peer"), || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (ours, theirs) = UnixStream::pair().unwrap();
            let ours = Peer::new(ours.into()).unwrap();
            let theirs = Peer::new(theirs.into()).unwrap();
            let file = File::open("/dev/null").unwrap();
            let mut room = vec![file.try_clone().unwrap(), file.try_clone().unwrap()];
            let next = File::open("/dev/null").unwrap().as_raw_fd();
            let limit = u64::try_from(next).unwrap();
            let limits = Rlimit { current: Some(limit), maximum: Some(limit) };
            setrlimit(Resource::Nofile, limits).unwrap();
            for (count, left) in [(2, 0), (3, 2), (2, 1)] {
                let freed = room.split_off(room.len() - left);
                drop(freed);
                ours.write_descriptors(&vec![file.as_fd(); count]).await.unwrap();
                ours.write_all(b"next").await.unwrap();
                let cut = theirs.read_descriptors(count).await;
                assert!(
                    matches!(cut, Err(PeerError::NoneLeft { expected, got }) if (expected, got) == (count, left)),
                    "{cut:?}"
                );
                let mut next = [0; 4];
                theirs.read_exact(&mut next).await.unwrap();
                assert_eq!(&next, b"next", "in step");
                room.extend((0..left).map(|_| file.try_clone().unwrap()));
            }
        });
    });
}

#[tokio::test]
async fn bytes_go_together_with_the_descriptors_that_the_first_of_them_carries() {
    let (peer, other) = pair();
    let received = Peer::new(other.into()).unwrap();
    let (reader, mut writer) = std::io::pipe().unwrap();
    peer.write_with_descriptors(b"\0next", &[reader.as_fd()]).await.unwrap();
    peer.write_with_descriptors(&[0], &[reader.as_fd(), writer.as_fd()]).await.unwrap();
    let [first] = received.read_descriptors(1).await.unwrap().try_into().unwrap();
    let mut behind = [0; 4];
    received.read_exact(&mut behind).await.unwrap();
    assert_eq!(&behind, b"next");
    assert_eq!(received.read_descriptors(2).await.unwrap().len(), 2);
    writer.write_all(b"x").unwrap();
    let mut byte = [0];
    File::from(first).read_exact(&mut byte).unwrap();
    assert_eq!(&byte, b"x");
}

/// Appends what comes next; how much it is.
async fn receive_more(peer: &Peer, bytes: &mut Vec<u8>) -> usize {
    poll_fn(|context| peer.poll_receive(context, |more| bytes.extend(more))).await.unwrap()
}

#[tokio::test]
async fn more_is_received_as_it_comes_until_the_end() {
    let (peer, mut other) = pair_that_reads_ahead();
    let mut bytes = b"kept".to_vec();
    {
        let mut waiting = pin!(receive_more(&peer, &mut bytes));
        assert!(futures::poll!(waiting.as_mut()).is_pending());
    }
    other.write_all(b"abcdef").unwrap();
    // A part of it is read in another way; the rest stays in its order.
    peer.read_exact(&mut [0; 2]).await.unwrap();
    assert_eq!(receive_more(&peer, &mut bytes).await, 4);
    assert_eq!(bytes, b"keptcdef");
    other.write_all(&[7; 10_000]).unwrap();
    drop(other);
    while receive_more(&peer, &mut bytes).await > 0 {}
    assert_eq!(bytes.len(), 8 + 10_000);
    let brief = UnixStream::pair().unwrap();
    brief.0.set_nonblocking(true).unwrap();
    let peer = Peer::brief(brief.0.into());
    (&brief.1).write_all(b"x").unwrap();
    assert_eq!(receive_more(&peer, &mut bytes).await, 1);
}

#[tokio::test]
async fn what_does_not_go_at_once_goes_when_the_peer_has_read() {
    let (peer, mut other) = pair();
    let file = File::open("/dev/null").unwrap();
    peer.has_room().await.unwrap();
    let Sent::Some(1) = peer.try_send(b"d", &[file.as_fd()]).unwrap() else { panic!("it goes") };
    let mut sent = 0;
    while let Sent::Some(more) = peer.try_send(&[7; 5000], &[]).unwrap() {
        sent += more;
    }
    assert_eq!(peer.try_send(b"x", &[file.as_fd()]).unwrap(), Sent::Full);
    {
        let mut waiting = pin!(peer.has_room());
        assert!(futures::poll!(waiting.as_mut()).is_pending());
        other.read_exact(&mut vec![0; 1 + sent]).unwrap();
        waiting.await.unwrap();
    }
    assert_eq!(peer.try_send(b"end", &[]).unwrap(), Sent::Some(3));
    drop(other);
    assert!(matches!(peer.try_send(b"x", &[]), Err(PeerError::Closed)));
}

#[tokio::test]
async fn what_is_there_is_read_at_once_and_a_part_of_it_is_kept() {
    let (peer, mut other) = pair_that_reads_ahead();
    let mut bytes = [0; 4];
    assert!(!peer.read_if_there(&mut bytes), "nothing has come");
    other.write_all(b"abcdef").unwrap();
    assert!(peer.read_if_there(&mut bytes));
    assert_eq!(&bytes, b"abcd");
    assert!(!peer.has_closed() && !peer.read_if_there(&mut bytes), "that is not enough");
    other.write_all(b"gh").unwrap();
    drop(other);
    assert!(!peer.read_if_there(&mut bytes), "the first of it is kept already");
    peer.read_exact(&mut bytes).await.unwrap();
    assert_eq!(&bytes, b"efgh");
    assert!(peer.has_closed() && !peer.read_if_there(&mut bytes));
    assert!(!peer.read_exact_or_end(&mut bytes).await.unwrap());
}

#[tokio::test]
async fn a_peer_has_hung_up_when_it_neither_speaks_nor_listens() {
    let (peer, other) = pair();
    let mut waiting = pin!(peer.hung_up());
    assert!(futures::poll!(waiting.as_mut()).is_pending());
    drop(other);
    waiting.await;
    // One that only ends what it says goes on to listen.
    let (peer, other) = pair();
    other.shutdown(std::net::Shutdown::Write).unwrap();
    assert!(peer.closed().await.is_ok());
    assert!(futures::poll!(pin!(peer.hung_up())).is_pending());
    // Nor has one hung up that speaks out of turn.
    let (peer, mut other) = pair();
    other.write_all(b"more").unwrap();
    assert!(futures::poll!(pin!(peer.hung_up())).is_pending());
}
