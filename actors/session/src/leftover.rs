//! Trace chunks that streams have left, and getting them to where they end: in the archives, or nowhere.
//! What fails is done again before the next change of trace chunk; until then a chunk stays where it was
//! recorded.

use lttngd_model::{ErrorCode, Timestamp};

use crate::{
    actor::Inner,
    chunk::{Chunk, Moved},
    chunk_life::ChunkFate,
};

/// Most trace chunks of a session that are kept in mind because they could not be put away. The oldest is
/// left where it is when there are more.
pub(crate) const LEFTOVERS_MAX: usize = 64;

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
    fn push(&mut self, left: LeftChunk) -> Option<LeftChunk> {
        let oldest = (self.0.len() >= LEFTOVERS_MAX).then(|| self.0.remove(0));
        self.0.push(left);
        oldest
    }

    /// Whether one of them is where the first chunk of a session is.
    pub(crate) fn are_at_root(&self) -> bool {
        self.0.iter().any(|left| left.chunk.location.is_empty())
    }
}

impl Inner {
    /// Puts away what could not be put away before.
    ///
    /// # Errors
    /// The first failure.
    pub(crate) async fn settle(&self) -> Result<(), ErrorCode> {
        let leftovers = std::mem::take(&mut self.state_mut().leftovers);
        let mut outcome = Ok(());
        for left in leftovers.0 {
            let put_away = self.put_away(left).await.map(drop);
            outcome = outcome.and(put_away);
        }
        outcome
    }

    /// Gets a chunk to where it ends; where that is, for one that was archived.
    pub(crate) async fn put_away(&self, left: LeftChunk) -> Result<Option<Moved>, ErrorCode> {
        let Some(root) = self.root_of(&left.chunk) else { return Ok(None) };
        let (moved, code) = match left.leaving {
            ChunkFate::Stay => return Ok(None),
            ChunkFate::Archive => (
                root.archive(&left.chunk, left.ended_at).await.map(Some),
                ErrorCode::RotateRenameFailConsumer,
            ),
            ChunkFate::Delete => {
                (root.remove(&left.chunk).await.map(|()| None), ErrorCode::ClearFailConsumer)
            }
        };
        let path = left.chunk.path();
        match moved {
            Ok(Some(Moved::Gone)) => {
                tracing::error!(
                    ?path,
                    "a trace chunk is not archived: it is not there, its owner moved or removed it"
                );
                Err(code)
            }
            Ok(moved) => Ok(moved),
            Err(error) => {
                tracing::error!(?path, %error,
                    "a trace chunk stays where it was recorded until the next rotation, clear, start or destroy");
                self.keep_in_mind(left);
                Err(code)
            }
        }
    }

    /// Remembers a chunk that is to be put away later.
    pub(crate) fn keep_in_mind(&self, left: LeftChunk) {
        if let Some(oldest) = self.state_mut().leftovers.push(left) {
            tracing::error!(path = ?oldest.chunk.path(),
                "a trace chunk stays where it was recorded: too many could not be put away");
        }
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
