//! The end of a session.

use std::rc::Rc;

use futures::future::join_all;
use lttngd_app::Forget;
use lttngd_buffers::Close;
use lttngd_consumer::EndSession;
use lttngd_model::ErrorCode;

use crate::{
    Destroyed, SessionEvent, TraceArchive, actor::Inner, error::buffers_code, rotate::Leaving,
};

impl Inner {
    pub(crate) async fn destroy(self: Rc<Self>) -> Result<Destroyed, ErrorCode> {
        let mut outcome = Ok(Destroyed::default());
        let mut keep = |step: Result<(), ErrorCode>| {
            if let Err(code) = step {
                outcome = Err(code);
            }
        };
        if self.life().active {
            keep(self.quiet().await);
            self.tell(SessionEvent::Stopped);
        }
        keep(self.life().admit_with_consumer());
        self.change_life(|life| life.destroyed = true);
        let apps: Vec<_> = std::mem::take(&mut self.state_mut().apps).into_values().collect();
        let forget = Forget { session: self.config.id };
        // An application or an agent that does not answer now forgets the session when it does.
        let agents: Vec<_> = std::mem::take(&mut self.state_mut().agents).into_values().collect();
        let forget_rules = lttngd_agent::Forget { session: self.config.id };
        tokio::join!(
            join_all(apps.iter().map(|(_, app)| app.send(forget))),
            join_all(agents.iter().map(|(_, agent)| agent.send(forget_rules))),
        );
        // What applications that are gone have left in their buffers belongs to the trace, and so do
        // chunks on their way to the archives.
        self.finishing.none_left().await;
        self.archiving.none_left().await;
        let mut archive = None;
        if !self.life().lost_consumer {
            self.wait_for_viewers().await;
            match self.leave_last_chunk().await {
                Ok(path) => archive = path,
                Err(code) => keep(Err(code)),
            }
            self.disconnect_relayd().await;
            keep(self.on_all_sets(Close).await.map_err(|error| {
                tracing::error!(session = self.config.name, %error, "buffers are not closed cleanly");
                buffers_code(&error, ErrorCode::Unk)
            }));
            self.wait_for_removal(self.shm_directories()).await;
        }
        std::mem::take(&mut self.state_mut().sets);
        // Applications that went meanwhile.
        self.finishing.none_left().await;
        // From here on nothing is asked of a consumer for this session, and nothing would be done.
        for (_, consumer) in self.config.consumers.all() {
            // It fails only when that actor is gone, and what is to be ended with it.
            let _ = consumer.send(EndSession { session: self.config.id }).await;
        }
        outcome.map(|_| Destroyed { archive })
    }

    /// Lets the streams finish the last chunk. That of a session that was rotated goes to the
    /// archives like the others.
    async fn leave_last_chunk(&self) -> Result<Option<TraceArchive>, ErrorCode> {
        let rotated = self.state().rotations.rotated;
        let leaving = if rotated { Leaving::Archive } else { Leaving::Stay };
        let Some(left) = self.leave_chunk(leaving, false).await? else { return Ok(None) };
        let archived = match (left.failure, leaving) {
            (Some(code), _) => {
                // Of two failures the first says more.
                let _ = self.put_away(left).await;
                Err(code)
            }
            (None, Leaving::Archive) => self.end_rotation(left).await.map(Some),
            (None, _) => self.written(left.chunk.id).await.map(|()| None),
        };
        // There is no later command that would.
        let _ = self.settle().await;
        archived
    }
}
