//! Whose listing goes on: of all applications that list few are asked at a time. Each that is asked has a thread of its
//! own run to answer, which is in the way of everybody else's, and the listing is over no sooner for it.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    future::poll_fn,
    rc::Rc,
    task::{Poll, Waker},
    time::Duration,
};

use tokio::time::{Instant, sleep_until};

/// Most applications whose listings are asked at a time.
const ASKED_MAX: usize = 2;
/// How long a turn lasts, while others wait for theirs. An application that has not answered by then is waited for beside
/// those that follow.
const TURN_MAX: Duration = Duration::from_millis(20);
/// For how long an application waits for its turn, and then goes on without one: so that many applications with little
/// to list are not asked one after the other, and none is taken for one that does not answer.
const WAIT_MAX: Duration = Duration::from_millis(100);

/// The jobs of one application that wait for no answer and may go on, and what wakes its driver for them: it looks
/// else at those alone that were answered.
#[derive(Debug)]
pub(crate) struct Calls {
    /// A bit for each.
    jobs: Cell<u32>,
    driver: RefCell<Waker>,
}

impl Default for Calls {
    fn default() -> Self {
        Self { jobs: Cell::default(), driver: RefCell::new(Waker::noop().clone()) }
    }
}

impl Calls {
    fn call(&self, job: u32) {
        self.jobs.set(self.jobs.get() | 1 << job);
        self.driver.borrow().wake_by_ref();
    }

    /// The jobs that may go on since this was asked last, a bit for each.
    pub(crate) fn take(&self) -> u32 {
        self.jobs.take()
    }

    /// Waits until there are some.
    pub(crate) async fn called(&self) {
        poll_fn(|context| {
            if self.jobs.get() != 0 {
                return Poll::Ready(());
            }
            self.driver.borrow_mut().clone_from(context.waker());
            Poll::Pending
        })
        .await;
    }
}

/// Who has a turn, and who waits for one with what calls him, `C`. No input or output, no clock.
#[derive(Debug)]
struct Line<C> {
    /// The number of the next one that comes.
    next: u64,
    /// Those that have a turn, until when, in the order in which they got it.
    having: VecDeque<(u64, Instant)>,
    /// Those that wait, until when, in the order in which they came. Nobody does while a turn is free.
    waiting: VecDeque<(u64, Instant, C)>,
}

impl<C> Default for Line<C> {
    fn default() -> Self {
        Self { next: 0, having: VecDeque::new(), waiting: VecDeque::new() }
    }
}

impl<C> Line<C> {
    /// One more comes: its number. It has its turn, unless it is to wait.
    fn come(&mut self, now: Instant, call: C) -> u64 {
        let number = self.next;
        self.next += 1;
        if self.having.len() < ASKED_MAX {
            self.having.push_back((number, now + TURN_MAX));
        } else {
            self.waiting.push_back((number, now + WAIT_MAX, call));
        }
        number
    }

    fn place(&self, number: u64) -> Result<usize, usize> {
        self.waiting.binary_search_by_key(&number, |(number, ..)| *number)
    }

    fn is_waiting(&self, number: u64) -> bool {
        self.place(number).is_ok()
    }

    /// One gives back its turn, or waits for none any more: who is to be called.
    fn leave(&mut self, number: u64, now: Instant) -> Option<C> {
        if let Ok(place) = self.place(number) {
            self.waiting.remove(place);
        }
        self.having.retain(|(having, _)| *having != number);
        self.give(now)
    }

    fn give(&mut self, now: Instant) -> Option<C> {
        if self.having.len() >= ASKED_MAX {
            return None;
        }
        let (number, _, call) = self.waiting.pop_front()?;
        self.having.push_back((number, now + TURN_MAX));
        Some(call)
    }

    /// Takes turns back that have lasted long enough: who is to be called, with a turn or, after so long a time,
    /// without one.
    fn look(&mut self, now: Instant) -> Vec<C> {
        self.having.retain(|(_, until)| *until > now);
        let mut called: Vec<C> = std::iter::from_fn(|| self.give(now)).collect();
        while self.waiting.front().is_some_and(|(_, until, _)| *until <= now) {
            called.extend(self.waiting.pop_front().map(|(_, _, call)| call));
        }
        called
    }

    /// When there is something to [`look`](Self::look) at; `None` while nobody waits.
    fn next_look(&self) -> Option<Instant> {
        let (_, waits_until, _) = self.waiting.front()?;
        let turn_until = self.having.front().map_or(*waits_until, |(_, until)| *until);
        Some(turn_until.min(*waits_until))
    }
}

/// Which job of which application.
type Caller = (Rc<Calls>, u32);

/// The turns of all listings, in the order in which they come. Copies are the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct ListingTurns(Rc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    line: RefCell<Line<Caller>>,
    /// Whether a task takes turns back.
    is_looked_at: Cell<bool>,
}

/// A turn, or the wait for it, until it is dropped.
#[derive(Debug)]
pub(crate) struct Turn {
    shared: Rc<Shared>,
    number: u64,
}

