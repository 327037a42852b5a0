//! The enumerations of a trace.

use std::collections::HashMap;
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
    /// By what an enumeration is found by: an application may register any number of one name.
    ids_by_digest: HashMap<u64, Vec<usize>>,
    entry_count: usize,
}

impl Enumerations {
    pub(super) fn register(
        &mut self,
        enumeration: Enumeration,
        share: &mut impl Share,
    ) -> Result<u64, RegistryError> {
        let digest = enumeration.digest();
        let mut found = self.ids_by_digest.get(&digest).into_iter().flatten().copied();
        let known =
            found.find(|id| self.all.get(*id).is_some_and(|known| known.is_same(&enumeration)));
        if let Some(id) = known {
            return Ok(id as u64);
        }
        let id = self.all.len();
        let entry_count = self.entry_count.saturating_add(enumeration.entries().len());
        if id >= ENUMERATIONS_MAX || entry_count > ENUMERATION_ENTRIES_MAX {
            return Err(RegistryError::TooManyEnumerations);
        }
        let known = share.enumeration(enumeration)?;
        self.entry_count = entry_count;
        self.ids_by_digest.entry(digest).or_default().push(id);
        self.all.push(known);
        Ok(id as u64)
    }

    /// The entries of the enumeration of this id, provided it has this name.
    pub(super) fn get(&self, name: &str, id: u64) -> Option<&[EnumerationEntry]> {
        let known = self.all.get(usize::try_from(id).ok()?)?;
        (known.name() == name).then_some(known.entries())
    }
}
