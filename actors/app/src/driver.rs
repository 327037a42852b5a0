//! What runs on the command socket: jobs, each towards the newest wish of its session.

use std::{
    cell::RefCell,
    collections::{HashMap, VecDeque},
    rc::Rc,
    sync::Arc,
};

use actix::Addr;
use futures::{
    StreamExt,
    future::{OptionFuture, join},
    stream::FuturesUnordered,
};
use lttngd_buffers::{BufferSet, PreparedChannel};
use lttngd_model::SessionId;
use lttngd_runtime::{Agenda, Claim, reply_to_all};
use lttngd_wire::ust::command::{Command, FieldEntry, ROOT_HANDLE, UstError};
use tokio::{
    sync::oneshot,
    time::{Sleep, sleep_until},
};

use crate::{
    AppError, AppInfo, Tracepoint,
    error::Broken,
    link::{Link, ON_THEIR_WAY_MAX},
    notifier::NotifierGroup,
    notify::Handles,
    plan::{AppChannel, AppEvent, AppSession, Step, Target, Walk},
    purpose::{Purpose, Wish},
    socket::{Answer, Asked, CommandSocket},
};

/// Most jobs that run at a time. The requests of all of them go to the application together, and its replies
/// come together, so that the round trips of many sessions are those of one.
pub(crate) const RUNNING_MAX: usize = 16;

pub(crate) type Reply<T> = oneshot::Sender<Result<T, AppError>>;

/// What is to be done with an application.
pub(crate) type AppAgenda = Agenda<Purpose, Wish, Job, AppError>;

/// What the command socket is used for.
pub(crate) enum Job {
    /// Once in the queue for each purpose, however many wait for it.
    Synchronise(Purpose),
    /// Once in the queue for each session, with all who wait for it.
    Statedump(SessionId, Vec<Reply<()>>),
    RegisterDone(Reply<()>),
    Tracepoints(Reply<Vec<Tracepoint>>),
    TracepointFields(Reply<Vec<FieldEntry>>),
}

impl lttngd_runtime::Job<Purpose> for Job {
    fn fulfil(purpose: Purpose) -> Self {
        Self::Synchronise(purpose)
    }

    fn claim(&self) -> Claim<Purpose> {
        match self {
            Self::Synchronise(purpose) => Claim::Purpose(*purpose),
            Self::Statedump(session, _) => Claim::Purpose((*session).into()),
            Self::RegisterDone(_) | Self::Tracepoints(_) | Self::TracepointFields(_) => {
                Claim::Everything
            }
        }
    }

    fn is_wish(&self) -> bool {
        matches!(self, Self::Synchronise(_))
    }

    fn is_question(&self) -> bool {
        matches!(self, Self::Tracepoints(_) | Self::TracepointFields(_))
    }

    fn merge(&mut self, other: Self) -> Option<Self> {
        match (self, other) {
            (Self::Statedump(session, waiting), Self::Statedump(of, more)) if *session == of => {
                waiting.retain(|reply| !reply.is_closed());
                waiting.extend(more);
                None
            }
            (_, other) => Some(other),
        }
    }
}

/// Events and channels that were switched on or off, and whose answers are waited for later: the next step
/// does not need them.
type Switched = VecDeque<(Target, bool, Asked<u32>)>;

/// What switches an object on or off.
fn switch(on: bool) -> Command {
    if on { Command::Enable } else { Command::Disable }
}

/// The driver of one application.
pub(crate) struct Driver {
    info: Arc<AppInfo>,
    socket: CommandSocket,
    agenda: Rc<AppAgenda>,
    handles: Rc<Handles>,
    sessions: RefCell<HashMap<SessionId, AppSession>>,
    notifiers: NotifierGroup,
}

impl Driver {
    /// The driver of an application that has answered its version on `socket`.
    pub(crate) fn new(
        info: Arc<AppInfo>,
        socket: CommandSocket,
        agenda: Rc<AppAgenda>,
        (handles, notifiers): (Rc<Handles>, NotifierGroup),
    ) -> Self {
        Self { info, socket, agenda, handles, sessions: RefCell::default(), notifiers }
    }

