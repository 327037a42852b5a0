//! The shell: takes wishes and questions, and waits for its driver with a deadline.

use std::{cell::RefCell, collections::HashMap, rc::Rc, sync::Arc};

use actix::{Actor, ActorContext, AsyncContext, Context, Handler, Message, ResponseFuture};
use lttngd_model::{SessionId, ust::AgentDomain};
use lttngd_runtime::{Outlet, Wished};
use tokio::{sync::oneshot, task::JoinHandle};

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
    shared: Rc<Shared>,
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
        let shared = Rc::new(Shared::new(info, settings.deadline));
        let driver = Driver {
            info,
            connection,
            shared: Rc::clone(&shared),
            sessions: HashMap::new(),
            is_registered: false,
        };
        Self {
            info,
            shared,
            driver: RefCell::new(Some(driver)),
            driving: None,
            registered: settings.registered.clone(),
            unregistered: settings.unregistered.clone(),
            _place: place,
        }
    }

    fn wish(&self, session: SessionId, want: Option<Arc<AgentDomain>>) -> Waiting<()> {
        match self.shared.wishes.wish(session, want) {
            Wished::Nothing => done(),
            Wished::TakeBack(waiting) => {
                self.shared.take_back(session);
                for reply in waiting {
                    // Whoever waited may have given up.
                    let _ = reply.send(Ok(()));
                }
                done()
            }
            Wished::Queue(done) => {
                self.shared.queue(Job::Synchronise(session));
                self.wait_for(done)
            }
            Wished::Queued(done) => self.wait_for(done),
        }
    }

    /// Queues a question, unless nobody would wait for its answer.
    fn ask<T: 'static>(&self, job: impl FnOnce(Reply<T>) -> Job) -> Waiting<T> {
        let (reply, done) = oneshot::channel();
        let patience = &self.shared.patience;
        if patience.is_set_aside() || patience.owed() >= JOBS_MAX {
            return Box::pin(std::future::ready(Err(AgentError::TimedOut)));
        }
        self.shared.queue(job(reply));
        self.wait_for(done)
    }

    /// Waits until a job is done, or until the agent is set aside: every process of the machine can be an
    /// agent, and a mute one must not cost each command its deadline.
    fn wait_for<T: 'static>(&self, done: oneshot::Receiver<Result<T, AgentError>>) -> Waiting<T> {
        let patience = Rc::clone(&self.shared.patience);
        Box::pin(async move { patience.wait(done).await? })
    }
}

fn done() -> Waiting<()> {
    Box::pin(std::future::ready(Ok(())))
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
        let (reply, done) = oneshot::channel();
        self.shared.queue(Job::RegistrationDone(reply));
        self.wait_for(done)
    }
}

impl Handler<ListLoggers> for Agent {
    type Result = Waiting<Vec<String>>;

    fn handle(&mut self, _: ListLoggers, _: &mut Self::Context) -> Self::Result {
        self.ask(Job::Loggers)
    }
}
