//! The shell: asks the consumer, and keeps the set's state between the answers.

mod create;
mod text_file;

use std::{
    cell::{Cell, RefCell},
    fs::File,
    io,
    path::Path,
    rc::Rc,
    sync::Arc,
};

use actix::{Actor, Addr, AsyncContext, Context, Handler, Message, ResponseFuture};
use futures::future::join_all;
use lttngd_consumer::{
    self as consumer, Consumer, ConsumerError, CreateMetadata, MetadataAccepted, MetadataRequested,
    MetadataSource, RotateChannel,
};
use lttngd_model::{ChannelKey, SessionId};
use lttngd_runtime::{Outlet, Turns, ask};

use crate::{
    BufferObjects, BufferSetConfig, BuffersError, ChannelCounters, ChannelSize, Clear,
    ClearQuiescent, Close, Counters, Finish, Flush, OpenPackets, Prepare, PushMetadata, Record,
    RegenerateMetadata, RegisterChannel, RegisterEnumeration, RegisterEvent, Rotate, Sizes,
    set::{Progress, SetChannel},
    tsdl::HeaderType,
    ustregistry::{RegistryError, UstRegistry},
};

/// Most requests of a session that wait for the set.
const REQUESTS_MAX: usize = 1 << 14;

/// The actor of one buffer set.
pub struct BufferSet {
    inner: Rc<Inner>,
}

struct Inner {
    config: BufferSetConfig,
    uuid: [u8; 16],
    consumer: Addr<Consumer>,
    registry: RefCell<UstRegistry>,
    channels: RefCell<Vec<SetChannel>>,
    metadata: Cell<Option<ChannelKey>>,
    progress: Cell<Progress>,
    /// The file of the text beside buffers that are in files, and how much of the text it has.
    text_file: RefCell<Option<Arc<File>>>,
    written: Cell<Progress>,
    writing: Turns,
    closed: Cell<bool>,
    turns: Turns,
    pushing: Turns,
    /// Of snapshots, and of the end of the channels of which they are recorded. Applications that come
    /// do not wait for a snapshot.
    recording: Turns,
}

impl BufferSet {
    /// A set without channels.
    #[must_use]
    pub fn new(config: BufferSetConfig, consumer: Addr<Consumer>) -> Self {
        let uuid = *uuid::Uuid::new_v4().as_bytes();
        Self {
            inner: Rc::new(Inner {
                registry: RefCell::new(config.registry(uuid)),
                config,
                uuid,
                consumer,
                channels: RefCell::default(),
                metadata: Cell::new(None),
                progress: Cell::default(),
                text_file: RefCell::default(),
                written: Cell::default(),
                writing: Turns::new(REQUESTS_MAX),
                closed: Cell::new(false),
                turns: Turns::new(REQUESTS_MAX),
                pushing: Turns::new(REQUESTS_MAX),
                recording: Turns::new(REQUESTS_MAX),
            }),
        }
    }
}

impl Actor for BufferSet {
    type Context = Context<Self>;
}

impl Inner {
    /// Asks the consumer.
    async fn ask<M, T>(&self, message: M) -> Result<T, BuffersError>
    where
        M: Message<Result = Result<T, ConsumerError>> + Send + 'static,
        T: Send + 'static,
        Consumer: Handler<M>,
    {
        Ok(ask(&self.consumer, message, self.config.consumer_deadline).await??)
    }

    fn keys(&self) -> Vec<ChannelKey> {
        self.channels.borrow().iter().map(|channel| channel.prepared.object.key).collect()
    }

    fn objects(&self) -> Arc<BufferObjects> {
        let channels = self.channels.borrow().iter().map(|c| c.prepared.clone()).collect();
        Arc::new(BufferObjects { channels })
    }

    fn check_open(&self) -> Result<(), BuffersError> {
        if self.closed.get() { Err(BuffersError::Closed) } else { Ok(()) }
    }

    async fn prepare(
        &self,
        request: Prepare,
        source: MetadataSource,
    ) -> Result<Arc<BufferObjects>, BuffersError> {
        let _turn = self.turns.take().await?;
        self.check_open()?;
        let missing: Vec<_> = {
            let channels = self.channels.borrow();
            let present = |index| channels.iter().any(|c| c.prepared.index == index);
            request.channels.into_iter().filter(|channel| !present(channel.index)).collect()
        };
        if missing.is_empty() && self.channels.borrow().is_empty() {
            return Ok(self.objects());
        }
        if !missing.is_empty() || self.metadata.get().is_none() {
            self.config.make_directories().await?;
            self.make_text_file().await?;
        }
        self.create_all(missing).await?;
        if self.metadata.get().is_none() {
            let ask = self.config.ask_metadata(&request.metadata, self.uuid);
            let key = ask.key;
            self.ask(CreateMetadata { ask: Box::new(ask), source }).await?;
            self.metadata.set(Some(key));
        }
        Ok(self.objects())
    }

