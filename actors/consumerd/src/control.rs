//! The control thread's centre: which session a command is for, and what is for none.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    os::fd::{AsFd, OwnedFd},
    panic::AssertUnwindSafe,
    rc::{Rc, Weak},
    time::{Duration, Instant},
};

use actix::{Actor, Addr};
use futures::future::{FutureExt, join_all};
use lttngd_model::{ChannelKey, Credentials, NetIndex, SessionId};
use lttngd_runas::Runas;
use lttngd_runtime::{Backoff, Counted, Descriptors, FailureNotice, UserDescriptors, fail_point};
use lttngd_wire::consumer::{
    AddRelaydSocket, ConsumerError as Code, TAKES_CONNECTIONS, TELLS_PACKETS,
};
use tokio::sync::{
    Notify,
    mpsc::{UnboundedReceiver, UnboundedSender},
};

use crate::{
    alarm::Alarm,
    apart::Cause,
    book::{Book, Forgotten, Life},
    clock::PacketClock,
    event::Event,
    halves::Halves,
    health::Pulse,
    makers::Makers,
    mounts::may_stand_still,
    refusal::Refusal,
    reply::Reply,
    samples::{self, Monitor, SampledStream, Samples},
    session::{
        ChannelEnded, ChunkEnded, Command, Context, FetchMetadata, Owner, ReadLastText, Session,
    },
    source::{Source, text_fits},
    worker::Order,
    workers::{WorkerHandle, Workers},
};

/// First and longest pause before samples are taken again when that failed.
const SAMPLE_PAUSES: (Duration, Duration) = (Duration::from_millis(10), Duration::from_secs(10));

/// How long the end waits for metadata of the kernel.
const LAST_TEXT_DEADLINE: Duration = Duration::from_secs(2);

/// What the control thread has to work with.
pub(crate) struct Surroundings {
    pub(crate) events: UnboundedSender<Event>,
    pub(crate) clock: PacketClock,
    pub(crate) runas: Runas,
    pub(crate) source: Source,
    pub(crate) descriptors: Descriptors,
    /// Whether the session daemon may connect more often.
    pub(crate) takes_connections: bool,
    /// Whether it asked for packets in samples.
    pub(crate) tells_packets: bool,
    /// Whether buffers of the kernel are read.
    pub(crate) is_kernels: bool,
}

/// What the control thread knows.
pub(crate) struct Control {
    this: Weak<Self>,
    makers: Addr<Makers>,
    /// `None` at the end.
    workers: RefCell<Option<Workers>>,
    /// What users have of descriptors.
    channels: Rc<UserDescriptors>,
    surroundings: Surroundings,
    initialised: Cell<bool>,
    /// Where samples of buffer use are told.
    monitor_pipe: RefCell<Option<OwnedFd>>,
    samples: RefCell<Samples>,
    /// There is a pipe, or a channel that is to be sampled.
    sampling: Notify,
    /// Shows whether this thread does something.
    pulse: Pulse,
    book: RefCell<Book<Addr<Session>>>,
    /// Which data thread has which connections to relay daemons, and for which sessions.
    relays: RefCell<HashMap<NetIndex, (SessionId, WorkerHandle)>>,
    halves: RefCell<Halves>,
    /// Whether a connection to a relay daemon was ever whole.
    had_relays: Rc<Cell<bool>>,
}

/// A command that is on its way to a session.
struct Asking<'a> {
    control: &'a Control,
    session: SessionId,
    counted: Option<Counted>,
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        self.counted = None;
        let forgotten = self.control.book.borrow_mut().replied(self.session);
        self.control.let_go(self.session, forgotten);
    }
}

impl Control {
    pub(crate) fn new(workers: Workers, surroundings: Surroundings, pulse: Pulse) -> Rc<Self> {
        let events = surroundings.events.clone();
        let makers = Makers::default().with_failure_notice(FailureNotice::of(move || {
            // Nobody listens at the end.
            let _ = events.send(Event::MakersFailed);
        }));
        let owner = rustix::process::geteuid().as_raw();
        let channels = UserDescriptors::new(surroundings.descriptors.clone(), owner);
        Rc::new_cyclic(|this| Self {
            this: Weak::clone(this),
            makers: makers.start(),
            workers: RefCell::new(Some(workers)),
            channels: Rc::new(channels),
            surroundings,
            initialised: Cell::new(false),
            monitor_pipe: RefCell::default(),
            samples: RefCell::default(),
            sampling: Notify::new(),
            pulse,
            book: RefCell::default(),
            relays: RefCell::default(),
            halves: RefCell::default(),
            had_relays: Rc::default(),
        })
    }

