//! The control thread's centre: which session a command is for.

use std::{
    cell::{Cell, RefCell},
    collections::{HashMap, hash_map::Entry},
    os::fd::OwnedFd,
    rc::{Rc, Weak},
};

use actix::{Actor, Addr};
use lttngd_model::{ChannelKey, NetIndex, SessionId, StreamKind};
use lttngd_runas::Runas;
use lttngd_runtime::Descriptors;
use lttngd_wire::{
    consumer::{AddRelaydSocket, ConsumerError as Code, Message, TAKES_CONNECTIONS},
    relay::Version,
};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};

use crate::{
    clock::PacketClock,
    crew::{Crew, WorkerHandle},
    event::Event,
    request::{Reply, Request},
    session::{ChannelGone, ChunkGone, Context, FetchMetadata, Session},
    source::{Source, text_fits},
    worker::{Order, RelaySockets},
};

/// Most sessions that are known at a time.
const SESSIONS_MAX: usize = 1 << 17;
/// Most relay connections that wait for their second socket.
const HALF_RELAYS_MAX: usize = 1 << 12;

/// What the control thread knows.
pub(crate) struct Control {
    this: Weak<Self>,
    crew: RefCell<Option<Crew>>,
    events: UnboundedSender<Event>,
    clock: PacketClock,
    runas: Runas,
    source: Source,
    descriptors: Descriptors,
    initialised: Cell<bool>,
    /// Whether the session daemon may connect more often.
    takes_connections: bool,
    monitored: Cell<bool>,
    sessions: RefCell<HashMap<SessionId, Known>>,
    /// The session of each channel.
    channels: RefCell<HashMap<ChannelKey, SessionId>>,
    /// Relay connections of which the control socket came and the data socket did not.
    half_relays: RefCell<HashMap<u64, (AddRelaydSocket, OwnedFd)>>,
}

/// A session that is known.
#[derive(Clone)]
struct Known {
    actor: Addr<Session>,
    /// How many requests it was sent and has not carried out.
    asked: Rc<Cell<usize>>,
}

impl Control {
    pub(crate) fn new(
        crew: Crew,
        events: UnboundedSender<Event>,
        clock: PacketClock,
        runas: Runas,
        source: Source,
        descriptors: Descriptors,
        takes_connections: bool,
    ) -> Rc<Self> {
        Rc::new_cyclic(|this| Self {
            this: this.clone(),
            crew: RefCell::new(Some(crew)),
            events,
            clock,
            runas,
            source,
            descriptors,
            initialised: Cell::new(false),
            takes_connections,
            monitored: Cell::new(false),
            sessions: RefCell::default(),
            channels: RefCell::default(),
            half_relays: RefCell::default(),
        })
    }

    /// Writes out what the buffers hold, and ends the data threads. Blocks until then.
    pub(crate) fn end(&self) {
        if let Some(crew) = self.crew.borrow_mut().take() {
            crew.end();
        }
    }

    /// The data threads of a session: for what is written here, and for all else.
    fn workers_of(&self, session: SessionId) -> Result<[WorkerHandle; 2], Code> {
        let crew = self.crew.borrow();
        crew.as_ref().map(|crew| crew.of(session).map(Clone::clone)).ok_or(Code::FATAL)
    }

    fn all_workers(&self) -> Vec<WorkerHandle> {
        self.crew.borrow().iter().flat_map(Crew::all).cloned().collect()
    }

    /// Whether metadata of a channel can be taken.
    pub(crate) fn may_push(&self, key: ChannelKey, offset: u64, len: u64) -> Result<(), Code> {
        if !self.channels.borrow().contains_key(&key) {
            return Err(Code::CHANNEL_FAIL);
        }
        if text_fits(offset, len) { Ok(()) } else { Err(Code::ERROR_METADATA) }
    }

