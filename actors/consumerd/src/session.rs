//! A session: its trace chunks and channels.

mod channel;
mod chunk;
mod metadata;

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    rc::{Rc, Weak},
};

use actix::{Actor, Handler, Message as ActixMessage, ResponseFuture};
use lttngd_model::{ChannelKey, ChunkId, SessionId};
use lttngd_runas::Runas;
use lttngd_wire::consumer::{ConsumerError as Code, Message};
use tokio::sync::mpsc::UnboundedSender;

use self::channel::Channel;
use crate::{
    chunk::{Chunk, Chunks},
    clock::PacketClock,
    control::{Control, unknown},
    crew::{WorkerGone, WorkerHandle},
    event::Event,
    request::{Reply, Request},
    source::{Source, Text},
    worker::Order,
};

/// A channel is over.
#[derive(Debug, ActixMessage)]
#[rtype(result = "()")]
pub(crate) struct ChannelGone(pub(crate) ChannelKey);

/// A trace chunk is over.
#[derive(Debug, ActixMessage)]
#[rtype(result = "()")]
pub(crate) struct ChunkGone(pub(crate) ChunkId);

/// A channel's metadata is wanted from the session daemon.
#[derive(Debug, ActixMessage)]
#[rtype(result = "()")]
pub(crate) struct FetchMetadata(pub(crate) ChannelKey);

/// What a session is surrounded by.
#[derive(Clone)]
pub(crate) struct Context {
    pub(crate) local: WorkerHandle,
    pub(crate) remote: WorkerHandle,
    pub(crate) events: UnboundedSender<Event>,
    pub(crate) clock: PacketClock,
    pub(crate) runas: Runas,
    pub(crate) source: Source,
    pub(crate) control: Weak<Control>,
}

/// The actor of one session.
pub(crate) struct Session {
    inner: Rc<Inner>,
}

impl Session {
    /// `asked` counts the requests that it was sent and has not carried out.
    pub(crate) fn new(id: SessionId, context: Context, asked: Rc<Cell<usize>>) -> Self {
        Self { inner: Rc::new(Inner { id, context, state: RefCell::default(), asked }) }
    }
}

impl Actor for Session {
    type Context = actix::Context<Self>;
}

struct Inner {
    id: SessionId,
    context: Context,
    state: RefCell<State>,
    /// Requests that wait in the mailbox or are being carried out: a session that has some is not
    /// forgotten, since what they make would be found by nobody.
    asked: Rc<Cell<usize>>,
}

#[derive(Default)]
struct State {
    /// Whether it has had channels of which snapshots are recorded.
    has_snapshots: bool,
    chunks: Chunks,
    current: Option<std::sync::Arc<Chunk>>,
    channels: HashMap<ChannelKey, Channel>,
}

impl Inner {
    fn workers(&self) -> [&WorkerHandle; 2] {
        [&self.context.local, &self.context.remote]
    }

    /// Carries a command out. What is empty then is forgotten, not before: what a command makes is to
    /// be found by the next one.
    async fn perform(self: Rc<Self>, request: Request) -> Reply {
        let reply = self.serve(request).await;
        self.asked.set(self.asked.get() - 1);
        self.forget_if_empty();
        reply
    }

    async fn serve(&self, request: Request) -> Reply {
        let Request { message, descriptor, text } = request;
        match message {
            Message::AskChannelCreation(ask) => self.ask_channel(*ask).await,
            Message::GetChannel { key } => self.get_channel(key).await,
            Message::SetupMetadata { key } => self.set_up_metadata(key).await,
            Message::DestroyChannel { key } => self.destroy_channel(key),
            Message::PushMetadata { key, target_offset, version, .. } => {
                self.push_metadata(key, Text { target_offset, version, bytes: text }).await.into()
            }
            Message::CloseMetadata { key } => self.close_metadata(key).await,
            Message::CreateTraceChunk { .. } => self.create_chunk(message, descriptor).await,
            Message::CloseTraceChunk { .. } => self.close_chunk(message).await,
            Message::TraceChunkExists { relayd_id, chunk_id, .. } => {
                self.chunk_exists(relayd_id, chunk_id).await
            }
            Message::SnapshotChannel(snapshot) => self.record(*snapshot).await,
            Message::DataPending { .. } => self.data_pending().await,
            message => self.channel_command(message).await,
        }
    }

