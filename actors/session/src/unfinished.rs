//! What a session has begun and not finished, which nobody waits for but its end.

use std::{cell::Cell, rc::Rc};

use tokio::sync::Notify;

/// Counts works that are under way.
#[derive(Debug, Default)]
pub(crate) struct Unfinished {
    count: Cell<usize>,
    none_left: Notify,
}

/// One of them, until it is dropped.
#[derive(Debug)]
pub(crate) struct Work(Rc<Unfinished>);

impl Unfinished {
    /// A work begins.
    pub(crate) fn begin(self: &Rc<Self>) -> Work {
        self.count.set(self.count.get() + 1);
        Work(Rc::clone(self))
    }

    /// Whether nothing is under way.
    pub(crate) fn is_none(&self) -> bool {
        self.count.get() == 0
    }

    /// Waits until nothing is under way.
    pub(crate) async fn none_left(&self) {
        while !self.is_none() {
            self.none_left.notified().await;
        }
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        self.0.count.set(self.0.count.get() - 1);
        if self.0.is_none() {
            self.0.none_left.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use futures::FutureExt;

    use super::*;

    #[test]
    fn the_last_one_is_waited_for() {
        let unfinished = Rc::new(Unfinished::default());
        assert!(unfinished.none_left().now_or_never().is_some());
        let (first, second) = (unfinished.begin(), unfinished.begin());
        let mut waiting = pin!(unfinished.none_left());
        assert!(waiting.as_mut().now_or_never().is_none());
        drop(first);
        assert!(waiting.as_mut().now_or_never().is_none());
        drop(second);
        assert!(waiting.now_or_never().is_some());
    }
}