    /// Has the text read that the kernel has made: what is in the last packets is to be described. A kernel that
    /// does not give it is not waited for long.
    pub(crate) async fn read_last_text(&self) {
        let sessions = self.book.borrow().all();
        let read = join_all(sessions.iter().map(|session| session.send(ReadLastText)));
        if tokio::time::timeout(LAST_TEXT_DEADLINE, read).await.is_err() {
            tracing::error!("metadata of the kernel was not read to its end");
        }
    }

    /// Writes out what the buffers hold, and ends the data threads. Blocks until then.
    pub(crate) fn end(&self) {
        if let Some(workers) = self.workers.borrow_mut().take() {
            workers.end();
        }
    }

    /// The data threads of a session: for what is written here, and for all else.
    fn workers_of(&self, session: SessionId) -> Result<[WorkerHandle; 2], Refusal> {
        let workers = self.workers.borrow();
        workers.as_ref().map(|workers| workers.of(session)).ok_or(Refusal::Ending)
    }

    /// A session of which this is the first command has data threads apart from the others, unless those have its
    /// relay daemon.
    pub(crate) fn set_apart(&self, session: SessionId, cause: Cause) {
        let has_relay = || self.relays.borrow().values().any(|(of, _)| *of == session);
        if self.book.borrow().find(session).is_none()
            && !has_relay()
            && let Some(workers) = &mut *self.workers.borrow_mut()
        {
            workers.set_apart(session, cause, self.descriptors());
        }
    }

    /// A trace chunk of a session is to be in a directory of this owner. Where that may stand still the session has
    /// data threads apart.
    ///
    /// # Errors
    /// [`Code::CREATE_TRACE_CHUNK_FAILED`] when it has streams in those that all share already.
    pub(crate) fn enters(
        &self,
        session: SessionId,
        directory: &OwnedFd,
        owner: Option<Credentials>,
    ) -> Result<(), Refusal> {
        let Some(mount) = may_stand_still(directory) else { return Ok(()) };
        let own = || rustix::process::geteuid().as_raw();
        self.set_apart(session, Cause::Mount(owner.map_or_else(own, |owner| owner.uid), mount));
        let is_apart = |workers: &Workers| workers.is_apart(session);
        if self.workers.borrow().as_ref().is_none_or(is_apart) {
            return Ok(());
        }
        tracing::error!(
            %session,
            "a trace chunk is refused: its file system may stand still (FUSE, NFS), and the session began elsewhere"
        );
        Err(Code::CREATE_TRACE_CHUNK_FAILED.into())
    }

    /// Whether metadata of a channel can be taken.
    pub(crate) fn may_push(&self, key: ChannelKey, offset: u64, len: u64) -> Result<(), Refusal> {
        self.book.borrow().session_of(key)?;
        if text_fits(offset, len) { Ok(()) } else { Err(Refusal::TooLarge) }
    }

    /// Has the session of a channel carry out a command.
    pub(crate) async fn ask_for<C: Command>(
        &self,
        key: ChannelKey,
        command: C,
    ) -> Result<C::Done, Refusal> {
        let session = self.book.borrow().session_of(key)?;
        self.ask(session, command).await
    }

    /// Has a session carry out a command.
    pub(crate) async fn ask<C: Command>(
        &self,
        session: SessionId,
        command: C,
    ) -> Result<C::Done, Refusal> {
        let start = |life| self.start_session(session, life);
        let (actor, counted) = self.book.borrow_mut().ask(session, start)?;
        let _asking = Asking { control: self, session, counted: Some(counted) };
        actor.send(command).await.unwrap_or(Err(Refusal::Failed))
    }

    /// Has a channel made, of which the session that asked first is known.
    pub(crate) async fn create_channel<C: Command>(
        &self,
        session: SessionId,
        key: ChannelKey,
        command: C,
    ) -> Result<C::Done, Refusal> {
        if !self.book.borrow_mut().claim_channel(key, session) {
            tracing::error!(%key, "there is a channel of this key");
            if self.book.borrow().find(session).is_none() {
                // It does not begin, and has no use for threads apart that were made for it.
                self.end_threads_of(session);
            }
            return Err(Code::CHANNEL_FAIL.into());
        }
        let made = self.ask(session, command).await;
        if made.is_err() {
            self.book.borrow_mut().forget_channel(key);
        }
        made
    }

