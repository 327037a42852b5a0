//! The actor that owns the names.

use std::{collections::BTreeMap, time::Duration};

use actix::{Actor, Addr, AsyncContext, Context, Handler, Message, ResponseFuture};
use futures::future::join_all;
use lttngd_agent::Agents;
use lttngd_app::{AppInfo, Apps, AppsChanged};
use lttngd_buffers::ChannelKeys;
use lttngd_clock::{TraceClock, now};
use lttngd_consumer::ConsumerExited;
use lttngd_kernel::Tracer;
use lttngd_model::{Credentials, Domain, ErrorCode, SessionDescriptor, SessionId, SessionKind};
use lttngd_relayd::Relayds;
use lttngd_runas::Runas;
use lttngd_runtime::{FailureNotice, Outlet, fail_point};
use lttngd_session::{
    ConsumerLost, Consumers, Destroy, DestroyAtEnd, Destroyed, FAILED, FoundSession, ListChannels,
    Output, Session, SessionConfig, SessionEvent, SessionFailed, SessionListings, SessionObserved,
    WatchUse,
};
use lttngd_users::{Lease, Ledger};
use tokio::time::timeout;

use crate::{
    CreateSession, DestroySession, Ended, Shutdown,
    events::{AppDescription, Audience, Event, Subscribers},
    naming,
};

/// How long the end of a session may take at the end of the daemon.
const END_OF_A_SESSION: Duration = Duration::from_secs(5);

/// Most sessions at a time.
pub const SESSIONS_MAX: usize = 1 << 16;

/// Most sessions of a user but root, and of who has this daemon for himself. With what the list of them takes that is
/// some 60 MB.
pub const SESSIONS_EACH_MAX: u64 = 1 << 12;

/// Of all, kept for root's.
const SESSIONS_KEPT: u64 = 1024;

/// Relay daemons of 2.13 look for a trace chunk of the session with their own id instead of ours. Their
/// ids, counted from 1, are never these: otherwise a session that is announced by its own id, since the
/// relay daemon's could not be foreseen, would wait for another's chunk.
const FIRST_SESSION_ID: u64 = 1 << 32;

/// What every session is made with.
#[derive(Clone, Debug)]
pub struct RegistryConfig {
    /// Size of a page in bytes.
    pub page_size: u64,
    /// Name of this machine.
    pub hostname: String,
    /// What applications stamp events with.
    pub clock: TraceClock,
    /// The consumer daemons.
    pub consumers: Consumers,
    /// The kernel tracer, where the kernel's domain is served.
    pub tracer: Option<Addr<Tracer>>,
    /// Who opens connections to relay daemons.
    pub relayds: Addr<Relayds>,
    /// Longest wait for one reply of a consumer daemon.
    pub consumer_deadline: Duration,
    /// Makes the sessions' files with the rights of their owners.
    pub runas: Runas,
    /// Where the sessions show how they look.
    pub listings: SessionListings,
    /// Who knows which applications are registered.
    pub apps: Addr<Apps>,
    /// Who knows which agents are registered.
    pub agents: Addr<Agents>,
    /// What triggers look at is told here, also by the sessions.
    pub observed: Outlet<SessionObserved>,
}

/// The actor that owns the names of sessions.
pub struct Registry {
    pub(crate) config: RegistryConfig,
    keys: ChannelKeys,
    next_id: u64,
    sessions: BTreeMap<SessionId, Entry>,
    shares: Ledger,
    pub(crate) subscribers: Subscribers,
    ending: bool,
    /// Whether triggers are told how the buffers of sessions are used.
    watches_use: bool,
    failure: Option<FailureNotice>,
}

struct Entry {
    session: Addr<Session>,
    owner: Credentials,
    name: String,
    _share: Lease,
}

impl Entry {
    /// Who may know what happens to it.
    fn audience(&self) -> Audience {
        Audience::User(self.owner)
    }

    fn event(&self, event: SessionEvent) -> Event {
        Event::Session { session: self.name.clone(), event }
    }
}

impl Registry {
    /// A registry without sessions.
    #[must_use]
    pub fn new(config: RegistryConfig) -> Self {
        Self {
            config,
            keys: ChannelKeys::default(),
            next_id: FIRST_SESSION_ID,
            sessions: BTreeMap::new(),
            shares: Ledger::new("sessions", SESSIONS_KEPT)
                .at_most(SESSIONS_EACH_MAX)
                .owned_by(rustix::process::geteuid().as_raw()),
            subscribers: Subscribers::default(),
            ending: false,
            watches_use: false,
            failure: None,
        }
    }