    async fn push(&self) -> Result<(), BuffersError> {
        let _turn = self.pushing.take().await?;
        let Some(key) = self.metadata.get() else { return Ok(()) };
        self.registry.borrow_mut().describe_rest();
        loop {
            let text = self.progress.get().missing(&self.registry.borrow());
            if text.bytes.is_empty() {
                return Ok(());
            }
            let (version, end) = (text.version, text.offset + text.bytes.len() as u64);
            let session = self.config.session;
            let pushed = self.ask(consumer::PushMetadata { session, key, text }).await;
            if pushed.is_err() {
                return self.config.output.without_relayd(pushed);
            }
            self.accept(version, end);
        }
    }

    fn accept(&self, version: u64, end: u64) {
        let mut progress = self.progress.get();
        progress.accept(version, end);
        self.progress.set(progress);
    }

    /// Does something to all channels. Those that are being made are waited for, since they may have
    /// events by the time that they are there; and none goes meanwhile.
    async fn in_turn<T>(
        &self,
        work: impl Future<Output = Result<T, BuffersError>>,
    ) -> Result<T, BuffersError> {
        let _turn = self.turns.take().await?;
        work.await
    }

    /// Makes one request for every data channel, side by side.
    async fn for_each_channel<M>(
        &self,
        message: impl Fn(SessionId, ChannelKey) -> M,
    ) -> Result<(), BuffersError>
    where
        M: Message<Result = Result<(), ConsumerError>> + Send + 'static,
        Consumer: Handler<M>,
    {
        let (session, keys) = (self.config.session, self.keys());
        let outcomes = join_all(keys.into_iter().map(|key| self.ask(message(session, key)))).await;
        outcomes.into_iter().try_for_each(|outcome| self.config.output.without_relayd(outcome))
    }

    /// Makes one request for the metadata channel, if there is one.
    async fn for_metadata<M>(
        &self,
        message: impl FnOnce(SessionId, ChannelKey) -> M,
    ) -> Result<(), BuffersError>
    where
        M: Message<Result = Result<(), ConsumerError>> + Send + 'static,
        Consumer: Handler<M>,
    {
        match self.metadata.get() {
            Some(key) => self.ask(message(self.config.session, key)).await,
            None => Ok(()),
        }
    }

    /// Moves data and what describes it: a channel that fails keeps the others' packets from nobody.
    async fn rotate(&self) -> Result<(), BuffersError> {
        let relayd = self.config.output.relayd();
        let to = |metadata| move |session, key| RotateChannel { session, key, metadata, relayd };
        let data = self.for_each_channel(to(false)).await;
        let pushed = self.push().await;
        data.and(pushed).and(self.for_metadata(to(true)).await)
    }

    async fn clear(&self) -> Result<(), BuffersError> {
        let clear = |session, key| consumer::ClearChannel { session, key };
        let data = self.for_each_channel(clear).await;
        data.and(self.for_metadata(clear).await)
    }

    /// The consumer asks for the metadata text itself.
    async fn record(&self, request: Record) -> Result<(), BuffersError> {
        let _turn = self.recording.take().await?;
        self.registry.borrow_mut().describe_rest();
        let Record { packets_per_stream, relayd, prefix } = request;
        let path = prefix + &self.config.path();
        let record = |session, key| consumer::RecordChannel {
            session,
            key,
            metadata: false,
            path: path.clone(),
            packets_per_stream,
            relayd,
        };
        let data = self.for_each_channel(record).await;
        // Without it what was recorded could not be read.
        let metadata = self
            .for_metadata(|session, key| consumer::RecordChannel {
                metadata: true,
                packets_per_stream: 0,
                ..record(session, key)
            })
            .await;
        // Buffers of an application that left meanwhile are gone with what was in them.
        if self.closed.get() { Ok(()) } else { data.and(metadata) }
    }

    async fn counters(&self) -> Result<Vec<ChannelCounters>, BuffersError> {
        let session = self.config.session;
        let channels = self.channels.borrow().clone();
        join_all(channels.into_iter().map(async |channel| {
            let (index, key) = (channel.prepared.index, channel.prepared.object.key);
            let overwrite = channel.overwrite;
            let discarded_events = match overwrite {
                true => 0,
                false => self.ask(consumer::DiscardedEvents { session, key }).await?,
            };
            let lost = consumer::LostPackets { session, key, overwrite };
            let lost_packets = self.ask(lost).await?;
            Ok(ChannelCounters { index, discarded_events, lost_packets })
        }))
        .await
        .into_iter()
        .collect()
    }

    async fn close(&self) -> Result<(), BuffersError> {
        self.closed.set(true);
        let outcome = match self.metadata.take() {
            Some(key) => {
                let session = self.config.session;
                self.ask(consumer::CloseMetadata { session, key }).await
            }
            None => Ok(()),
        };
        let keys = self.keys();
        self.channels.borrow_mut().clear();
        // It fails only when the consumer's actor is gone, and what it would tell with it.
        let _ = self.consumer.send(consumer::EndSampling { keys }).await;
        let outcome = self.config.output.without_relayd(outcome);
        // Where the consumer is lost the user may want what is left.
        if outcome.is_ok() {
            self.remove_text_file().await;
        }
        outcome
    }

