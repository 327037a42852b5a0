//! What runs on the connection: jobs one after the other, each towards the newest wish.

use std::{collections::HashMap, rc::Rc, sync::Arc};

use lttngd_model::{NameList, SessionId, ust::AgentDomain};
use lttngd_runtime::{Agenda, Claim, Task, answer, complaint, reply_to_all};
use lttngd_wire::agent::Refusal;
use tokio::sync::oneshot;
use tracing::Span;

use crate::{
    AgentError, connection::Connection, error::Broken, link::Link, listener::Permit,
    plan::AgentSession,
};

type Reply<T> = oneshot::Sender<Result<T, AgentError>>;

/// What an agent is wanted for.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) enum Purpose {
    /// To have events recorded in a session.
    Session(SessionId),
    /// To have events told.
    Notifiers,
}

impl Purpose {
    /// In which is logged what is done for it, within the span of the agent.
    fn span(self) -> Span {
        match self {
            Self::Session(id) => tracing::error_span!("session", %id),
            Self::Notifiers => tracing::error_span!("notifiers"),
        }
    }
}

/// What is to be done with an agent.
pub(crate) type AgentAgenda = Agenda<Purpose, Arc<AgentDomain>, Job, AgentError>;

/// What the connection is used for besides wishes.
pub(crate) enum Job {
    RegistrationDone(Reply<()>),
    Loggers(Reply<NameList<()>>),
}

impl lttngd_runtime::Job<Purpose> for Job {
    fn claim(&self) -> Claim<Purpose> {
        Claim::Everything
    }

    fn is_question(&self) -> bool {
        matches!(self, Self::Loggers(_))
    }
}

/// The driver of one agent.
pub(crate) struct Driver {
    connection: Connection,
    agenda: Rc<AgentAgenda>,
    permit: Rc<Permit>,
    /// What it has for each purpose.
    has: HashMap<Purpose, AgentSession>,
    /// Whether it was told that its registration is done.
    is_registered: bool,
}

impl Driver {
    /// The driver of an agent that has said what it is.
    pub(crate) fn new(connection: Connection, agenda: Rc<AgentAgenda>, permit: Rc<Permit>) -> Self {
        Self { connection, agenda, permit, has: HashMap::new(), is_registered: false }
    }

    /// Runs jobs until the agent is gone; the error says how that was noticed.
    pub(crate) async fn run(mut self) -> Broken {
        loop {
            let (claim, task) = tokio::select! {
                biased;
                broken = self.connection.ended() => return broken,
                next = self.agenda.next() => next,
            };
            if let Err(broken) = self.task(task).await {
                return broken;
            }
            self.agenda.done(claim);
        }
    }

    fn link(&self) -> Link<'_> {
        Link { connection: &self.connection, agenda: &self.agenda, permit: &self.permit }
    }

    async fn task(&mut self, task: Task<Purpose, Job>) -> Result<(), Broken> {
        // Whoever asked may have given up. What was wished is done all the same, and its reply dropped; a
        // question is not asked.
        match task {
            Task::Synchronise(purpose) => {
                let waiting = self.agenda.begin_wish(purpose);
                let done = self.synchronise(purpose).await?;
                reply_to_all(waiting, || done.map_err(Into::into));
            }
            Task::Job(Job::RegistrationDone(reply)) => {
                self.link().registration_done().await?;
                self.is_registered = true;
                answer(reply, Ok(()));
            }
            Task::Job(Job::Loggers(reply)) if reply.is_closed() => {}
            Task::Job(Job::Loggers(reply)) => {
                let loggers = match self.is_registered {
                    true => self.link().loggers(|| !reply.is_closed()).await?,
                    false => Ok(NameList::default()),
                };
                answer(reply, loggers);
            }
        }
        Ok(())
    }

    /// Brings the agent to the newest wish for one purpose: the first refusal on the way.
    async fn synchronise(&mut self, purpose: Purpose) -> Result<Result<(), Refusal>, Broken> {
        let mut has = self.has.remove(&purpose).unwrap_or_default();
        let mut outcome = Ok(());
        loop {
            // Looked up before every step: what changed meanwhile counts at once.
            let wish = self.agenda.newest(purpose);
            let Some(step) = has.next_step(&wish.unwrap_or_default()) else { break };
            let answer = self.link().command(&step.command()).await?;
            if let Err(refusal) = answer {
                if let Some(left_out) = complaint("part of an agent's wish", self.permit.uid()) {
                    purpose.span().in_scope(|| {
                        tracing::warn!(?step, %refusal, left_out, "an agent does not do a part of what is wanted of it");
                    });
                }
                outcome = outcome.and(Err(refusal));
            }
            has.taken(step, answer.is_err());
        }
        // If it was to be ended; a wish for something stays.
        self.agenda.ended(purpose);
        if !has.is_empty() {
            self.has.insert(purpose, has);
        }
        Ok(outcome)
    }
}
