//! An enumeration as an application describes it.

use std::{
    hash::{BuildHasher, Hash, Hasher, RandomState},
    sync::LazyLock,
};

use lttngd_model::EnumerationEntry;

/// By which digests are made, of its own in each process: nobody can choose enumerations of equal ones.
static KEYS: LazyLock<RandomState> = LazyLock::new(RandomState::new);

/// An enumeration as an application describes it. It may have many thousand labels: what it is found by is made of all of
/// them once, by whoever makes it, and not where it is looked for.
#[derive(Clone, Debug)]
pub struct Enumeration {
    name: String,
    entries: Vec<EnumerationEntry>,
    /// Of what [`is_same`](Self::is_same) compares.
    digest: u64,
}

impl Enumeration {
    /// One of this name, with these entries.
    #[must_use]
    pub fn new(name: impl Into<String>, entries: Vec<EnumerationEntry>) -> Self {
        let name = name.into();
        let mut hasher = KEYS.build_hasher();
        name.hash(&mut hasher);
        for EnumerationEntry { start, end, label, auto: _ } in &entries {
            (start, end, label).hash(&mut hasher);
        }
        Self { name, entries, digest: hasher.finish() }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its entries.
    #[must_use]
    pub fn entries(&self) -> &[EnumerationEntry] {
        &self.entries
    }

    /// What it is found by.
    pub(super) fn digest(&self) -> u64 {
        self.digest
    }

    /// Whether names, bounds and labels agree. Whether a value was given or counted up is no part of it.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        let is_same_entry = |(a, b): (&EnumerationEntry, &EnumerationEntry)| {
            a.start == b.start && a.end == b.end && a.label == b.label
        };
        self.digest == other.digest
            && self.name == other.name
            && self.entries.len() == other.entries.len()
            && self.entries.iter().zip(&other.entries).all(is_same_entry)
    }
}

impl PartialEq for Enumeration {
    fn eq(&self, other: &Self) -> bool {
        self.digest == other.digest && self.name == other.name && self.entries == other.entries
    }
}

impl Eq for Enumeration {}

impl Hash for Enumeration {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.digest.hash(state);
    }
}

#[cfg(test)]
mod tests {
    use lttngd_model::EnumerationValue;

    use super::*;

    fn entry(value: u64, label: &str, auto: bool) -> EnumerationEntry {
        let value = EnumerationValue { value, signed: false };
        EnumerationEntry { start: value, end: value, label: label.to_owned(), auto }
    }

    #[test]
    fn what_differs_in_anything_is_another_enumeration() {
        let one = Enumeration::new("e", vec![entry(1, "a", false), entry(2, "b", false)]);
        for other in [
            Enumeration::new("f", vec![entry(1, "a", false), entry(2, "b", false)]),
            Enumeration::new("e", vec![entry(1, "a", false)]),
            Enumeration::new("e", vec![entry(1, "ab", false), entry(2, "", false)]),
            Enumeration::new("e", vec![entry(1, "a", false), entry(3, "b", false)]),
        ] {
            assert!(one != other && !one.is_same(&other), "{other:?}");
            assert_ne!(one.digest(), other.digest(), "{other:?}");
        }
    }

    #[test]
    fn counting_up_makes_another_value_of_the_same_enumeration() {
        let given = Enumeration::new("e", vec![entry(1, "a", false)]);
        let counted = Enumeration::new("e", vec![entry(1, "a", true)]);
        assert!(given.is_same(&counted) && given != counted);
        assert_eq!(given.digest(), counted.digest());
        assert_eq!(given, given.clone());
    }
}
