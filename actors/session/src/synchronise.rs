//! Bringing applications to what the session wants: each buffer set is asked for its objects once, however
//! many applications use it, and then each of these is handed the same wish.

use std::{collections::BTreeMap, sync::Arc};

use actix::{Actor, Addr};
use futures::future::join_all;
use lttngd_app::{App, AppError, AppInfo, Forget, RegisteredApp, SessionWish, Synchronise};
use lttngd_buffers::{
    BufferObjects, BufferSet, BufferSetConfig, BuffersError, ChannelRequest, Prepare, SetKey,
};
use lttngd_metadata::tsdl::{Clock, Scheme};
use lttngd_model::{ConsumerKind, ErrorCode, Tracer, ust::Channel};
use lttngd_runtime::{ask, complaint, fail_point};
use thiserror::Error;

use crate::{
    actor::Inner,
    asked::Footing,
    error::buffers_code,
    gate::GateFull,
    state::{Prepared, SessionSet, State},
};

/// Why an application was not brought to what the session wants.
#[derive(Debug, Error)]
pub(crate) enum SynchroniseError {
    #[error("no consumer daemon for {0} applications")]
    NoConsumer(ConsumerKind),
    #[error(transparent)]
    Gate(#[from] GateFull),
    #[error(transparent)]
    Buffers(#[from] BuffersError),
    #[error(transparent)]
    App(#[from] AppError),
}

/// The same for all applications of a buffer set.
type Outcome = Result<(), Arc<SynchroniseError>>;

/// The code for buffers that could be made for none of some applications. One that does not follow for a
/// reason of its own, as one that is silent, has them: it may follow later.
fn nobody_has_buffers(outcomes: impl Iterator<Item = Outcome>) -> Option<ErrorCode> {
    let mut code = None;
    for outcome in outcomes {
        let Err(error) = outcome else { return None };
        match &*error {
            SynchroniseError::App(AppError::Gone) => {}
            SynchroniseError::App(_) | SynchroniseError::Gate(_) => return None,
            SynchroniseError::NoConsumer(_) => {
                code.get_or_insert(ErrorCode::NoUstconsumerd);
            }
            SynchroniseError::Buffers(error) => {
                code.get_or_insert(buffers_code(error, ErrorCode::UstChanFail));
            }
        }
    }
    code
}

impl Inner {
    /// Brings all applications to what the session wants, side by side. The code is for none of those
    /// that it tracks having buffers: there were some, and there was none of them for which buffers could
    /// be made.
    pub(crate) async fn synchronise_all(&self, footing: &Footing) -> Option<ErrorCode> {
        let kernel =
            async { self.synchronise_kernel().await.inspect(|()| footing.kernel_follows()) };
        let (kernel, apps) = tokio::join!(kernel, self.synchronise_apps(footing));
        kernel.err().or(apps)
    }

    pub(crate) async fn synchronise_apps(&self, footing: &Footing) -> Option<ErrorCode> {
        self.follow_apps().await;
        let members = self.state().apps.all().cloned().collect();
        let outcomes = self.synchronise(members, footing).await;
        let tracked = {
            let state = self.state();
            let is_tracked = |(info, _): &(Arc<AppInfo>, Outcome)| state.set_of(info).is_some();
            outcomes.into_iter().filter(is_tracked).collect::<Vec<_>>()
        };
        nobody_has_buffers(tracked.into_iter().map(|(_, outcome)| outcome))
    }

    /// The same for some of them: what became of those that the session tracks. It is in the log.
    async fn synchronise(
        &self,
        members: Vec<RegisteredApp>,
        footing: &Footing,
    ) -> Vec<(Arc<AppInfo>, Outcome)> {
        let mut of_sets: BTreeMap<SetKey, Vec<RegisteredApp>> = BTreeMap::new();
        let mut others = Vec::new();
        {
            let state = self.state();
            for member in members {
                match state.set_of(&member.0) {
                    Some(key) => of_sets.entry(key).or_default().push(member),
                    None => others.push(member),
                }
            }
        }
        let taken_out = join_all(others.iter().map(async |member| {
            let outcome = self.take_out(&member.1).await.map_err(SynchroniseError::from);
            self.log(member, &outcome);
        }));
        let synchronised =
            of_sets.into_iter().map(|(key, members)| self.synchronise_set(key, members, footing));
        let (_, outcomes) = futures::join!(taken_out, join_all(synchronised));
        outcomes.into_iter().flatten().collect()
    }

    /// Brings the applications of one buffer set to what the session wants.
    async fn synchronise_set(
        &self,
        key: SetKey,
        members: Vec<RegisteredApp>,
        footing: &Footing,
    ) -> Vec<(Arc<AppInfo>, Outcome)> {
        let here = |state: &State| {
            let mut known = members.iter().filter(|(info, _)| state.apps.get(info.id).is_some());
            known.next().map(|(info, _)| Arc::clone(info))
        };
        let prepared = self.prepare(key, here).await;
        if prepared.is_ok() {
            footing.has_buffers();
        }
        let of = members.first().map(|(info, _)| &**info);
        let wish = match self.wish_of(key, prepared, of, members.len()) {
            Ok(Some(wish)) => wish,
            Ok(None) => return members.into_iter().map(|(info, _)| (info, Ok(()))).collect(),
            Err(error) => {
                let failed = |(info, _): RegisteredApp| (info, Err(Arc::clone(&error)));
                return members.into_iter().map(failed).collect();
            }
        };
        let handed = members.into_iter().map(async |member| {
            let outcome = self.hand(&member, &wish).await.map_err(SynchroniseError::from);
            self.log(&member, &outcome);
            (member.0, outcome.map_err(Arc::new))
        });
        join_all(handed).await
    }

    /// What the session wants now of `applications` that use buffers which were to be made; `of` is one of them,
    /// for the log.
    pub(crate) fn wish_of(
        &self,
        key: SetKey,
        prepared: Result<Option<Prepared>, SynchroniseError>,
        of: Option<&AppInfo>,
        applications: usize,
    ) -> Result<Option<SessionWish>, Arc<SynchroniseError>> {
        match prepared {
            Ok(Some((buffers, objects))) => {
                fail_point::reached("Session buffers_prepared");
                Ok(self.wish(key, buffers, objects))
            }
            Ok(None) => Ok(None),
            Err(error) => {
                if let Some(info) = of
                    && !matches!(error, SynchroniseError::App(AppError::Gone))
                    && let Some(left_out) = complaint("applications without buffers", info.uid)
                {
                    tracing::warn!(
                        pid = info.pid, app = info.name, %error, applications, left_out,
                        "applications do not follow the session: they have no buffers"
                    );
                }
                Err(Arc::new(error))
            }
        }
    }

    /// The session's wish for an application whose buffers are there.
    pub(crate) fn ready_wish(&self, info: &AppInfo) -> Option<SessionWish> {
        let (key, (buffers, objects)) = {
            let mut state = self.state_mut();
            let key = state.set_of(info)?;
            (key, state.prepared(key)?)
        };
        fail_point::reached("Session buffers_prepared");
        self.wish(key, buffers, objects)
    }

    /// Hands an application the session's wish. The application keeps its own deadline.
    async fn hand(&self, (info, app): &RegisteredApp, wish: &SessionWish) -> Result<(), AppError> {
        // What changed while the buffers were made counts: a wish that is sent later must not be an
        // older one.
        if self.state().set_of(info).is_none() {
            return self.take_out(app).await;
        }
        let request = Synchronise { session: self.config.id, want: wish.clone() };
        app.send(request).await.unwrap_or(Err(AppError::Gone))
    }

    /// Takes the session out of an application that is not tracked; its buffers stay.
    async fn take_out(&self, app: &Addr<App>) -> Result<(), AppError> {
        app.send(Forget { session: self.config.id }).await.unwrap_or(Err(AppError::Gone))
    }

    fn log(&self, (info, _): &RegisteredApp, outcome: &Result<(), SynchroniseError>) {
        match outcome {
            // Of one that does not answer its actor says so, once.
            Ok(()) | Err(SynchroniseError::App(AppError::Gone | AppError::TimedOut)) => {}
            Err(error) => {
                if let Some(left_out) = complaint("application that does not follow", info.uid) {
                    tracing::warn!(
                        pid = info.pid, app = info.name, %error, left_out,
                        "an application does not follow the session"
                    );
                }
            }
        }
    }

    /// What the session wants now of those who use these buffers. `None` once its end has begun: they
    /// were told to forget it, and are not to hear of it again.
    fn wish(
        &self,
        key: SetKey,
        buffers: Arc<Addr<BufferSet>>,
        objects: Arc<BufferObjects>,
    ) -> Option<SessionWish> {
        let mut state = self.state_mut();
        if state.life.destroyed {
            return None;
        }
        let channels = state.wanted_channels();
        let has_object = |channel: &Channel| objects.channel(channel.index).is_some();
        let channels = if channels.iter().all(has_object) {
            channels
        } else {
            channels.iter().filter(|channel| has_object(channel)).cloned().collect()
        };
        let known = state.sets.get(&key).map(|set| Arc::clone(&set.known)).unwrap_or_default();
        Some(SessionWish { active: state.records(), channels, buffers, objects, known })
    }

    /// The objects of a buffer set, which has all channels afterwards if applications record. `None` where
    /// nothing was ever recorded, and nothing will be now. `here` is an application that uses it and is there.
    pub(crate) async fn prepare(
        &self,
        key: SetKey,
        here: impl Fn(&State) -> Option<Arc<AppInfo>>,
    ) -> Result<Option<Prepared>, SynchroniseError> {
        if let Some(prepared) = self.state_mut().prepared(key) {
            return Ok(Some(prepared));
        }
        // A change of trace chunk sees either all of this or nothing.
        let inside = self.chunk_gate.pass().await?;
        let mut clock = None;
        if self.state().makes_buffers() && !self.state().sets.contains_key(&key) {
            clock = Some(self.config.clock.sample().await);
        }
        let known = self.state().sets.get(&key).map(|set| Arc::clone(&set.actor));
        let buffers = match (known, clock) {
            (Some(buffers), _) => buffers,
            (None, None) => return Ok(None),
            (None, Some(_)) if !self.state().records() => return Ok(None),
            (None, Some(clock)) => {
                // An application that left meanwhile must not leave buffers that nobody finishes.
                let info = here(&self.state()).ok_or(AppError::Gone)?;
                self.new_set(key, &info, clock)?
            }
        };
        // What could not be made while applications recorded is of no use when they do not: its packets
        // would be of streams that no application has described.
        let (channels, metadata) = {
            let mut state = self.state_mut();
            let channels = state.records().then(|| state.wanted_channels());
            let metadata = state.domains.ust.as_ref().map(|ust| ust.metadata_attributes());
            (channels, metadata)
        };
        let Some(metadata) = metadata else { return Ok(None) };
        let requests = channels.iter().flat_map(|channels| channels.iter());
        let requests = requests.map(|channel| ChannelRequest {
            index: channel.index,
            name: channel.name.clone(),
            attributes: channel.attributes,
        });
        let output = self.set_output(Tracer::Ust);
        let prepare = Prepare { channels: requests.collect(), metadata, output };
        let objects = ask(&buffers, prepare, self.config.consumer_deadline)
            .await
            .map_err(BuffersError::from)??;
        drop(inside);
        // What it lacks is tried again when the next application comes.
        if let Some(channels) = channels
            && channels.iter().all(|channel| objects.channel(channel.index).is_some())
            && let Some(set) = self.state_mut().sets.get_mut(&key)
        {
            set.prepared = Some((channels, Arc::clone(&objects)));
        }
        Ok(Some((buffers, objects)))
    }

    fn new_set(
        &self,
        key: SetKey,
        info: &AppInfo,
        clock: Clock,
    ) -> Result<Arc<Addr<BufferSet>>, SynchroniseError> {
        let missing = || SynchroniseError::NoConsumer(ConsumerKind::Ust(info.bitness));
        let kind = self.state().consumers.kind_for(info.bitness).ok_or_else(missing)?;
        let consumer = self.state().consumers.of(kind).cloned().ok_or_else(missing)?;
        let scheme = match key {
            SetKey::Uid { uid, .. } => Scheme::Uid(uid),
            SetKey::App(_) => Scheme::Pid {
                pid: info.pid,
                procname: info.name.clone(),
                registered_at: info.registered_at,
            },
        };
        let is_beside = self.state().sets.keys().any(|other| other.is_beside(key));
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
            layout: info.abi.buffer_layout(),
            is_beside,
            alignments: info.alignments,
            tracer_version: info.tracer_version,
            app_uid: info.uid,
            app_id: info.id.0,
            live_timer_interval_us: self.config.live_timer_interval_us(),
            shm_path: self.state().shm_path.clone(),
            keys: self.config.keys.clone(),
            sampled: self.outlet(),
            given: self.outlet(),
            failed: self.outlet(),
            consumer_deadline: self.config.consumer_deadline,
            runas: self.config.runas.clone(),
        };
        let path = config.path();
        let actor = Arc::new(BufferSet::new(config, consumer.clone()).start());
        self.state_mut()
            .sets
            .insert(key, SessionSet::new(Arc::clone(&actor), path, kind, info.bitness));
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
        let buffers = |error| Err(Arc::new(BuffersError::Consumer(error).into()));
        let refused = || buffers(ConsumerError::TimedOut);
        let lost = || buffers(ConsumerError::Lost);
        let gone = || Err(Arc::new(AppError::Gone.into()));
        let silent = || Err(Arc::new(AppError::TimedOut.into()));
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
