use std::pin::pin;

use futures::FutureExt;
use tokio::sync::oneshot;

use crate::{
    Hold,
    wishes::{Waiter, Wished, Wishes},
};

type Numbers = Wishes<char, u32, Result<(), ()>>;

#[test]
fn the_newest_wish_counts_and_one_job_serves_all_who_wait() {
    let mut wishes = Numbers::default();
    let Wished::Queue(mut first) = wishes.wish('a', Some(1)) else { panic!("no job") };
    let Wished::Queued(mut second) = wishes.wish('a', Some(2)) else { panic!("two jobs") };
    assert!(matches!(wishes.wish('b', Some(3)), Wished::Queue(_)), "another purpose");
    assert_eq!(wishes.newest('a'), Some(2));

    let waiting = wishes.begin('a');
    let Wished::Queue(mut third) = wishes.wish('a', Some(4)) else {
        panic!("it would not be told")
    };
    assert_eq!(waiting.len(), 2);
    waiting.into_iter().for_each(|reply| reply.send(Ok(())).unwrap());
    assert_eq!((first.try_recv(), second.try_recv()), (Ok(Ok(())), Ok(Ok(()))));
    assert!(third.try_recv().is_err());
}

#[test]
fn what_ends_is_forgotten_unless_it_is_wished_again() {
    let mut wishes = Numbers::default();
    assert!(matches!(wishes.wish('a', None), Wished::Nothing));
    let _ = wishes.wish('a', Some(1));
    wishes.begin('a');
    assert!(matches!(wishes.wish('a', None), Wished::Queue(_)), "the peer has it still");
    assert!(wishes.is_known('a') && wishes.newest('a').is_none());
    let _ = wishes.wish('a', Some(2));
    assert!(!wishes.ended('a') && wishes.is_known('a'));
    let _ = wishes.wish('a', None);
    assert!(wishes.ended('a') && !wishes.is_known('a'));
    wishes.begin('a');
    assert!(wishes.ended('a'));
    assert!(matches!(wishes.wish('a', None), Wished::Nothing));
}

#[test]
fn what_comes_and_goes_before_its_job_begins_leaves_nothing() {
    let mut wishes = Numbers::default();
    let Wished::Queue(mut done) = wishes.wish('a', Some(1)) else { panic!("no job") };
    let Wished::TakeBack(waiting) = wishes.wish('a', None) else { panic!("the job stays") };
    waiting.into_iter().for_each(|reply| reply.send(Ok(())).unwrap());
    assert_eq!(done.try_recv(), Ok(Ok(())));
    assert!(!wishes.is_known('a') && wishes.newest('a').is_none());
    assert!(matches!(wishes.wish('a', None), Wished::Nothing));
    // A job that is queued after one that has begun stays: the peer may have something.
    let _ = wishes.wish('a', Some(1));
    wishes.begin('a');
    let _ = wishes.wish('a', Some(2));
    assert!(matches!(wishes.wish('a', None), Wished::Queued(_)));
}

#[test]
fn whoever_gave_up_is_forgotten() {
    let mut wishes = Numbers::default();
    for _ in 0..100 {
        drop(wishes.wish('a', Some(1)));
    }
    assert_eq!(wishes.begin('a').len(), 1, "the last, of which nothing was known when it came");
}

fn keep(wishes: &mut Numbers, wish: u32) -> (bool, oneshot::Receiver<Result<(), ()>>) {
    let (reply, kept) = oneshot::channel();
    (wishes.keep('a', wish, Some(Waiter::Reply(reply))), kept)
}

#[test]
fn who_is_kept_waiting_is_let_go_by_the_job_that_began_after_him() {
    let mut wishes = Numbers::default();
    let (is_new, mut first) = keep(&mut wishes, 1);
    assert!(is_new && wishes.keeps_any());
    assert!(wishes.begin('a').is_empty());
    let (hold, released) = Hold::new();
    let mut released = pin!(released);
    assert!(wishes.keep('a', 2, Some(Waiter::Hold(hold))), "the job that runs has begun before");
    assert!(!wishes.keep('a', 3, None));
    wishes.done('a', || Ok(()));
    assert_eq!(first.try_recv(), Ok(Ok(())));
    assert!(released.as_mut().now_or_never().is_none() && wishes.keeps_any());
    wishes.begin('a');
    assert_eq!(wishes.newest('a'), Some(3));
    wishes.done('a', || Ok(()));
    assert!(released.now_or_never().is_some() && !wishes.keeps_any());
}

#[test]
fn nobody_is_kept_by_a_wish_that_ends() {
    let mut wishes = Numbers::default();
    let (_, mut taken_back) = keep(&mut wishes, 1);
    let Wished::TakeBack(waiting) = wishes.wish('a', None) else { panic!("the job stays") };
    waiting.into_iter().for_each(|reply| reply.send(Ok(())).unwrap());
    assert_eq!(taken_back.try_recv(), Ok(Ok(())));
    // One that has begun, and ends before it was done.
    let (_, mut ended) = keep(&mut wishes, 1);
    wishes.begin('a');
    let _ = wishes.wish('a', None);
    wishes.begin('a');
    assert!(wishes.ended('a'));
    wishes.done('a', || Ok(()));
    assert_eq!(ended.try_recv(), Ok(Ok(())));
    assert!(!wishes.is_known('a') && !wishes.keeps_any());
    assert!(matches!(wishes.wish('a', None), Wished::Nothing));
}

#[test]
fn all_are_let_go_when_nobody_waits_any_more() {
    let mut wishes = Numbers::default();
    let (_, mut running) = keep(&mut wishes, 1);
    wishes.begin('a');
    let (_, mut queued) = keep(&mut wishes, 2);
    for _ in 0..100 {
        // Whoever gives up by himself is forgotten.
        drop(keep(&mut wishes, 3));
    }
    wishes.keep_nobody(|| Err(()));
    assert_eq!((running.try_recv(), queued.try_recv()), (Ok(Err(())), Ok(Err(()))));
    assert!(!wishes.keeps_any());
    assert_eq!(wishes.newest('a'), Some(3), "what is wished stays so");
}