    /// Commands that are for a channel's streams.
    async fn channel_command(&self, message: Message) -> Reply {
        let worker = |key| {
            let state = self.state.borrow();
            state.channels.get(&key).map(|channel: &Channel| channel.worker.clone())
        };
        match message {
            Message::DiscardedEvents { key, .. } => match worker(key) {
                Some(worker) => {
                    let counts = worker.ask(|reply| Order::TellCounts(key, reply)).await;
                    Reply::Count(counts.unwrap_or_default().discarded_events)
                }
                None => Reply::Count(0),
            },
            Message::LostPackets { key, .. } => match worker(key) {
                Some(worker) => {
                    let counts = worker.ask(|reply| Order::TellCounts(key, reply)).await;
                    Reply::Count(counts.unwrap_or_default().lost_packets)
                }
                None => Reply::Count(0),
            },
            Message::FlushChannel { key } => match worker(key) {
                Some(worker) => {
                    outcome(worker.ask(|answer| Order::FlushChannel(key, answer)).await)
                }
                None => unknown(&message),
            },
            Message::ClearQuiescentChannel { key } => match worker(key) {
                Some(worker) => {
                    outcome(worker.ask(|answer| Order::ClearQuiescent(key, answer)).await)
                }
                None => unknown(&message),
            },
            Message::OpenChannelPackets { key } => match worker(key) {
                Some(worker) => outcome(worker.ask(|answer| Order::OpenPackets(key, answer)).await),
                None => unknown(&message),
            },
            Message::ClearChannel { key } => match worker(key) {
                Some(worker) => {
                    outcome(worker.ask(|answer| Order::ClearChannel(key, answer)).await)
                }
                None => unknown(&message),
            },
            Message::RotateChannel { key, .. } => match worker(key) {
                Some(worker) => {
                    outcome(worker.ask(|answer| Order::RotateChannel(key, answer)).await)
                }
                None => unknown(&message),
            },
            message => Reply::refusal(&message, Code::INVALID_PARAMETERS),
        }
    }

    async fn data_pending(&self) -> Reply {
        let session = self.id;
        for worker in self.workers() {
            // A worker that is gone has nothing left to write.
            if let Ok(true) = worker.ask(|reply| Order::TellDataPending(session, reply)).await {
                return Reply::Pending(true);
            }
        }
        Reply::Pending(false)
    }

    /// Ends with its last channel and chunk.
    fn forget_if_empty(&self) {
        let state = self.state.borrow();
        if self.asked.get() == 0
            && state.channels.is_empty()
            && state.chunks.is_empty()
            && let Some(control) = self.context.control.upgrade()
        {
            control.forget_session(self.id, state.has_snapshots);
        }
    }
}

/// The status that says how an order went.
fn outcome(outcome: Result<Result<(), Code>, WorkerGone>) -> Reply {
    outcome.unwrap_or(Err(Code::FATAL)).into()
}

impl Handler<Request> for Session {
    type Result = ResponseFuture<Reply>;

    fn handle(&mut self, request: Request, _: &mut Self::Context) -> Self::Result {
        Box::pin(Rc::clone(&self.inner).perform(request))
    }
}

impl Handler<ChannelGone> for Session {
    type Result = ();

    fn handle(&mut self, ChannelGone(key): ChannelGone, _: &mut Self::Context) {
        self.inner.state.borrow_mut().channels.remove(&key);
        self.inner.forget_if_empty();
    }
}

impl Handler<ChunkGone> for Session {
    type Result = ();

    fn handle(&mut self, ChunkGone(id): ChunkGone, _: &mut Self::Context) {
        self.inner.state.borrow_mut().chunks.forget(id);
        self.inner.forget_if_empty();
    }
}

impl Handler<FetchMetadata> for Session {
    type Result = ();

    fn handle(&mut self, FetchMetadata(key): FetchMetadata, _: &mut Self::Context) {
        let inner = Rc::clone(&self.inner);
        // The session daemon's answer is waited for apart from everything else.
        tokio::task::spawn_local(async move { inner.refresh_metadata(key).await });
    }
}
