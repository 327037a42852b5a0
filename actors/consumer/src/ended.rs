//! Which sessions have ended. No input or output.

use std::collections::BTreeMap;

use lttngd_model::SessionId;

/// The sessions that have ended. Ids are never used again, so what has ended stays so. They are kept as
/// ranges: there is at most one more than there are sessions that have not ended.
#[derive(Debug, Default)]
pub(crate) struct EndedSessions {
    /// The last id of each range, by its first.
    ranges: BTreeMap<u64, u64>,
}

impl EndedSessions {
    /// A session has ended.
    pub(crate) fn insert(&mut self, session: SessionId) {
        if self.contains(session) {
            return;
        }
        let SessionId(id) = session;
        let (mut first, mut last) = (id, id);
        if let Some((begin, end)) = self.ranges.range(..id).next_back()
            && end.checked_add(1) == Some(id)
        {
            first = *begin;
        }
        if let Some(end) = id.checked_add(1).and_then(|next| self.ranges.remove(&next)) {
            last = end;
        }
        self.ranges.insert(first, last);
    }

    /// Whether a session has ended.
    pub(crate) fn contains(&self, SessionId(id): SessionId) -> bool {
        self.ranges.range(..=id).next_back().is_some_and(|(_, last)| *last >= id)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn what_has_ended_stays_so_and_needs_room_for_what_lives() {
        let mut ended = EndedSessions::default();
        let mut model = BTreeSet::new();
        // In an order that jumps about, each id once or twice; 997 is prime.
        for step in 0..2000_u64 {
            let id = 10 + step * 101 % 997;
            ended.insert(SessionId(id));
            model.insert(id);
            if step % 50 == 0 {
                for id in 0..1100 {
                    assert_eq!(ended.contains(SessionId(id)), model.contains(&id), "{id}");
                }
                let alive = (10..1007).filter(|id| !model.contains(id)).count();
                assert!(ended.ranges.len() <= alive + 1, "{} ranges", ended.ranges.len());
            }
        }
        assert_eq!(ended.ranges, BTreeMap::from([(10, 1006)]));
    }

    #[test]
    fn the_last_id_of_all_can_end() {
        let mut ended = EndedSessions::default();
        for id in [u64::MAX, u64::MAX - 1, u64::MAX] {
            ended.insert(SessionId(id));
        }
        assert_eq!(ended.ranges, BTreeMap::from([(u64::MAX - 1, u64::MAX)]));
        assert!(!ended.contains(SessionId(0)));
    }
}
