//! What runs on the connection: jobs one after the other, each towards the newest wish.

use std::{cell::Cell, collections::HashMap, rc::Rc, sync::Arc, time::Instant};

use lttngd_model::{SessionId, ust::AgentDomain};
use lttngd_runtime::Wishes;
use lttngd_wire::agent::Refusal;
use tokio::sync::{mpsc, oneshot};

use crate::{
    AgentError, AgentInfo, connection::Connection, error::Broken, link::Link, plan::AgentSession,
};

pub(crate) type Reply<T> = oneshot::Sender<Result<T, AgentError>>;

/// What the connection is used for.
pub(crate) enum Job {
    /// Once in the queue for each session, however many wait for it.
    Synchronise(SessionId),
    RegistrationDone(Reply<()>),
    Loggers(Reply<Vec<String>>),
}

/// What the actor and its driver share.
#[derive(Default)]
pub(crate) struct Shared {
    pub(crate) wishes: Wishes<SessionId, Arc<AgentDomain>, Result<(), AgentError>>,
    /// How many jobs are in the queue or being done.
    pub(crate) jobs: Cell<usize>,
}

/// The driver of one agent.
pub(crate) struct Driver {
    pub(crate) info: AgentInfo,
    pub(crate) connection: Connection,
    pub(crate) progress: Rc<Cell<Instant>>,
    pub(crate) shared: Rc<Shared>,
    pub(crate) jobs: mpsc::UnboundedReceiver<Job>,
    pub(crate) sessions: HashMap<SessionId, AgentSession>,
    /// Whether it was told that its registration is done.
    pub(crate) is_registered: bool,
}

impl Driver {
    /// Runs jobs until the agent is gone; the error says how that was noticed.
    pub(crate) async fn run(mut self) -> Broken {
        loop {
            let job = tokio::select! {
                biased;
                broken = self.connection.ended() => return broken,
                job = self.jobs.recv() => job,
            };
            let Some(job) = job else { return Broken::Abandoned };
            if let Err(broken) = self.job(job).await {
                return broken;
            }
            self.shared.jobs.set(self.shared.jobs.get() - 1);
        }
    }

    fn link(&self) -> Link<'_> {
        Link { connection: &self.connection, progress: &self.progress }
    }

    async fn job(&mut self, job: Job) -> Result<(), Broken> {
        // Whoever asked may have given up: a reply that nobody awaits is dropped.
        match job {
            Job::Synchronise(session) => {
                let waiting = self.shared.wishes.begin(session);
                let done = self.synchronise(session).await?;
                for reply in waiting {
                    let _ = reply.send(done.map_err(Into::into));
                }
            }
            Job::RegistrationDone(reply) => {
                self.link().registration_done().await?;
                self.is_registered = true;
                let _ = reply.send(Ok(()));
            }
            Job::Loggers(reply) => {
                let loggers = match self.is_registered {
                    true => self.link().loggers().await?,
                    false => Ok(Vec::new()),
                };
                let _ = reply.send(loggers.map_err(Into::into));
            }
        }
        Ok(())
    }

    /// Brings one session to its newest wish: the first refusal on the way.
    async fn synchronise(&mut self, id: SessionId) -> Result<Result<(), Refusal>, Broken> {
        let mut has = self.sessions.remove(&id).unwrap_or_default();
        let mut outcome = Ok(());
        loop {
            // Looked up before every step: what changed meanwhile counts at once.
            let wish = self.shared.wishes.newest(id);
            let Some(step) = has.next_step(&wish.unwrap_or_default()) else { break };
            let answer = self.link().command(&step.command()).await?;
            if let Err(refusal) = answer {
                tracing::warn!(
                    pid = self.info.pid, domain = ?self.info.domain, session = %id, ?step, %refusal,
                    "an agent does not do a part of what the session wants"
                );
                outcome = outcome.and(Err(refusal));
            }
            has.taken(step, answer.is_err());
        }
        // If it was to be ended; a wish for something stays.
        self.shared.wishes.ended(id);
        if !has.is_empty() {
            self.sessions.insert(id, has);
        }
        Ok(outcome)
    }
}
