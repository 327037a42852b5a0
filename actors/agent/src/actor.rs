//! The shell: takes wishes and questions, and waits for its driver with a deadline.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use actix::{Actor, ActorContext, AsyncContext, Context, Handler, Message, ResponseFuture};
use lttngd_model::{SessionId, ust::AgentDomain};
use lttngd_runtime::{Outlet, Wished, wait_for_progress};
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinHandle,
};

use crate::{
    AgentError, AgentInfo, AgentRegistered, AgentUnregistered, Forget, ListLoggers,
    RegistrationDone, Synchronise,
    connection::Connection,
    driver::{Driver, Job, Reply, Shared},
    listener::{AgentSettings, Place},
};

/// Most jobs that wait for one agent when a question is asked. Wishes have no limit of their own: a
/// session has one.
const JOBS_MAX: usize = 1 << 12;

type Waiting<T> = ResponseFuture<Result<T, AgentError>>;

/// The actor of one agent.
pub struct Agent {
    info: AgentInfo,
    deadline: Option<Duration>,
    shared: Rc<Shared>,
    progress: Rc<Cell<Instant>>,
    jobs: mpsc::UnboundedSender<Job>,
    driver: RefCell<Option<Driver>>,
    driving: Option<JoinHandle<()>>,
    registered: Outlet<AgentRegistered>,
    unregistered: Outlet<AgentUnregistered>,
    /// Among the agents that may be connected.
    _place: Place,
}

impl Agent {
    /// An agent that has said what it is.
    #[must_use]
    pub(crate) fn new(
        info: AgentInfo,
        connection: Connection,
        settings: &AgentSettings,
        place: Place,
    ) -> Self {
        let (jobs, queue) = mpsc::unbounded_channel();
        let shared = Rc::new(Shared::default());
        let progress = Rc::new(Cell::new(Instant::now()));
        let driver = Driver {
            info,
            connection,
            progress: Rc::clone(&progress),
            shared: Rc::clone(&shared),
            jobs: queue,
            sessions: HashMap::new(),
            is_registered: false,
        };
        Self {
            info,
            deadline: settings.deadline,
            shared,
            progress,
            jobs,
            driver: RefCell::new(Some(driver)),
            driving: None,
            registered: settings.registered.clone(),
            unregistered: settings.unregistered.clone(),
            _place: place,
        }
    }

    fn wish(&self, session: SessionId, want: Option<Arc<AgentDomain>>) -> Waiting<()> {
        match self.shared.wishes.wish(session, want) {
            Wished::Nothing => Box::pin(std::future::ready(Ok(()))),
            Wished::Queue(_) if !self.queue(Job::Synchronise(session)) => gone(),
            Wished::Queue(done) | Wished::Queued(done) => self.wait_for(done),
        }
    }

    /// Queues a question.
    fn ask<T: 'static>(&self, job: impl FnOnce(Reply<T>) -> Job) -> Waiting<T> {
        let (reply, done) = oneshot::channel();
        if self.shared.jobs.get() >= JOBS_MAX {
            return Box::pin(std::future::ready(Err(AgentError::TimedOut)));
        }
        if self.queue(job(reply)) { self.wait_for(done) } else { gone() }
    }

    /// Whether the driver is there to do it.
    fn queue(&self, job: Job) -> bool {
        let jobs = self.shared.jobs.get();
        if jobs == 0 {
            // The agent is asked at once, and has from now on to answer.
            self.progress.set(Instant::now());
        }
        self.shared.jobs.set(jobs + 1);
        self.jobs.send(job).is_ok()
    }

    /// Waits until a job is done, or until the agent has not answered anything for as long as the
    /// deadline. Whoever comes when it is late already does not wait anew: every process of the machine
    /// can be an agent, and a mute one must not cost each command its deadline.
    fn wait_for<T: 'static>(&self, done: oneshot::Receiver<Result<T, AgentError>>) -> Waiting<T> {
        let (progress, deadline) = (Rc::clone(&self.progress), self.deadline);
        Box::pin(async move {
            let since = progress.get();
            wait_for_progress(done, &progress, since, deadline).await?
        })
    }
}

fn gone<T: 'static>() -> Waiting<T> {
    Box::pin(std::future::ready(Err(AgentError::Gone)))
}

impl Actor for Agent {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        let Some(driver) = self.driver.take() else { return };
        let (info, me) = (self.info, context.address());
        self.registered.tell(AgentRegistered { info, agent: me.clone() });
        self.driving = Some(tokio::task::spawn_local(async move {
            let end = driver.run().await;
            tracing::debug!(pid = info.pid, domain = ?info.domain, %end, "agent gone");
            // It fails only when the actor is gone already.
            let _ = me.send(Gone).await;
        }));
    }

    fn stopped(&mut self, _: &mut Self::Context) {
        if let Some(driving) = &self.driving {
            driving.abort();
        }
        self.unregistered.tell(AgentUnregistered { id: self.info.id });
    }
}

/// The driver told that the agent is gone.
#[derive(Message)]
#[rtype(result = "()")]
struct Gone;

impl Handler<Gone> for Agent {
    type Result = ();

    fn handle(&mut self, _: Gone, context: &mut Self::Context) {
        context.stop();
    }
}

impl Handler<Synchronise> for Agent {
    type Result = Waiting<()>;

    fn handle(&mut self, request: Synchronise, _: &mut Self::Context) -> Self::Result {
        self.wish(request.session, Some(request.want))
    }
}

impl Handler<Forget> for Agent {
    type Result = Waiting<()>;

    fn handle(&mut self, request: Forget, _: &mut Self::Context) -> Self::Result {
        self.wish(request.session, None)
    }
}

impl Handler<RegistrationDone> for Agent {
    type Result = Waiting<()>;

    fn handle(&mut self, _: RegistrationDone, _: &mut Self::Context) -> Self::Result {
        self.ask(Job::RegistrationDone)
    }
}

impl Handler<ListLoggers> for Agent {
    type Result = Waiting<Vec<String>>;

    fn handle(&mut self, _: ListLoggers, _: &mut Self::Context) -> Self::Result {
        self.ask(Job::Loggers)
    }
}
