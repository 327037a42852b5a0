//! The end of a session.

use std::{rc::Rc, time::Duration};

use actix::{ActorFutureExt, Context, Handler, Message, WrapFuture};
use futures::{TryFutureExt, future::join_all};
use lttngd_agent::LeaveAgents;
use lttngd_app::{Forget, LeaveApps};
use lttngd_buffers::Close;
use lttngd_consumer::EndSession;
use lttngd_model::{ErrorCode, SessionKind};
use lttngd_runtime::{Queue, fail_point};
use lttngd_sessionfile::write;

use crate::{
    Destroyed, KeptSession, Observation, Session, SessionEvent, TraceArchive,
    actor::{InTurn, Inner},
    complain::complain,
    error::Refused,
    order::DESTROY,
    state::leftovers::ChunkFate,
};

/// How long applications and agents may take to forget the session when the daemon ends.
const FORGET_AT_END: Duration = Duration::from_millis(500);

/// The end of a session has begun: of what waits nothing is to be done any more.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct EndBegun;

impl Handler<EndBegun> for Session {
    type Result = ();

    /// Nobody waits for the end who has only to be refused.
    fn handle(&mut self, _: EndBegun, context: &mut Self::Context) {
        Queue::let_all_go(Self::queue, self, context);
    }
}

impl Session {
    /// Ends the session in its turn, which is not refused for want of room in the line.
    pub(crate) fn destroy(&mut self, context: &mut Context<Self>) -> InTurn<Destroyed> {
        self.end(context, Inner::destroy)
    }

    /// The same; with `keep` it answers what the next daemon makes the session of again.
    pub(crate) fn destroy_at_end(
        &mut self,
        context: &mut Context<Self>,
        keep: bool,
    ) -> InTurn<Option<KeptSession>> {
        self.end(context, async move |inner: Rc<Inner>| match keep {
            true => inner.keep_and_destroy().await,
            false => inner.destroy().await.map(|_| None),
        })
    }

    fn end<T: 'static>(
        &mut self,
        context: &mut Context<Self>,
        destroy: impl AsyncFnOnce(Rc<Inner>) -> Result<T, ErrorCode> + 'static,
    ) -> InTurn<T> {
        let work = |session: &mut Self, _: &mut Context<Self>| {
            let inner = Rc::clone(&session.inner);
            let ended = async move {
                inner.life().admit_listing()?;
                Ok::<_, Refused>(destroy(inner).await?)
            };
            session.inner.within(ended).into_actor(session).map(|ended, session: &mut Self, _| {
                session.failure.dismiss();
                session.queue.let_all_past();
                session.inner.observe_end();
                ended
            })
        };
        let ended = Queue::run_on_actor(Self::queue, self, context, DESTROY, work);
        Box::pin(ended.map_err(ErrorCode::from))
    }
}

impl Inner {
    /// Destroys the session, of which the next daemon makes another one.
    async fn keep_and_destroy(self: Rc<Self>) -> Result<Option<KeptSession>, ErrorCode> {
        let kept = self.to_be_kept().inspect_err(|reason| {
            tracing::warn!(reason, "the session is not kept for the next daemon");
        });
        if kept.is_ok() && self.config.kind == SessionKind::Regular {
            // That one begins where the first trace chunk of a session is.
            self.state_mut().rotations.rotated = true;
        }
        self.destroy().await.map(|_| kept.ok())
    }

