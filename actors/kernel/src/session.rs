//! The actor of what one tracing session records of the kernel: which message leads where, and in which order.

mod buffers;
mod objects;
mod recording;
mod rules;
mod state;

use std::{
    cell::{Ref, RefCell, RefMut},
    rc::Rc,
    time::Duration,
};

use actix::{
    Actor, Addr, AsyncContext, Context, Handler, Message, ResponseFuture, Running, WeakAddr,
};
use lttngd_buffers::{BuffersError, ChannelKeys};
use lttngd_consumer::{ChannelSampled, Consumer, ConsumerError, KernelChannelTaken};
use lttngd_model::{BufferMode, ErrorCode, SessionId, Timestamp, kernel::Done};
use lttngd_runtime::{FailureNotice, NotRun, Outlet, Queue, ask};

use self::{
    objects::{Objects, Refusal},
    recording::Watches,
    state::State,
};
use crate::{
    Apply, Device, EnsureReady, KernelSessionFailed, Open, SetRecording, Statedump, Tracer,
    device::Calls, error::Refused, message::BuffersCame,
};

/// Most requests of a session that wait.
const REQUESTS_MAX: usize = 1 << 12;
/// What the tracer calls a session whose name the daemon chose.
const AUTO_NAME: &str = "auto";

/// All that a kernel session is told when it is made.
#[derive(Clone, Debug)]
pub struct KernelSessionConfig {
    /// The session.
    pub session: SessionId,
    /// Its name.
    pub name: String,
    /// Whether the daemon chose the name.
    pub auto_named: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// Period of the session's live timer in microseconds, 0 for a session that is not live.
    pub live_timer_interval_us: u32,
    /// Size of a page in bytes.
    pub page_size: u64,
    /// The tracer.
    pub tracer: Addr<Tracer>,
    /// The kernel's consumer daemon.
    pub consumer: Addr<Consumer>,
    /// Keys for channels.
    pub keys: ChannelKeys,
    /// Longest wait for one reply of the consumer daemon.
    pub consumer_deadline: Duration,
    /// Is told how the buffers of its channels are used.
    pub sampled: Outlet<ChannelSampled>,
    /// Is told when the actor fails.
    pub failed: Outlet<KernelSessionFailed>,
}

/// The actor of what one session records of the kernel.
pub struct KernelSession {
    inner: Rc<Inner>,
    /// Of all that is done with what the session has in the tracer.
    queue: Queue<Self>,
    failure: FailureNotice,
}

/// What the requests share.
struct Inner {
    config: KernelSessionConfig,
    /// Looked at for moments, never across an await.
    state: RefCell<State>,
    /// Of buffers that nobody reads.
    watches: RefCell<Watches>,
    /// Where the actor is found. Weak: one that nobody knows ends.
    address: RefCell<Option<WeakAddr<KernelSession>>>,
}

/// What answers a request.
type Answer<T, E = ErrorCode> = ResponseFuture<Result<T, E>>;

impl KernelSession {
    /// One that has nothing in the tracer yet.
    #[must_use]
    pub fn new(config: KernelSessionConfig) -> Self {
        let inner = Rc::new(Inner {
            config,
            state: RefCell::default(),
            watches: RefCell::default(),
            address: RefCell::default(),
        });
        let failed = Rc::clone(&inner);
        Self {
            failure: FailureNotice::of(move || failed.tell_failure()),
            queue: Queue::new(REQUESTS_MAX),
            inner,
        }
    }

    /// Does something when what came before is done.
    fn in_turn<F, T, E>(
        &mut self,
        context: &mut Context<Self>,
        name: &'static str,
        work: impl FnOnce(Rc<Inner>) -> F + 'static,
    ) -> Answer<T, E>
    where
        F: Future<Output = Result<T, E>> + 'static,
        T: 'static,
        E: From<NotRun> + 'static,
    {
        let begin = |session: &mut Self, _: &mut Context<Self>| work(Rc::clone(&session.inner));
        Queue::run(|session| &mut session.queue, self, context, name, begin)
    }

    /// The same for what clients are answered.
    fn command<F, T>(
        &mut self,
        context: &mut Context<Self>,
        name: &'static str,
        work: impl FnOnce(Rc<Inner>) -> F + 'static,
    ) -> Answer<T>
    where
        F: Future<Output = Result<T, ErrorCode>> + 'static,
        T: 'static,
    {
        let work = async move |inner| Ok::<_, Refused>(work(inner).await?);
        let done = self.in_turn(context, name, work);
        Box::pin(async move { done.await.map_err(|Refused(code)| code) })
    }
}

