//! In which order works are done that must not overtake each other. No input or output.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    hash::Hash,
};

/// A work that was taken on. Never used again.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) struct WorkId(u64);

/// Works wait in lanes: each is in one or more of them, and its turn is when it is the first in all of these.
/// So those without a lane in common are done beside one another, and the others as they came.
#[derive(Debug)]
pub(crate) struct Lanes<K, W> {
    limit: usize,
    works: BTreeMap<WorkId, (Vec<K>, Option<W>)>,
    lanes: HashMap<K, VecDeque<WorkId>>,
    next: u64,
}

impl<K: Clone + Eq + Hash, W> Lanes<K, W> {
    /// In which at most `limit` works wait or are done.
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, works: BTreeMap::new(), lanes: HashMap::new(), next: 0 }
    }

    /// Whether nothing is in this lane.
    pub(crate) fn is_free(&self, lane: &K) -> bool {
        !self.lanes.contains_key(lane)
    }

    /// Takes on a work for these lanes, none of them twice. It is given back when there are too many.
    pub(crate) fn push(&mut self, lanes: Vec<K>, work: W) -> Result<WorkId, W> {
        if self.works.len() >= self.limit {
            return Err(work);
        }
        let id = WorkId(self.next);
        self.next += 1;
        for lane in &lanes {
            self.lanes.entry(lane.clone()).or_default().push_back(id);
        }
        self.works.insert(id, (lanes, Some(work)));
        Ok(id)
    }

    /// Takes out a work whose turn it is, and was not before.
    pub(crate) fn begin(&mut self, id: WorkId) -> Option<W> {
        let (lanes, _) = self.works.get(&id)?;
        let is_first = |lane| self.lanes.get(lane).and_then(VecDeque::front) == Some(&id);
        if !lanes.iter().all(is_first) {
            return None;
        }
        self.works.get_mut(&id)?.1.take()
    }

    /// A work is done. Those whose turn it may be now.
    pub(crate) fn finish(&mut self, id: WorkId) -> Vec<WorkId> {
        let Some((lanes, _)) = self.works.remove(&id) else { return Vec::new() };
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
