//! The enumerations of a trace.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, Hasher, RandomState};
use std::sync::Arc;

use lttngd_model::EnumerationEntry;

use super::{Enumeration, RegistryError, Share};

/// Largest count of enumerations in a trace.
pub const ENUMERATIONS_MAX: usize = 1 << 16;
/// Largest count of entries of all enumerations of a trace together.
pub const ENUMERATION_ENTRIES_MAX: usize = 1 << 20;

#[derive(Debug, Default)]
pub(super) struct Enumerations {
    /// By id.
    all: Vec<Arc<Enumeration>>,
    /// By all that makes an enumeration: an application may register any number of one name.
    ids_by_hash: HashMap<u64, Vec<usize>>,
    hasher: RandomState,
    entry_count: usize,
}

impl Enumerations {
    pub(super) fn register(
        &mut self,
        name: &str,
        entries: Vec<EnumerationEntry>,
        share: &mut impl Share,
    ) -> Result<u64, RegistryError> {
        let hash = self.hash(name, &entries);
        let known = self.ids_by_hash.get(&hash).into_iter().flatten().copied().find(|id| {
            self.all.get(*id).is_some_and(|known| {
                known.name == name && are_same_entries(&known.entries, &entries)
            })
        });
        if let Some(id) = known {
            return Ok(id as u64);
        }
        let id = self.all.len();
        let entry_count = self.entry_count.saturating_add(entries.len());
        if id >= ENUMERATIONS_MAX || entry_count > ENUMERATION_ENTRIES_MAX {
            return Err(RegistryError::TooManyEnumerations);
        }
        let known = share.enumeration(Enumeration { name: name.to_owned(), entries })?;
        self.entry_count = entry_count;
        self.ids_by_hash.entry(hash).or_default().push(id);
        self.all.push(known);
        Ok(id as u64)
    }

    /// Of what [`are_same_entries`] compares.
    fn hash(&self, name: &str, entries: &[EnumerationEntry]) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        name.hash(&mut hasher);
        for EnumerationEntry { start, end, label, auto: _ } in entries {
            (start, end, label).hash(&mut hasher);
        }
        hasher.finish()
    }

    /// The entries of the enumeration of this id, provided it has this name.
    pub(super) fn get(&self, name: &str, id: u64) -> Option<&[EnumerationEntry]> {
        let known = self.all.get(usize::try_from(id).ok()?)?;
        (known.name == name).then_some(known.entries.as_slice())
    }
}

/// Whether the entries agree in bounds and labels. Whether a value was given or counted up is no
/// part of it.
fn are_same_entries(left: &[EnumerationEntry], right: &[EnumerationEntry]) -> bool {
    left.len() == right.len()
        && left
            .iter()
            .zip(right)
            .all(|(a, b)| a.start == b.start && a.end == b.end && a.label == b.label)
}