    async fn finish(&self) -> Result<Vec<ChannelCounters>, BuffersError> {
        let _recorded = self.recording.take().await?;
        let _turn = self.turns.take().await?;
        let flushed =
            self.for_each_channel(|session, key| consumer::FlushChannel { session, key }).await;
        let pushed = self.push().await;
        let counters = self.counters().await;
        self.close().await?;
        flushed?;
        pushed?;
        counters
    }
}

fn shm_error(path: &Path, error: &io::Error) -> BuffersError {
    BuffersError::Directory { path: path.display().to_string(), reason: error.to_string() }
}

impl Handler<Prepare> for BufferSet {
    type Result = ResponseFuture<Result<Arc<BufferObjects>, BuffersError>>;

    fn handle(&mut self, request: Prepare, context: &mut Self::Context) -> Self::Result {
        let inner = Rc::clone(&self.inner);
        let me = context.address();
        let source = MetadataSource {
            requested: Outlet::to(me.clone().recipient()),
            accepted: Outlet::to(me.recipient()),
        };
        Box::pin(async move { inner.prepare(request, source).await })
    }
}

impl Handler<RegisterEvent> for BufferSet {
    type Result = ResponseFuture<Result<u32, RegistryError>>;

    fn handle(&mut self, request: RegisterEvent, _: &mut Self::Context) -> Self::Result {
        let mut registry = self.inner.registry.borrow_mut();
        let id = registry.register_event(request.channel_id, request.event);
        self.inner.reply_when_written(id)
    }
}

impl Handler<RegisterEnumeration> for BufferSet {
    type Result = Result<u64, RegistryError>;

    fn handle(&mut self, request: RegisterEnumeration, _: &mut Self::Context) -> Self::Result {
        self.inner.registry.borrow_mut().register_enumeration(&request.name, request.entries)
    }
}

impl Handler<RegisterChannel> for BufferSet {
    type Result = ResponseFuture<Result<HeaderType, RegistryError>>;

    fn handle(&mut self, request: RegisterChannel, _: &mut Self::Context) -> Self::Result {
        let mut registry = self.inner.registry.borrow_mut();
        let header = registry.register_channel(request.channel_id, request.context);
        self.inner.reply_when_written(header)
    }
}

impl Handler<MetadataRequested> for BufferSet {
    type Result = ();

    fn handle(&mut self, request: MetadataRequested, _: &mut Self::Context) {
        let text = self.inner.progress.get().missing(&self.inner.registry.borrow());
        // The consumer may be gone meanwhile; then nobody needs the text.
        let _ = request.reply.send(text);
    }
}

impl Handler<MetadataAccepted> for BufferSet {
    type Result = ();

    fn handle(&mut self, accepted: MetadataAccepted, _: &mut Self::Context) {
        self.inner.accept(accepted.version, accepted.end);
    }
}

macro_rules! handle {
    ($($message:ident -> $reply:ty, |$inner:ident| $work:expr;)*) => {$(
        impl Handler<$message> for BufferSet {
            type Result = ResponseFuture<Result<$reply, BuffersError>>;

            fn handle(&mut self, _: $message, _: &mut Self::Context) -> Self::Result {
                let $inner = Rc::clone(&self.inner);
                Box::pin(async move { $work })
            }
        }
    )*};
}

handle! {
    PushMetadata -> (), |inner| inner.push().await;
    Flush -> (), |inner| {
        let flush = |session, key| consumer::FlushChannel { session, key };
        inner.in_turn(inner.for_each_channel(flush)).await
    };
    ClearQuiescent -> (), |inner| {
        let clear = |session, key| consumer::ClearQuiescentChannel { session, key };
        inner.in_turn(inner.for_each_channel(clear)).await
    };
    OpenPackets -> (), |inner| {
        let open = |session, key| consumer::OpenChannelPackets { session, key };
        inner.in_turn(inner.for_each_channel(open)).await
    };
    Rotate -> (), |inner| inner.in_turn(inner.rotate()).await;
    Clear -> (), |inner| inner.in_turn(inner.clear()).await;
    Close -> (), |inner| inner.in_turn(inner.close()).await;
    Sizes -> Vec<ChannelSize>, |inner| {
        Ok(inner.channels.borrow().iter().map(|channel| channel.size).collect())
    };
    Counters -> Vec<ChannelCounters>, |inner| inner.counters().await;
    Finish -> Vec<ChannelCounters>, |inner| inner.finish().await;
}

impl Handler<RegenerateMetadata> for BufferSet {
    type Result = ResponseFuture<Result<(), BuffersError>>;

    fn handle(&mut self, request: RegenerateMetadata, _: &mut Self::Context) -> Self::Result {
        let inner = Rc::clone(&self.inner);
        Box::pin(async move {
            inner.registry.borrow_mut().regenerate(request.clock);
            inner.write_text().await;
            inner.push().await
        })
    }
}

impl Handler<Record> for BufferSet {
    type Result = ResponseFuture<Result<(), BuffersError>>;

    fn handle(&mut self, request: Record, _: &mut Self::Context) -> Self::Result {
        let inner = Rc::clone(&self.inner);
        Box::pin(async move { inner.record(request).await })
    }
}
