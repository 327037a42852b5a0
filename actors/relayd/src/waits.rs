//! How many wait for a connection, and since when: the connection's actor counts, and whoever made it looks.

use std::{cell::Cell, rc::Rc, time::Instant};

/// Those who wait. Copies are the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct Waits(Rc<Cell<(usize, Option<Instant>)>>);

impl Waits {
    /// One more waits from now on.
    pub(crate) fn one_more(&self, now: Instant) {
        let (count, since) = self.0.get();
        self.0.set((count + 1, since.or(Some(now))));
    }

    /// All have been answered.
    pub(crate) fn over(&self) {
        self.0.set((0, None));
    }

    /// How many wait, and since when the first of them does.
    pub(crate) fn get(&self) -> (usize, Option<Instant>) {
        self.0.get()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_is_the_first_who_came_since_all_were_answered() {
        let (waits, first) = (Waits::default(), Instant::now());
        let shown = waits.clone();
        assert_eq!(shown.get(), (0, None));
        waits.one_more(first);
        waits.one_more(Instant::now());
        assert_eq!(shown.get(), (2, Some(first)));
        waits.over();
        assert_eq!(shown.get(), (0, None));
    }
}
