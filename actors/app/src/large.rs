//! The large requests of one process, of which it holds one at a time. No input or output.

use std::{cell::RefCell, collections::VecDeque, rc::Rc};

use tokio::sync::oneshot;

/// The large requests of one process. As many wait as the process has connections, each of which has one
/// request at a time.
#[derive(Clone, Debug, Default)]
pub(crate) struct LargeRequests(Rc<RefCell<State>>);

#[derive(Debug, Default)]
struct State {
    /// One is read.
    is_held: bool,
    /// The others, in the order in which they came.
    waiting: VecDeque<oneshot::Sender<Large>>,
}

/// The large request that the process holds. The next one is read when it is dropped.
#[derive(Debug)]
pub(crate) struct Large(LargeRequests);

impl LargeRequests {
    /// Waits until the process holds no other one.
    pub(crate) async fn begin(&self) -> Large {
        let waiting = {
            let mut state = self.0.borrow_mut();
            if std::mem::replace(&mut state.is_held, true) {
                let (next, waiting) = oneshot::channel();
                state.waiting.push_back(next);
                Some(waiting)
            } else {
                None
            }
        };
        match waiting {
            // The one before gives its place to this one; it is never dropped unsent.
            Some(waiting) => waiting.await.unwrap_or_else(|_| Large(self.clone())),
            None => Large(self.clone()),
        }
    }
}

impl Drop for Large {
    fn drop(&mut self) {
        let next = {
            let mut state = self.0.0.borrow_mut();
            let next = state.waiting.pop_front();
            state.is_held = next.is_some();
            next
        };
        if let Some(next) = next {
            // Where nobody waits any more, what comes back is dropped and goes to the one behind.
            let _ = next.send(Self(self.0.clone()));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use futures::FutureExt;

    use super::*;

    #[test]
    fn one_is_held_at_a_time_in_the_order_in_which_they_came() {
        let requests = LargeRequests::default();
        let first = requests.begin().now_or_never();
        assert!(first.is_some());
        let (mut second, mut third) = (pin!(requests.begin()), pin!(requests.begin()));
        assert!(second.as_mut().now_or_never().is_none());
        assert!(third.as_mut().now_or_never().is_none());
        drop(first);
        assert!(third.as_mut().now_or_never().is_none());
        let second = second.now_or_never();
        assert!(second.is_some() && third.as_mut().now_or_never().is_none());
        drop(second);
        assert!(third.now_or_never().is_some());
        assert!(requests.begin().now_or_never().is_some(), "nobody holds any more");
    }

    #[test]
    fn those_that_gave_up_are_passed_over() {
        let requests = LargeRequests::default();
        let first = requests.begin().now_or_never();
        let mut last = pin!(requests.begin());
        {
            // One before it was given its place, and one after.
            let mut early = Box::pin(requests.begin());
            let mut late = Box::pin(requests.begin());
            assert!(early.as_mut().now_or_never().is_none());
            assert!(late.as_mut().now_or_never().is_none());
            assert!(last.as_mut().now_or_never().is_none());
            drop(early);
            drop(first);
        }
        assert!(last.now_or_never().is_some());
        assert!(requests.begin().now_or_never().is_some(), "nobody holds any more");
    }
}
