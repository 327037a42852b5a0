//! The shell: starts the process, owns its sockets, and follows its life.

use std::{rc::Rc, sync::Arc, time::Duration};

use actix::{
    Actor, ActorFutureExt, Addr, AsyncContext, Context, Handler, ResponseFuture,
    Running as Stopping, WrapFuture,
};
use lttngd_model::{ConsumerKind, SessionId};
use lttngd_runtime::{
    Backoff, Count, FailureNotice, Outlet, UserDescriptors,
    fail_point::{in_the_middle, reached},
    outside::ChildProcess,
    tell,
};
use tokio::sync::oneshot;
use tracing::Span;

use crate::{
    ConsumerConfig, ConsumerError, ConsumerExited, EnsureRunning, Running, SocketReport, Stop,
    channels::Channels,
    command::{CommandSocket, NewConnection},
    ended::EndedSessions,
    error_socket::ErrorSocket,
    hearing::{Hearing, Process as Runs},
    life::{Gone, Life},
    link::LinkEnd,
    metadata::{MetadataSocket, Sources},
    process::Process,
    reader::{Leave, Reader},
    remains::Remains,
    reports::{Owner, Start, Unread},
    samples::{MonitorPipe, Samples},
    sockets::{Late, Sockets},
};

/// Longest wait for a new consumer daemon to be ready.
pub const HANDSHAKE_DEADLINE: Duration = Duration::from_secs(20);
/// Most requests that wait for the command socket.
pub const REQUESTS_MAX: usize = 1 << 17;
/// How long a consumer may take to leave after its command socket was closed.
const EXIT_DEADLINE: Duration = Duration::from_millis(2500);
/// How long the system may take to end one that is killed, unless it is in the hands of a file system that hangs.
const KILL_DEADLINE: Duration = Duration::from_millis(250);
/// Silence with which it is taken for one that does not run, or stands still, when it is to leave.
const SILENCE_AT_END: Duration = Duration::from_secs(1);
/// First and longest pause before another actor reads the monitor pipe when one failed.
const MONITOR_PAUSES: (Duration, Duration) = (Duration::from_millis(10), Duration::from_secs(10));

/// The actor of one consumer daemon.
pub struct Consumer {
    config: Arc<ConsumerConfig>,
    exited: Outlet<ConsumerExited>,
    /// In the life of this actor, whichever daemon it had then.
    pub(crate) ended: EndedSessions,
    pub(crate) life: Life<RunningConsumer>,
    /// The newest one.
    start: Start,
    pub(crate) waiting: Count,
    /// Unless it was told to end its daemon.
    failure: Option<FailureNotice>,
}

/// What belongs to a consumer daemon that runs.
pub(crate) struct RunningConsumer {
    pub(crate) start: Start,
    pub(crate) sockets: Sockets<Socket>,
    pub(crate) sources: Sources,
    pub(crate) samples: Samples,
    pub(crate) channels: Channels,
    config: Arc<ConsumerConfig>,
    owner: Owner,
    runs: Rc<Runs>,
    pub(crate) error: Addr<Reader<ErrorSocket>>,
    pub(crate) metadata: Addr<Reader<MetadataSocket>>,
    pub(crate) monitor: Addr<Reader<MonitorPipe>>,
    monitor_pipe: MonitorPipe,
    monitor_pauses: Backoff,
    leave: oneshot::Sender<Farewell>,
}

/// A connection to the command socket: its actor, what is heard there, and what ends it in the middle of an exchange.
pub(crate) struct Socket {
    pub(crate) actor: Addr<CommandSocket>,
    pub(crate) hearing: Hearing,
    /// `None` while it is being made.
    end: Option<LinkEnd>,
}

/// How a process ends that has not ended by itself.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Farewell {
    /// It leaves when it finds its sockets closed, and has some time for that.
    Asked,
    /// The same; but it answered until now and may have much to write: one that is not through then is left to
    /// end by itself.
    Trusted,
    /// At once.
    Killed,
}