impl Inner {
    fn state(&self) -> Ref<'_, State> {
        self.state.borrow()
    }

    fn state_mut(&self) -> RefMut<'_, State> {
        self.state.borrow_mut()
    }

    /// Does something with what the session has in the tracer, on a thread that may block. One thing at a time:
    /// it is called by requests in their turn alone.
    async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Calls<'_>, &mut Objects) -> T + Send + 'static,
    ) -> Result<T, BuffersError> {
        let (device, mut objects) = {
            let mut state = self.state_mut();
            let device = state.device.clone().filter(|_| !state.closed);
            (device.ok_or(BuffersError::Closed)?, std::mem::take(&mut state.objects))
        };
        let (outcome, objects) = device
            .run(move |calls| {
                let outcome = work(calls, &mut objects);
                (outcome, objects)
            })
            .await;
        self.state_mut().objects = objects;
        Ok(outcome)
    }

    /// The same for a client, who is answered the code that comes with what the tracer refused, or else `code`.
    async fn call<T: Send + 'static>(
        &self,
        code: ErrorCode,
        work: impl FnOnce(&Calls<'_>, &mut Objects) -> Result<T, Refusal> + Send + 'static,
    ) -> Result<T, ErrorCode> {
        let done = self.work(work).await.map_err(|error| self.failed(&error, code))?;
        done.map_err(|(code, error)| {
            tracing::error!(session = self.config.name, %error);
            code
        })
    }

    fn tell_failure(&self) {
        // No borrow outlives what was under way, and nothing is any more.
        let Ok(mut state) = self.state.try_borrow_mut() else { return };
        let overwrites = |mode| mode == BufferMode::Overwrite;
        let sent = state.sent().into_iter();
        let sent = sent.map(|it| (it.index, it.key, overwrites(it.attributes.mode))).collect();
        let end_by_themselves = state.output.chunk().is_some();
        let (channels, objects) = state.let_go();
        drop(objects);
        self.config.failed.tell(KernelSessionFailed {
            consumer: self.config.consumer.clone(),
            consumer_deadline: self.config.consumer_deadline,
            session: self.config.session,
            sent,
            end_by_themselves,
            channels,
        });
    }

    /// Asks the consumer daemon.
    async fn ask<M, T>(&self, message: M) -> Result<T, BuffersError>
    where
        M: Message<Result = Result<T, ConsumerError>> + Send + 'static,
        T: Send + 'static,
        Consumer: Handler<M>,
    {
        Ok(ask(&self.config.consumer, message, self.config.consumer_deadline).await??)
    }

    /// The tracer, where the session is made unless it is there. What a session has in one that is lost is gone: of
    /// one without channels that is nothing, and it is made where the tracer is now.
    async fn open(&self) -> Result<Device, ErrorCode> {
        let (known, has_channels) = {
            let state = self.state();
            (state.device.clone(), state.channels().next().is_some())
        };
        if let Some(device) = known
            && (has_channels || device.is_there().await)
        {
            return Ok(device);
        }
        // It fails only when that actor failed.
        let ready = self.config.tracer.send(EnsureReady).await.map_err(|_| ErrorCode::KernNa)?;
        let device = ready.map_err(|error| {
            tracing::error!(session = self.config.name, %error);
            error.code()
        })?;
        let name = if self.config.auto_named { AUTO_NAME } else { &self.config.name }.to_owned();
        let created_at = self.config.created_at.iso8601_basic();
        let lost = std::mem::take(&mut self.state_mut().objects);
        let made = device.run(move |calls| {
            drop(lost);
            let mut objects = Objects::default();
            objects.create(calls, &name, &created_at).map(|()| objects)
        });
        let objects = made.await.map_err(|error| {
            tracing::error!(session = self.config.name, %error);
            ErrorCode::KernSessFail
        })?;
        let mut state = self.state_mut();
        state.objects = objects;
        state.device = Some(device.clone());
        Ok(device)
    }

    async fn apply(&self, Apply { plan }: Apply) -> Result<Done, ErrorCode> {
        self.open().await?;
        let (asked, session) = (plan.clone(), self.config.name.clone());
        let done = self.work(move |calls, objects| objects.perform(calls, &asked, &session)).await;
        let done = done.map_err(|_| ErrorCode::SessNotFound)?;
        let next = || self.config.keys.next();
        self.state_mut().settle(&plan, &done, next);
        Ok(done)
    }
}

impl Actor for KernelSession {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        *self.inner.address.borrow_mut() = Some(context.address().downgrade());
    }

    fn stopping(&mut self, context: &mut Self::Context) -> Running {
        // Where its consumer daemon was lost nobody closes it, and it ends when nobody has it any more.
        if !context.connected() {
            self.failure.dismiss();
        }
        Running::Stop
    }
}

macro_rules! commands {
    ($($message:ident -> $reply:ty, $name:literal, |$inner:ident, $m:ident| $work:expr;)*) => {$(
        impl Handler<$message> for KernelSession {
            type Result = Answer<$reply>;

            fn handle(&mut self, $m: $message, context: &mut Self::Context) -> Self::Result {
                self.command(context, $name, async move |$inner: Rc<Inner>| $work)
            }
        }
    )*};
}

commands! {
    Open -> Device, "open", |inner, _m| inner.open().await;
    Apply -> Done, "apply", |inner, m| inner.apply(m).await;
    SetRecording -> (), "record", |inner, m| inner.set_recording(m).await;
    Statedump -> (), "state dump", |inner, _m| inner.statedump().await;
}

impl Handler<KernelChannelTaken> for KernelSession {
    type Result = ();

    fn handle(&mut self, taken: KernelChannelTaken, _: &mut Self::Context) {
        self.inner.take(taken.key);
    }
}

impl Handler<BuffersCame> for KernelSession {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, came: BuffersCame, context: &mut Self::Context) -> Self::Result {
        let opened = self.command(context, "open streams", async move |inner: Rc<Inner>| {
            inner.open_late_streams(came.channel).await
        });
        Box::pin(async move {
            // It is in the log.
            let _ = opened.await;
        })
    }
}
