//! The shell: admits, asks the process, and follows its life.

use std::{
    cell::{Cell, RefCell},
    os::fd::{AsFd, OwnedFd},
    rc::Rc,
    sync::Arc,
    time::Duration,
};

use actix::{Actor, Context, Handler, ResponseFuture};
use lttngd_model::{SessionId, StreamKind};
use lttngd_runtime::{Outlet, Peer, PeerError, Turns};
use lttngd_wire::consumer::{AddRelaydSocket, ConsumerError as Code, Message, SnapshotChannel};
use tokio::{process::Child, sync::Notify, task::JoinHandle};

use crate::{
    AddRelayd, ChannelObject, ChunkPlace, ClearChannel, ClearQuiescentChannel, CloseMetadata,
    CloseTraceChunk, ConsumerConfig, ConsumerError, ConsumerExited, CreateChannel, CreateMetadata,
    CreateTraceChunk, DataPending, DestroyRelayd, DiscardedEvents, EndSampling, EndSession,
    EnsureRunning, FlushChannel, LostPackets, OpenChannelPackets, PushMetadata, RecordChannel,
    RotateChannel, Running, Stop, TraceChunkExists,
    channels::NewChannels,
    ended::EndedSessions,
    link::Link,
    live::{Late, Live},
    metadata::Sources,
    process::Process,
    samples::Samples,
};

/// Longest wait for a new consumer daemon to be ready.
pub const HANDSHAKE_DEADLINE: Duration = Duration::from_secs(20);
/// Most requests that wait for the command socket.
pub const REQUESTS_MAX: usize = 1 << 17;
/// Most requests that wait for the start of the consumer daemon.
const STARTS_MAX: usize = 1 << 14;
/// How long a consumer may take to leave after its command socket was closed.
const EXIT_DEADLINE: Duration = Duration::from_secs(5);

/// The actor of one consumer daemon.
pub struct Consumer {
    inner: Rc<Inner>,
}

impl Consumer {
    /// A consumer daemon that is started when it is needed. `exited` is told when it dies.
    #[must_use]
    pub fn new(config: ConsumerConfig, exited: Outlet<ConsumerExited>) -> Self {
        Self {
            inner: Rc::new(Inner {
                config,
                exited,
                ended: Rc::default(),
                live: RefCell::default(),
                supervisor: RefCell::default(),
                starting: Turns::new(STARTS_MAX),
                stopping: Cell::new(false),
                waiting: Cell::new(0),
            }),
        }
    }
}

impl Actor for Consumer {
    type Context = Context<Self>;
}

struct Inner {
    config: ConsumerConfig,
    exited: Outlet<ConsumerExited>,
    /// In the life of this actor, whichever daemon it had then.
    ended: Rc<RefCell<EndedSessions>>,
    live: RefCell<Option<Rc<Live>>>,
    supervisor: RefCell<Option<JoinHandle<()>>>,
    starting: Turns,
    stopping: Cell<bool>,
    waiting: Cell<usize>,
}

impl Inner {
    fn live(&self) -> Result<Rc<Live>, ConsumerError> {
        self.live.borrow().clone().ok_or(ConsumerError::Lost)
    }

    async fn ensure_running(self: Rc<Self>) -> Result<(), ConsumerError> {
        if self.live().is_ok() {
            return Ok(());
        }
        let _turn = self.starting.take().await.map_err(|_| ConsumerError::Busy)?;
        if self.live().is_ok() {
            return Ok(());
        }
        if self.stopping.get() {
            return Err(ConsumerError::Lost);
        }
        let process = tokio::time::timeout(HANDSHAKE_DEADLINE, self.config.start())
            .await
            .unwrap_or_else(|_| {
                Err(ConsumerError::NotStarted {
                    bits: self.config.bitness.bits_per_long(),
                    reason: format!("no handshake within {} s", HANDSHAKE_DEADLINE.as_secs()),
                })
            })
            .inspect_err(|error| tracing::error!(%error))?;
        let Process { child, command, error, metadata, monitor } = process;
        let live = Rc::new(Live {
            pid: child.id(),
            links: command,
            sources: Sources::default(),
            samples: Samples::default(),
            channels: NewChannels::new(self.config.descriptors.clone()),
            ended: Rc::clone(&self.ended),
            failed: Notify::new(),
            stop: Notify::new(),
        });
        tracing::info!(
            pid = live.pid,
            bits = self.config.bitness.bits_per_long(),
            "consumer daemon started"
        );
        *self.live.borrow_mut() = Some(Rc::clone(&live));
        let this = Rc::clone(&self);
        *self.supervisor.borrow_mut() = Some(tokio::task::spawn_local(async move {
            this.supervise(live, child, error, metadata, monitor).await;
        }));
        Ok(())
    }

