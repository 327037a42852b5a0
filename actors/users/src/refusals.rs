//! How often who was refused what, since the process began.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use crate::NOBODY;

/// Of how many users and things it is counted; of those beyond as if nobody knew who they are.
const COUNTED_MAX: usize = 1 << 14;

/// By user and what it is. Owners of ledgers in all threads count, and whoever wants to know reads: the lock is held
/// for that alone, and a refusal is rare or slow.
static COUNTS: Mutex<BTreeMap<(u32, &'static str), u64>> = Mutex::new(BTreeMap::new());

/// A user was refused some of `what` (a plural).
pub fn count_refusal(uid: u32, what: &'static str) {
    let mut counts = COUNTS.lock().unwrap_or_else(PoisonError::into_inner);
    let is_full = counts.len() >= COUNTED_MAX;
    let known = if is_full && !counts.contains_key(&(uid, what)) { NOBODY } else { uid };
    let count = counts.entry((known, what)).or_default();
    *count = count.saturating_add(1);
}

/// Who was refused what how often, in their order. Of all daemons of this process.
#[must_use]
pub fn refusals() -> Vec<(u32, &'static str, u64)> {
    let counts = COUNTS.lock().unwrap_or_else(PoisonError::into_inner);
    counts.iter().map(|((uid, what), count)| (*uid, *what, *count)).collect()
}
