use std::sync::Arc;

use lttngd_wire::notification::encode_dropped;
use tokio::sync::oneshot;

use crate::outgoing::{Outgoing, WAITING_ALL_MAX_LEN, WAITING_MAX_LEN, waiting_shares};

fn frame(byte: u8, len: usize) -> Arc<[u8]> {
    vec![byte; len].into()
}

fn taken(outgoing: &mut Outgoing) -> Vec<u8> {
    let mut all = Vec::new();
    while let Some(batch) = outgoing.take() {
        all.extend(batch.bytes);
    }
    all
}

#[test]
fn messages_are_written_as_they_came_and_several_at_a_time() {
    let mut outgoing = Outgoing::of(waiting_shares(), 1000);
    assert!(outgoing.take().is_none());
    outgoing.notify(frame(1, 3));
    let (written, is_written) = oneshot::channel();
    outgoing.answer(frame(2, 2), written);
    outgoing.notify(frame(3, 1));
    let batch = outgoing.take().unwrap();
    assert_eq!(batch.bytes, [1, 1, 1, 2, 2, 3]);
    assert_eq!(batch.written.len(), 1);
    drop(batch);
    assert!(is_written.blocking_recv().is_err());
    outgoing.notify(frame(4, 65_545));
    outgoing.notify(frame(5, 1));
    assert_eq!(outgoing.take().unwrap().bytes.len(), 65_545);
    assert_eq!(outgoing.take().unwrap().bytes, [5]);
}

#[test]
fn what_does_not_fit_is_dropped_and_that_is_said_once_where_it_happened() {
    let mut outgoing = Outgoing::of(waiting_shares(), 1000);
    let len = WAITING_MAX_LEN / 4;
    (1..=4).for_each(|byte| outgoing.notify(frame(byte, len)));
    outgoing.notify(frame(5, 1));
    outgoing.drop_one();
    // Somebody takes a part of it: there is room again, behind the word.
    assert_eq!(outgoing.take().unwrap().bytes[0], 1);
    outgoing.notify(frame(6, 1));
    outgoing.notify(frame(7, len));
    outgoing.notify(frame(8, 1));
    let all = taken(&mut outgoing);
    let (first, rest) = all.split_at(3 * len);
    assert_eq!((first[0], first[2 * len]), (2, 4));
    let dropped = encode_dropped();
    let rest = rest.strip_prefix(&dropped[..]).unwrap();
    assert_eq!(rest[0], 6);
    // The seventh did not fit, and the eighth does behind the word of that.
    assert_eq!(rest[1..], [&dropped[..], &[8]].concat());
    // Once all is taken there is another first time.
    outgoing.drop_one();
    assert_eq!(taken(&mut outgoing), dropped);
    outgoing.drop_one();
    assert_eq!(taken(&mut outgoing), dropped);
}

#[test]
fn the_subscribers_of_a_user_leave_memory_to_those_of_others() {
    let shares = waiting_shares();
    let outgoing = |uid| Outgoing::of(shares.clone(), uid);
    let mut greedy: Vec<_> = (0..256).map(|_| outgoing(1000)).collect();
    let fill = |outgoing: &mut Outgoing| {
        for byte in 0..64 {
            outgoing.notify(frame(byte, 64 << 10));
        }
    };
    greedy.iter_mut().for_each(fill);
    assert!(
        shares.taken() > WAITING_ALL_MAX_LEN / 2 && shares.taken() < WAITING_ALL_MAX_LEN * 3 / 4
    );
    let mut other = outgoing(1001);
    other.notify(frame(1, 1 << 20));
    assert_eq!(taken(&mut other).len(), 1 << 20, "it finds room");
    // Those that are told no more know that.
    assert_eq!(taken(&mut greedy[255]), encode_dropped());
    let before = shares.taken();
    taken(&mut greedy[0]);
    assert!(shares.taken() < before - (3 << 20), "what was written is given back");
    drop((greedy, other));
    assert_eq!(shares.taken(), 0);
}