    /// The same, whose owner is told when it fails. Nothing is left of it then.
    #[must_use]
    pub fn with_failure_notice(self, notice: FailureNotice) -> Self {
        Self { failure: Some(notice), ..self }
    }

    fn create(
        &mut self,
        request: CreateSession,
        me: &Addr<Self>,
    ) -> Result<SessionDescriptor, ErrorCode> {
        if self.ending {
            return Err(ErrorCode::SessionFail);
        }
        let share = self.share(request.requester)?;
        let now = now();
        let named = naming::name(&request.descriptor, request.home.as_deref(), now, |name| {
            self.config.listings.id(name).is_some()
        })?;
        let complete = named.complete(&request.descriptor);
        // The output of a snapshot session is where its snapshots go.
        let (output, snapshot_output) = match (request.descriptor.kind, named.output) {
            (_, Output::None) => (Output::None, None),
            (SessionKind::Snapshot, output) => (Output::None, Some(output.try_into()?)),
            (_, output) => (output, None),
        };
        let id = SessionId(self.next_id);
        self.next_id += 1;
        let session = Session::new(SessionConfig {
            id,
            name: named.name.clone(),
            auto_named: named.auto_named,
            owner: request.requester,
            kind: request.descriptor.kind,
            created_at: now,
            hostname: self.config.hostname.clone(),
            clock: self.config.clock.clone(),
            output,
            relayds: self.config.relayds.clone(),
            snapshot_output,
            page_size: self.config.page_size,
            consumers: self.config.consumers.clone(),
            tracer: self.config.tracer.clone(),
            keys: self.keys.clone(),
            consumer_deadline: self.config.consumer_deadline,
            runas: self.config.runas.clone(),
            listings: self.config.listings.clone(),
            apps: self.config.apps.clone(),
            agents: self.config.agents.clone(),
            changes: Outlet::to(me.clone().recipient()),
            observed: self.config.observed.clone(),
            watches_use: self.watches_use,
            failed: Outlet::to(me.clone().recipient()),
        });
        let (listing, under_way) = (session.listing(), session.commands());
        let entry = Entry {
            name: named.name,
            session: session.start(),
            owner: request.requester,
            _share: share,
        };
        let (session, owner) = (entry.session.clone(), entry.owner);
        let found = FoundSession { session, owner, under_way };
        self.config.listings.publish(id, found, listing);
        fail_point::reached("Registry create_session");
        self.subscribers.publish(entry.audience(), || entry.event(SessionEvent::Created));
        self.sessions.insert(id, entry);
        Ok(complete)
    }

    /// The right of a user to one more session.
    fn share(&self, requester: Credentials) -> Result<Lease, ErrorCode> {
        let (all, one) = (SESSIONS_MAX as u64, (requester.uid, 1));
        let taken = self.shares.take_of(all, one, "a session is refused");
        taken.map_err(|_| ErrorCode::SessionFail)
    }

    fn find(&self, name: &str) -> Option<(SessionId, &Entry)> {
        let id = self.config.listings.id(name)?;
        Some((id, self.sessions.get(&id)?))
    }

    /// Frees the session's name and begins its end.
    fn begin_destroy(&mut self, id: SessionId) -> Option<Addr<Session>> {
        let entry = self.sessions.get(&id)?;
        self.config.listings.withdraw(id);
        Some(entry.session.clone())
    }

    /// Has a session look what its channels lost, which it tells of.
    pub(crate) fn look_for_losses(&self, session: SessionId) {
        let Some(entry) = self.sessions.get(&session) else { return };
        for domain in [Domain::Kernel, Domain::Ust] {
            let listed = entry.session.send(ListChannels { domain });
            // What it answers is not needed: the session tells what is new in it.
            tokio::task::spawn_local(async move { drop(listed.await) });
        }
    }

    fn publish_app(&mut self, info: &AppInfo, event: fn(AppDescription) -> Event) {
        let audience = Audience::User(Credentials { uid: info.uid, gid: info.gid });
        self.subscribers.publish(audience, || event(info.into()));
    }

    pub(crate) fn tell_sessions<M>(&self, message: &M)
    where
        M: Message<Result = ()> + Clone + Send + 'static,
        Session: Handler<M>,
    {
        for entry in self.sessions.values() {
            Outlet::to(entry.session.clone().recipient()).tell(message.clone());
        }
    }
}

impl Actor for Registry {
    type Context = Context<Self>;
}

impl Handler<CreateSession> for Registry {
    type Result = Result<SessionDescriptor, ErrorCode>;

    fn handle(&mut self, request: CreateSession, context: &mut Self::Context) -> Self::Result {
        self.create(request, &context.address())
    }
}

impl Handler<DestroySession> for Registry {
    type Result = ResponseFuture<Result<Destroyed, ErrorCode>>;