impl Consumer {
    /// A consumer daemon that is started when it is needed. `exited` is told when it dies.
    #[must_use]
    pub fn new(config: ConsumerConfig, exited: Outlet<ConsumerExited>) -> Self {
        Self::of(Arc::new(config), exited)
    }

    pub(crate) fn of(config: Arc<ConsumerConfig>, exited: Outlet<ConsumerExited>) -> Self {
        Self {
            config,
            exited,
            ended: EndedSessions::default(),
            life: Life::default(),
            start: Start::default(),
            waiting: Count::default(),
            failure: None,
        }
    }

    pub(crate) fn has_ended(&self, session: SessionId) -> bool {
        self.ended.contains(session)
    }

    /// Which consumer daemon it is.
    pub(crate) fn kind(&self) -> ConsumerKind {
        self.config.kind
    }

    /// Its owner is told when it fails from now on, whether its daemon runs or not.
    fn watch(&mut self) {
        let (exited, config) = (self.exited.clone(), Arc::clone(&self.config));
        self.failure.get_or_insert_with(|| {
            let failed = ConsumerExited {
                kind: config.kind,
                reason: "the actor of the consumer daemon failed".to_owned(),
                remains: Some(Remains { config, exited: exited.clone() }),
            };
            FailureNotice::new(exited, failed)
        });
    }

    fn dismiss(&mut self) {
        if let Some(mut failure) = self.failure.take() {
            failure.dismiss();
        }
    }

    /// Starts a process.
    fn begin(&mut self, context: &mut Context<Self>) {
        self.watch();
        reached("Consumer start");
        let config = Arc::clone(&self.config);
        let start = async move {
            tokio::time::timeout(HANDSHAKE_DEADLINE, config.start()).await.unwrap_or_else(|_| {
                Err(ConsumerError::NotStarted {
                    kind: config.kind,
                    reason: format!("no handshake within {} s", HANDSHAKE_DEADLINE.as_secs()),
                })
            })
        };
        let start = in_the_middle(|| "Consumer handshake".to_owned(), start);
        context.spawn(start.into_actor(self).map(Self::process_started));
    }

    fn process_started(
        process: Result<Process, ConsumerError>,
        this: &mut Self,
        context: &mut Context<Self>,
    ) {
        let running = process
            .and_then(|process| this.run(process, context))
            .inspect_err(|error| tracing::error!(%error));
        if let Some(running) = this.life.started(running) {
            this.let_go(running, Farewell::Asked);
        }
    }