    fn to_be_kept(&self) -> Result<KeptSession, &'static str> {
        if self.life().failed {
            return Err("it has failed");
        }
        let state = self.state();
        let is_live = matches!(self.config.kind, SessionKind::Live { .. });
        if is_live && self.life().was_started && state.output.has_chosen_directory() {
            return Err("it is live, and would write over what it has sent to its directory");
        }
        drop(state);
        let saved = self.saved().map_err(|_| "its relay daemon is not named whole")?;
        Ok(KeptSession { owner: self.config.owner, saved: write(&[saved]) })
    }

    async fn destroy(self: Rc<Self>) -> Result<Destroyed, ErrorCode> {
        if self.life().failed {
            // Of one that failed only its name is left when it was let go.
            self.finishing.none_left().await;
            self.change_life(|life| life.destroyed = true);
            return Ok(Destroyed::default());
        }
        let mut outcome = Ok(Destroyed::default());
        let mut keep = |step: Result<(), ErrorCode>| {
            if let Err(code) = step {
                outcome = Err(code);
            }
        };
        let was_active = self.life().active;
        // Of a stop that nobody waited for the rest is done here.
        if self.leave_off() || was_active {
            keep(self.stop_tracing().await);
        }
        if was_active {
            self.tell(SessionEvent::Stopped);
        }
        keep(self.life().admit_with_consumer());
        self.change_life(|life| life.destroyed = true);
        self.outlet().tell(EndBegun);
        self.patiently(FORGET_AT_END, self.forget_everywhere()).await;
        fail_point::reached("Session forgotten");
        // What applications that are gone have left in their buffers belongs to the trace, and so do
        // chunks on their way to the archives.
        self.finishing.none_left().await;
        self.archiving.none_left().await;
        let mut archive = None;
        if !self.state().is_lost() {
            self.wait_for_viewers().await;
            match self.leave_last_chunk().await {
                Ok(path) => archive = path,
                Err(code) => keep(Err(code)),
            }
            self.disconnect_relayd().await;
            keep(self.on_all_sets(Close).await.map_err(|error| {
                complain!(self, "buffers are not closed cleanly", %error);
                error.code(ErrorCode::Unk)
            }));
            // Whoever has objects of the buffers keeps their files from being removed.
            self.state_mut().sets.values_mut().for_each(|set| set.prepared = None);
            self.wait_for_removal(self.shm_directories()).await;
        }
        std::mem::take(&mut self.state_mut().sets);
        self.state_mut().domains.kernel = None;
        // Applications that went meanwhile.
        self.finishing.none_left().await;
        self.end_at_consumers().await;
        outcome.map(|_| Destroyed { archive })
    }

    /// Takes the session out of every application and agent. One that does not answer now forgets it when
    /// it does.
    pub(crate) async fn forget_everywhere(&self) {
        let (apps, agents, domains) = {
            let state = &mut *self.state_mut();
            let apps = std::mem::take(&mut state.apps);
            (apps, std::mem::take(&mut state.agents), std::mem::take(&mut state.agent_domains))
        };
        let session = self.config.id;
        tokio::join!(
            join_all(apps.all().map(|(_, app)| app.send(Forget { session }))),
            join_all(agents.all().map(|(_, agent)| agent.send(lttngd_agent::Forget { session }))),
        );
        // One that never followed anybody has nobody to leave. Each fails only when there is nobody who
        // tells.
        if self.life().was_started {
            let _ = self.config.apps.send(LeaveApps { session }).await;
        }
        if !domains.is_empty() {
            let _ = self.config.agents.send(LeaveAgents { session }).await;
        }
    }

    /// From here on nothing is asked of a consumer for this session, and nothing would be done.
    pub(crate) async fn end_at_consumers(&self) {
        let consumers = self.state().consumers.clone();
        for (_, consumer) in consumers.all() {
            // It fails only when that actor is gone, and what is to be ended with it.
            let _ = consumer.send(EndSession { session: self.config.id }).await;
        }
    }

    /// Lets the streams finish the last chunk. That of a session that was rotated goes to the
    /// archives like the others.
    async fn leave_last_chunk(&self) -> Result<Option<TraceArchive>, ErrorCode> {
        let rotated = self.state().rotations.rotated;
        let leaving = if rotated { ChunkFate::Archive } else { ChunkFate::Stay };
        let Some(left) = self.leave_chunk(leaving, false).await? else { return Ok(None) };
        let archived = match (left.failure, leaving) {
            (Some(code), _) => {
                // Of two failures the first says more.
                let _ = self.put_away(left).await;
                Err(code)
            }
            (None, ChunkFate::Archive) => {
                self.observe(Observation::RotationOngoing { rotation_id: left.chunk.id.0 });
                self.end_rotation(left).await.map(Some)
            }
            (None, _) => self.written(left.chunk.id).await.map(|()| None),
        };
        // There is no later command that would.
        let _ = self.settle().await;
        archived
    }
}
