//! Applications of a session: who they are, whose buffers they use, and bringing them to what the
//! session wants.

use std::{rc::Rc, sync::Arc};

use actix::{Actor, Addr};
use futures::future::join_all;
use lttngd_app::{App, AppError, AppId, AppInfo, Forget, Synchronise, WantedSession};
use lttngd_buffers::{
    BufferSet, BufferSetConfig, BuffersError, ChannelRequest, Finish, Prepare, PushMetadata,
    SetKey, SetOutput,
    tsdl::{Clock, Scheme},
};
use lttngd_model::{
    BufferScheme, ChannelAttributes, ErrorCode,
    ust::{Channel, TrackedProcess},
};
use lttngd_runtime::ask;
use thiserror::Error;

use crate::{
    AppArrived, AppGone, ConsumerLost, Output,
    actor::Inner,
    chunk::Chunk,
    error::buffers_code,
    fail_point::{FailPoint, reached},
    gate::GateFull,
    state::SessionSet,
};

/// Why an application was not brought to what the session wants.
#[derive(Debug, Error)]
pub(crate) enum SynchroniseError {
    #[error("no consumer daemon for {0}-bit applications")]
    NoConsumer(u32),
    #[error(transparent)]
    Gate(#[from] GateFull),
    #[error(transparent)]
    Buffers(#[from] BuffersError),
    #[error(transparent)]
    App(#[from] AppError),
}

/// The code for buffers that could be made for none of some applications. One that does not follow for a
/// reason of its own, as one that is silent, has them: it may follow later.
fn nobody_has_buffers(
    outcomes: impl Iterator<Item = Result<(), SynchroniseError>>,
) -> Option<ErrorCode> {
    let mut code = None;
    for outcome in outcomes {
        match outcome {
            Err(SynchroniseError::App(AppError::Gone)) => {}
            Ok(()) | Err(SynchroniseError::App(_) | SynchroniseError::Gate(_)) => return None,
            Err(SynchroniseError::NoConsumer(_)) => {
                code.get_or_insert(ErrorCode::NoUstconsumerd);
            }
            Err(SynchroniseError::Buffers(error)) => {
                code.get_or_insert(buffers_code(&error, ErrorCode::UstChanFail));
            }
        }
    }
    code
}

impl Inner {
    /// It is known at once. What is begun is over when it has what the session wants.
    pub(crate) fn app_arrived(
        self: Rc<Self>,
        arrived: AppArrived,
    ) -> impl Future<Output = ()> + 'static {
        let AppArrived { info, app } = arrived;
        let life = self.life();
        if !life.destroyed {
            self.state_mut().apps.insert(info.id, (Arc::clone(&info), app.clone()));
        }
        async move {
            if !life.destroyed && life.active && !life.lost_consumer {
                // It is in the log; no command waits for it.
                let _ = self.synchronise_and_log(&info, &app).await;
            }
        }
    }

    /// It is unknown at once. What is begun is over when its buffers are finished.
    pub(crate) fn app_gone(self: Rc<Self>, gone: AppGone) -> impl Future<Output = ()> + 'static {
        let own = {
            let mut state = self.state_mut();
            state.apps.remove(&gone.id);
            state.sets.remove(&SetKey::App(gone.id.0))
        };
        // Until that is done data is pending.
        let own = own.map(|set| (set.actor, self.finishing.begin()));
        async move {
            if let Some((set, _work)) = own {
                self.finish(set).await;
            } else if self.life().active {
                // What the application announced may be in no metadata file yet.
                let deadline = self.config.consumer_deadline;
                let sets = self.set_actors();
                join_all(sets.iter().map(|set| ask(set, PushMetadata, deadline))).await;
            }
        }
    }

    /// Ends the buffers of an application that is gone.
    async fn finish(&self, set: Addr<BufferSet>) {
        match ask(&set, Finish, self.config.consumer_deadline).await.map_err(Into::into).flatten() {
            Ok(counters) => self.state_mut().past_losses.extend(counters),
            Err(error) if self.life().lost_consumer => {
                tracing::debug!(%error, "buffers went with their consumer");
            }
            Err(error) => {
                tracing::error!(session = self.config.name, %error, "buffers of an application that is gone were not finished");
            }
        }
    }

    /// What was recorded is lost at once, if there was something.
    pub(crate) fn consumer_lost(
        self: Rc<Self>,
        lost: ConsumerLost,
    ) -> impl Future<Output = ()> + 'static {
        let is_touched = {
            let state = self.state();
            let of_app = |id: &u64| Some(state.apps.get(&AppId(*id))?.0.bitness);
            let mut sets = state.sets.keys();
            state.chunk.is_some()
                || sets.any(|key| match key {
                    SetKey::Uid { bitness, .. } => *bitness == lost.bitness,
                    SetKey::App(id) => of_app(id) == Some(lost.bitness),
                })
        };
        if let Some(consumer) = self.config.consumers.of(lost.bitness) {
            self.relayd_lost_by(consumer.clone());
        }
        if is_touched {
            tracing::error!(
                session = self.config.name,
                "the session lost its consumer daemon and what was not written yet; destroy it"
            );
            self.change_life(|life| life.lost_consumer = true);
        }
        async move {
            let is_connected = self.state().relayd().is_some();
            if !is_touched && is_connected {
                // The connection went with the consumer. The next command that needs it makes another.
                self.disconnect_relayd().await;
            }
        }
    }

