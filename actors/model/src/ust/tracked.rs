//! The set of one tracker.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::TrackerValue;

/// Values and the ids that they mean, in the order in which they were added.
#[derive(Clone, Debug, Default)]
pub(super) struct TrackedSet {
    /// The number of the next value.
    next: u64,
    values: BTreeMap<u64, (TrackerValue, u32)>,
    numbers: HashMap<TrackerValue, u64>,
    ids: HashSet<u32>,
    names_len: usize,
}

impl PartialEq for TrackedSet {
    /// Whether they have the same values in the same order.
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.values.values().eq(other.values.values())
    }
}

impl Eq for TrackedSet {}

impl TrackedSet {
    pub(super) fn len(&self) -> usize {
        self.values.len()
    }

    /// Bytes of the names in it.
    pub(super) fn names_len(&self) -> usize {
        self.names_len
    }

    pub(super) fn contains(&self, value: &TrackerValue) -> bool {
        self.numbers.contains_key(value)
    }

    pub(super) fn contains_id(&self, id: u32) -> bool {
        self.ids.contains(&id)
    }

    pub(super) fn values(&self) -> impl Iterator<Item = &TrackerValue> {
        self.values.values().map(|(value, _)| value)
    }

    /// Adds a value that is not in it, nor is another one with its id.
    pub(super) fn insert(&mut self, value: TrackerValue, id: u32) {
        self.names_len += value.name_len();
        self.numbers.insert(value.clone(), self.next);
        self.values.insert(self.next, (value, id));
        self.ids.insert(id);
        self.next += 1;
    }

    /// Whether the value was in it.
    pub(super) fn remove(&mut self, value: &TrackerValue) -> bool {
        let Some(number) = self.numbers.remove(value) else { return false };
        if let Some((_, id)) = self.values.remove(&number) {
            self.ids.remove(&id);
        }
        self.names_len -= value.name_len();
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_stay_as_they_were() {
        let user = |name: &str| TrackerValue::UserName(name.to_owned());
        let mut set = TrackedSet::default();
        set.insert(user("alice"), 1000);
        set.insert(TrackerValue::Uid(7), 7);
        let before = set.clone();
        assert!(set.remove(&user("alice")) && !set.remove(&user("alice")));
        assert_eq!((set.len(), set.names_len(), set.contains_id(1000)), (1, 0, false));
        set.insert(user("alice"), 1000);
        assert_ne!(set, before, "their order is another");
        assert!(before.values().eq([&user("alice"), &TrackerValue::Uid(7)]));
        assert!(set.values().eq([&TrackerValue::Uid(7), &user("alice")]));
        for set in [&set, &before] {
            assert_eq!((set.len(), set.names_len()), (2, "alice".len()));
            assert!(set.contains(&user("alice")) && set.contains_id(1000));
        }
    }
}