    fn handle(&mut self, request: DestroySession, context: &mut Self::Context) -> Self::Result {
        let found = match self.find(&request.name) {
            None => Err(ErrorCode::SessNotFound),
            Some((_, entry)) if !request.requester.may_access(entry.owner) => Err(ErrorCode::Eperm),
            Some((id, _)) => Ok(id),
        };
        let begun = found.and_then(|id| {
            self.begin_destroy(id).map(|session| (id, session)).ok_or(ErrorCode::SessNotFound)
        });
        let me = context.address();
        Box::pin(async move {
            let (id, session) = begun?;
            let outcome = session.send(Destroy).await.unwrap_or(Err(FAILED));
            // It fails only when the daemon ends.
            let _ = me.send(SessionEnded { id }).await;
            outcome
        })
    }
}

/// A session has ended.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
struct SessionEnded {
    id: SessionId,
}

impl Handler<SessionEnded> for Registry {
    type Result = ();

    fn handle(&mut self, ended: SessionEnded, _: &mut Self::Context) {
        if let Some(entry) = self.sessions.remove(&ended.id) {
            self.subscribers.publish(entry.audience(), || entry.event(SessionEvent::Destroyed));
        }
    }
}

impl Handler<SessionFailed> for Registry {
    type Result = ();

    /// The session keeps its name, and the place of its actor has one that lets go of what is left.
    fn handle(&mut self, failed: SessionFailed, _: &mut Self::Context) {
        let id = failed.id;
        let Some(entry) = self.sessions.get_mut(&id) else { return };
        tracing::error!(
            session = entry.name,
            "the session failed, by a fault of this daemon (the panic is in its log); destroy it"
        );
        let session = failed.remains.into_session();
        let under_way = session.commands();
        entry.session = session.start();
        self.config.listings.replace(id, entry.session.clone(), under_way);
        let (audience, event) = (entry.audience(), entry.event(SessionEvent::Failed));
        self.subscribers.publish(audience, || event);
    }
}

impl Handler<WatchUse> for Registry {
    type Result = ();

    fn handle(&mut self, watch: WatchUse, _: &mut Self::Context) {
        let WatchUse(watches_use) = watch;
        self.watches_use = watches_use;
        self.tell_sessions(&watch);
    }
}

impl Handler<AppsChanged> for Registry {
    type Result = ();

    fn handle(&mut self, changed: AppsChanged, _: &mut Self::Context) {
        let event = match changed.is_registered {
            true => Event::AppRegistered,
            false => Event::AppUnregistered,
        };
        self.publish_app(&changed.info, event);
    }
}

impl Handler<ConsumerExited> for Registry {
    type Result = ();

    fn handle(&mut self, exited: ConsumerExited, _: &mut Self::Context) {
        let kind = exited.kind;
        let successor = exited.remains.map(|remains| remains.into_consumer().start());
        if let Some(successor) = successor.clone() {
            tracing::error!(%kind, "{}; another one takes its place", exited.reason);
            self.config.consumers.replace(kind, successor);
        }
        self.subscribers.publish(Audience::All, || Event::ConsumerLost { consumer: kind });
        self.tell_sessions(&ConsumerLost { kind, successor });
    }
}

impl Handler<Shutdown> for Registry {
    type Result = ResponseFuture<Ended>;

    fn handle(&mut self, Shutdown { keep }: Shutdown, _: &mut Self::Context) -> Self::Result {
        self.ending = true;
        if let Some(mut failure) = self.failure.take() {
            failure.dismiss();
        }
        let ids: Vec<_> = self.sessions.keys().copied().collect();
        // A session whose end has begun already answers this one when that is over.
        let sessions: Vec<_> = ids.into_iter().filter_map(|id| self.begin_destroy(id)).collect();
        // One that takes another's place from here on runs nothing: nothing is begun any more.
        let consumers = self.config.consumers.clone();
        Box::pin(async move {
            let end = |session: Addr<Session>| async move {
                match timeout(END_OF_A_SESSION, session.send(DestroyAtEnd { keep })).await {
                    Ok(Ok(Ok(kept))) => kept,
                    // Its end had begun, or it has failed and told so.
                    Ok(Err(_) | Ok(Err(ErrorCode::SessNotFound))) => None,
                    Ok(Ok(Err(code))) => {
                        tracing::error!(?code, keep, "a session did not end cleanly");
                        None
                    }
                    Err(_) => {
                        tracing::error!(keep, "a session did not end in time");
                        None
                    }
                }
            };
            let kept = join_all(sessions.into_iter().map(end)).await.into_iter().flatten();
            Ended { consumers, kept: kept.collect() }
        })
    }
}
