//! What runs on the command socket: jobs, each towards the newest wish of its session.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    rc::Rc,
    task::{Context, Poll, Waker},
};

use futures::{
    FutureExt,
    future::{LocalBoxFuture, OptionFuture},
};
use lttngd_model::SessionId;
use lttngd_runtime::{Claim, REQUEST_COST, Task, answer, reply_to_all, turn};
use lttngd_wire::ust::command::{Command, ROOT_HANDLE};
use tokio::time::{Sleep, sleep_until};

use crate::{
    Owing,
    error::Broken,
    job::{AppAgenda, Job},
    link::Link,
    notifier::NotifierGroup,
    notify::Handles,
    permits::Permit,
    plan::AppSession,
    purpose::Purpose,
    socket::{Answer, CommandSocket},
    way::Way,
};

/// Most jobs that run at a time. The requests of all of them go to the application together, and its replies
/// come together, so that the round trips of many sessions are those of one. They are numbered for
/// [`CommandSocket::ask_for`].
pub(crate) const RUNNING_MAX: usize = 16;

/// The driver of one application.
pub(crate) struct Driver {
    socket: CommandSocket,
    agenda: Rc<AppAgenda>,
    owing: Owing,
    handles: Rc<Handles>,
    sessions: RefCell<BTreeMap<SessionId, AppSession>>,
    notifiers: NotifierGroup,
    permit: Rc<Permit>,
}

impl Driver {
    /// The driver of an application that has answered its version on `socket`.
    pub(crate) fn new(
        socket: CommandSocket,
        (agenda, owing): (Rc<AppAgenda>, Owing),
        (handles, notifiers): (Rc<Handles>, NotifierGroup),
        permit: Rc<Permit>,
    ) -> Self {
        Self { socket, agenda, owing, handles, sessions: RefCell::default(), notifiers, permit }
    }

    /// Runs jobs until the application is gone; the error says how that was noticed.
    pub(crate) async fn run(&self) -> Broken {
        let mut running = Running::default();
        let mut patience = std::pin::pin!(None::<Sleep>);
        loop {
            if let Err(broken) = running.go_on(self) {
                return broken;
            }
            self.owing.show(self.agenda.owed());
            match (self.agenda.keeps_until(), patience.is_some()) {
                (Some(until), false) => patience.set(Some(sleep_until(until))),
                (None, true) => patience.set(None),
                _ => {}
            }
            tokio::select! {
                biased;
                // What the jobs ask is written at once. Who was answered goes on before anything else is
                // seen, as that the application has ended since.
                exchanged = self.socket.exchange() => match exchanged {
                    Ok(()) => {
                        self.agenda.answered();
                        turn(self.permit.uid(), REQUEST_COST).await;
                    }
                    Err(broken) => return broken,
                },
                () = self.agenda.queued() => {}
                () = self.socket.called() => {}
                Some(()) = OptionFuture::from(patience.as_mut().as_pin_mut()) => {
                    patience.set(None);
                    self.agenda.look_at_patience();
                }
            }
        }
    }

    fn link(&self) -> Link<'_> {
        Link(&self.socket)
    }

    async fn task(&self, task: Task<Purpose, Job>) -> Result<(), Broken> {
        // Whoever asked may have given up. What was wished is done all the same, and its reply dropped; a
        // question is not asked.
        match task {
            Task::Synchronise(purpose) => {
                let waiting = self.agenda.begin_wish(purpose);
                match purpose {
                    Purpose::Session(session) => self.synchronise(session).await?,
                    Purpose::Notifiers => {
                        let newest = || self.agenda.newest(purpose)?.of_notifiers();
                        self.notifiers.synchronise(&self.socket, newest).await?;
                    }
                }
                reply_to_all(waiting, || Ok(()));
                Ok(())
            }
            Task::Job(job) => self.job(job).await,
        }
    }

    async fn job(&self, job: Job) -> Result<(), Broken> {
        match job {
            Job::Statedump(session, waiting) => {
                let done = self.statedump(session).await?;
                reply_to_all(waiting, || done.map_err(Into::into));
            }
            Job::RegisterDone(reply) => {
                let done = self.link().command(ROOT_HANDLE, &Command::RegisterDone).await?;
                if let Err(refusal) = &done {
                    tracing::debug!(%refusal, "registration not done");
                }
                answer(reply, done.map(drop).map_err(Into::into));
            }
            Job::Tracepoints(reply) if reply.is_closed() => {}
            Job::Tracepoints(reply) => {
                let is_wanted = || !reply.is_closed();
                let listed = self.link().tracepoints(self.permit.listing(), is_wanted).await?;
                answer(reply, listed);
            }
            Job::TracepointFields(reply) if reply.is_closed() => {}
            Job::TracepointFields(reply) => {
                let is_wanted = || !reply.is_closed();
                let listed =
                    self.link().tracepoint_fields(self.permit.listing(), is_wanted).await?;
                answer(reply, listed);
            }
        }
        Ok(())
    }

    /// Brings one session to its newest wish.
    async fn synchronise(&self, id: SessionId) -> Result<(), Broken> {
        let known = self.sessions.borrow_mut().remove(&id);
        let link = self.link();
        let way = Way::new(link, &self.agenda, &self.handles, (id, known.unwrap_or_default()));
        let has = way.go().await?;
        if has.handle.is_some() {
            self.sessions.borrow_mut().insert(id, has);
        }
        Ok(())
    }

    async fn statedump(&self, id: SessionId) -> Answer<()> {
        let handle = self.sessions.borrow().get(&id).and_then(|session| session.handle);
        match handle {
            Some(handle) => {
                Ok(self.link().command(handle, &Command::SessionStatedump).await?.map(drop))
            }
            None => Ok(Ok(())),
        }
    }
}

/// The jobs that run. They wait for answers of the application, and for their turn to list, and for nothing else, so that those
/// are looked at which were answered, or called: none is woken.
#[derive(Default)]
struct Running<'a> {
    jobs: Vec<Option<(Claim<Purpose>, RunningJob<'a>)>>,
}

type RunningJob<'a> = LocalBoxFuture<'a, Result<(), Broken>>;

impl<'a> Running<'a> {
    /// Lets those go on that were answered, and begins others.
    fn go_on(&mut self, driver: &'a Driver) -> Result<(), Broken> {
        let mut nobody = Context::from_waker(Waker::noop());
        let mut answered = driver.socket.take_answered();
        loop {
            for (number, place) in (0..).zip(&mut self.jobs) {
                if answered & (1 << number) == 0 {
                    continue;
                }
                let Some((claim, job)) = place else { continue };
                driver.socket.ask_for(number);
                if let Poll::Ready(ended) = job.as_mut().poll(&mut nobody) {
                    ended?;
                    driver.agenda.done(*claim);
                    *place = None;
                }
            }
            answered = self.begin(driver);
            if answered == 0 {
                return Ok(());
            }
        }
    }

    /// Begins the jobs that may begin: which they are, a bit for each.
    fn begin(&mut self, driver: &'a Driver) -> u32 {
        let mut begun = 0;
        while let Some((claim, task)) = driver.agenda.begin() {
            let job = (claim, driver.task(task).boxed_local());
            let free = self.jobs.iter().position(Option::is_none);
            let number = free.unwrap_or_else(|| {
                self.jobs.push(None);
                self.jobs.len() - 1
            });
            self.jobs[number] = Some(job);
            begun |= 1 << number;
        }
        begun
    }
}
