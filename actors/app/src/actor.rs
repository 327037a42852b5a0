//! The shell: takes wishes and questions, and waits for its driver with a deadline.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use actix::{Actor, ActorContext, AsyncContext, Context, Handler, Message, ResponseFuture};
use lttngd_model::SessionId;
use lttngd_runtime::{Outlet, Peer, Wished, wait_for_progress};
use lttngd_wire::ust::command::FieldEntry;
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinHandle,
};

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
    deadline: Option<Duration>,
    shared: Rc<Shared>,
    progress: Rc<Cell<Instant>>,
    jobs: mpsc::UnboundedSender<Job>,
    sockets: RefCell<Option<(Driver, mpsc::UnboundedReceiver<Job>, Peer)>>,
    /// Those of its command and its notify socket.
    places: (Place, Place),
    serving: Vec<JoinHandle<()>>,
    registered: Outlet<AppRegistered>,
    unregistered: Outlet<AppUnregistered>,
}

impl App {
    /// An application that has answered its version. `deadline` is how long it may go without an
    /// answer before whoever waits for it gives up; `None` waits for ever.
    #[must_use]
    pub(crate) fn new(
        info: Arc<AppInfo>,
        (command, notify): (Peer, Peer),
        places: (Place, Place),
        deadline: Option<Duration>,
        registered: Outlet<AppRegistered>,
        unregistered: Outlet<AppUnregistered>,
    ) -> Self {
        let (jobs, queue) = mpsc::unbounded_channel();
        let shared = Rc::new(Shared::default());
        let progress = Rc::new(Cell::new(Instant::now()));
        let driver =
            Driver::new(Arc::clone(&info), command, Rc::clone(&progress), Rc::clone(&shared));
        Self {
            info,
            deadline,
            shared,
            progress,
            jobs,
            sockets: RefCell::new(Some((driver, queue, notify))),
            places,
            serving: Vec::new(),
            registered,
            unregistered,
        }
    }

    fn wish(&self, session: SessionId, want: Option<WantedSession>) -> Waiting<()> {
        match self.shared.wishes.wish(session, want) {
            Wished::Nothing => Box::pin(std::future::ready(Ok(()))),
            Wished::Queue(_) if self.jobs.send(Job::Synchronise(session)).is_err() => {
                refused(AppError::Gone)
            }
            Wished::Queue(done) | Wished::Queued(done) => self.wait_for(done),
        }
    }

    /// Queues a question.
    fn ask<T: 'static>(&self, job: impl FnOnce(Reply<T>) -> Job) -> Waiting<T> {
        let (reply, done) = oneshot::channel();
        let questions = &self.shared.questions;
        if questions.get() >= QUESTIONS_MAX {
            return refused(AppError::TimedOut);
        }
        questions.set(questions.get() + 1);
        match self.jobs.send(job(reply)) {
            Ok(()) => self.wait_for(done),
            Err(_) => refused(AppError::Gone),
        }
    }

    /// Waits until a job is done, or until the application has not answered anything for as long as
    /// the deadline.
    fn wait_for<T: 'static>(&self, done: oneshot::Receiver<Result<T, AppError>>) -> Waiting<T> {
        let (progress, deadline) = (Rc::clone(&self.progress), self.deadline);
        let now = Instant::now();
        Box::pin(async move { wait_for_progress(done, &progress, now, deadline).await? })
    }
}

fn refused<T: 'static>(error: AppError) -> Waiting<T> {
    Box::pin(std::future::ready(Err(error)))
}

type Waiting<T> = ResponseFuture<Result<T, AppError>>;

impl Actor for App {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        let Some((driver, queue, notify)) = self.sockets.take() else { return };
        let (info, shared, me) =
            (Arc::clone(&self.info), Rc::clone(&self.shared), context.address());
        self.serving.push(tokio::task::spawn_local({
            let (info, large) = (Arc::clone(&info), self.places.1.large().clone());
            async move {
                match notify::serve(&notify, &shared.handles, &large, info.pid).await {
                    Broken::Peer(end) => {
                        tracing::debug!(pid = info.pid, app = %info.name, %end, "notify socket closed");
                    }
                    Broken::Protocol(reason) => tracing::warn!(
                        pid = info.pid, app = %info.name, %reason,
                        "an application's notify socket is closed: it registers no more events"
                    ),
                }
            }
        }));
        let registered = AppRegistered { info: Arc::clone(&info), app: me.clone() };
        self.registered.tell(registered);
        self.serving.push(tokio::task::spawn_local(async move {
            let end = driver.run(queue).await;
            tracing::debug!(pid = info.pid, app = %info.name, %end, "application gone");
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
        if !self.shared.wishes.is_known(request.session) {
            return Box::pin(std::future::ready(Ok(())));
        }
        self.ask(|reply| Job::Statedump(request.session, reply))
    }
}

impl Handler<RegisterDone> for App {
    type Result = Waiting<()>;

    fn handle(&mut self, _: RegisterDone, _: &mut Self::Context) -> Self::Result {
        self.ask(Job::RegisterDone)
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