    /// Carries a command out.
    pub(crate) async fn perform(&self, request: Request) -> Reply {
        match &request.message {
            Message::Init { sessiond_uuid } => {
                tracing::debug!(?sessiond_uuid, "serves a session daemon");
                match once(&self.initialised) {
                    Reply::Status(0) if self.takes_connections => TAKES_CONNECTIONS.into(),
                    reply => reply,
                }
            }
            Message::SetChannelMonitorPipe => self.set_monitor_pipe(request.descriptor),
            Message::AddRelaydSocket(socket) => {
                let socket = socket.clone();
                self.add_relay(socket, request.descriptor).await
            }
            Message::DestroyRelayd { net_index } => self.destroy_relay(*net_index).await,
            message => {
                let Some(session) = self.session_of(message) else {
                    return unknown(message);
                };
                let Ok(session) = self.session(session) else {
                    return Reply::refusal(message, Code::ENOMEM);
                };
                let kind = message.clone();
                session.asked.set(session.asked.get() + 1);
                session.actor.send(request).await.unwrap_or_else(|error| {
                    tracing::error!(%error, "a session of the consumer failed");
                    Reply::refusal(&kind, Code::FATAL)
                })
            }
        }
    }

    /// Whose the command is; `None` when its channel is not known.
    fn session_of(&self, message: &Message) -> Option<SessionId> {
        Some(match message {
            Message::AskChannelCreation(ask) => ask.session_id,
            Message::DataPending { session_id }
            | Message::DiscardedEvents { session_id, .. }
            | Message::LostPackets { session_id, .. }
            | Message::CreateTraceChunk { session_id, .. }
            | Message::CloseTraceChunk { session_id, .. }
            | Message::TraceChunkExists { session_id, .. } => *session_id,
            message => *self.channels.borrow().get(&channel_of(message)?)?,
        })
    }

    fn session(&self, id: SessionId) -> Result<Known, Code> {
        let mut sessions = self.sessions.borrow_mut();
        if let Some(session) = sessions.get(&id).filter(|session| session.actor.connected()) {
            return Ok(session.clone());
        }
        if sessions.len() >= SESSIONS_MAX {
            return Err(Code::ENOMEM);
        }
        let [local, remote] = self.workers_of(id)?;
        let control = self.this.clone();
        let (events, clock, runas) = (self.events.clone(), self.clock.clone(), self.runas.clone());
        let source = self.source.clone();
        let context = Context { local, remote, events, clock, runas, source, control };
        let asked = Rc::default();
        let actor = Session::new(id, context, Rc::clone(&asked)).start();
        let session = Known { actor, asked };
        sessions.insert(id, session.clone());
        Ok(session)
    }

    /// Remembers which session has a channel. `false` when the key is another's, who may be making it
    /// still.
    pub(crate) fn claim_channel(&self, key: ChannelKey, session: SessionId) -> bool {
        match self.channels.borrow_mut().entry(key) {
            Entry::Occupied(_) => false,
            Entry::Vacant(vacant) => {
                vacant.insert(session);
                true
            }
        }
    }

    /// Forgets a channel.
    pub(crate) fn forget_channel(&self, key: ChannelKey) {
        self.channels.borrow_mut().remove(&key);
    }

    /// Forgets a session of which nothing is left. Connections to relay daemons for its snapshots are
    /// given up by nobody else; the session daemon does so with others, which it still needs.
    pub(crate) fn forget_session(&self, id: SessionId, has_snapshots: bool) {
        self.sessions.borrow_mut().remove(&id);
        if has_snapshots && let Ok([_, remote]) = self.workers_of(id) {
            // Without the thread there are none.
            let _ = remote.tell(Order::DestroySnapshotRelays(id));
        }
    }

    /// What channels and connections are counted in.
    pub(crate) fn descriptors(&self) -> &Descriptors {
        &self.descriptors
    }

    fn set_monitor_pipe(&self, pipe: Option<OwnedFd>) -> Reply {
        let Some(pipe) = pipe else { return Code::ERROR_RECV_FD.into() };
        if self.monitored.get() {
            return Code::ALREADY_SET.into();
        }
        // A sample that does not fit is dropped: nobody waits for a reader.
        if let Err(error) = rustix::io::ioctl_fionbio(&pipe, true) {
            tracing::error!(%error, "the monitor pipe cannot be used");
            return Code::FATAL.into();
        }
        let pipe = std::sync::Arc::new(pipe);
        for worker in self.all_workers() {
            let pipe = std::sync::Arc::clone(&pipe);
            if worker.tell(Order::SetMonitorPipe(pipe)).is_err() {
                return Code::FATAL.into();
            }
        }
        self.monitored.set(true);
        Reply::OK
    }

