//! The loop that all listeners share, on paused time.

use std::{
    cell::{Cell, RefCell},
    io,
    rc::Rc,
    time::{Duration, Instant as StdInstant},
};

use tokio::time::Instant;

use crate::{Count, Counted, Listen, Pace, accept_all};

/// Connections that are there at once, some of which cannot be accepted.
struct Arriving(std::vec::IntoIter<io::Result<u32>>);

impl Listen for Arriving {
    type Connection = u32;

    async fn accept(&mut self) -> io::Result<u32> {
        match self.0.next() {
            Some(arrived) => arrived,
            None => std::future::pending().await,
        }
    }
}

fn failed() -> io::Result<u32> {
    Err(io::Error::other("no descriptor is left"))
}

/// When which connections were admitted, of which there is room for `room` at a time.
async fn admitted(arriving: Vec<io::Result<u32>>, room: usize) -> Vec<(u32, Duration)> {
    let (start, open) = (Instant::now(), Count::default());
    let admitted: Rc<RefCell<Vec<(u32, Duration)>>> = Rc::default();
    let noted = Rc::clone(&admitted);
    let mut served: Vec<Counted> = Vec::new();
    let admit = move |number| {
        let Some(counted) = open.one_of(room) else {
            // Some have left by the time of the next one.
            served.clear();
            return Err(io::Error::other("there are too many"));
        };
        served.push(counted);
        noted.borrow_mut().push((number, start.elapsed()));
        Ok(())
    };
    let listener = Arriving(arriving.into_iter());
    let pace = Pace::default();
    let endless = accept_all("peer", listener, &pace, admit);
    assert!(tokio::time::timeout(Duration::from_secs(3600), endless).await.is_err());
    admitted.take()
}

const fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_accepted_makes_pauses_that_grow_until_something_is() {
    let real = StdInstant::now();
    let arriving = vec![Ok(1), failed(), failed(), failed(), Ok(2), failed(), Ok(3)];
    let expected = [(1, ms(0)), (2, ms(10 + 20 + 40)), (3, ms(70 + 10))];
    assert_eq!(admitted(arriving, 9).await, expected);
    assert!(real.elapsed() < Duration::from_secs(60), "the time is not the machine's");
}

#[tokio::test(start_paused = true)]
async fn a_pause_is_a_second_at_most() {
    let mut arriving: Vec<_> = (0..20).map(|_| failed()).collect();
    arriving.push(Ok(1));
    let grown: u64 = 10 + 20 + 40 + 80 + 160 + 320 + 640;
    assert_eq!(admitted(arriving, 9).await, [(1, ms(grown + 13 * 1000))]);
}

#[tokio::test(start_paused = true)]
async fn a_connection_without_room_is_dropped_and_the_next_one_waits_for_a_moment() {
    let arriving = vec![Ok(1), Ok(2), Ok(3), Ok(4)];
    assert_eq!(admitted(arriving, 2).await, [(1, ms(0)), (2, ms(0)), (4, ms(10))]);
}

#[tokio::test(start_paused = true)]
async fn those_that_come_in_vain_are_taken_slowly_and_all_others_at_once() {
    const IN_VAIN: u32 = 800;

    let (start, pace) = (Instant::now(), Pace::default());
    let arriving = (0..2 * IN_VAIN).map(Ok).collect::<Vec<_>>();
    let taken = RefCell::new(Vec::new());
    let admit = |number| {
        taken.borrow_mut().push(start.elapsed());
        if number < IN_VAIN {
            pace.in_vain(Instant::now());
        }
        Ok(())
    };
    let endless = accept_all("peer", Arriving(arriving.into_iter()), &pace, admit);
    assert!(tokio::time::timeout(Duration::from_secs(3600), endless).await.is_err());
    let taken = taken.take();
    let (last_in_vain, last) = (taken[IN_VAIN as usize - 1], taken[2 * IN_VAIN as usize - 1]);
    assert!(last_in_vain >= ms(95), "eight in a millisecond: {last_in_vain:?}");
    assert!(last - last_in_vain <= ms(2), "nobody waits who becomes something");
}

#[tokio::test]
async fn whoever_comes_as_fast_as_he_can_leaves_the_thread_to_others_again_and_again() {
    const MANY: u32 = 10_000;

    let (pace, admitted) = (Pace::default(), Cell::new(0));
    let admit = |_| {
        admitted.set(admitted.get() + 1);
        Ok(())
    };
    let endless = accept_all(
        "peer",
        Arriving((0..MANY).map(Ok).collect::<Vec<_>>().into_iter()),
        &pace,
        admit,
    );
    let others = async {
        let (mut before, mut most) = (0, 0);
        while admitted.get() < MANY {
            tokio::task::yield_now().await;
            most = most.max(admitted.get() - before);
            before = admitted.get();
        }
        most
    };
    let most = tokio::select! { biased; _ = endless => 0, most = others => most };
    assert!((1..=16).contains(&most), "{most} at a time");
}
