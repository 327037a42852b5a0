//! Applications of a session and their consumer daemons, as they come and go.

use std::{rc::Rc, sync::Arc, time::Duration};

use actix::Addr;
use lttngd_app::{AppArrived, AppExited, AppInfo, AwaitNoApps, FollowApps, SynchroniseArrived};
use lttngd_buffers::{BufferSet, BufferSetFailed, Finish, PushMetadata, SetKey};
use lttngd_model::Tracer;
use lttngd_runtime::{Attention, Hold, Patience, ask, tell};
use tokio::{sync::oneshot, time::Instant};

use crate::{
    ConsumerLost,
    actor::Inner,
    complain::complain,
    state::{Arrival, State},
};

/// How long a program of somebody else's waits before its `main` for the buffers of a user's session, when none are
/// made: what these wait for may be a file system of his that does not answer.
const OTHERS_WAIT: Duration = Duration::from_millis(500);

/// How long that is waited for in a session.
pub(crate) fn patience_of_others() -> Patience {
    Patience::new(Some(OTHERS_WAIT), |change| match change {
        Attention::SetAside => {
            tracing::warn!(
                "no buffers are made for a while: programs of others do not wait for them"
            );
        }
        Attention::Regained => tracing::info!("buffers are made again"),
    })
}

impl Inner {
    /// It is known at once, and is handed what the session wants if that is ready. Else that is begun, and over
    /// when it has it.
    pub(crate) fn app_arrived(
        self: &Rc<Self>,
        arrived: AppArrived,
    ) -> Option<impl Future<Output = ()> + 'static> {
        let AppArrived { info, app, hold } = arrived;
        let life = self.life();
        // Of a session that has stopped meanwhile it is no concern.
        if !life.active {
            return None;
        }
        self.state_mut().apps.come(info.id, (Arc::clone(&info), app.clone()));
        if life.lost.is_lost(Tracer::Ust) {
            return None;
        }
        if let Some(want) = self.ready_wish(&info) {
            tell(&app, SynchroniseArrived { session: self.config.id, want, hold });
            return None;
        }
        let key = self.state().set_of(&info)?;
        let waits = !(self.is_anothers(&info) && self.making.is_set_aside());
        let hold = waits.then_some(hold);
        let is_first = {
            let mut state = self.state_mut();
            let arriving = state.arriving.entry(key).or_default();
            arriving.push(Arrival { app: (info, app), hold });
            arriving.len() == 1
        };
        // Whoever has the buffers made for the first looks after the others that come meanwhile.
        let session = is_first.then(|| Rc::clone(self))?;
        Some(async move { session.receive(key).await })
    }

    /// Has the buffers made that arriving applications use, and hands these what the session wants. It is in the
    /// log; no command waits for it.
    async fn receive(&self, key: SetKey) {
        let here = |state: &State| {
            let arriving = state.arriving.get(&key)?.iter();
            let mut known = arriving.filter(|it| state.apps.get(it.app.0.id).is_some());
            known.next().map(|it| Arc::clone(&it.app.0))
        };
        self.making.asked(Instant::now());
        let (making, made) = oneshot::channel::<()>();
        let prepare = async {
            let prepared = self.prepare(key, here).await;
            self.making.answered(Instant::now());
            self.making.done();
            drop(making);
            prepared
        };
        let others = async {
            // It is over when they are made, or nobody waits for that any more.
            let _ = self.making.wait(made).await;
            self.let_others_begin(key);
        };
        let (prepared, ()) = tokio::join!(prepare, others);
        let arrived = self.state_mut().arriving.remove(&key).unwrap_or_default();
        let of = arrived.first().map(|it| Arc::clone(&it.app.0));
        let Ok(Some(want)) = self.wish_of(key, prepared, of.as_deref(), arrived.len()) else {
            return;
        };
        for Arrival { app: (info, app), hold } in arrived {
            // Trackers that changed meanwhile count.
            if self.state().set_of(&info) == Some(key) {
                let want = want.clone();
                // One that nobody waits for.
                let hold = hold.unwrap_or_else(|| Hold::new().0);
                tell(&app, SynchroniseArrived { session: self.config.id, want, hold });
            }
        }
    }

    /// Whether a program is another user's than the session, which is not root's.
    fn is_anothers(&self, info: &AppInfo) -> bool {
        let owner = self.config.owner.uid;
        owner != 0 && owner != info.uid
    }

    /// While buffers are not made.
    fn let_others_begin(&self, key: SetKey) {
        if !self.making.is_set_aside() {
            return;
        }
        let mut state = self.state_mut();
        let arriving = state.arriving.get_mut(&key).into_iter().flatten();
        for arrival in arriving.filter(|it| self.is_anothers(&it.app.0)) {
            arrival.hold = None;
        }
    }

    /// It is unknown at once. What is begun is over when its buffers are finished.
    pub(crate) fn app_gone(self: Rc<Self>, gone: AppExited) -> impl Future<Output = ()> + 'static {
        let (own, shared) = {
            let mut state = self.state_mut();
            let was_known = state.apps.go(gone.id);
            let own = state.sets.remove(&SetKey::App(gone.id.0));
            let key = was_known.and_then(|(info, _)| state.shared_set(&info));
            let shared = key.and_then(|key| state.sets.get(&key));
            (own, shared.map(|set| Arc::clone(&set.actor)))
        };
        // Until that is done data is pending.
        let own = own.map(|set| (set.actor, self.finishing.begin()));
        async move {
            if let Some((set, _work)) = own {
                self.finish(set).await;
            } else if let Some(set) = shared.filter(|_| self.life().active) {
                // What the application announced may be in no metadata file yet. That it is not written now
                // is in the log of whoever cannot.
                let _ = ask(&set, PushMetadata, self.config.consumer_deadline).await;
            }
        }
    }

    /// Ends the buffers of an application that is gone.
    async fn finish(&self, set: Arc<Addr<BufferSet>>) {
        match ask(&set, Finish, self.config.consumer_deadline).await.map_err(Into::into).flatten() {
            Ok(counters) => self.state_mut().past_losses.extend(counters),
            Err(error) if self.life().lost.is_lost(Tracer::Ust) => {
                tracing::debug!(%error, "buffers went with their consumer");
            }
            Err(error) => {
                complain!(self, "buffers of an application that is gone were not finished", %error);
            }
        }
    }

    /// What was recorded is lost at once, if there was something.
    pub(crate) fn consumer_lost(
        self: Rc<Self>,
        lost: ConsumerLost,
    ) -> impl Future<Output = ()> + 'static {
        let (is_used, is_touched) = {
            let state = self.state();
            let is_used = state.domains.of(lost.kind.tracer()).is_some();
            let has_buffers = state.all_buffers().any(|buffers| buffers.kind == lost.kind);
            (is_used, is_used && (has_buffers || state.chunk.is_some()))
        };
        let consumer = self.state().consumers.of(lost.kind).cloned();
        if let Some(consumer) = consumer {
            self.relayd_lost_by(consumer);
        }
        if let Some(successor) = lost.successor {
            self.state_mut().consumers.replace(lost.kind, successor);
        }
        if is_touched {
            tracing::error!(
                "the session lost its consumer daemon and what was not written yet; destroy it"
            );
            self.change_life(|life| life.lost = life.lost.with(lost.kind));
        }
        async move {
            let is_connected = self.state().relayd().is_some();
            if is_used && !is_touched && is_connected {
                // The connection went with the consumer. The next command that needs it makes another.
                self.disconnect_relayd().await;
            }
        }
    }

    /// Whoever needs the set is told that it is closed, so that stop and destroy say that not all that was
    /// recorded is in the trace.
    pub(crate) async fn set_failed(self: Rc<Self>, failed: BufferSetFailed) {
        tracing::error!("buffers of the session failed here; destroy it");
        if let Err(error) = failed.let_go().await {
            tracing::warn!(%error, "the consumer daemon keeps metadata of buffers that failed");
        }
    }

    /// Follows the applications that a session which records lets through, if it does not follow these
    /// already: those that are registered are known then, and of others it is told when they come.
    pub(crate) async fn follow_apps(&self) {
        let trackers = {
            let state = &mut *self.state_mut();
            let domain = state.domains.ust.as_ref().filter(|_| state.life.active);
            let Some(trackers) = domain.map(|ust| ust.trackers.clone()) else { return };
            if state.follows.as_ref() == Some(&trackers) {
                return;
            }
            state.follows = Some(trackers.clone());
            state.apps.ask();
            trackers
        };
        let (arrived, gone) = (self.outlet(), self.outlet());
        let request = FollowApps { session: self.config.id, trackers, arrived, gone };
        let given = self.config.apps.send(request).await.unwrap_or_default();
        self.state_mut().apps.learn(given);
    }

    /// Is not told any more which applications come, now that the session does not record.
    pub(crate) async fn await_no_apps(&self) {
        if self.state_mut().follows.take().is_some() {
            // It fails only when nobody tells it of any.
            let _ = self.config.apps.send(AwaitNoApps { session: self.config.id }).await;
        }
    }
}
