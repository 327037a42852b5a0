//! In which order works are done that must not overtake each other. No input or output.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    hash::Hash,
};

use lttngd_users::{Lease, Ledger};

/// A work that was taken on. Never used again.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) struct WorkId(u64);

/// Works wait in lanes: each is in one or more of them, and its turn is when it is the first in all of these.
/// So those without a lane in common are done beside one another, and the others as they came.
#[derive(Debug)]
pub(crate) struct Lanes<K, W> {
    limit: usize,
    /// How many of these are each owner's.
    shares: Ledger,
    works: BTreeMap<WorkId, Waiting<K, W>>,
    lanes: HashMap<K, VecDeque<WorkId>>,
    next: u64,
}

#[derive(Debug)]
struct Waiting<K, W> {
    lanes: Vec<K>,
    /// `None` when it is being done.
    work: Option<W>,
    _share: Lease,
}

impl<K: Clone + Eq + Hash, W> Lanes<K, W> {
    /// In which at most `limit` works wait or are done, and in each lane as many at most as there is room for
    /// elsewhere then: whatever one waits for, the others find room.
    pub(crate) fn new(limit: usize, shares: Ledger) -> Self {
        Self { limit, shares, works: BTreeMap::new(), lanes: HashMap::new(), next: 0 }
    }

    /// Whether nothing is in this lane.
    pub(crate) fn is_free(&self, lane: &K) -> bool {
        !self.lanes.contains_key(lane)
    }

    /// Takes on a work of this user for these lanes, none of them twice. It is given back when there are too many, in
    /// all, in one of these, or of this user.
    pub(crate) fn push(&mut self, owner_uid: u32, lanes: Vec<K>, work: W) -> Result<WorkId, W> {
        let left = self.limit.saturating_sub(self.works.len());
        let has_its_part = |lane| self.lanes.get(lane).is_some_and(|waiting| waiting.len() >= left);
        if left == 0 || lanes.iter().any(has_its_part) {
            return Err(work);
        }
        let owner = (owner_uid, 1);
        let what = "actions of a user's triggers are dropped";
        let Ok(share) = self.shares.take_of(self.limit as u64, owner, what) else {
            return Err(work);
        };
        let id = WorkId(self.next);
        self.next += 1;
        for lane in &lanes {
            self.lanes.entry(lane.clone()).or_default().push_back(id);
        }
        self.works.insert(id, Waiting { lanes, work: Some(work), _share: share });
        Ok(id)
    }

    /// Takes out a work whose turn it is, and was not before.
    pub(crate) fn begin(&mut self, id: WorkId) -> Option<W> {
        let waiting = self.works.get_mut(&id)?;
        let is_first = |lane| self.lanes.get(lane).and_then(VecDeque::front) == Some(&id);
        if !waiting.lanes.iter().all(is_first) {
            return None;
        }
        waiting.work.take()
    }

    /// A work is done. Those whose turn it may be now.
    pub(crate) fn finish(&mut self, id: WorkId) -> Vec<WorkId> {
        let Some(Waiting { lanes, .. }) = self.works.remove(&id) else { return Vec::new() };
        let mut next = Vec::new();
        for lane in lanes {
            let Some(line) = self.lanes.get_mut(&lane) else { continue };
            line.retain(|waiting| *waiting != id);
            match line.front() {
                Some(first) => next.push(*first),
                None => drop(self.lanes.remove(&lane)),
            }
        }
        next
    }
}
