//! One method for each request of the client protocol, with its checks in their order.

use std::{sync::Arc, time::Instant};

use actix::{Addr, Handler, Message};
use lttngd_kernel::{EnsureReady, ListSyscalls, Tracer};
use lttngd_model::{
    Credentials, Domain, ErrorCode, EventField, EventListing, SessionDescriptor, SessionListing,
};
use lttngd_notification::Triggers;
use lttngd_registry::{
    CreateSession, DestroySession, ListSessions, ListTracepointFields, ListTracepoints,
    RegisterConsumer, Registry, Subscribe, Subscription,
};
use lttngd_runtime::Asker;
use lttngd_session::{
    Asked, Destroyed, FAILED, PrepareDomain, Session, SessionListings, SessionRequest, ShownSession,
};

use crate::{CommandCounters, Process, Request, SubscriptionRequest};

/// What answers depend on besides sessions.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Whether the daemon runs as root.
    pub is_root: bool,
    /// Whether it serves agents.
    pub serves_agents: bool,
    /// The kernel tracer, where the kernel's domain is served.
    pub tracer: Option<Addr<Tracer>>,
    /// Who has the triggers.
    pub triggers: Addr<Triggers>,
    /// The daemon's process.
    pub process: Process,
}

/// The way into a daemon. It can be cloned and used from any thread and any asynchronous runtime;
/// [`Handle::ask`] sends any request and awaits its reply, and each other method is a shorthand for one.
///
/// Every method answers `LTTNG_ERR_FATAL` when the daemon is gone, and when the session that it names failed
/// by a fault of the daemon: such a session can be listed and destroyed. Methods that name a session
/// answer `LTTNG_ERR_SESS_NOT_FOUND` and `LTTNG_ERR_EPERM` before their own errors, and of those the
/// ones about channels, events, contexts and trackers the errors of [`PrepareDomain`].
#[derive(Clone, Debug)]
pub struct Handle {
    registry: Addr<Registry>,
    listings: SessionListings,
    settings: Arc<Settings>,
    requester: Credentials,
    /// Whether what is asked is counted here.
    counts: bool,
    /// Who waits for what is asked, if it is not who awaits it here.
    asker: Asker,
}

impl Handle {
    /// A handle that acts for `requester`. `listings` are those that the registry was made with.
    #[must_use]
    pub fn new(
        registry: Addr<Registry>,
        listings: SessionListings,
        settings: Settings,
        requester: Credentials,
    ) -> Self {
        Self {
            registry,
            listings,
            settings: Arc::new(settings),
            requester,
            counts: true,
            asker: Asker::nobody(),
        }
    }

    /// The same way, for somebody else. Only whoever knows that it is that somebody may do so: the
    /// owner of a socket, by its credentials.
    #[must_use]
    pub fn acting_for(&self, requester: Credentials) -> Self {
        Self { requester, ..self.clone() }
    }

    /// The same way for whoever counts what it answers by itself.
    #[must_use]
    pub fn uncounted(&self) -> Self {
        Self { counts: false, ..self.clone() }
    }

    /// The same way for one who may go while what he asked is awaited here: it is seen by `asker`. Else who asks has gone
    /// when he does not await the reply any more.
    #[must_use]
    pub fn asked_by(&self, asker: Asker) -> Self {
        Self { asker, ..self.clone() }
    }

    /// Where answers to commands are counted.
    #[must_use]
    pub fn commands(&self) -> &CommandCounters {
        self.settings.process.commands()
    }

    /// For whom it acts.
    #[must_use]
    pub fn requester(&self) -> Credentials {
        self.requester
    }

    pub(crate) async fn registry<M, T>(&self, message: M) -> Result<T, ErrorCode>
    where
        M: Message<Result = T> + Send + 'static,
        T: Send + 'static,
        Registry: Handler<M>,
    {
        self.registry.send(message).await.map_err(|_| ErrorCode::Fatal)
    }

    pub(crate) fn process(&self) -> &Process {
        &self.settings.process
    }

    /// The sessions that the requester may access, with what they record and lose.
    pub(crate) fn looked_at_sessions(&self) -> Vec<ShownSession> {
        self.listings.looked_at_by(self.requester)
    }

    /// Whether the daemon is there yet.
    pub(crate) fn check_running(&self) -> Result<(), ErrorCode> {
        if self.registry.connected() { Ok(()) } else { Err(ErrorCode::Fatal) }
    }

    /// The session of this name, if it exists and the requester may use it.
    fn find(&self, name: &str) -> Result<Addr<Session>, ErrorCode> {
        self.check_running()?;
        let found = self.listings.find(name).ok_or(ErrorCode::SessNotFound)?;
        if !self.requester.may_access(found.owner) {
            return Err(ErrorCode::Eperm);
        }
        Ok(found.session)
    }