    async fn add_relay(&self, socket: AddRelaydSocket, descriptor: Option<OwnedFd>) -> Reply {
        let Some(descriptor) = descriptor else { return Code::ERROR_RECV_FD.into() };
        if socket.stream == StreamKind::Control {
            let mut halves = self.half_relays.borrow_mut();
            if halves.len() >= HALF_RELAYS_MAX {
                return Code::ENOMEM.into();
            }
            halves.insert(socket.net_index, (socket, descriptor));
            return Reply::OK;
        }
        let half = self.half_relays.borrow_mut().remove(&socket.net_index);
        let Some((first, control)) = half else {
            tracing::error!(
                relayd = socket.net_index,
                "a relay's data socket came before its control socket"
            );
            return Code::RELAYD_FAIL.into();
        };
        let sockets = Box::new(RelaySockets {
            net_index: NetIndex(first.net_index),
            session: first.session_id,
            relay_session_id: first.relayd_session_id,
            version: Version { major: first.major, minor: first.minor },
            control,
            data: descriptor,
        });
        let [_, remote] = match self.workers_of(sockets.session) {
            Ok(workers) => workers,
            Err(code) => return code.into(),
        };
        match remote.ask(|answer| Order::AddRelay(sockets, answer)).await {
            Ok(outcome) => outcome.into(),
            Err(_) => Code::FATAL.into(),
        }
    }

    async fn destroy_relay(&self, net_index: u64) -> Reply {
        if self.half_relays.borrow_mut().remove(&net_index).is_some() {
            return Reply::OK;
        }
        let index = NetIndex(net_index);
        // Whose it is was told when it came; the thread that has it knows it.
        for worker in self.all_workers() {
            if let Ok(Ok(())) = worker.ask(|answer| Order::DestroyRelay(index, answer)).await {
                return Reply::OK;
            }
        }
        Code::RELAYD_FAIL.into()
    }

    /// Passes on what the data threads tell, until they are gone.
    pub(crate) async fn listen(self: Rc<Self>, mut events: UnboundedReceiver<Event>) {
        while let Some(event) = events.recv().await {
            let session = match &event {
                Event::ChannelEnded { session, .. }
                | Event::ChunkEnded { session, .. }
                | Event::MetadataWanted { session, .. } => *session,
            };
            if let Event::ChannelEnded { key, .. } = &event {
                self.forget_channel(*key);
            }
            let known = self.sessions.borrow().get(&session).map(|known| known.actor.clone());
            let Some(session) = known else { continue };
            // A session that is gone has no use for it.
            match event {
                Event::ChannelEnded { key, .. } => {
                    let _ = session.send(ChannelGone(key)).await;
                }
                Event::ChunkEnded { chunk, .. } => {
                    let _ = session.send(ChunkGone(chunk)).await;
                }
                Event::MetadataWanted { key, .. } => {
                    let _ = session.send(FetchMetadata(key)).await;
                }
            }
        }
    }
}

fn once(done: &Cell<bool>) -> Reply {
    if done.replace(true) { Code::ALREADY_SET.into() } else { Reply::OK }
}

/// The channel that a command names.
fn channel_of(message: &Message) -> Option<ChannelKey> {
    match message {
        Message::GetChannel { key }
        | Message::DestroyChannel { key }
        | Message::CloseMetadata { key }
        | Message::SetupMetadata { key }
        | Message::FlushChannel { key }
        | Message::ClearQuiescentChannel { key }
        | Message::ClearChannel { key }
        | Message::OpenChannelPackets { key }
        | Message::PushMetadata { key, .. }
        | Message::RotateChannel { key, .. } => Some(*key),
        Message::SnapshotChannel(snapshot) => Some(snapshot.key),
        _ => None,
    }
}

/// The answer to a command for a channel that is not known: as the stock consumer, which has two
/// codes for it.
pub(crate) fn unknown(message: &Message) -> Reply {
    match message {
        Message::DestroyChannel { .. } => Reply::OK,
        Message::PushMetadata { .. } => Code::CHANNEL_FAIL.into(),
        Message::FlushChannel { .. }
        | Message::ClearQuiescentChannel { .. }
        | Message::CloseMetadata { .. }
        | Message::SetupMetadata { .. } => Code::UST_CHAN_NOT_FOUND.into(),
        message => Reply::refusal(message, Code::CHAN_NOT_FOUND),
    }
}
