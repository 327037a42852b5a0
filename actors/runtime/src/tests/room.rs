//! Room at a peer: nobody is woken by what nobody waits for.

use std::{
    io::{Read, Write},
    os::unix::net::UnixStream,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use crate::{Descriptors, Peer, Purpose, Sent, Shares};

const EXCHANGES: usize = 10;
/// Between what the other end takes and what it says, so that either would be seen by itself.
const PAUSE: Duration = Duration::from_millis(5);

/// A peer that has a place in a budget of so many descriptors, that budget, and the other end.
fn pair_within(limit: u64) -> (Peer, Descriptors, UnixStream) {
    let budget = Descriptors::new(Shares::new(limit, 0));
    let (ours, theirs) = UnixStream::pair().unwrap();
    let held = budget.take(Purpose::Registrations, 1).unwrap();
    (Peer::new(ours.into()).unwrap().with_place(held), budget, theirs)
}

/// Sends until nothing more goes; how much that is.
fn fill(peer: &Peer) -> usize {
    let mut sent = 0;
    loop {
        match peer.try_send(&[7; 4096], &[]).unwrap() {
            Sent::Some(more) => sent += more,
            other => {
                assert_eq!(other, Sent::Full);
                return sent;
            }
        }
    }
}

#[test]
fn a_peer_that_takes_what_it_is_sent_wakes_nobody() {
    let wakeups = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&wakeups);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .on_thread_unpark(move || {
            counted.fetch_add(1, Ordering::SeqCst);
        })
        .build()
        .unwrap();
    runtime.block_on(async {
        let (peer, _budget, mut other) = pair_within(1000);
        let answering = std::thread::spawn(move || {
            for _ in 0..EXCHANGES {
                other.read_exact(&mut [0; 4]).unwrap();
                std::thread::sleep(PAUSE);
                other.write_all(b"done").unwrap();
            }
            other
        });
        let before = wakeups.load(Ordering::SeqCst);
        for _ in 0..EXCHANGES {
            peer.write_all(b"what").await.unwrap();
            peer.read_exact(&mut [0; 4]).await.unwrap();
        }
        let woken = wakeups.load(Ordering::SeqCst) - before;
        assert!(woken <= EXCHANGES, "{woken} times for {EXCHANGES} answers");
        drop(answering.join().unwrap());
    });
}

#[tokio::test]
async fn who_waits_for_room_has_a_descriptor_more_until_there_is_some() {
    let (peer, budget, mut other) = pair_within(1000);
    let filled = fill(&peer);
    let left = budget.left(Purpose::Registrations);
    {
        let mut waiting = pin!(peer.has_room());
        assert!(futures::poll!(waiting.as_mut()).is_pending());
        assert_eq!(budget.left(Purpose::Registrations), left - 1);
        other.read_exact(&mut vec![0; filled]).unwrap();
        waiting.await.unwrap();
    }
    assert_eq!(budget.left(Purpose::Registrations), left);
    assert_eq!(peer.try_send(b"more", &[]).unwrap(), Sent::Some(4));
}

#[tokio::test]
async fn who_gives_up_waiting_for_room_gives_the_descriptor_back() {
    let (peer, budget, other) = pair_within(1000);
    fill(&peer);
    let left = budget.left(Purpose::Registrations);
    for _ in 0..3 {
        let mut waiting = pin!(peer.write_all(b"more"));
        assert!(futures::poll!(waiting.as_mut()).is_pending());
    }
    assert_eq!(budget.left(Purpose::Registrations), left);
    drop(other);
}

#[tokio::test]
async fn without_a_descriptor_left_room_is_found_all_the_same() {
    let (peer, budget, mut other) = pair_within(1000);
    let filled = fill(&peer);
    let _others = budget.take(Purpose::Registrations, budget.left(Purpose::Registrations)).unwrap();
    let mut waiting = pin!(peer.write_all(b"more"));
    assert!(futures::poll!(waiting.as_mut()).is_pending());
    other.read_exact(&mut vec![0; filled]).unwrap();
    waiting.await.unwrap();
    let mut more = [0; 4];
    other.read_exact(&mut more).unwrap();
    assert_eq!(&more, b"more");
}