    /// Follows the consumer until it is gone.
    async fn supervise(
        self: Rc<Self>,
        live: Rc<Live>,
        mut child: Child,
        error: Peer,
        metadata: Peer,
        monitor: OwnedFd,
    ) {
        let reason = tokio::select! {
            reason = last_words(&error) => Some(reason),
            status = child.wait() => Some(match status {
                Ok(status) => format!("it ended with {status}"),
                Err(error) => format!("its exit could not be awaited: {error}"),
            }),
            error = live.sources.serve(&metadata) => Some(format!("its metadata socket: {error}")),
            never = live.samples.serve(monitor) => match never {},
            () = live.failed.notified() => Some("its command socket failed".to_owned()),
            () = live.stop.notified() => None,
        };
        // The next consumer's sockets have the names of this one's: it starts when these are gone. A
        // full line of starts does not keep an end from going on.
        let turn = self.starting.take().await;
        *self.live.borrow_mut() = None;
        live.sources.clear();
        live.samples.clear();
        live.links.close();
        drop((error, metadata));
        if reason.is_some() || tokio::time::timeout(EXIT_DEADLINE, child.wait()).await.is_err() {
            // It may have ended by itself already: then there is nothing to kill.
            let _ = child.start_kill();
            let _ = child.wait().await;
        }
        self.config.remove_sockets();
        drop(turn);
        if let Some(reason) = reason {
            tracing::error!(pid = live.pid, %reason, "the consumer daemon is gone");
            self.exited.tell(ConsumerExited { bitness: self.config.bitness, reason });
        }
    }

    async fn stop(self: Rc<Self>) {
        self.stopping.set(true);
        // A start that is under way comes to its end first; none begins before ours.
        drop(self.starting.take().await);
        if let Ok(live) = self.live() {
            live.stop.notify_one();
        }
        let supervisor = self.supervisor.borrow_mut().take();
        if let Some(supervisor) = supervisor {
            // It fails only when it panicked, which has been reported then.
            let _ = supervisor.await;
        }
        self.stopping.set(false);
    }

    /// Makes one exchange for a session with the running consumer. What breaks the connection ends the
    /// consumer: nobody can tell any more where in the stream it is.
    async fn exchange<T>(
        self: Rc<Self>,
        session: SessionId,
        late: Late,
        exchange: impl AsyncFnOnce(&Live, &Link) -> Result<T, ConsumerError>,
    ) -> Result<T, ConsumerError> {
        let live = self.live()?;
        if self.waiting.get() >= REQUESTS_MAX {
            return Err(ConsumerError::Busy);
        }
        self.waiting.set(self.waiting.get() + 1);
        let outcome = match live.link(session, late).await {
            Ok(link) => exchange(&live, &link).await,
            Err(error) => Err(error),
        };
        self.waiting.set(self.waiting.get() - 1);
        match &outcome {
            Err(ConsumerError::Lost) => live.failed.notify_one(),
            Err(error @ ConsumerError::Protocol(_)) => {
                tracing::error!(pid = live.pid, %error);
                live.failed.notify_one();
            }
            _ => {}
        }
        outcome
    }
}

/// What the error socket says before the end.
async fn last_words(error: &Peer) -> String {
    let mut word = [0; 4];
    match error.read_exact(&mut word).await {
        Ok(()) => format!("it reported {}", Code(i32::from_ne_bytes(word))),
        Err(PeerError::Closed) => "it closed its error socket".to_owned(),
        Err(error) => format!("its error socket: {error}"),
    }
}