impl ListingTurns {
    /// Waits for a turn for this job of an application, which is called when it may go on. Needs the context of an actor.
    pub(crate) async fn next(&self, calls: &Rc<Calls>, job: u32) -> Turn {
        let shared = Rc::clone(&self.0);
        let number = shared.line.borrow_mut().come(Instant::now(), (Rc::clone(calls), job));
        let turn = Turn { shared, number };
        let is_waiting = || self.0.line.borrow().is_waiting(number);
        if is_waiting() {
            if !self.0.is_looked_at.replace(true) {
                tokio::task::spawn_local(Shared::look(Rc::clone(&self.0)));
            }
            poll_fn(|_| if is_waiting() { Poll::Pending } else { Poll::Ready(()) }).await;
        }
        turn
    }
}

impl Shared {
    /// Takes turns back as long as somebody waits.
    async fn look(self: Rc<Self>) {
        loop {
            let next_look = self.line.borrow().next_look();
            let Some(next_look) = next_look else { break };
            sleep_until(next_look).await;
            let called = self.line.borrow_mut().look(Instant::now());
            called.into_iter().for_each(|(calls, job)| calls.call(job));
        }
        self.is_looked_at.set(false);
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let called = self.shared.line.borrow_mut().leave(self.number, Instant::now());
        if let Some((calls, job)) = called {
            calls.call(job);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use futures::FutureExt;

    use super::*;

    /// A line whose turns are taken, by the numbers from 0 on.
    fn taken(now: Instant) -> Line<char> {
        let mut line = Line::default();
        for number in 0..ASKED_MAX as u64 {
            assert_eq!(line.come(now, '-'), number);
            assert!(!line.is_waiting(number));
        }
        line
    }

    #[test]
    fn few_have_their_turn_at_a_time_in_the_order_in_which_they_came() {
        let now = Instant::now();
        let mut line = taken(now);
        let waiting = ['a', 'b', 'c'].map(|name| line.come(now, name));
        assert!(waiting.iter().all(|number| line.is_waiting(*number)));
        assert_eq!(line.leave(0, now), Some('a'));
        assert!(!line.is_waiting(waiting[0]) && line.is_waiting(waiting[1]));
        // One that is gone has none.
        assert_eq!(line.leave(waiting[1], now), None);
        assert_eq!(line.leave(waiting[0], now), Some('c'));
        assert_eq!((line.leave(1, now), line.leave(waiting[2], now)), (None, None));
        assert!(line.having.is_empty() && line.waiting.is_empty());
        assert_eq!(line.next_look(), None);
    }

    #[test]
    fn a_turn_that_lasts_is_taken_back_for_who_waits() {
        let now = Instant::now();
        let mut line = taken(now);
        assert_eq!(line.next_look(), None, "nobody wants it");
        let waiting = ['a', 'b', 'c'].map(|name| line.come(now, name));
        assert_eq!(line.next_look(), Some(now + TURN_MAX));
        assert_eq!(line.look(now), []);
        let late = now + TURN_MAX;
        assert_eq!(line.look(late), ['a', 'b']);
        // Who gives back what was taken back takes nothing from those who have it now.
        assert_eq!(line.leave(0, late), None);
        assert_eq!(line.having.len(), ASKED_MAX);
        assert_eq!(line.leave(waiting[0], late), Some('c'));
    }

    #[test]
    fn who_has_waited_for_long_goes_on_without_a_turn() {
        let now = Instant::now();
        let mut line = taken(now);
        let many = 2 * ASKED_MAX as u64 * (WAIT_MAX.as_millis() / TURN_MAX.as_millis()) as u64;
        let waiting: Vec<_> = (0..many).map(|_| line.come(now, '-')).collect();
        let mut at = now;
        while let Some(next_look) = line.next_look() {
            assert!(next_look > at && next_look <= now + WAIT_MAX, "the line gets shorter");
            at = next_look;
            assert!(!line.look(at).is_empty());
        }
        assert_eq!(at, now + WAIT_MAX);
        assert!(line.having.len() <= ASKED_MAX);
        waiting.into_iter().for_each(|number| assert_eq!(line.leave(number, at), None));
    }

    #[actix::test]
    async fn who_waits_is_called_when_its_turn_comes() {
        let (turns, calls) = (ListingTurns::default(), Rc::new(Calls::default()));
        let next = |job| Box::pin(turns.next(&calls, job));
        let mut having: Vec<_> =
            (0..ASKED_MAX as u32).map(|job| next(job).now_or_never().unwrap()).collect();
        let (mut waits, mut behind) = (next(5), next(9));
        assert!(waits.as_mut().now_or_never().is_none());
        assert!(behind.as_mut().now_or_never().is_none());
        assert_eq!(calls.take(), 0);
        drop(having.pop());
        assert_eq!(calls.take(), 1 << 5);
        let turn = waits.now_or_never().unwrap();
        // Nobody gives one back now: it is taken.
        calls.called().await;
        while calls.take() != 1 << 9 {
            calls.called().await;
        }
        let last = behind.now_or_never().unwrap();
        drop((having, turn, last));
        assert!(turns.0.line.borrow().having.is_empty());
    }
}
