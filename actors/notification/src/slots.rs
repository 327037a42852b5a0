//! The error counters that event notifiers count in. No input or output.

use std::collections::BTreeSet;

/// Which counters are taken.
#[derive(Debug)]
pub(crate) struct Slots {
    count: u64,
    /// From here on none was ever taken.
    next: u64,
    /// Below that.
    free: BTreeSet<u64>,
}

impl Slots {
    /// So many, all free.
    pub(crate) fn new(count: u64) -> Self {
        Self { count, next: 0, free: BTreeSet::new() }
    }

    /// The first free one.
    pub(crate) fn take(&mut self) -> Option<u64> {
        self.free.pop_first().or_else(|| {
            let slot = self.next;
            (slot < self.count).then(|| {
                self.next += 1;
                slot
            })
        })
    }

    pub(crate) fn give_back(&mut self, slot: u64) {
        if slot < self.next {
            self.free.insert(slot);
        }
    }
}
