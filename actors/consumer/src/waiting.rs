//! How many requests are under way.

use std::{cell::Cell, rc::Rc};

use crate::ConsumerError;

/// A bounded count of requests that are under way. Copies are the same.
#[derive(Clone, Debug)]
pub(crate) struct Waiting {
    count: Rc<Cell<usize>>,
    max: usize,
}

/// A request that is under way, until this is dropped.
#[derive(Debug)]
#[must_use = "the request counts until it is dropped"]
pub(crate) struct Place(Rc<Cell<usize>>);

impl Waiting {
    pub(crate) fn new(max: usize) -> Self {
        Self { count: Rc::default(), max }
    }

    /// Counts one more.
    ///
    /// # Errors
    /// [`ConsumerError::Busy`] when there are as many as may be.
    pub(crate) fn take(&self) -> Result<Place, ConsumerError> {
        if self.count.get() >= self.max {
            return Err(ConsumerError::Busy);
        }
        self.count.set(self.count.get() + 1);
        Ok(Place(Rc::clone(&self.count)))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn what_is_over_makes_room() {
        let waiting = Waiting::new(2);
        let first = waiting.take().unwrap();
        let _second = waiting.take().unwrap();
        assert!(matches!(waiting.take(), Err(ConsumerError::Busy)));
        drop(first);
        let _third = waiting.take().unwrap();
        assert!(matches!(waiting.take(), Err(ConsumerError::Busy)));
    }
}
