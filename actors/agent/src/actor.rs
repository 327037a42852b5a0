//! The shell: takes wishes and questions, and runs the agent's driver in its own context, so that a panic in
//! any of them ends the actor.

use std::rc::Rc;

use actix::{Actor, ActorContext, ActorFutureExt, AsyncContext, Context, Handler, WrapFuture};
use lttngd_model::NameList;
use lttngd_runtime::{Asking, Attention, Outlet, Waiting, complaint, fail_point};
use tracing::{Instrument, Span};

use crate::{
    AgentError, AgentInfo, AgentRegistered, AgentUnregistered, Forget, ListLoggers,
    RegistrationDone, Synchronise,
    connection::Connection,
    driver::{AgentAgenda, Driver, Job, Purpose},
    listener::{AgentSettings, Permit},
};

/// An agent answers one command before it reads the next.
const RUNNING_MAX: usize = 1;

/// The actor of one agent.
pub struct Agent {
    info: AgentInfo,
    /// In which all is logged that is of it.
    span: Span,
    agenda: Rc<AgentAgenda>,
    /// Until it is started.
    connection: Option<Connection>,
    registered: Outlet<AgentRegistered>,
    unregistered: Outlet<AgentUnregistered>,
    /// Among the agents that may be connected.
    permit: Rc<Permit>,
}

impl Agent {
    /// An agent that has said what it is.
    #[must_use]
    pub(crate) fn new(
        info: AgentInfo,
        connection: Connection,
        settings: &AgentSettings,
        permit: Permit,
    ) -> Self {
        let AgentInfo { pid, domain, .. } = info;
        let span = tracing::error_span!(parent: None, "agent", pid, ?domain);
        let (within, uid) = (span.clone(), permit.uid());
        // Also those who wait look at its patience, each in a span of its own.
        let told = move |attention| {
            within.in_scope(|| match attention {
                Attention::SetAside => {
                    if let Some(left_out) = complaint("silence of an agent", uid) {
                        tracing::warn!(
                            left_out,
                            "an agent does not answer and is set aside: nobody waits for it until it does"
                        );
                    }
                }
                Attention::Regained => {
                    if let Some(left_out) = complaint("end of an agent's silence", uid) {
                        tracing::warn!(left_out, "an agent that was set aside answers again");
                    }
                }
            });
        };
        Self {
            info,
            span,
            agenda: Rc::new(AgentAgenda::new(RUNNING_MAX, settings.deadline, told)),
            connection: Some(connection),
            registered: settings.registered.clone(),
            unregistered: settings.unregistered.clone(),
            permit: Rc::new(permit),
        }
    }

    /// What is to be done with it.
    pub(crate) fn agenda(&self) -> &AgentAgenda {
        &self.agenda
    }
}

impl Actor for Agent {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        let Some(connection) = self.connection.take() else { return };
        let driver = Driver::new(connection, Rc::clone(&self.agenda), Rc::clone(&self.permit));
        let driven = async move {
            let end = driver.run().await;
            tracing::debug!(%end, "connection closed");
        };
        let driven = driven.instrument(self.span.clone()).into_actor(self);
        context.spawn(driven.map(|(), _, context| context.stop()));
        self.span.in_scope(|| tracing::info!("agent registered"));
        self.registered.tell(AgentRegistered { info: self.info, agent: context.address() });
    }
}

impl Drop for Agent {
    /// However it ended: where it failed, the agent is as good as gone, since nobody serves its connection
    /// any more.
    fn drop(&mut self) {
        self.span.in_scope(|| match std::thread::panicking() {
            true => tracing::error!(
                "an agent is given up after a failure of its actor: it is as one that ended"
            ),
            false => tracing::info!("agent gone"),
        });
        self.unregistered.tell(AgentUnregistered { id: self.info.id });
    }
}

type Reply<T> = Waiting<T, AgentError>;

impl Handler<Synchronise> for Agent {
    type Result = Reply<()>;

    fn handle(&mut self, request: Synchronise, _: &mut Self::Context) -> Self::Result {
        fail_point::reached("Agent wish");
        self.agenda.wish(Purpose::Session(request.session), Some(request.want))
    }
}

impl Handler<Forget> for Agent {
    type Result = Reply<()>;

    fn handle(&mut self, request: Forget, _: &mut Self::Context) -> Self::Result {
        self.agenda.wish(Purpose::Session(request.session), None)
    }
}

impl Handler<RegistrationDone> for Agent {
    type Result = Reply<()>;

    fn handle(&mut self, _: RegistrationDone, _: &mut Self::Context) -> Self::Result {
        self.agenda.require(Job::RegistrationDone)
    }
}

impl Handler<ListLoggers> for Agent {
    type Result = Asking<NameList<()>, AgentError>;

    fn handle(&mut self, _: ListLoggers, _: &mut Self::Context) -> Self::Result {
        self.agenda.asking(Job::Loggers)
    }
}