    /// Has actors for the sockets of a process, and follows it.
    fn run(
        &mut self,
        process: Process,
        context: &mut Context<Self>,
    ) -> Result<RunningConsumer, ConsumerError> {
        let Process { child, command, takes_more, error, metadata, monitor, tells_packets } =
            process;
        let (config, pid) = (Arc::clone(&self.config), child.id());
        let of_no_use = |what: &'static str| {
            let kind = config.kind;
            move |error: std::io::Error| ConsumerError::NotStarted {
                kind,
                reason: format!("{what}: {error}"),
            }
        };
        let end = command.end().map_err(of_no_use("its command socket"))?;
        let monitor_pipe =
            MonitorPipe::new(monitor, tells_packets).map_err(of_no_use("its monitor pipe"))?;
        self.start = Start(self.start.0 + 1);
        let start = self.start;
        let span = tracing::error_span!(parent: None, "consumer", kind = %config.kind, pid);
        let owner = Owner { consumer: context.address(), start, pid, span: span.clone() };
        let hearing = Hearing::of_shared(config.deadline, &owner.span);
        let shared = CommandSocket::shared(command.heard_by(hearing.clone()), owner.clone());
        let runs = Runs::new(config.deadline, Outlet::to(shared.clone().recipient()), &owner.span);
        let shared = Socket { actor: shared, hearing, end: Some(end) };
        let (leave, left) = oneshot::channel();
        context.spawn(follow(child, left).into_actor(self).map(
            move |by_itself, this: &mut Self, context| {
                this.process_ended(&span, by_itself, context);
            },
        ));
        owner.span.in_scope(|| tracing::info!("consumer daemon started"));
        Ok(RunningConsumer {
            start,
            sockets: Sockets::new(shared, takes_more),
            sources: Sources::default(),
            samples: Samples::default(),
            channels: Channels::new(UserDescriptors::new(
                config.descriptors.clone(),
                rustix::process::geteuid().as_raw(),
            )),
            config,
            error: Reader::start(ErrorSocket(error), owner.clone()),
            metadata: Reader::start(MetadataSocket(metadata), owner.clone()),
            monitor: Reader::start(monitor_pipe.clone(), owner.clone()),
            monitor_pipe,
            monitor_pauses: Backoff::new(MONITOR_PAUSES.0, MONITOR_PAUSES.1),
            owner,
            runs,
            leave,
        })
    }

    /// The consumer daemon is of no use any more.
    pub(crate) fn fail(&mut self, reason: String) {
        if let Some(running) = self.life.fail(reason) {
            self.let_go(running, Farewell::Killed);
        }
    }

    fn let_go(&mut self, running: RunningConsumer, how: Farewell) {
        running.let_go(how);
    }

    fn process_ended(
        &mut self,
        span: &Span,
        by_itself: Option<String>,
        context: &mut Context<Self>,
    ) {
        if let Some(reason) = by_itself {
            self.fail(reason);
        }
        // The next one's sockets have the names of this one's.
        self.config.remove_sockets();
        let Gone { reason, starts_again } = self.life.gone();
        if let Some(reason) = reason {
            span.in_scope(|| tracing::error!(%reason, "the consumer daemon is gone"));
            self.exited.tell(ConsumerExited { kind: self.config.kind, reason, remains: None });
        }
        if starts_again {
            self.begin(context);
        }
    }
}

impl RunningConsumer {
    /// Its process.
    pub(crate) fn pid(&self) -> Option<u32> {
        self.owner.pid
    }

    /// The connections on which it owes answers.
    pub(crate) fn owing(&self) -> Vec<SocketReport> {
        let report = |(session, it): (_, &Socket)| it.hearing.report(session);
        self.sockets.all().filter_map(report).collect()
    }

    /// The connection that makes exchanges for a session.
    pub(crate) fn socket(
        &mut self,
        session: SessionId,
        has_ended: bool,
        late: Late,
    ) -> Result<&Socket, ConsumerError> {
        let (config, owner, runs) = (&self.config, &self.owner, &self.runs);
        let make = |shared: &Socket| {
            let hearing = Hearing::of_session(config.deadline, session, runs, &owner.span);
            let new = NewConnection {
                hearing: hearing.clone(),
                session,
                socket: config.command_socket.clone(),
                shared: shared.actor.clone(),
                descriptors: config.descriptors.clone(),
            };
            Socket { actor: CommandSocket::own(new, owner.clone()), hearing, end: None }
        };
        self.sockets.of(session, has_ended, late, make)
    }

    /// A session's own connection is made.
    pub(crate) fn connected(&mut self, session: SessionId, end: LinkEnd) {
        // That of a session that has ended comes to its end without us.
        if let Some(socket) = self.sockets.own_mut(session) {
            socket.end = Some(end);
        }
    }

    /// Has another actor read the monitor pipe.
    pub(crate) fn read_monitor(&mut self) {
        self.monitor = Reader::start(self.monitor_pipe.clone(), self.owner.clone());
    }

    /// The monitor pipe is not read any more. After which pause it is to be read again.
    pub(crate) fn monitor_unread(&mut self, why: Unread) -> Option<Duration> {
        let _span = self.owner.span.enter();
        match why {
            Unread::Failed => {
                tracing::error!("the actor of the monitor pipe failed: another takes its place");
                Some(self.monitor_pauses.step())
            }
            Unread::Ended(reason) => {
                tracing::warn!(
                    reason,
                    "the consumer daemon does not tell any more how its channels are used: until it is started again there are no rotations by size and no triggers by the use of buffers"
                );
                self.samples.remove_all();
                None
            }
        }
    }

