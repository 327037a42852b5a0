//! How many of something there are, told by those themselves.

use std::{cell::Cell, rc::Rc};

/// How many of something there are now.
#[derive(Clone, Debug, Default)]
pub struct Count(Rc<Cell<usize>>);

/// One of those that are counted, until it is dropped: also by a panic, or with a task that is abandoned.
#[derive(Debug)]
pub struct Counted(Count);

impl Count {
    /// How many there are.
    #[must_use]
    pub fn get(&self) -> usize {
        self.0.get()
    }

    /// One more.
    #[must_use]
    pub fn one_more(&self) -> Counted {
        self.0.set(self.0.get() + 1);
        Counted(self.clone())
    }

    /// One more, unless there are `max` already.
    #[must_use]
    pub fn one_of(&self, max: usize) -> Option<Counted> {
        (self.get() < max).then(|| self.one_more())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.0.set(self.0.get() - 1);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn there_are_as_many_as_live() {
        let count = Count::default();
        let first = count.one_of(2).unwrap();
        let second = count.one_more();
        assert!(count.one_of(2).is_none());
        assert_eq!(count.get(), 2);
        drop(first);
        assert_eq!(count.get(), 1);
        let third = count.one_of(2).unwrap();
        let failed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || {
            let _held = (second, third);
            panic!("asked to");
        }));
        assert!(failed.is_err());
        assert_eq!(count.get(), 0);
    }
}
