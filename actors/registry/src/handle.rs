//! One method for each request of the client protocol, with its checks in their order.

use std::sync::Arc;

use actix::{Addr, Handler, Message};
use lttngd_model::{
    Credentials, Domain, ErrorCode, EventField, EventListing, SessionDescriptor, SessionListing,
};
use lttngd_session::{Destroyed, OpenDomain, PrepareDomain, Session, SessionListings};

use crate::{
    CreateSession, DestroySession, FindSession, ListLoggers, ListTracepointFields, ListTracepoints,
    Registry,
};

/// What answers depend on besides sessions.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Whether the daemon runs as root.
    pub is_root: bool,
    /// Whether it serves agents.
    pub serves_agents: bool,
}

/// The way into a daemon. It can be cloned and used from any thread and any asynchronous runtime;
/// each method sends a message and awaits its reply.
///
/// Every method answers `LTTNG_ERR_FATAL` when the daemon is gone. Methods that name a session
/// answer `LTTNG_ERR_SESS_NOT_FOUND` and `LTTNG_ERR_EPERM` before their own errors, and of those the
/// ones about channels, events, contexts and trackers the errors of [`PrepareDomain`].
#[derive(Clone, Debug)]
pub struct Handle {
    registry: Addr<Registry>,
    listings: SessionListings,
    settings: Arc<Settings>,
    requester: Credentials,
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
        Self { registry, listings, settings: Arc::new(settings), requester }
    }

    /// The same way, for somebody else. Only whoever knows that it is that somebody may do so: the
    /// owner of a socket, by its credentials.
    #[must_use]
    pub fn acting_for(&self, requester: Credentials) -> Self {
        Self { requester, ..self.clone() }
    }

    pub(crate) fn requester(&self) -> Credentials {
        self.requester
    }

    async fn registry<M, T>(&self, message: M) -> Result<T, ErrorCode>
    where
        M: Message<Result = T> + Send + 'static,
        T: Send + 'static,
        Registry: Handler<M>,
    {
        self.registry.send(message).await.map_err(|_| ErrorCode::Fatal)
    }

    /// The session of this name, if it exists and the requester may use it.
    async fn find(&self, name: &str) -> Result<Addr<Session>, ErrorCode> {
        let found = self.registry(FindSession { name: name.to_owned() }).await?;
        let found = found.ok_or(ErrorCode::SessNotFound)?;
        if !self.requester.may_access(found.owner) {
            return Err(ErrorCode::Eperm);
        }
        Ok(found.session)
    }

    /// Asks a session what needs no domain.
    ///
    /// # Errors
    /// Those of the request.
    pub async fn ask<M, T>(&self, session: &str, message: M) -> Result<T, ErrorCode>
    where
        M: Message<Result = Result<T, ErrorCode>> + Send + 'static,
        T: Send + 'static,
        Session: Handler<M>,
    {
        self.find(session).await?.send(message).await.map_err(|_| ErrorCode::SessNotFound)?
    }

    /// Asks a session what needs a domain, which is made ready first. `domain` is `None` for a
    /// number that no domain has: then the request itself decides.
    ///
    /// # Errors
    /// `KernNa`, `NeedRootSessiond`, `AgentTracingDisabled`, those of [`PrepareDomain`], then those of
    /// the request.
    pub async fn ask_in<M, T>(
        &self,
        session: &str,
        domain: Option<Domain>,
        message: M,
    ) -> Result<T, ErrorCode>
    where
        M: Message<Result = Result<T, ErrorCode>> + Send + 'static,
        T: Send + 'static,
        Session: Handler<M>,
    {
        let session = self.find(session).await?;
        if let Some(domain) = domain {
            self.check_domain(domain)?;
            prepare(&session, domain).await?;
        }
        session.send(message).await.map_err(|_| ErrorCode::SessNotFound)?
    }

    /// As [`Self::ask_in`], for what a session can tell without a consumer daemon and a relay daemon,
    /// whatever became of them.
    ///
    /// # Errors
    /// As [`Self::ask_in`], without those of consumer daemons and relay daemons.
    pub async fn query_in<M, T>(
        &self,
        session: &str,
        domain: Domain,
        message: M,
    ) -> Result<T, ErrorCode>
    where
        M: Message<Result = Result<T, ErrorCode>> + Send + 'static,
        T: Send + 'static,
        Session: Handler<M>,
    {
        let session = self.find(session).await?;
        self.check_domain(domain)?;
        open(&session, domain).await?;
        session.send(message).await.map_err(|_| ErrorCode::SessNotFound)?
    }

    /// The kernel domain answers what a daemon answers where there is no kernel tracer, and those of
    /// agents what one answers that found no port for them.
    fn check_domain(&self, domain: Domain) -> Result<(), ErrorCode> {
        match domain {
            Domain::Kernel if self.settings.is_root => Err(ErrorCode::KernNa),
            Domain::Kernel => Err(ErrorCode::NeedRootSessiond),
            agents if agents.is_agent() && !self.settings.serves_agents => {
                Err(ErrorCode::AgentTracingDisabled)
            }
            _ => Ok(()),
        }
    }

    /// Checks what every command that names a session and a domain checks, and makes the domain ready
    /// as such a command does, for one that is not there or has nothing to do.
    ///
    /// # Errors
    /// Those of the checks.
    pub async fn check(&self, session: &str, domain: Option<Domain>) -> Result<(), ErrorCode> {
        let session = self.find(session).await?;
        match domain {
            Some(domain) => {
                self.check_domain(domain)?;
                prepare(&session, domain).await
            }
            None => Ok(()),
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
        self.registry(CreateSession { requester, home, descriptor }).await?
    }

    /// LIST_SESSIONS: the sessions that the requester may access, newest first.
    ///
    /// # Errors
    /// None of its own.
    pub async fn list_sessions(&self) -> Result<Vec<SessionListing>, ErrorCode> {
        self.visible_sessions()
    }

    /// What [`Handle::list_sessions`] answers, for callers that cannot wait.
    ///
    /// # Errors
    /// None of its own.
    pub fn visible_sessions(&self) -> Result<Vec<SessionListing>, ErrorCode> {
        if !self.registry.connected() {
            return Err(ErrorCode::Fatal);
        }
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
        self.registry(DestroySession { requester, name: name.to_owned() }).await?
    }

    /// LIST_TRACEPOINTS: the tracepoints of every application, in agent domains the loggers of every
    /// agent.
    ///
    /// # Errors
    /// `KernNa`, `NeedRootSessiond`, `AgentTracingDisabled`, `Und` for other domains.
    pub async fn list_tracepoints(
        &self,
        domain: Option<Domain>,
    ) -> Result<Vec<EventListing>, ErrorCode> {
        match domain {
            Some(domain) if domain.is_agent() => {
                self.check_domain(domain)?;
                self.registry(ListLoggers { domain }).await
            }
            domain => {
                self.check_listing(domain)?;
                self.registry(ListTracepoints).await
            }
        }
    }

    /// LIST_TRACEPOINT_FIELDS: the fields of the tracepoints of every application.
    ///
    /// # Errors
    /// As [`Handle::list_tracepoints`].
    pub async fn list_tracepoint_fields(
        &self,
        domain: Option<Domain>,
    ) -> Result<Vec<EventField>, ErrorCode> {
        self.check_listing(domain)?;
        self.registry(ListTracepointFields).await
    }

    /// LIST_SYSCALLS: there is no kernel tracer.
    ///
    /// # Errors
    /// Always: `KernNa` or `NeedRootSessiond`.
    pub fn list_syscalls(&self) -> Result<Vec<EventListing>, ErrorCode> {
        self.check_domain(Domain::Kernel).map(|()| Vec::new())
    }

    /// REGISTER_CONSUMER: would have a consumer daemon that somebody else started write the traces of
    /// the kernel domain, the only one for which there is such a thing.
    ///
    /// # Errors
    /// Always: `KernNa`, `NeedRootSessiond`, else `Und`.
    pub async fn register_consumer(
        &self,
        session: &str,
        domain: Option<Domain>,
    ) -> Result<(), ErrorCode> {
        self.check(session, domain).await.and(Err(ErrorCode::Und))
    }

    /// `lttng_calibrate()`: measured the kernel tracer until LTTng 2.9 removed its command, CALIBRATE,
    /// whose number 1 no command has since. `liblttng-ctl` 2.13 answers by itself, whatever the session
    /// and the domain, and so does this.
    ///
    /// # Errors
    /// Always: `Und`.
    pub fn calibrate(&self) -> Result<(), ErrorCode> {
        Err(ErrorCode::Und)
    }

    fn check_listing(&self, domain: Option<Domain>) -> Result<(), ErrorCode> {
        match domain {
            Some(Domain::Ust) => Ok(()),
            Some(domain) => self.check_domain(domain).and(Err(ErrorCode::Und)),
            None => Err(ErrorCode::Und),
        }
    }
}

async fn prepare(session: &Addr<Session>, domain: Domain) -> Result<(), ErrorCode> {
    session.send(PrepareDomain { domain }).await.map_err(|_| ErrorCode::SessNotFound)?
}

async fn open(session: &Addr<Session>, domain: Domain) -> Result<(), ErrorCode> {
    session.send(OpenDomain { domain }).await.map_err(|_| ErrorCode::SessNotFound)?
}
