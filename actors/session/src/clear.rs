//! Throwing away what was recorded so far.

use std::rc::Rc;

use lttngd_buffers::{self as buffers, ClearQuiescent, Flush};
use lttngd_model::ErrorCode;
use lttngd_runtime::fail_point;

use crate::{
    Clear, actor::Inner, admission::turn::Turn, error::SetFailure, state::leftovers::ChunkFate,
};

impl Inner {
    pub(crate) async fn clear(self: Rc<Self>, _: Clear) -> Result<(), ErrorCode> {
        let life = self.life();
        self.admit_turn(Turn::Clear)?;
        if !self.state().rotations.has_something_to_clear(life) {
            return self.settle().await;
        }
        self.admit_turn(Turn::ClearSomething)?;
        self.state_mut().paused = true;
        let cleared = self.clear_quiet(life.active).await;
        fail_point::reached("Session paused");
        self.state_mut().paused = false;
        if life.active {
            // Applications go on whatever became of the rest.
            let resumed = self.resume_cleared().await;
            self.synchronise_all().await;
            resumed.map_err(|error| {
                tracing::error!(%error, "buffers begin no packets after a clear");
                error.code(ErrorCode::ClearFailConsumer)
            })?;
        }
        cleared?;
        self.state_mut().rotations.cleared(life.active);
        Ok(())
    }

    /// While no application records.
    async fn clear_quiet(&self, active: bool) -> Result<(), ErrorCode> {
        if active {
            self.synchronise_all().await;
            self.on_all_sets(Flush).await.map_err(|error| self.failed_clear(&error))?;
        }
        self.on_all_sets(buffers::Clear).await.map_err(|error| self.failed_clear(&error))?;
        let Some(left) = self.leave_chunk(ChunkFate::Delete, active).await? else { return Ok(()) };
        if let Some(code) = left.failure {
            // Of two failures the first says more.
            let _ = self.put_away(left).await;
            return Err(code);
        }
        if let Err(code) = self.written(left.chunk.id).await {
            self.keep_in_mind(left);
            return Err(code);
        }
        self.put_away(left).await?;
        self.return_to_root().await;
        Ok(())
    }

    /// Before applications record again: what comes then is within the time of every stream.
    async fn resume_cleared(&self) -> Result<(), SetFailure> {
        self.on_all_sets(ClearQuiescent).await?;
        self.open_packets().await
    }

    fn failed_clear(&self, error: &SetFailure) -> ErrorCode {
        tracing::error!(%error, "the session is not cleared");
        error.code(ErrorCode::ClearFailConsumer)
    }
}