/// Hands both connections over; with the first one alone the consumer can do nothing.
async fn add_relayd(link: &Link, relayd: AddRelayd) -> Result<(), ConsumerError> {
    let AddRelayd { net_index, version: (major, minor), .. } = relayd;
    let message = |stream, relayd_session_id| {
        let session_id = relayd.session;
        let net_index = net_index.0;
        let socket =
            AddRelaydSocket { net_index, stream, major, minor, session_id, relayd_session_id };
        Message::AddRelaydSocket(socket)
    };
    let control = message(StreamKind::Control, relayd.relayd_session_id);
    link.descriptor(&control, relayd.control.as_fd()).await?;
    let data = message(StreamKind::Data, 0);
    let added = link.descriptor(&data, relayd.data.as_fd()).await;
    if let Err(ConsumerError::Refused(_)) = &added {
        // Whether the consumer keeps the half pair after its own refusal is its business.
        let _ = link.status(&Message::DestroyRelayd { net_index: net_index.0 }).await;
    }
    added
}

macro_rules! handle {
    ($($message:ident -> $reply:ty, $late:ident of $session:expr, |$live:ident, $link:ident, $m:ident| $exchange:expr;)*) => {$(
        impl Handler<$message> for Consumer {
            type Result = ResponseFuture<Result<$reply, ConsumerError>>;

            fn handle(&mut self, $m: $message, _: &mut Self::Context) -> Self::Result {
                let (inner, session) = (Rc::clone(&self.inner), $session);
                Box::pin(inner.exchange(session, Late::$late, async move |$live: &Live, $link: &Link| {
                    $exchange
                }))
            }
        }
    )*};
}

