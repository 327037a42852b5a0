//! What runs on the connection: jobs one after the other, each towards the newest wish.

use std::{
    cell::RefCell,
    collections::{HashMap, VecDeque},
    rc::Rc,
    sync::Arc,
    time::Duration,
};

use lttngd_model::{SessionId, ust::AgentDomain};
use lttngd_runtime::{Attention, Patience, Wishes};
use lttngd_wire::agent::Refusal;
use tokio::{
    sync::{Notify, oneshot},
    time::Instant,
};

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
pub(crate) struct Shared {
    pub(crate) wishes: Wishes<SessionId, Arc<AgentDomain>, Result<(), AgentError>>,
    pub(crate) patience: Rc<Patience>,
    /// In the order in which they came.
    jobs: RefCell<VecDeque<Job>>,
    /// A job is queued.
    queued: Notify,
}

impl Shared {
    /// Of an agent that may go without an answer for `deadline`.
    pub(crate) fn new(info: AgentInfo, deadline: Option<Duration>) -> Self {
        let told = move |attention| match attention {
            Attention::SetAside => tracing::warn!(
                pid = info.pid, domain = ?info.domain,
                "an agent does not answer and is set aside: nobody waits for it until it does"
            ),
            Attention::Regained => tracing::warn!(
                pid = info.pid, domain = ?info.domain,
                "an agent that was set aside answers again"
            ),
        };
        Self {
            wishes: Wishes::default(),
            patience: Rc::new(Patience::new(deadline, told)),
            jobs: RefCell::default(),
            queued: Notify::new(),
        }
    }

    /// Queues a job.
    pub(crate) fn queue(&self, job: Job) {
        self.patience.asked(Instant::now());
        self.jobs.borrow_mut().push_back(job);
        self.queued.notify_one();
    }

    /// Takes the job of a session back, which has not begun.
    pub(crate) fn take_back(&self, session: SessionId) {
        let mut jobs = self.jobs.borrow_mut();
        let is_meant = |job: &Job| matches!(job, Job::Synchronise(of) if *of == session);
        if let Some(place) = jobs.iter().position(is_meant) {
            jobs.remove(place);
            self.patience.done();
        }
    }

    /// Waits for the next job.
    async fn next(&self) -> Job {
        loop {
            let next = self.jobs.borrow_mut().pop_front();
            match next {
                Some(job) => return job,
                None => self.queued.notified().await,
            }
        }
    }
}

/// The driver of one agent.
pub(crate) struct Driver {
    pub(crate) info: AgentInfo,
    pub(crate) connection: Connection,
    pub(crate) shared: Rc<Shared>,
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
                job = self.shared.next() => job,
            };
            if let Err(broken) = self.job(job).await {
                return broken;
            }
            self.shared.patience.done();
        }
    }

    fn link(&self) -> Link<'_> {
        Link { connection: &self.connection, patience: &self.shared.patience }
    }

    async fn job(&mut self, job: Job) -> Result<(), Broken> {
        // Whoever asked may have given up. What was wished is done all the same, and its reply dropped; a
        // question is not asked.
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
            Job::Loggers(reply) if reply.is_closed() => {}
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