    fn start_session(&self, id: SessionId, life: Life) -> Result<Addr<Session>, Refusal> {
        let [local, remote] = self.workers_of(id)?;
        let Surroundings { events, clock, runas, source, .. } = &self.surroundings;
        let context = Context {
            local,
            remote,
            events: events.clone(),
            clock: clock.clone(),
            runas: runas.clone(),
            source: source.clone(),
            channels: Rc::clone(&self.channels),
            makers: self.makers.clone(),
            had_relays: Rc::clone(&self.had_relays),
            owner: Weak::<Self>::clone(&self.this),
        };
        Ok(Session::new(id, life, context).start())
    }

    /// Connections to relay daemons for the snapshots of a session that is forgotten are given up by nobody
    /// else; the session daemon does so with others, which it still needs.
    fn let_go(&self, session: SessionId, forgotten: Option<Forgotten>) {
        let is_over = forgotten.is_some();
        if let Some(Forgotten { has_snapshots: true }) = forgotten
            && let Ok([_, remote]) = self.workers_of(session)
        {
            // Without the thread there are none.
            let _ = remote.tell(Order::DestroySnapshotRelays(session));
            self.relays.borrow_mut().retain(|_, (of, _)| *of != session);
        }
        if is_over {
            self.end_threads_of(session);
        }
    }

    /// Ends the data threads that a session has alone, if it has any.
    fn end_threads_of(&self, session: SessionId) {
        let mut workers = self.workers.borrow_mut();
        if let Some(ended) = workers.as_mut().and_then(|workers| workers.leave(session)) {
            // Connections that they had end with them.
            let has_ended = |worker: &WorkerHandle| ended.iter().any(|it| it.is(worker));
            self.relays.borrow_mut().retain(|_, (_, worker)| !has_ended(worker));
        }
    }

    /// What channels and connections are counted in.
    pub(crate) fn descriptors(&self) -> &Descriptors {
        &self.surroundings.descriptors
    }

    /// Whether buffers of the kernel are read.
    pub(crate) fn is_kernels(&self) -> bool {
        self.surroundings.is_kernels
    }

    /// The session daemon says who it is (INIT), once.
    pub(crate) fn initialise(&self, sessiond_uuid: [u8; 16]) -> Result<Reply, Refusal> {
        tracing::debug!(?sessiond_uuid, "serves a session daemon");
        if self.initialised.replace(true) {
            return Err(Code::ALREADY_SET.into());
        }
        let takes_connections = self.surroundings.takes_connections;
        Ok(if takes_connections { TAKES_CONNECTIONS.into() } else { Reply::OK })
    }

    /// Where samples of buffer use are told (SET_CHANNEL_MONITOR_PIPE), once.
    pub(crate) fn set_monitor_pipe(&self, pipe: OwnedFd) -> Result<Reply, Refusal> {
        if self.monitor_pipe.borrow().is_some() {
            return Err(Code::ALREADY_SET.into());
        }
        // A sample that does not fit is dropped: nobody waits for a reader.
        if let Err(error) = rustix::io::ioctl_fionbio(&pipe, true) {
            tracing::error!(%error, "the monitor pipe cannot be used");
            return Err(Code::FATAL.into());
        }
        self.monitor_pipe.replace(Some(pipe));
        self.sampling.notify_one();
        let tells_packets = self.surroundings.tells_packets;
        Ok(if tells_packets { TELLS_PACKETS.into() } else { Reply::OK })
    }

    /// Tells samples of buffer use when they are due, as long as there is this thread. What is recorded is worth
    /// more: a failure is no reason for an end.
    pub(crate) async fn sample(self: Rc<Self>, alarm: Alarm) {
        let mut pauses = Backoff::new(SAMPLE_PAUSES.0, SAMPLE_PAUSES.1);
        while AssertUnwindSafe(self.take_samples(&alarm)).catch_unwind().await.is_err() {
            tracing::error!("the taking of samples of the use of buffers failed: it begins anew");
            tokio::time::sleep(pauses.step()).await;
        }
        std::future::pending().await
    }

