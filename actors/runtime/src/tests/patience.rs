//! Peers that answer, do not answer, and answer again.

use std::{cell::RefCell, rc::Rc, time::Duration};

use futures::FutureExt;
use tokio::{
    sync::oneshot,
    time::{Instant, advance, sleep},
};

use crate::{AskError, Attention, Patience};

const DEADLINE: Duration = Duration::from_secs(5);
const S: Duration = Duration::from_secs(1);

/// Somebody's patience, and what was told.
fn patience(deadline: Option<Duration>) -> (Patience, Rc<RefCell<Vec<Attention>>>) {
    let told: Rc<RefCell<Vec<_>>> = Rc::default();
    let teller = Rc::clone(&told);
    let tell = move |attention| teller.borrow_mut().push(attention);
    (Patience::new(deadline, tell), told)
}

#[test]
fn who_comes_later_waits_for_the_rest_only() {
    let ((patience, told), begun) = (patience(Some(DEADLINE)), Instant::now());
    assert_eq!(patience.until(begun + S), Some(begun + S + DEADLINE), "it owes nothing");
    patience.asked(begun);
    assert_eq!(patience.until(begun + S), Some(begun + DEADLINE));
    patience.asked(begun + S);
    assert_eq!(patience.until(begun + S * 2), Some(begun + DEADLINE));
    assert!(!patience.sets_aside(begun + S * 4), "too early");
    assert_eq!(told.take(), []);
}

#[test]
fn a_peer_is_set_aside_once_and_taken_back_once() {
    let ((patience, told), begun) = (patience(Some(DEADLINE)), Instant::now());
    patience.asked(begun);
    patience.asked(begun);
    let late = begun + DEADLINE;
    assert!(patience.sets_aside(late) && patience.sets_aside(late) && patience.is_set_aside());
    assert_eq!(told.take(), [Attention::SetAside]);
    // Whatever it is asked meanwhile, nobody waits.
    patience.asked(late + S);
    assert_eq!(patience.until(late + S), Some(late));
    let woken = late + S * 60;
    patience.answered(woken);
    patience.answered(woken);
    assert!(!patience.is_set_aside());
    assert_eq!(told.take(), [Attention::Regained]);
    assert_eq!(patience.until(woken + S), Some(woken + DEADLINE), "it owes two things still");
    assert!(patience.sets_aside(woken + DEADLINE), "it has fallen silent again");
}

#[test]
fn a_peer_that_answers_slowly_is_not_silent() {
    let ((patience, told), begun) = (patience(Some(DEADLINE)), Instant::now());
    patience.asked(begun);
    for step in 1..100 {
        let now = begun + S * 4 * step;
        assert!(!patience.sets_aside(now));
        patience.answered(now);
    }
    assert_eq!(told.take(), []);
}

#[test]
fn a_peer_that_owes_nothing_is_not_set_aside() {
    let ((patience, told), begun) = (patience(Some(DEADLINE)), Instant::now());
    assert!(!patience.sets_aside(begun + DEADLINE * 9));
    patience.asked(begun);
    patience.done();
    assert!(!patience.sets_aside(begun + DEADLINE * 9));
    // What needs no answer is done, or what was asked is withdrawn.
    patience.asked(begun);
    assert!(patience.sets_aside(begun + DEADLINE));
    patience.done();
    assert!(!patience.is_set_aside());
    assert_eq!(told.take(), [Attention::SetAside, Attention::Regained]);
}

#[test]
fn without_a_deadline_nobody_is_set_aside() {
    let ((patience, told), begun) = (patience(None), Instant::now());
    patience.asked(begun);
    assert_eq!(patience.until(begun), None);
    assert!(!patience.sets_aside(begun + DEADLINE * 999));
    assert_eq!(told.take(), []);
}

#[tokio::test(start_paused = true)]
async fn an_answer_or_its_absence_ends_the_wait() {
    for deadline in [None, Some(DEADLINE)] {
        let (patience, told) = patience(deadline);
        patience.asked(Instant::now());
        let (reply, done) = oneshot::channel();
        reply.send(7).unwrap();
        assert_eq!(patience.wait(done).await, Ok(7));
        let (reply, done) = oneshot::channel::<()>();
        drop(reply);
        assert_eq!(patience.wait(done).await, Err(AskError::Gone));
        assert_eq!(told.take(), []);
    }
}

