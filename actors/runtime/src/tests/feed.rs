//! What is told to somebody for whom nobody waits.

use std::{pin::pin, task::Poll, thread};

use futures::{Stream, StreamExt, task::noop_waker};

use crate::{Fed, Feed, feed};

/// What comes next, without waiting for it.
fn look(feed: &mut Feed<u64>) -> Poll<Option<Fed<u64>>> {
    pin!(feed).poll_next(&mut std::task::Context::from_waker(&noop_waker()))
}

#[test]
fn what_was_dropped_is_told_where_it_is_missing_once() {
    let (feeder, mut feed) = feed(2);
    for number in 0..5 {
        assert!(feeder.offer(|| number));
    }
    let item = |number| Poll::Ready(Some(Fed::Item(number)));
    assert_eq!([look(&mut feed), look(&mut feed)], [item(0), item(1)]);
    assert!(feeder.offer(|| 5));
    assert_eq!(look(&mut feed), Poll::Ready(Some(Fed::Missed(3))));
    assert_eq!([look(&mut feed), look(&mut feed)], [item(5), Poll::Pending]);
    feeder.miss();
    assert_eq!(look(&mut feed), Poll::Ready(Some(Fed::Missed(1))), "also when nothing comes after");
    assert_eq!(look(&mut feed), Poll::Pending);
    feeder.miss();
    drop(feeder);
    assert_eq!(look(&mut feed), Poll::Ready(Some(Fed::Missed(1))));
    assert_eq!(look(&mut feed), Poll::Ready(None));
}

/// Takes all of so many numbered items, each of which must stand where it belongs.
async fn take_all(mut feed: Feed<u64>, count: u64) {
    let mut next = 0;
    while let Some(fed) = feed.next().await {
        match fed {
            Fed::Item(number) => {
                assert_eq!(number, next, "so many were given or missed before it");
                next += 1;
            }
            Fed::Missed(missed) => {
                assert!(missed > 0);
                next += missed;
            }
        }
    }
    assert_eq!(next, count);
}

#[test]
fn an_item_that_was_delivered_before_others_were_dropped_is_given_before_that_is_told() {
    const COUNT: u64 = 1_000_000;
    let (feeder, taken) = feed(1);
    let feeding = thread::spawn(move || {
        for number in 0..COUNT {
            assert!(feeder.offer(|| number));
        }
    });
    // In a runtime that makes tasks give way, which is no sign that there is nothing.
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(take_all(taken, COUNT));
    feeding.join().unwrap();
}