handle! {
    AddRelayd -> (), Refused of m.session, |live, link, m| {
        let (session, net_index) = (m.session, m.net_index.0);
        add_relayd(link, m).await?;
        live.unless_ended(session, link, Message::DestroyRelayd { net_index }).await
    };
    DestroyRelayd -> (), Served of m.session, |_live, link, m| {
        link.status(&Message::DestroyRelayd { net_index: m.net_index.0 }).await
    };
    CreateTraceChunk -> (), Refused of m.session, |live, link, m| {
        let (relayd, owner, directory) = match m.place {
            ChunkPlace::Directory { owner, directory } => (None, Some(owner), Some(directory)),
            ChunkPlace::Relayd(net_index) => (Some(net_index), None, None),
        };
        let message = Message::CreateTraceChunk {
            relayd_id: relayd.map(|relayd| relayd.0),
            override_name: m.override_name,
            session_id: m.session,
            chunk_id: m.chunk,
            creation_timestamp_s: m.created_at_s,
            owner,
        };
        match directory {
            Some(directory) => link.descriptor(&message, directory.as_fd()).await?,
            None => link.status(&message).await?,
        }
        let close = Message::CloseTraceChunk {
            relayd_id: relayd.map(|relayd| relayd.0),
            session_id: m.session,
            chunk_id: m.chunk,
            close_timestamp_s: m.created_at_s,
            command: None,
        };
        live.unless_ended(m.session, link, close).await
    };
    CloseTraceChunk -> String, Served of m.session, |_live, link, m| {
        link.close_chunk(&Message::CloseTraceChunk {
            relayd_id: m.relayd.map(|relayd| relayd.0),
            session_id: m.session,
            chunk_id: m.chunk,
            close_timestamp_s: m.closed_at_s,
            command: m.command,
        }).await
    };
    TraceChunkExists -> bool, Refused of m.session, |_live, link, m| {
        link.chunk_presence(&Message::TraceChunkExists {
            relayd_id: m.relayd.map(|relayd| relayd.0),
            session_id: m.session,
            chunk_id: m.chunk,
        }).await
    };
    CreateChannel -> Arc<ChannelObject>, Refused of m.ask.session_id, |live, link, m| {
        let session = m.ask.session_id;
        let object = live.channels.create(link, m.ask).await?;
        // Dropping it ends the channel.
        if live.has_ended(session) {
            return Err(ConsumerError::Ended);
        }
        live.samples.insert(session, object.key, m.sampled);
        Ok(Arc::new(object))
    };
    CreateMetadata -> (), Refused of m.ask.session_id, |live, link, m| {
        let (key, session) = (m.ask.key, m.ask.session_id);
        link.ask_channel(&Message::AskChannelCreation(m.ask)).await?;
        live.sources.insert(session, key, m.source);
        link.status(&Message::SetupMetadata { key }).await
            .inspect_err(|_| live.sources.remove(key))?;
        live.unless_ended(session, link, Message::CloseMetadata { key }).await
            .inspect_err(|_| live.sources.remove(key))
    };
    PushMetadata -> (), Refused of m.session, |_live, link, m| {
        link.payload(&Message::PushMetadata {
            key: m.key,
            target_offset: m.text.offset,
            len: m.text.bytes.len() as u64,
            version: m.text.version,
        }, &m.text.bytes).await
    };
    CloseMetadata -> (), Served of m.session, |live, link, m| {
        live.sources.remove(m.key);
        link.status(&Message::CloseMetadata { key: m.key }).await
    };
    FlushChannel -> (), Refused of m.session, |_live, link, m| link.status(&Message::FlushChannel { key: m.key }).await;
    ClearQuiescentChannel -> (), Refused of m.session, |_live, link, m| {
        link.status(&Message::ClearQuiescentChannel { key: m.key }).await
    };
    OpenChannelPackets -> (), Refused of m.session, |_live, link, m| {
        link.status(&Message::OpenChannelPackets { key: m.key }).await
    };
    RotateChannel -> (), Refused of m.session, |_live, link, m| {
        link.status(&Message::RotateChannel {
            metadata: m.metadata,
            relayd_id: m.relayd.map(|relayd| relayd.0),
            key: m.key,
        }).await
    };
    ClearChannel -> (), Refused of m.session, |_live, link, m| {
        link.status(&Message::ClearChannel { key: m.key }).await
    };
    RecordChannel -> (), Refused of m.session, |_live, link, m| {
        link.status(&Message::SnapshotChannel(Box::new(SnapshotChannel {
            pathname: m.path,
            metadata: m.metadata,
            relayd_id: m.relayd.map(|relayd| relayd.0),
            key: m.key,
            nb_packets_per_stream: m.packets_per_stream,
        }))).await
    };
    DataPending -> bool, Refused of m.session, |_live, link, m| {
        link.data_pending(&Message::DataPending { session_id: m.session }).await
    };
    DiscardedEvents -> u64, Refused of m.session, |_live, link, m| {
        link.counter(&Message::DiscardedEvents { session_id: m.session, key: m.key }).await
    };
    LostPackets -> u64, Refused of m.session, |live, link, m| {
        if !m.overwrite && !live.links.are_of_our_consumer() {
            return Ok(0);
        }
        link.counter(&Message::LostPackets { session_id: m.session, key: m.key }).await
    };
}

impl Handler<EndSampling> for Consumer {
    type Result = ();

    fn handle(&mut self, request: EndSampling, _: &mut Self::Context) {
        if let Ok(live) = self.inner.live() {
            live.samples.remove(&request.keys);
        }
    }
}

impl Handler<EndSession> for Consumer {
    type Result = ();

    fn handle(&mut self, request: EndSession, _: &mut Self::Context) {
        self.inner.ended.borrow_mut().insert(request.session);
        if let Ok(live) = self.inner.live() {
            live.links.end(request.session);
            live.sources.end(request.session);
            live.samples.end(request.session);
        }
    }
}

impl Handler<EnsureRunning> for Consumer {
    type Result = ResponseFuture<Result<(), ConsumerError>>;

    fn handle(&mut self, _: EnsureRunning, _: &mut Self::Context) -> Self::Result {
        Box::pin(Rc::clone(&self.inner).ensure_running())
    }
}

impl Handler<Running> for Consumer {
    type Result = Option<u32>;

    fn handle(&mut self, _: Running, _: &mut Self::Context) -> Self::Result {
        self.inner.live().ok().and_then(|live| live.pid)
    }
}

impl Handler<Stop> for Consumer {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, _: Stop, _: &mut Self::Context) -> Self::Result {
        Box::pin(Rc::clone(&self.inner).stop())
    }
}
