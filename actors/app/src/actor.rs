//! The shell: takes wishes and questions, and waits for its driver with a deadline.

use std::{cell::RefCell, rc::Rc, sync::Arc, time::Duration};

use actix::{Actor, ActorContext, AsyncContext, Context, Handler, Message, ResponseFuture};
use lttngd_model::SessionId;
use lttngd_runtime::{Outlet, Peer, Wished};
use lttngd_wire::ust::command::FieldEntry;
use tokio::{sync::oneshot, task::JoinHandle};

use crate::{
    AppError, AppInfo, AppRegistered, AppUnregistered, Forget, ListTracepointFields,
    ListTracepoints, RegenerateStatedump, RegisterDone, Synchronise, Tracepoint, WantedSession,
    driver::{Driver, Job, Reply, Shared},
    error::Broken,
    notify,
    places::Place,
};

/// Most questions that wait for one application. Wishes have no limit of their own: a session has
/// one.
const QUESTIONS_MAX: usize = 1 << 12;

/// The actor of one application.
pub struct App {
    info: Arc<AppInfo>,
    shared: Rc<Shared>,
    sockets: RefCell<Option<(Driver, Peer)>>,
    /// Those of its command and its notify socket.
    places: (Place, Place),
    serving: Vec<JoinHandle<()>>,
    registered: Outlet<AppRegistered>,
    unregistered: Outlet<AppUnregistered>,
}

impl App {
    /// An application that has answered its version. `deadline` is how long it may go without an
    /// answer before it is set aside; `None` waits for ever.
    #[must_use]
    pub(crate) fn new(
        info: Arc<AppInfo>,
        (command, notify): (Peer, Peer),
        places: (Place, Place),
        deadline: Option<Duration>,
        registered: Outlet<AppRegistered>,
        unregistered: Outlet<AppUnregistered>,
    ) -> Self {
        let shared = Rc::new(Shared::new(Arc::clone(&info), deadline));
        let driver = Driver::new(Arc::clone(&info), command, Rc::clone(&shared));
        Self {
            info,
            shared,
            sockets: RefCell::new(Some((driver, notify))),
            places,
            serving: Vec::new(),
            registered,
            unregistered,
        }
    }

    pub(crate) fn wish(&self, session: SessionId, want: Option<WantedSession>) -> Waiting<()> {
        if want.is_none() {
            let dumps = |job: &Job| matches!(job, Job::Statedump(of, _) if *of == session);
            self.shared.take_back(dumps);
        }
        match self.shared.wishes.wish(session, want) {
            Wished::Nothing => done(),
            Wished::TakeBack(waiting) => {
                let synchronises =
                    |job: &Job| matches!(job, Job::Synchronise(of) if *of == session);
                self.shared.take_back(synchronises);
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
        let questions = &self.shared.questions;
        if self.shared.patience.is_set_aside() || questions.get() >= QUESTIONS_MAX {
            return Box::pin(std::future::ready(Err(AppError::TimedOut)));
        }
        questions.set(questions.get() + 1);
        self.shared.queue(job(reply));
        self.wait_for(done)
    }

    /// Has the state dump of a session recorded again, once however often that is asked meanwhile.
    pub(crate) fn regenerate_statedump(&self, session: SessionId) -> Waiting<()> {
        if !self.shared.wishes.is_known(session) {
            return done();
        }
        let (reply, done) = oneshot::channel();
        let dumps = |job: &Job| matches!(job, Job::Statedump(of, _) if *of == session);
        let mut jobs = self.shared.jobs.borrow_mut();
        if let Some(Job::Statedump(_, waiting)) = jobs.waiting(dumps) {
            waiting.retain(|reply| !reply.is_closed());
            waiting.push(reply);
        } else {
            drop(jobs);
            self.shared.queue(Job::Statedump(session, vec![reply]));
        }
        self.wait_for(done)
    }

    /// How many jobs wait or run.
    #[cfg(test)]
    pub(crate) fn queued(&self) -> usize {
        self.shared.patience.owed()
    }

    /// Waits until a job is done, or until the application is set aside.
    fn wait_for<T: 'static>(&self, done: oneshot::Receiver<Result<T, AppError>>) -> Waiting<T> {
        let patience = Rc::clone(&self.shared.patience);
        Box::pin(async move { patience.wait(done).await? })
    }
}

fn done() -> Waiting<()> {
    Box::pin(std::future::ready(Ok(())))
}

type Waiting<T> = ResponseFuture<Result<T, AppError>>;

impl Actor for App {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        let Some((driver, notify)) = self.sockets.take() else { return };
        let (info, shared, me) =
            (Arc::clone(&self.info), Rc::clone(&self.shared), context.address());
        self.serving.push(tokio::task::spawn_local({
            let (info, large) = (Arc::clone(&info), self.places.1.large().clone());
            async move {
                match notify::serve(&notify, &shared.handles, &large, info.pid).await {
                    Broken::Peer(end) => {
                        tracing::debug!(pid = info.pid, app = info.name, %end, "notify socket closed");
                    }
                    Broken::Protocol(reason) => tracing::warn!(
                        pid = info.pid, app = info.name, %reason,
                        "an application's notify socket is closed: it registers no more events"
                    ),
                }
            }
        }));
        let registered = AppRegistered { info: Arc::clone(&info), app: me.clone() };
        self.registered.tell(registered);
        self.serving.push(tokio::task::spawn_local(async move {
            let end = driver.run().await;
            tracing::debug!(pid = info.pid, app = info.name, %end, "application gone");
            // It fails only when the actor is gone already.
            let _ = me.send(Gone).await;
        }));
    }

    fn stopped(&mut self, _: &mut Self::Context) {
        for task in &self.serving {
            task.abort();
        }
        self.unregistered.tell(AppUnregistered { id: self.info.id });
    }
}

/// The driver told that the application is gone.
#[derive(Message)]
#[rtype(result = "()")]
struct Gone;

impl Handler<Gone> for App {
    type Result = ();

    fn handle(&mut self, _: Gone, context: &mut Self::Context) {
        context.stop();
    }
}

impl Handler<Synchronise> for App {
    type Result = Waiting<()>;

    fn handle(&mut self, request: Synchronise, _: &mut Self::Context) -> Self::Result {
        self.wish(request.session, Some(request.want))
    }
}

impl Handler<Forget> for App {
    type Result = Waiting<()>;

    fn handle(&mut self, request: Forget, _: &mut Self::Context) -> Self::Result {
        self.wish(request.session, None)
    }
}

impl Handler<RegenerateStatedump> for App {
    type Result = Waiting<()>;

    fn handle(&mut self, request: RegenerateStatedump, _: &mut Self::Context) -> Self::Result {
        self.regenerate_statedump(request.session)
    }
}

impl Handler<RegisterDone> for App {
    type Result = Waiting<()>;

    fn handle(&mut self, _: RegisterDone, _: &mut Self::Context) -> Self::Result {
        let (reply, done) = oneshot::channel();
        self.shared.queue(Job::RegisterDone(reply));
        self.wait_for(done)
    }
}

impl Handler<ListTracepoints> for App {
    type Result = Waiting<Vec<Tracepoint>>;

    fn handle(&mut self, _: ListTracepoints, _: &mut Self::Context) -> Self::Result {
        self.ask(Job::Tracepoints)
    }
}

impl Handler<ListTracepointFields> for App {
    type Result = Waiting<Vec<FieldEntry>>;

    fn handle(&mut self, _: ListTracepointFields, _: &mut Self::Context) -> Self::Result {
        self.ask(Job::TracepointFields)
    }
}