#[tokio::test(start_paused = true)]
async fn all_who_wait_give_up_together_and_the_first_says_so() {
    let ((patience, told), begun) = (patience(Some(DEADLINE)), Instant::now());
    patience.asked(begun);
    let wait = async |after: Duration| {
        sleep(after).await;
        let (_reply, done) = oneshot::channel::<()>();
        assert_eq!(patience.wait(done).await, Err(AskError::TimedOut));
        begun.elapsed()
    };
    let waited = tokio::join!(wait(Duration::ZERO), wait(S), wait(S * 4), wait(S * 60));
    assert_eq!(waited, (DEADLINE, DEADLINE, DEADLINE, S * 60));
    assert_eq!(told.take(), [Attention::SetAside]);
}

#[tokio::test(start_paused = true)]
async fn the_deadline_counts_from_the_last_answer() {
    let ((patience, _), begun) = (patience(Some(DEADLINE)), Instant::now());
    patience.asked(begun);
    let (_reply, done) = oneshot::channel::<()>();
    let answers = async {
        sleep(S * 3).await;
        patience.answered(Instant::now());
    };
    let (waited, ()) = tokio::join!(patience.wait(done), answers);
    assert_eq!((waited, begun.elapsed()), (Err(AskError::TimedOut), S * 3 + DEADLINE));
}

#[tokio::test(start_paused = true)]
async fn whoever_comes_after_the_deadline_does_not_wait() {
    let (patience, _) = patience(Some(DEADLINE));
    patience.asked(Instant::now());
    advance(DEADLINE).await;
    let (_reply, done) = oneshot::channel::<()>();
    let wait = patience.wait(done);
    assert_eq!(wait.now_or_never(), Some(Err(AskError::TimedOut)));
}

#[test]
fn a_peer_that_takes_its_time_for_each_of_many_things_is_set_aside_until_it_was_quick_once() {
    const TOTAL: Duration = Duration::from_secs(20);

    let ((patience, told), begun) = (patience(Some(DEADLINE)), Instant::now());
    let patience = patience.within_total();
    patience.asked(begun);
    for step in 1..7 {
        assert!(!patience.sets_aside(begun + S * 3 * step));
        patience.answered(begun + S * 3 * step);
    }
    // The work of this thread is not its.
    let until = patience.until(begun + S * 19).unwrap();
    assert!(until >= begun + TOTAL && until < begun + TOTAL + S, "{:?}", until - begun);
    let late = begun + TOTAL + S;
    assert!(patience.sets_aside(late));
    patience.answered(late + S);
    assert!(patience.is_set_aside(), "one answer more is none of the whole");
    assert_eq!(told.take(), [Attention::SetAside]);
    // What it is asked next, nobody waits for, and it is quick.
    patience.done();
    assert_eq!(told.take(), [Attention::Regained]);
    patience.asked(Instant::now());
    patience.done();
    patience.asked(begun + TOTAL * 2);
    assert!(!patience.is_set_aside());
}

#[tokio::test(start_paused = true)]
async fn who_needs_a_slow_peer_waits_for_it_once() {
    let (patience, told) = patience(Some(DEADLINE));
    let patience = patience.within_total();
    for waits in [S * 20, Duration::ZERO] {
        let begun = Instant::now();
        patience.asked(begun);
        let (_reply, done) = oneshot::channel::<()>();
        let mut wait = std::pin::pin!(patience.wait(done));
        let answers = async {
            loop {
                sleep(S * 3).await;
                patience.answered(Instant::now());
            }
        };
        let waited = tokio::select! {
            waited = &mut wait => waited,
            () = answers => unreachable!("it answers for ever"),
        };
        assert_eq!(waited, Err(AskError::TimedOut));
        let took = begun.elapsed();
        assert!(took >= waits && took < waits + S, "{took:?}");
        sleep(S * 60).await;
        patience.done();
    }
    let (aside, back) = (Attention::SetAside, Attention::Regained);
    assert_eq!(told.take(), [aside, back, aside, back]);
}
