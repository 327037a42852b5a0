//! What a daemon is asked: every command as a typed value with its reply.

use actix::Handler;
use lttngd_kernel::{ListKernelTracepoints, ListSyscalls};
use lttngd_model::{
    Domain, ErrorCode, EventField, EventListing, SessionDescriptor, SessionListing,
};
use lttngd_registry::{
    Calibrate, CreateSession, DestroySession, ListSessions, ListTracepointFields, ListTracepoints,
    RegisterConsumer, SaveAllSessions,
};
use lttngd_session::{Asked, Destroyed, InSession, Session, SessionRequest};
use serde::{Serialize, de::DeserializeOwned};

use crate::Handle;

/// A request to a daemon, for [`Handle::ask`]. The types are those that the mailboxes of its actors
/// take; a log, a recorded test or another host can carry them, see [`Versioned`](crate::Versioned).
///
/// Requests that say who asks are made with anybody as that: the handle puts in for whom it acts.
pub trait Request: Serialize + DeserializeOwned + Send + 'static {
    /// What it answers when it does not fail.
    type Reply: Serialize + DeserializeOwned + Send + 'static;

    /// LTTng's name of the command.
    fn command(&self) -> &'static str;

    /// Asks. See [`Handle::ask`].
    ///
    /// # Errors
    /// Those that the request documents, after those that every request has, see [`Handle`].
    fn ask(self, handle: &Handle) -> impl Future<Output = Result<Self::Reply, ErrorCode>> + Send;
}

impl<M> Request for InSession<M>
where
    M: SessionRequest,
    Session: Handler<Asked<M>>,
{
    type Reply = <M as SessionRequest>::Reply;

    fn command(&self) -> &'static str {
        <M as SessionRequest>::COMMAND
    }

    async fn ask(self, handle: &Handle) -> Result<Self::Reply, ErrorCode> {
        handle.ask_session(&self.session, self.request).await
    }
}

impl Request for CreateSession {
    type Reply = SessionDescriptor;

    fn command(&self) -> &'static str {
        "CREATE_SESSION_EXT"
    }

    async fn ask(mut self, handle: &Handle) -> Result<SessionDescriptor, ErrorCode> {
        self.requester = handle.requester();
        handle.registry(self).await?
    }
}

impl Request for DestroySession {
    type Reply = Destroyed;

    fn command(&self) -> &'static str {
        "DESTROY_SESSION"
    }

    async fn ask(mut self, handle: &Handle) -> Result<Destroyed, ErrorCode> {
        self.requester = handle.requester();
        handle.registry(self).await?
    }
}

impl Request for ListSessions {
    type Reply = Vec<SessionListing>;

    fn command(&self) -> &'static str {
        "LIST_SESSIONS"
    }

    async fn ask(self, handle: &Handle) -> Result<Vec<SessionListing>, ErrorCode> {
        handle.visible_sessions()
    }
}

impl Request for ListTracepoints {
    type Reply = Vec<EventListing>;

    fn command(&self) -> &'static str {
        "LIST_TRACEPOINTS"
    }

    async fn ask(self, handle: &Handle) -> Result<Vec<EventListing>, ErrorCode> {
        match self.domain {
            Some(Domain::Kernel) => {
                // It fails only when that actor failed.
                let listed = handle.tracer()?.send(ListKernelTracepoints).await;
                return listed.unwrap_or(Err(ErrorCode::KernNa));
            }
            Some(domain) if domain.is_agent() => handle.check_domain(domain).await?,
            domain => handle.check_listing(domain).await?,
        }
        handle.registry(self).await?
    }
}

impl Request for ListTracepointFields {
    type Reply = Vec<EventField>;

    fn command(&self) -> &'static str {
        "LIST_TRACEPOINT_FIELDS"
    }

    async fn ask(self, handle: &Handle) -> Result<Vec<EventField>, ErrorCode> {
        handle.check_listing(self.domain).await?;
        handle.registry(self).await?
    }
}

impl Request for ListSyscalls {
    type Reply = Vec<EventListing>;

    fn command(&self) -> &'static str {
        "LIST_SYSCALLS"
    }

    async fn ask(self, handle: &Handle) -> Result<Vec<EventListing>, ErrorCode> {
        // It fails only when that actor failed.
        handle.tracer()?.send(self).await.unwrap_or(Err(ErrorCode::KernNa))
    }
}

impl Request for Calibrate {
    type Reply = ();

    fn command(&self) -> &'static str {
        "CALIBRATE"
    }

    async fn ask(self, handle: &Handle) -> Result<(), ErrorCode> {
        handle.calibrate()
    }
}

impl Request for RegisterConsumer {
    type Reply = ();

    fn command(&self) -> &'static str {
        "REGISTER_CONSUMER"
    }

    async fn ask(self, handle: &Handle) -> Result<(), ErrorCode> {
        handle.check(&self.session, self.domain).await?;
        match self.domain {
            // The kernel's consumer daemon is our own, and runs by now.
            Some(Domain::Kernel) => Err(ErrorCode::KernConsumerFail),
            _ => Err(ErrorCode::Und),
        }
    }
}

impl Request for SaveAllSessions {
    type Reply = ();

    fn command(&self) -> &'static str {
        "SAVE_SESSION"
    }

    async fn ask(self, handle: &Handle) -> Result<(), ErrorCode> {
        let Self { directory, overwrite } = self;
        for session in handle.visible_sessions()? {
            match handle.save_session(&session.name, directory.clone(), overwrite).await {
                // It may have been destroyed meanwhile.
                Ok(()) | Err(ErrorCode::Eperm | ErrorCode::SessNotFound) => {}
                Err(code) => return Err(code),
            }
        }
        Ok(())
    }
}
