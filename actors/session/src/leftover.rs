//! Trace chunks that streams have left, and getting them to where they end: in the archives, or nowhere.
//! What fails is done again before the next change of trace chunk; until then a chunk stays where it was
//! recorded.

use lttngd_model::ErrorCode;

use crate::{
    actor::Inner,
    chunk::Moved,
    complain::complain,
    state::leftovers::{ChunkFate, LeftChunk},
};

impl Inner {
    /// Puts away what could not be put away before.
    ///
    /// # Errors
    /// The first failure.
    pub(crate) async fn settle(&self) -> Result<(), ErrorCode> {
        let leftovers = std::mem::take(&mut self.state_mut().leftovers);
        let mut outcome = Ok(());
        for left in leftovers.into_all() {
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
                complain!(
                    self,
                    "a trace chunk is not archived: it is not there, its owner moved or removed it",
                    ?path
                );
                Err(code)
            }
            Ok(moved) => Ok(moved),
            Err(error) => {
                complain!(self, "a trace chunk stays where it was recorded until the next rotation, clear, start or destroy", ?path, %error);
                self.keep_in_mind(left);
                Err(code)
            }
        }
    }

    /// Remembers a chunk that is to be put away later.
    pub(crate) fn keep_in_mind(&self, left: LeftChunk) {
        if let Some(oldest) = self.state_mut().leftovers.push(left) {
            complain!(self, "a trace chunk stays where it was recorded: too many could not be put away", path = ?oldest.chunk.path());
        }
    }
}