    /// Does so until it cannot wait for them any more: all of a moment at once.
    async fn take_samples(&self, alarm: &Alarm) {
        loop {
            let has_pipe = self.monitor_pipe.borrow().is_some();
            let due = self.samples.borrow().next().filter(|_| has_pipe);
            let wait = async {
                match due {
                    Some(due) => alarm.at(due).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = self.sampling.notified() => continue,
                rang = wait => if let Err(error) = rang {
                    tracing::error!(%error, "the use of buffers is not sampled any more");
                    return;
                }
            }
            fail_point::reached("Control sample");
            let samples = self.samples.borrow_mut().take(Instant::now());
            if let Some(pipe) = &*self.monitor_pipe.borrow() {
                samples::write(pipe.as_fd(), &samples, self.surroundings.tells_packets);
            }
        }
    }

    /// Something is to be done: the thread is not stuck.
    pub(crate) fn beat(&self) {
        self.pulse.beat();
    }

    /// Takes a socket of a connection to a relay daemon (ADD_RELAYD_SOCKET).
    pub(crate) async fn add_relay(
        &self,
        socket: AddRelaydSocket,
        descriptor: OwnedFd,
    ) -> Result<(), Refusal> {
        let whole = self.halves.borrow_mut().take(socket, descriptor)?;
        let Some(sockets) = whole else { return Ok(()) };
        let (index, session) = (sockets.net_index, sockets.session);
        let [_, remote] = self.workers_of(session)?;
        self.had_relays.set(true);
        remote.ask(|answer| Order::AddRelay(sockets, answer)).await??;
        self.relays.borrow_mut().insert(index, (session, remote));
        Ok(())
    }

    /// Gives a connection to a relay daemon up (DESTROY_RELAYD).
    pub(crate) async fn destroy_relay(&self, index: NetIndex) -> Result<(), Refusal> {
        // There may be the first socket of another one besides.
        let had_half = self.halves.borrow_mut().give_up(index);
        let relay = self.relays.borrow_mut().remove(&index);
        match relay {
            Some((_, worker)) => {
                Ok(worker.ask(|answer| Order::DestroyRelay(index, answer)).await??)
            }
            None if had_half => Ok(()),
            None => Err(Code::RELAYD_FAIL.into()),
        }
    }

    /// Passes on what the data threads tell. It ends when a part of this thread has failed.
    pub(crate) async fn listen(self: Rc<Self>, mut events: UnboundedReceiver<Event>) {
        while let Some(event) = events.recv().await {
            self.beat();
            fail_point::reached("Control event");
            let find = |session| self.book.borrow().find(session);
            // A session that is gone has no use for it.
            match event {
                Event::ChannelEnded { session, key } => {
                    self.channel_gone(key);
                    if let Some(session) = find(session) {
                        let _ = session.send(ChannelEnded(key)).await;
                    }
                }
                Event::ChunkEnded { session, chunk } => {
                    if let Some(session) = find(session) {
                        let _ = session.send(ChunkEnded(chunk)).await;
                    }
                }
                Event::MetadataWanted { session, key } => {
                    if let Some(session) = find(session) {
                        let _ = session.send(FetchMetadata(key)).await;
                    }
                }
                Event::MakersFailed => return,
            }
        }
    }
}

impl Owner for Control {
    fn channel_runs(&self, key: ChannelKey, monitor: Monitor) {
        self.samples.borrow_mut().add(key, monitor, Instant::now());
        self.sampling.notify_one();
    }

    fn streams_came(&self, key: ChannelKey, streams: Vec<SampledStream>) {
        self.samples.borrow_mut().add_streams(key, streams);
    }

    fn channel_gone(&self, key: ChannelKey) {
        self.book.borrow_mut().forget_channel(key);
    }

    fn session_empty(&self, id: SessionId, has_snapshots: bool) {
        let forgotten = self.book.borrow_mut().is_empty(id, has_snapshots);
        self.let_go(id, forgotten);
    }

    fn session_gone(&self, id: SessionId, life: Life) {
        // At the end of the consumer daemon all of them go.
        let Ok(workers) = self.workers_of(id) else { return };
        if self.book.borrow_mut().has_failed(id, life) {
            tracing::error!(session = %id, "a session of the consumer failed: its recording ends");
            for worker in workers {
                // Without the thread nothing is recorded.
                let _ = worker.tell(Order::GiveUpSession(id));
            }
        }
    }
}