    /// A session has ended. An exchange that is under way, and those that wait, come to their ends.
    pub(crate) fn end_session(&mut self, session: SessionId) {
        if let Some(socket) = self.sockets.end(session) {
            tell(&socket.actor, Leave);
        }
        self.sources.end(session);
        self.samples.end(session);
    }

    /// How it is let go when nobody needs it any more. Our own, with sessions that have not ended, writes what
    /// they have, if it runs.
    fn farewell(&self) -> Farewell {
        let is_silent = self.sockets.shared().hearing.is_silent_for(SILENCE_AT_END);
        match self.sockets.has_own() && !is_silent && !self.runs.owes() {
            true => Farewell::Trusted,
            false => Farewell::Asked,
        }
    }

    /// Closes the sockets: exchanges under way fail, and those that wait.
    fn let_go(self, how: Farewell) {
        for Socket { actor, end, .. } in self.sockets.into_all() {
            if let Some(end) = end {
                end.shut_down();
            }
            tell(&actor, Leave);
        }
        tell(&self.error, Leave);
        tell(&self.metadata, Leave);
        tell(&self.monitor, Leave);
        // It fails only when the process has ended already.
        let _ = self.leave.send(how);
    }
}

/// Follows a process until it is gone. How it ended, if it did so by itself.
async fn follow(mut child: ChildProcess, left: oneshot::Receiver<Farewell>) -> Option<String> {
    let how = tokio::select! {
        status = child.wait() => return Some(match status {
            Ok(status) => format!("it ended with {status}"),
            Err(error) => format!("its exit could not be awaited: {error}"),
        }),
        how = left => how.unwrap_or(Farewell::Killed),
    };
    let is_gone =
        how != Farewell::Killed && tokio::time::timeout(EXIT_DEADLINE, child.wait()).await.is_ok();
    if is_gone {
        return None;
    }
    if how == Farewell::Trusted {
        tracing::warn!(
            pid = child.id(),
            "a consumer daemon still writes what was recorded, and is left to end by itself"
        );
        child.leave();
        return None;
    }
    // It may have ended by itself already: then there is nothing to kill.
    let _ = child.start_kill();
    if tokio::time::timeout(KILL_DEADLINE, child.wait()).await.is_err() {
        tracing::warn!(pid = child.id(), "a consumer daemon that was killed has not ended yet");
    }
    None
}

impl Actor for Consumer {
    type Context = Context<Self>;

    fn started(&mut self, _: &mut Self::Context) {
        self.watch();
    }

    fn stopping(&mut self, context: &mut Self::Context) -> Stopping {
        // It ends when nobody has it any more.
        if !context.connected() {
            self.dismiss();
        }
        Stopping::Stop
    }
}

impl Handler<EnsureRunning> for Consumer {
    type Result = ResponseFuture<Result<(), ConsumerError>>;

    fn handle(&mut self, _: EnsureRunning, context: &mut Self::Context) -> Self::Result {
        let (reply, started) = oneshot::channel();
        if self.life.start(reply) {
            self.begin(context);
        }
        Box::pin(async move { started.await.unwrap_or(Err(ConsumerError::Lost)) })
    }
}

impl Handler<Running> for Consumer {
    type Result = Option<u32>;

    fn handle(&mut self, _: Running, _: &mut Self::Context) -> Self::Result {
        self.life.running().and_then(|running| running.owner.pid)
    }
}

impl Handler<Stop> for Consumer {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, _: Stop, _: &mut Self::Context) -> Self::Result {
        self.dismiss();
        let (reply, stopped) = oneshot::channel();
        if let Some(running) = self.life.stop(reply) {
            let how = running.farewell();
            self.let_go(running, how);
        }
        Box::pin(async move {
            // It fails only when the actor fails, and the process is gone with it.
            let _ = stopped.await;
        })
    }
}