    /// Brings all applications to what the session wants, side by side. The code is for none of those
    /// that it tracks having buffers: there were some, and there was none of them for which buffers could
    /// be made.
    pub(crate) async fn synchronise_all(&self) -> Option<ErrorCode> {
        let apps: Vec<_> = self.state().apps.values().cloned().collect();
        let done = apps.iter().map(|(info, app)| self.synchronise_and_log(info, app));
        let outcomes = join_all(done).await;
        let tracked =
            apps.iter().zip(outcomes).filter(|((info, _), _)| self.wanted(info).is_some());
        nobody_has_buffers(tracked.map(|(_, outcome)| outcome))
    }

    async fn synchronise_and_log(
        &self,
        info: &Arc<AppInfo>,
        app: &Addr<App>,
    ) -> Result<(), SynchroniseError> {
        let outcome = self.synchronise(info, app).await;
        match &outcome {
            // Of one that does not answer its actor says so, once.
            Ok(()) | Err(SynchroniseError::App(AppError::Gone | AppError::TimedOut)) => {}
            Err(error) => {
                tracing::warn!(
                    session = self.config.name, pid = info.pid, app = info.name, %error,
                    "an application does not follow the session"
                );
            }
        }
        outcome
    }

    async fn synchronise(
        &self,
        info: &Arc<AppInfo>,
        app: &Addr<App>,
    ) -> Result<(), SynchroniseError> {
        let Some((key, channels, metadata)) = self.wanted(info) else {
            return self.take_out(app).await;
        };
        // A change of trace chunk sees either all of this or nothing.
        let inside = self.chunk_gate.pass().await?;
        let mut clock = None;
        if self.state().records() && !self.state().sets.contains_key(&key) {
            clock = Some(self.config.clock.sample().await);
        }
        let known = self.state().sets.get(&key).cloned();
        let buffers = match (known, clock) {
            (Some(set), _) => set.actor,
            // Nothing was ever recorded there, and nothing will be now.
            (None, None) => return Ok(()),
            (None, Some(_)) if !self.state().records() => return Ok(()),
            // An application that left meanwhile must not leave buffers that nobody finishes.
            (None, Some(_)) if !self.state().apps.contains_key(&info.id) => {
                return Err(AppError::Gone.into());
            }
            (None, Some(clock)) => self.new_set(key, info, clock)?,
        };
        // What could not be made while applications recorded is of no use when they do not: its packets
        // would be of streams that no application has described.
        let records = self.state().records();
        let requests = channels.iter().filter(|_| records).map(|channel| ChannelRequest {
            index: channel.index,
            name: channel.name.clone(),
            attributes: channel.attributes,
        });
        let prepare = Prepare { channels: requests.collect(), metadata };
        let objects = ask(&buffers, prepare, self.config.consumer_deadline)
            .await
            .map_err(BuffersError::from)??;
        drop(inside);
        reached(FailPoint::BuffersPrepared);
        if self.life().destroyed {
            // It was told to forget the session, and is not to hear of it again.
            return Ok(());
        }
        // What changed while the buffers were made counts: a wish that is sent later must not be an
        // older one.
        let Some((_, channels, _)) = self.wanted(info) else {
            return self.take_out(app).await;
        };
        let has_object = |channel: &&Channel| objects.channel(channel.index).is_some();
        let channels = channels.iter().filter(has_object).cloned().collect();
        let want = WantedSession { active: self.state().records(), channels, buffers, objects };
        let request = Synchronise { session: self.config.id, want };
        // The application keeps its own deadline.
        app.send(request).await.unwrap_or(Err(AppError::Gone))?;
        Ok(())
    }

