//! Whose listing goes on: of all applications that list few are asked at a time. Each that is asked wakes threads of its
//! own, which are in the way of everybody else's, and is answered no sooner for it.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    rc::Rc,
    time::Duration,
};

use tokio::sync::oneshot;

/// Most applications whose listings are asked at a time.
const ASKED_MAX: usize = 2;
/// For how long an application waits for its turn at most, and then goes on without one: what else is asked of it may wait
/// behind its listing.
const WAIT_MAX: Duration = Duration::from_millis(500);

/// The turns of all listings, in the order in which they ask for one.
#[derive(Clone, Debug, Default)]
pub(crate) struct ListingTurns(Rc<Line>);

#[derive(Debug, Default)]
struct Line {
    asked: Cell<usize>,
    waiting: RefCell<VecDeque<oneshot::Sender<Turn>>>,
}

/// A turn, until it is dropped.
#[derive(Debug)]
pub(crate) struct Turn(Rc<Line>);

impl ListingTurns {
    /// Waits for a turn. `None` for who has waited for long enough.
    pub(crate) async fn next(&self) -> Option<Turn> {
        if let Some(turn) = Line::take(&self.0) {
            return Some(turn);
        }
        let (call, called) = oneshot::channel();
        self.0.waiting.borrow_mut().push_back(call);
        // It has no end: who waits keeps the line.
        tokio::time::timeout(WAIT_MAX, called).await.ok()?.ok()
    }
}

impl Line {
    fn take(line: &Rc<Self>) -> Option<Turn> {
        let is_free = line.asked.get() < ASKED_MAX;
        is_free.then(|| {
            line.asked.set(line.asked.get() + 1);
            Turn(Rc::clone(line))
        })
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let line = &self.0;
        line.asked.set(line.asked.get() - 1);
        loop {
            let first = line.waiting.borrow_mut().pop_front();
            let Some(first) = first else { return };
            // Who does not wait any more is left out.
            if first.is_closed() {
                continue;
            }
            if let Some(turn) = Line::take(line) {
                // Its end is the next one's turn.
                drop(first.send(turn));
            }
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use futures::FutureExt;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn few_have_their_turn_at_a_time_in_the_order_in_which_they_came() {
        let turns = ListingTurns::default();
        let mut having: Vec<_> =
            (0..ASKED_MAX).map(|_| turns.next().now_or_never().unwrap().unwrap()).collect();
        let (mut third, mut fourth) = (Box::pin(turns.next()), Box::pin(turns.next()));
        assert!(third.as_mut().now_or_never().is_none());
        assert!(fourth.as_mut().now_or_never().is_none());
        drop(having.pop());
        assert!(fourth.as_mut().now_or_never().is_none(), "it is the third one's turn");
        let third = third.now_or_never().unwrap().unwrap();
        drop(third);
        assert!(fourth.now_or_never().unwrap().is_some());
        drop(having);
        assert_eq!(turns.0.asked.get(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn who_does_not_wait_any_more_has_none_and_nobody_waits_for_long() {
        let turns = ListingTurns::default();
        let having: Vec<_> =
            (0..ASKED_MAX).map(|_| turns.next().now_or_never().unwrap().unwrap()).collect();
        let mut gone = Box::pin(turns.next());
        assert!(gone.as_mut().now_or_never().is_none());
        drop(gone);
        assert!(turns.next().await.is_none(), "it goes on without one");
        let mut last = Box::pin(turns.next());
        assert!(last.as_mut().now_or_never().is_none());
        drop(having);
        assert!(last.now_or_never().unwrap().is_some());
        assert_eq!(turns.0.asked.get(), 0);
    }
}
