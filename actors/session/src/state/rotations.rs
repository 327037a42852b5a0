//! Which trace chunks a session had and has. No input or output.

use lttngd_model::ChunkId;

use crate::{RotationInfo, RotationState, TraceArchive, state::lifecycle::Lifecycle};

/// The rotations of a session.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Rotations {
    /// Count of chunks so far: the next one's id.
    next: u64,
    /// Whether a chunk was archived: from then on each chunk has a directory of its own.
    pub(crate) rotated: bool,
    /// Whether the session was rotated since it stopped: there is no chunk to rotate then.
    rotated_after_stop: bool,
    /// Whether it was cleared since it stopped.
    cleared_after_stop: bool,
    ongoing: Option<ChunkId>,
    last: Option<(ChunkId, Option<TraceArchive>)>,
}

/// What of them decides what may come next.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct SinceStop {
    /// Whether a chunk is on its way to the archives.
    pub(crate) ongoing: bool,
    /// Whether the session was rotated since it stopped.
    pub(crate) rotated: bool,
    /// Whether it was cleared since it stopped.
    pub(crate) cleared: bool,
}

impl Rotations {
    /// The id of a new chunk.
    pub(crate) fn next_chunk(&mut self) -> ChunkId {
        let id = ChunkId(self.next);
        self.next += 1;
        id
    }

    /// What decides what may come next.
    pub(crate) fn since_stop(&self) -> SinceStop {
        SinceStop {
            ongoing: self.is_ongoing(),
            rotated: self.rotated_after_stop,
            cleared: self.cleared_after_stop,
        }
    }

    /// Whether CLEAR_SESSION has anything to do.
    pub(crate) fn has_something_to_clear(&self, life: Lifecycle) -> bool {
        life.was_started && !self.rotated_after_stop && !self.cleared_after_stop
    }

    /// The session was started.
    pub(crate) fn started(&mut self) {
        self.rotated_after_stop = false;
        self.cleared_after_stop = false;
    }

    /// The streams of a session that is active or not have left a chunk.
    pub(crate) fn left_chunk(&mut self, active: bool) {
        if !active {
            self.rotated_after_stop = true;
        }
    }

    /// A session that is active or not was cleared.
    pub(crate) fn cleared(&mut self, active: bool) {
        if !active {
            self.cleared_after_stop = true;
        }
    }

    /// A chunk is on its way to the archives.
    pub(crate) fn begin(&mut self, chunk: ChunkId) {
        self.rotated = true;
        self.ongoing = Some(chunk);
    }

    /// It is there, or failed on the way.
    pub(crate) fn end(&mut self, archive: Option<TraceArchive>) {
        if let Some(chunk) = self.ongoing.take() {
            self.last = Some((chunk, archive));
        }
    }

    /// Whether a chunk is on its way to the archives.
    pub(crate) fn is_ongoing(&self) -> bool {
        self.ongoing.is_some()
    }

    /// What is known of a rotation.
    pub(crate) fn info(&self, id: u64) -> RotationInfo {
        let state = |state| RotationInfo { state, archive: None };
        match (&self.ongoing, &self.last) {
            (Some(ongoing), _) if ongoing.0 == id => state(RotationState::Ongoing),
            (None, Some((last, archive))) if last.0 == id => match archive {
                Some(place) => {
                    RotationInfo { state: RotationState::Completed, archive: Some(place.clone()) }
                }
                None => state(RotationState::Error),
            },
            _ => state(RotationState::Expired),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::lifecycle::LostConsumers;

    const ACTIVE: Lifecycle = Lifecycle {
        active: true,
        was_started: true,
        destroyed: false,
        lost: LostConsumers::NONE,
        failed: false,
    };
    const STOPPED: Lifecycle = Lifecycle { active: false, ..ACTIVE };

    #[test]
    fn what_happened_since_the_stop_is_known() {
        let since = |ongoing, rotated, cleared| SinceStop { ongoing, rotated, cleared };
        let mut rotations = Rotations::default();
        assert_eq!(rotations.since_stop(), since(false, false, false));
        let chunk = rotations.next_chunk();
        rotations.begin(chunk);
        rotations.left_chunk(false);
        assert_eq!(rotations.since_stop(), since(true, true, false));
        rotations.end(Some(TraceArchive::Local("/a".into())));
        assert_eq!(rotations.since_stop(), since(false, true, false));
        rotations.cleared(false);
        assert_eq!(rotations.since_stop(), since(false, true, true));
        rotations.started();
        assert_eq!(rotations.since_stop(), since(false, false, false));
        rotations.cleared(false);
        assert_eq!(rotations.since_stop(), since(false, false, true));
        assert!(!rotations.has_something_to_clear(STOPPED));
        rotations.started();
        rotations.cleared(true);
        rotations.left_chunk(true);
        assert_eq!(rotations.since_stop(), since(false, false, false));
        assert!(rotations.has_something_to_clear(ACTIVE));
    }

    #[test]
    fn what_is_known_of_a_rotation() {
        let mut rotations = Rotations::default();
        assert_eq!(rotations.info(0).state, RotationState::Expired);
        let first = rotations.next_chunk();
        assert_eq!((first, rotations.next_chunk()), (ChunkId(0), ChunkId(1)));
        rotations.begin(first);
        assert_eq!(rotations.info(0).state, RotationState::Ongoing);
        assert_eq!(rotations.info(1).state, RotationState::Expired);
        rotations.end(Some(TraceArchive::Local("/a".into())));
        let info = rotations.info(0);
        assert_eq!(
            (info.state, info.archive),
            (RotationState::Completed, Some(TraceArchive::Local("/a".into())))
        );
        rotations.begin(ChunkId(1));
        rotations.end(None);
        assert_eq!(rotations.info(1).state, RotationState::Error);
        assert_eq!(rotations.info(0).state, RotationState::Expired);
    }
}
