//! Throwing away what was recorded so far.

use std::rc::Rc;

use lttngd_buffers::{self as buffers, ClearQuiescent, Flush};
use lttngd_model::ErrorCode;
use lttngd_runtime::fail_point;

use crate::{
    Clear,
    actor::Inner,
    admission::turn::Turn,
    complain::complain,
    error::SetFailure,
    state::leftovers::{ChunkFate, LeftChunk},
};

impl Inner {
    pub(crate) async fn clear(self: Rc<Self>, _: Clear) -> Result<(), ErrorCode> {
        let life = self.life();
        self.admit_turn(Turn::Clear)?;
        if !self.state().rotations.has_something_to_clear(life) {
            return self.settle().await;
        }
        self.admit_turn(Turn::ClearSomething)?;
        self.stopped().await;
        self.state_mut().paused = true;
        let cleared = self.clear_quiet(life.active).await;
        fail_point::reached("Session paused");
        self.state_mut().paused = false;
        if life.active {
            // Applications go on whatever became of the rest.
            let resumed = self.resume_cleared().await;
            self.synchronise_while_asked().await;
            resumed.map_err(|error| {
                complain!(self, "buffers begin no packets after a clear", %error);
                error.code(ErrorCode::ClearFailConsumer)
            })?;
        }
        cleared?;
        self.state_mut().rotations.cleared(life.active);
        Ok(())
    }

    /// While no application records.
    async fn clear_quiet(self: &Rc<Self>, active: bool) -> Result<(), ErrorCode> {
        if active {
            self.synchronise_while_asked().await;
            self.on_all_sets(Flush).await.map_err(|error| self.failed_clear(&error))?;
        }
        self.on_all_sets(buffers::Clear).await.map_err(|error| self.failed_clear(&error))?;
        let Some(left) = self.leave_chunk(ChunkFate::Delete, active).await? else { return Ok(()) };
        if let Some(code) = left.failure {
            // Of two failures the first says more.
            let _ = self.put_away(left).await;
            return Err(code);
        }
        if left.chunk.is_here() {
            self.thrown_away(left).await?;
            self.return_to_root().await;
            return Ok(());
        }
        // What a relay daemon has to throw away holds up nobody when who asked for it has gone.
        let (this, work) = (Rc::clone(self), self.archiving.begin());
        let thrown_away = async move {
            let _until_then = work;
            this.thrown_away(left).await
        };
        self.while_asked(thrown_away).await.unwrap_or(Ok(()))
    }

    /// Waits until the streams have written what they had for a chunk, and throws it away.
    async fn thrown_away(&self, left: LeftChunk) -> Result<(), ErrorCode> {
        match self.written(left.chunk.id).await {
            Ok(()) => self.put_away(left).await.map(drop),
            Err(code) => {
                self.keep_in_mind(left);
                Err(code)
            }
        }
    }

    /// Before applications record again: what comes then is within the time of every stream.
    async fn resume_cleared(&self) -> Result<(), SetFailure> {
        self.on_all_sets(ClearQuiescent).await?;
        self.open_packets().await
    }

    fn failed_clear(&self, error: &SetFailure) -> ErrorCode {
        complain!(self, "the session is not cleared", %error);
        error.code(ErrorCode::ClearFailConsumer)
    }
}