    /// Asks what a request asks, and awaits the reply.
    ///
    /// # Errors
    /// Those that the request documents, after those that every request has.
    pub async fn ask<R: Request>(&self, request: R) -> Result<R::Reply, ErrorCode> {
        if !self.counts {
            return request.ask(self).await;
        }
        let (command, since) = (request.command(), Instant::now());
        let reply = request.ask(self).await;
        self.commands().answered(command, reply.as_ref().err().copied(), since.elapsed());
        reply
    }

    /// Subscribes to something, which is told from now on.
    ///
    /// # Errors
    /// Those that the subscription documents; `Fatal` when the daemon is gone.
    pub async fn subscribe_to<S: SubscriptionRequest>(
        &self,
        subscription: S,
    ) -> Result<S::Stream, ErrorCode> {
        subscription.subscribe(self).await
    }

    /// Subscribes to what happens from now on, as far as the one for whom the handle acts may know it.
    /// `capacity` is how many events may wait, from 1 to [`EVENTS_MAX`](lttngd_registry::EVENTS_MAX): more are
    /// dropped and counted.
    ///
    /// # Errors
    /// `Overflow` when there are [`SUBSCRIPTIONS_MAX`](lttngd_registry::SUBSCRIPTIONS_MAX) subscriptions.
    pub async fn subscribe(&self, capacity: usize) -> Result<Subscription, ErrorCode> {
        let requester = self.requester;
        self.subscribe_to(Subscribe { requester, capacity, looks_for_losses: true }).await
    }

    /// As [`Handle::subscribe`], by one who need not know what channels lost: no session looks for that on
    /// its behalf.
    ///
    /// # Errors
    /// Those of [`Handle::subscribe`].
    pub async fn subscribe_without_losses(
        &self,
        capacity: usize,
    ) -> Result<Subscription, ErrorCode> {
        let requester = self.requester;
        self.subscribe_to(Subscribe { requester, capacity, looks_for_losses: false }).await
    }

    /// Asks a session, which is to have what the request needs.
    pub(crate) async fn ask_session<M>(
        &self,
        session: &str,
        mut request: M,
    ) -> Result<<M as SessionRequest>::Reply, ErrorCode>
    where
        M: SessionRequest,
        Session: Handler<Asked<M>>,
    {
        request.act_for(self.requester);
        let needs = request.needs();
        let actor = self.find(session)?;
        let served = match needs.domain() {
            Some(domain) => self.check_domain(domain).await,
            None => Ok(()),
        };
        // Else whoever abandons this is who has gone.
        let (_waits, here) = Asker::new();
        let asker = if self.asker.is_known() { self.asker.clone() } else { here };
        match actor.send(Asked { request, needs, served, asker }).await {
            Ok(reply) => reply,
            // Its actor ended: as it was to, and then it is not found any more, or it failed.
            Err(_) => Err(self.find(session).err().unwrap_or(FAILED)),
        }
    }

    pub(crate) async fn triggers<M, T>(&self, message: M) -> Result<T, ErrorCode>
    where
        M: Message<Result = Result<T, ErrorCode>> + Send + 'static,
        T: Send + 'static,
        Triggers: Handler<M>,
    {
        self.settings.triggers.send(message).await.unwrap_or(Err(ErrorCode::Fatal))
    }

    /// The kernel domain answers why there is no kernel tracer where there is none, and those of agents
    /// what a daemon answers that found no port for them.
    pub(crate) async fn check_domain(&self, domain: Domain) -> Result<(), ErrorCode> {
        match domain {
            Domain::Kernel => self.tracer()?.send(EnsureReady).await.map_or_else(
                |_| Err(ErrorCode::KernNa),
                |ready| ready.map(drop).map_err(|error| error.code()),
            ),
            agents if agents.is_agent() && !self.settings.serves_agents => {
                Err(ErrorCode::AgentTracingDisabled)
            }
            _ => Ok(()),
        }
    }

    /// The kernel tracer, if this daemon may have one.
    pub(crate) fn tracer(&self) -> Result<&Addr<Tracer>, ErrorCode> {
        self.settings.tracer.as_ref().ok_or(match self.settings.is_root {
            true => ErrorCode::KernNa,
            false => ErrorCode::NeedRootSessiond,
        })
    }

    /// Checks what every command that names a session and a domain checks, and makes the domain ready
    /// as such a command does, for one that is not there or has nothing to do: [`PrepareDomain`].
    ///
    /// # Errors
    /// Those of the checks.
    pub async fn check(&self, session: &str, domain: Option<Domain>) -> Result<(), ErrorCode> {
        match domain {
            Some(domain) => self.ask(PrepareDomain { domain }.in_session(session)).await,
            None => self.find(session).map(drop),
        }
    }

