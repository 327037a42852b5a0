//! ROTATE_SESSION: the session's current trace chunk ends and goes to the archives.

use std::{rc::Rc, time::Duration};

use actix::Context;
use lttngd_model::ErrorCode;
use lttngd_runtime::{Asker, MayBegin};
use tokio::sync::oneshot;

use crate::{
    GetRotationInfo, Observation, Output, RotationInfo, Session, SessionEvent, TraceArchive,
    actor::{InTurn, Inner},
    admission::turn::Turn,
    chunk::Moved,
    order::ROTATE,
    state::State,
    state::leftovers::{ChunkFate, LeftChunk},
};

/// How long the reply to a rotation waits for its end. The stock command line looks every 200 ms for
/// the end of a rotation that was not over at its first look.
const ROTATION_PATIENCE: Duration = Duration::from_millis(100);

impl Session {
    /// Rotates in its turn, unless `is_due` says then that nobody wants it any more.
    pub(crate) fn rotate(
        &mut self,
        context: &mut Context<Self>,
        is_due: impl FnOnce(&State) -> bool + 'static,
    ) -> InTurn<u64> {
        let works = self.works.expect(context);
        self.in_turn(context, (ROTATE, Asker::nobody()), async |inner| {
            if !is_due(&inner.state()) {
                return Err(ErrorCode::RotationScheduleNotSet);
            }
            inner.rotate(works).await
        })
    }
}

impl Inner {
    async fn rotate(self: Rc<Self>, works: MayBegin) -> Result<u64, ErrorCode> {
        self.admit_turn(Turn::Rotate)?;
        // Streams are to leave into nothing when nobody writes to them any more.
        self.stopped().await;
        let left = self.leave_chunk(ChunkFate::Archive, self.life().active).await?;
        let Some(left) = left else { return Err(ErrorCode::RotationMultipleAfterStop) };
        let id = left.chunk.id;
        if let Some(code) = left.failure {
            // Streams that did not leave it write to it for as long as they stay.
            self.state_mut().rotations.rotated = true;
            // Of two failures the first says more.
            let _ = self.put_away(left).await;
            return Err(code);
        }
        self.state_mut().rotations.begin(id);
        self.observe(Observation::RotationOngoing { rotation_id: id.0 });
        let (over, is_over) = oneshot::channel::<()>();
        let (this, work) = (Rc::clone(&self), self.archiving.begin());
        works.begin(self.within(async move {
            let _until_then = (work, over);
            // Kept for a later question; whoever asked for the rotation has its id.
            let _ = this.end_rotation(left).await;
        }));
        // It fails only when it is not over yet.
        let _ = tokio::time::timeout(ROTATION_PATIENCE, is_over).await;
        Ok(id.0)
    }

    /// Waits until the streams have written their last packet to a chunk, and archives it.
    pub(crate) async fn end_rotation(&self, left: LeftChunk) -> Result<TraceArchive, ErrorCode> {
        let (relayd_path, rotation_id) = (left.relayd_path.clone(), left.chunk.id.0);
        let archived = match self.written(left.chunk.id).await {
            Ok(()) => self.put_away(left).await,
            Err(code) => {
                self.keep_in_mind(left);
                Err(code)
            }
        };
        let archived = archived.map(|moved| match moved {
            Some(Moved::To(path)) => TraceArchive::Local(path),
            _ => self.relayd_archive(relayd_path),
        });
        self.state_mut().rotations.end(archived.clone().ok());
        let archive = archived.clone().ok();
        self.observe(Observation::RotationOver { rotation_id, archive });
        self.tell(match archived.clone() {
            Ok(archive) => SessionEvent::RotationCompleted { rotation_id, archive },
            Err(error) => SessionEvent::RotationFailed { rotation_id, error },
        });
        archived
    }

    pub(crate) fn rotation_info(
        &self,
        request: GetRotationInfo,
    ) -> Result<RotationInfo, ErrorCode> {
        self.life().admit()?;
        Ok(self.state().rotations.info(request.rotation_id))
    }

    fn relayd_archive(&self, relative_path: String) -> TraceArchive {
        let (host, control_port, data_port) = match &self.state().output {
            Output::Network(network) => network.host_and_ports(),
            Output::None | Output::Local(_) => Default::default(),
        };
        TraceArchive::Relayd { host, control_port, data_port, relative_path }
    }
}
