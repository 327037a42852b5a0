//! Trace chunks that streams have left, and that are not where they are to end.

use lttngd_model::{ErrorCode, Timestamp};

use crate::chunk::Chunk;

/// Most trace chunks of a session that are kept in mind because they could not be put away. The oldest is
/// left where it is when there are more.
pub(crate) const LEFTOVERS_MAX: usize = 64;

/// Why streams leave a chunk, which decides what becomes of it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum ChunkFate {
    /// It is archived.
    Archive,
    /// It is thrown away.
    Delete,
    /// The session ends, and it stays where it is.
    Stay,
}

/// A chunk that streams have left or are about to.
#[derive(Clone, Debug)]
pub(crate) struct LeftChunk {
    pub(crate) chunk: Chunk,
    /// What becomes of it.
    pub(crate) leaving: ChunkFate,
    pub(crate) ended_at: Timestamp,
    /// What the relay daemon calls it.
    pub(crate) relayd_path: String,
    /// What went wrong when the streams left it: some may be in it still.
    pub(crate) failure: Option<ErrorCode>,
}

/// Chunks that could not be put away.
#[derive(Debug, Default)]
pub(crate) struct Leftovers(Vec<LeftChunk>);

impl Leftovers {
    /// Remembers a chunk, and returns one that is given up for it.
    pub(crate) fn push(&mut self, left: LeftChunk) -> Option<LeftChunk> {
        let oldest = (self.0.len() >= LEFTOVERS_MAX).then(|| self.0.remove(0));
        self.0.push(left);
        oldest
    }

    /// All of them, the oldest first.
    pub(crate) fn into_all(self) -> impl Iterator<Item = LeftChunk> {
        self.0.into_iter()
    }

    /// Whether one of them is where the first chunk of a session is.
    pub(crate) fn are_at_root(&self) -> bool {
        self.0.iter().any(|left| left.chunk.location.is_empty())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use lttngd_model::ChunkId;

    use super::*;

    #[test]
    fn the_oldest_goes_for_one_too_many() {
        let left = |id, location: &str| {
            let chunk = Chunk::at_relayd(ChunkId(id), Timestamp { epoch_s: 0 });
            let (ended_at, relayd_path) = (chunk.begun_at, String::new());
            let chunk = Chunk { location: location.to_owned(), ..chunk };
            let leaving = ChunkFate::Archive;
            LeftChunk { chunk, leaving, ended_at, relayd_path, failure: None }
        };
        let mut leftovers = Leftovers::default();
        assert!(leftovers.push(left(0, "")).is_none() && leftovers.are_at_root());
        for id in 1..LEFTOVERS_MAX as u64 {
            assert!(leftovers.push(left(id, "own")).is_none());
        }
        assert_eq!(leftovers.push(left(99, "own")).unwrap().chunk.id, ChunkId(0));
        assert!(!leftovers.are_at_root());
        assert_eq!(leftovers.0.len(), LEFTOVERS_MAX);
    }
}