    /// CREATE_SESSION_EXT: makes a session. `home` is the directory below which traces go when the
    /// descriptor names no place. Returns the descriptor with name and place filled in.
    ///
    /// # Errors
    /// `Invalid`, `NotSupported`, `ExistSess`, `SessionInvalidChar`, `SetUrl`, `SessionFail`.
    pub async fn create_session(
        &self,
        home: Option<String>,
        descriptor: SessionDescriptor,
    ) -> Result<SessionDescriptor, ErrorCode> {
        let requester = self.requester;
        self.ask(CreateSession { requester, home, descriptor }).await
    }

    /// LIST_SESSIONS: the sessions that the requester may access, newest first.
    ///
    /// # Errors
    /// None of its own.
    pub async fn list_sessions(&self) -> Result<Vec<SessionListing>, ErrorCode> {
        self.ask(ListSessions).await
    }

    /// What [`Handle::list_sessions`] answers, for callers that cannot wait.
    ///
    /// # Errors
    /// None of its own.
    pub fn visible_sessions(&self) -> Result<Vec<SessionListing>, ErrorCode> {
        Ok(self.shown_sessions()?.iter().map(|session| SessionListing::clone(session)).collect())
    }

    /// The same, as the sessions show themselves to all.
    ///
    /// # Errors
    /// None of its own.
    pub fn shown_sessions(&self) -> Result<Vec<Arc<SessionListing>>, ErrorCode> {
        self.check_running()?;
        Ok(self.listings.visible_to(self.requester))
    }

    /// A number that is another as soon as LIST_SESSIONS may answer something else. A listing that
    /// is asked for after it shows at least what happened before it.
    #[must_use]
    pub fn sessions_generation(&self) -> u64 {
        self.listings.generation()
    }

    /// DESTROY_SESSION: ends a session. The name is free at once; this returns when the trace is
    /// whole.
    ///
    /// # Errors
    /// The last one met on the way; the session is gone all the same.
    pub async fn destroy_session(&self, name: &str) -> Result<Destroyed, ErrorCode> {
        let requester = self.requester;
        self.ask(DestroySession { requester, name: name.to_owned() }).await
    }

    /// LIST_TRACEPOINTS: the tracepoints of every application, in agent domains the loggers of every
    /// agent, in the kernel's domain those of the kernel.
    ///
    /// # Errors
    /// `KernNa`, `KernVersion`, `NeedRootSessiond`, `KernListFail`, `AgentTracingDisabled`, `Und` for other
    /// domains.
    pub async fn list_tracepoints(
        &self,
        domain: Option<Domain>,
    ) -> Result<Vec<EventListing>, ErrorCode> {
        self.ask(ListTracepoints { domain }).await
    }

    /// LIST_TRACEPOINT_FIELDS: the fields of the tracepoints of every application.
    ///
    /// # Errors
    /// As [`Handle::list_tracepoints`].
    pub async fn list_tracepoint_fields(
        &self,
        domain: Option<Domain>,
    ) -> Result<Vec<EventField>, ErrorCode> {
        self.ask(ListTracepointFields { domain }).await
    }

    /// LIST_SYSCALLS: the system calls that the kernel tracer knows by name.
    ///
    /// # Errors
    /// `KernNa`, `KernVersion`, `NeedRootSessiond`, `KernListFail`.
    pub async fn list_syscalls(&self) -> Result<Vec<EventListing>, ErrorCode> {
        self.ask(ListSyscalls).await
    }

    /// REGISTER_CONSUMER: would have a consumer daemon that somebody else started write the traces of
    /// the kernel domain, the only one for which there is such a thing.
    ///
    /// # Errors
    /// Always: `KernNa`, `NeedRootSessiond`, `KernConsumerFail` where the daemon has its own, else `Und`.
    pub async fn register_consumer(
        &self,
        session: &str,
        domain: Option<Domain>,
    ) -> Result<(), ErrorCode> {
        self.ask(RegisterConsumer { session: session.to_owned(), domain }).await
    }

    /// `lttng_calibrate()`: measured the kernel tracer until LTTng 2.9 removed its command, CALIBRATE,
    /// whose number 1 no command has since. `liblttng-ctl` 2.13 answers by itself, whatever the session
    /// and the domain, and so does this.
    ///
    /// # Errors
    /// As [`Calibrate`](lttngd_registry::Calibrate).
    pub fn calibrate(&self) -> Result<(), ErrorCode> {
        Err(ErrorCode::Und)
    }

    /// Checks what every command that names a domain and no session checks.
    ///
    /// # Errors
    /// Why the domain is not served.
    pub async fn check_served(&self, domain: Option<Domain>) -> Result<(), ErrorCode> {
        match domain {
            Some(domain) => self.check_domain(domain).await,
            None => Ok(()),
        }
    }

    pub(crate) async fn check_listing(&self, domain: Option<Domain>) -> Result<(), ErrorCode> {
        match domain {
            Some(Domain::Ust) => Ok(()),
            Some(domain) => self.check_domain(domain).await.and(Err(ErrorCode::Und)),
            None => Err(ErrorCode::Und),
        }
    }
}