    /// Runs jobs until the application is gone; the error says how that was noticed.
    pub(crate) async fn run(&self) -> Broken {
        let mut socket = std::pin::pin!(self.socket.serve(|| self.agenda.answered()));
        let mut running = FuturesUnordered::new();
        let mut patience = std::pin::pin!(None::<Sleep>);
        loop {
            while let Some((claim, job)) = self.agenda.begin() {
                running.push(async move { self.job(job).await.map(|()| claim) });
            }
            match (self.agenda.keeps_until(), patience.is_some()) {
                (Some(until), false) => patience.set(Some(sleep_until(until))),
                (None, true) => patience.set(None),
                _ => {}
            }
            tokio::select! {
                biased;
                Some(done) = running.next() => match done {
                    Ok(claim) => self.agenda.done(claim),
                    Err(broken) => return broken,
                },
                // What the jobs ask is written at once.
                broken = &mut socket => return broken,
                () = self.agenda.queued() => {}
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

    async fn job(&self, job: Job) -> Result<(), Broken> {
        // Whoever asked may have given up. What was wished is done all the same, and its reply dropped; a
        // question is not asked.
        match job {
            Job::Synchronise(purpose) => {
                let waiting = self.agenda.begin_wish(purpose);
                match purpose {
                    Purpose::Session(session) => self.synchronise(session).await?,
                    Purpose::Notifiers => {
                        let newest = || self.agenda.newest(purpose)?.of_notifiers();
                        self.notifiers.synchronise(&self.socket, newest).await?;
                    }
                }
                reply_to_all(waiting, || Ok(()));
            }
            Job::Statedump(session, waiting) => {
                let done = self.statedump(session).await?;
                reply_to_all(waiting, || done.map_err(Into::into));
            }
            Job::RegisterDone(reply) => {
                let done = self.link().command(ROOT_HANDLE, &Command::RegisterDone).await?;
                let _ = reply.send(done.map(drop).map_err(Into::into));
            }
            Job::Tracepoints(reply) if reply.is_closed() => {}
            Job::Tracepoints(reply) => {
                let _ = reply.send(self.link().tracepoints().await?.map_err(Into::into));
            }
            Job::TracepointFields(reply) if reply.is_closed() => {}
            Job::TracepointFields(reply) => {
                let _ = reply.send(self.link().tracepoint_fields().await?.map_err(Into::into));
            }
        }
        Ok(())
    }

    /// Brings one session to its newest wish.
    async fn synchronise(&self, id: SessionId) -> Result<(), Broken> {
        let known = self.sessions.borrow_mut().remove(&id);
        let mut has = known.unwrap_or_default();
        let mut walk = Walk::default();
        let mut switched = Switched::default();
        loop {
            // Looked up before every step: what changed meanwhile counts at once.
            let Some(want) = self.agenda.newest(id.into()).and_then(Wish::of_session) else {
                self.settle(id, &mut switched, 0, (&mut walk, &mut has)).await?;
                self.release(std::mem::take(&mut has)).await?;
                if self.agenda.ended(id.into()) {
                    return Ok(());
                }
                // It is wanted again since.
                walk = Walk::default();
                continue;
            };
            let (channels, buffers) = (Arc::clone(&want.channels), Arc::clone(&want.buffers));
            let Some(step) = walk.next_step(&mut has, want.active, &channels) else { break };
            let target = step.target();
            if step.is_switch() {
                // One thing is switched once before its answer is known.
                let again = switched.iter().any(|(known, ..)| *known == target);
                let left = if again { 0 } else { ON_THEIR_WAY_MAX - 1 };
                if switched.len() > left {
                    drop(want);
                    self.settle(id, &mut switched, left, (&mut walk, &mut has)).await?;
                    continue;
                }
            }
            if let Some((handle, enabled)) = has.switch(step) {
                drop(want);
                let asked = self.socket.begin_value(handle, &switch(enabled));
                switched.push_back((target, enabled, asked));
                continue;
            }
            let mut object = None;
            if let Step::CreateChannel { channel } = step {
                object = want.objects.channel(channel).cloned();
                if object.is_none() {
                    // There are no buffers of it for anybody.
                    walk.failed(target);
                    continue;
                }
            }
            // An application that falls silent is not to keep the descriptors of a session that ends.
            drop(want);
            if let Err(refusal) = self.step(&mut has, step, buffers, object).await? {
                self.refused(id, target, refusal);
                walk.failed(target);
            }
        }
        self.settle(id, &mut switched, 0, (&mut walk, &mut has)).await?;
        if has.handle.is_some() {
            self.sessions.borrow_mut().insert(id, has);
        }
        Ok(())
    }

    /// Waits until at most `left` answers are waited for, of what was switched.
    async fn settle(
        &self,
        id: SessionId,
        switched: &mut Switched,
        left: usize,
        (walk, has): (&mut Walk, &mut AppSession),
    ) -> Result<(), Broken> {
        while switched.len() > left
            && let Some((target, enabled, asked)) = switched.pop_front()
        {
            if let Err(refusal) = asked.answer().await? {
                self.refused(id, target, refusal);
                has.not_switched(target, enabled);
                walk.failed(target);
            }
        }
        Ok(())
    }

    fn refused(&self, id: SessionId, target: Target, refusal: UstError) {
        tracing::warn!(
            pid = self.info.pid, app = self.info.name, session = %id, ?target, %refusal,
            "the application does not do a part of what the session wants"
        );
    }

    /// Takes a step; `object` is that of the channel to be made.
    async fn step(
        &self,
        has: &mut AppSession,
        step: Step<'_>,
        buffers: Arc<Addr<BufferSet>>,
        object: Option<PreparedChannel>,
    ) -> Answer<()> {
        // What a step names is there; if it were not, the step would have failed.
        const MISSING: Answer<()> = Ok(Err(UstError::NoEntry));
        let link = self.link();
        let session = has.handle.unwrap_or(ROOT_HANDLE);
        Ok(match step {
            Step::CreateSession => {
                let made = link.command(ROOT_HANDLE, &Command::Session).await?;
                made.map(|handle| {
                    self.handles.insert_session(handle, buffers);
                    has.handle = Some(handle);
                })
            }
            Step::CreateChannel { channel } => {
                let Some(PreparedChannel { id, object, .. }) = object else { return MISSING };
                let made = link.create_channel(session, &object).await?;
                made.map(|handle| {
                    self.handles.insert_channel(handle, id, buffers);
                    has.insert(AppChannel::new(channel, handle));
                })
            }
            Step::AddContext { channel, context } => {
                let Some(channel) = has.channel_mut(channel) else { return MISSING };
                let added = link.add_context(channel.handle, context).await?;
                added.map(|()| channel.contexts += 1)
            }
            Step::CreateEvent { channel, event, rule } => {
                let Some(channel) = has.channel_mut(channel) else { return MISSING };
                let made = link.create_event(channel.handle, rule).await?;
                made.map(|handle| {
                    let len = channel.events.len().max(event + 1);
                    channel.events.resize_with(len, || None);
                    channel.events[event] = Some(AppEvent { handle, enabled: false });
                })
            }
            // What is there was switched, without a wait.
            Step::SetEvent { .. } | Step::SetChannel { .. } => return MISSING,
            Step::SetSession { active } => {
                // When it is quiescent no probe that began before is still recording.
                let (set, quiescent) =
                    join(link.command(session, &switch(active)), self.quiesce()).await;
                match set? {
                    Ok(_) => {
                        has.active = active;
                        quiescent?
                    }
                    Err(refusal) => Err(refusal),
                }
            }
        })
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

    async fn quiesce(&self) -> Answer<()> {
        let done = self.link().command(ROOT_HANDLE, &Command::WaitQuiescent).await?;
        Ok(done.map(drop))
    }

    /// Takes a session out of the application: children first.
    async fn release(&self, has: AppSession) -> Result<(), Broken> {
        let Some(session) = has.handle else { return Ok(()) };
        let mut handles = Vec::new();
        for channel in has.channels() {
            handles.extend(channel.events.iter().flatten().map(|event| event.handle));
            handles.push(channel.handle);
            // Before it is released: the application may then give the handle to another channel.
            self.handles.remove_channel(channel.handle);
        }
        handles.push(session);
        self.handles.remove_session(session);
        self.link().release(&handles, self.info.pid).await?;
        if let Err(refusal) = self.quiesce().await? {
            tracing::debug!(pid = self.info.pid, %refusal, "no quiescence after a session's end");
        }
        Ok(())
    }
}