    /// Takes the session out of an application that is not tracked; its buffers stay.
    async fn take_out(&self, app: &Addr<App>) -> Result<(), SynchroniseError> {
        let forget = Forget { session: self.config.id };
        Ok(app.send(forget).await.unwrap_or(Err(AppError::Gone))?)
    }

    /// Which buffers an application uses, and the channels and metadata attributes of the domain;
    /// `None` for one that the session does not track.
    fn wanted(&self, info: &AppInfo) -> Option<(SetKey, Arc<[Channel]>, ChannelAttributes)> {
        let state = self.state();
        let process = TrackedProcess { pid: info.pid, uid: info.uid, gid: info.gid };
        let ust = state.domain.as_ref().filter(|ust| ust.tracks(process))?;
        let key = match ust.scheme {
            BufferScheme::PerPid => SetKey::App(info.id.0),
            BufferScheme::PerUid | BufferScheme::Global => {
                SetKey::Uid { uid: info.uid, bitness: info.bitness }
            }
        };
        Some((key, ust.channels.clone().into(), ust.metadata_attributes()))
    }

    /// Where a buffer set that is made now writes.
    fn set_output(&self) -> SetOutput {
        let state = self.state();
        match (&state.chunk, state.relayd(), &state.output) {
            (Some(Chunk { id, domain_directory: Some(domain), .. }), ..) => {
                SetOutput::Directory { chunk: *id, domain: Arc::clone(domain) }
            }
            (Some(chunk), Some(relayd), Output::Network(network)) => SetOutput::Relayd {
                chunk: chunk.id,
                net_index: relayd.net_index,
                prefix: self.directory_at(relayd, network, ""),
            },
            _ => SetOutput::None,
        }
    }

    fn new_set(
        &self,
        key: SetKey,
        info: &AppInfo,
        clock: Clock,
    ) -> Result<Addr<BufferSet>, SynchroniseError> {
        let bits = info.bitness.bits_per_long();
        let consumer =
            self.config.consumers.of(info.bitness).ok_or(SynchroniseError::NoConsumer(bits))?;
        let scheme = match key {
            SetKey::Uid { uid, .. } => Scheme::Uid(uid),
            SetKey::App(_) => Scheme::Pid {
                pid: info.pid,
                procname: info.name.clone(),
                registered_at: info.registered_at,
            },
        };
        let config = BufferSetConfig {
            session: self.config.id,
            session_name: self.config.name.clone(),
            auto_named: self.config.auto_named,
            session_created_at: self.config.created_at,
            owner: self.config.owner,
            hostname: self.config.hostname.clone(),
            clock,
            scheme,
            bitness: info.bitness,
            alignments: info.alignments,
            tracer_version: info.tracer_version,
            app_uid: info.uid,
            app_id: info.id.0,
            output: self.set_output(),
            live_timer_interval_us: self.config.live_timer_interval_us(),
            shm_path: self.state().shm_path.clone(),
            keys: self.config.keys.clone(),
            sampled: self.sampled_outlet(),
            consumer_deadline: self.config.consumer_deadline,
            runas: self.config.runas.clone(),
        };
        let path = config.path();
        let actor = BufferSet::new(config, consumer.clone()).start();
        self.state_mut().sets.insert(key, SessionSet { actor: actor.clone(), path });
        self.tell_viewers();
        Ok(actor)
    }
}

#[cfg(test)]
mod tests {
    use lttngd_consumer::ConsumerError;

    use super::*;

    #[test]
    fn a_start_fails_when_buffers_can_be_made_for_nobody() {
        let refused = || Err(BuffersError::Consumer(ConsumerError::TimedOut).into());
        let lost = || Err(BuffersError::Consumer(ConsumerError::Lost).into());
        let gone = || Err(AppError::Gone.into());
        let silent = || Err(AppError::TimedOut.into());
        for (outcomes, expected) in [
            (vec![], None),
            (vec![Ok(())], None),
            (vec![gone()], None),
            (vec![refused()], Some(ErrorCode::UstChanFail)),
            (vec![gone(), refused(), lost()], Some(ErrorCode::UstChanFail)),
            (vec![lost()], Some(ErrorCode::NoUstconsumerd)),
            (vec![refused(), Ok(())], None),
            (vec![refused(), silent()], None),
        ] {
            assert_eq!(nobody_has_buffers(outcomes.into_iter()), expected);
        }
    }
}
