//! The shell: which message leads where, and in which order commands run.

mod create;
mod text_file;
mod work;

use std::{cell::RefCell, io, path::Path, rc::Rc, sync::Arc};

use actix::{
    Actor, Addr, AsyncContext, Context, Handler, Response, ResponseActFuture, ResponseFuture,
    Running, WrapFuture,
};
use lttngd_consumer::{
    self as consumer, Consumer, MetadataAccepted, MetadataRequested, MetadataSource,
};
use lttngd_metadata::{tsdl::HeaderType, ustregistry::RegistryError};
use lttngd_runtime::{FailureNotice, Outlet, Queue, answer};
use tracing::{Instrument, Span};

use crate::{
    BufferObjects, BufferSetConfig, BufferSetFailed, BuffersError, ChannelCounters, ChannelSize,
    Clear, ClearQuiescent, Close, Counters, Finish, Flush, IdsGiven, OpenPackets, Prepare,
    PushMetadata, Record, RegenerateMetadata, RegisterChannel, RegisterEnumeration, RegisterEvent,
    Rotate, Sizes, held::Registry, state::State,
};

/// Most requests of a session that wait for the set.
const REQUESTS_MAX: usize = 1 << 14;

/// The actor of one buffer set.
pub struct BufferSet {
    inner: Rc<Inner>,
    /// Of all that is done to the set's channels. Channels that are being made are waited for, since they may
    /// have events by the time that they are there; and none goes meanwhile.
    commands: Queue<Self>,
    /// Of snapshots, and of the end of the channels of which they are recorded. Applications that come
    /// do not wait for a snapshot.
    recordings: Queue<Self>,
    failure: FailureNotice,
}

/// What the commands of a set share.
pub(crate) struct Inner {
    config: BufferSetConfig,
    uuid: [u8; 16],
    consumer: Addr<Consumer>,
    /// In which all is logged that the set does.
    span: Span,
    /// Looked at for moments, never across an await.
    state: RefCell<State>,
}

impl BufferSet {
    /// A set without channels.
    #[must_use]
    pub fn new(config: BufferSetConfig, consumer: Addr<Consumer>) -> Self {
        let uuid = *uuid::Uuid::new_v4().as_bytes();
        let state = RefCell::new(State::new(config.registry(uuid)));
        let span = tracing::error_span!(parent: None, "session", name = config.session_name);
        let inner = Rc::new(Inner { config, uuid, consumer, span, state });
        let failed = Rc::clone(&inner);
        Self {
            failure: FailureNotice::of(move || failed.tell_failure()),
            inner,
            commands: Queue::new(REQUESTS_MAX),
            recordings: Queue::new(REQUESTS_MAX),
        }
    }

    /// Runs a command when those before it have replied.
    pub(crate) fn in_turn<F, T>(
        &mut self,
        context: &mut Context<Self>,
        name: &'static str,
        work: impl FnOnce(Rc<Inner>) -> F + 'static,
    ) -> Answer<T>
    where
        F: Future<Output = Result<T, BuffersError>> + 'static,
        T: 'static,
    {
        let begin = |set: &mut Self, _: &mut Context<Self>| {
            work(Rc::clone(&set.inner)).instrument(set.inner.span.clone())
        };
        Queue::run(|set| &mut set.commands, self, context, name, begin)
    }

    /// The same for the last one of a set, which is not refused for want of room.
    fn last_in_turn<F, T>(
        &mut self,
        context: &mut Context<Self>,
        name: &'static str,
        work: impl FnOnce(Rc<Inner>) -> F + 'static,
    ) -> Answer<T>
    where
        F: Future<Output = Result<T, BuffersError>> + 'static,
        T: 'static,
    {
        let begin = |set: &mut Self, _: &mut Context<Self>| {
            // What fails from now on is the end of what ends.
            set.failure.dismiss();
            work(Rc::clone(&set.inner)).instrument(set.inner.span.clone())
        };
        Queue::run_always(|set| &mut set.commands, self, context, name, begin)
    }
}

impl Inner {
    /// Gives an id, and tells those that are known if others ask for them.
    fn give<T>(
        &self,
        give: impl FnOnce(&mut Registry) -> Result<T, RegistryError>,
    ) -> Result<T, RegistryError> {
        if !self.config.shares_ids() {
            return give(&mut self.state_mut().registry);
        }
        let (given, known) = self.state_mut().give(give);
        if let Some(known) = known {
            self.config.given.tell(IdsGiven { set: self.config.key(), known });
        }
        given
    }

    fn tell_failure(&self) {
        let (metadata, channels) = match self.state.try_borrow_mut() {
            Ok(mut state) => (state.close(), state.let_go()),
            Err(_) => (None, Vec::new()),
        };
        self.config.failed.tell(BufferSetFailed {
            consumer: self.consumer.clone(),
            consumer_deadline: self.config.consumer_deadline,
            session: self.config.session,
            metadata,
            channels,
        });
    }
}

/// What answers a command.
type Answer<T> = ResponseFuture<Result<T, BuffersError>>;

impl Actor for BufferSet {
    type Context = Context<Self>;

    fn stopping(&mut self, context: &mut Self::Context) -> Running {
        // Where the consumer daemon was lost nobody closes it, and it ends when nobody has it any more.
        if !context.connected() {
            self.failure.dismiss();
        }
        Running::Stop
    }
}

fn shm_error(path: &Path, error: &io::Error) -> BuffersError {
    BuffersError::Directory { path: path.display().to_string(), reason: error.to_string() }
}

impl Handler<Prepare> for BufferSet {
    type Result = Answer<Arc<BufferObjects>>;

    fn handle(&mut self, request: Prepare, context: &mut Self::Context) -> Self::Result {
        let me = context.address();
        self.in_turn(context, "prepare", async move |inner| {
            let source = MetadataSource {
                requested: Outlet::to(me.clone().recipient()),
                accepted: Outlet::to(me.recipient()),
            };
            inner.prepare(request, source).await
        })
    }
}

impl Handler<RegisterEvent> for BufferSet {
    type Result = Response<Result<u32, RegistryError>>;

    fn handle(&mut self, request: RegisterEvent, context: &mut Self::Context) -> Self::Result {
        let RegisterEvent { channel_id, event } = request;
        let id = self.inner.give(|registry| registry.register_event(channel_id, event));
        self.reply_when_written(id, context)
    }
}

impl Handler<RegisterEnumeration> for BufferSet {
    type Result = Result<u64, RegistryError>;

    fn handle(&mut self, request: RegisterEnumeration, _: &mut Self::Context) -> Self::Result {
        self.inner.state_mut().registry.register_enumeration(request.enumeration)
    }
}

impl Handler<RegisterChannel> for BufferSet {
    type Result = Response<Result<HeaderType, RegistryError>>;

    fn handle(&mut self, request: RegisterChannel, context: &mut Self::Context) -> Self::Result {
        let RegisterChannel { channel_id, context: fields } = request;
        let header = self.inner.give(|registry| registry.register_channel(channel_id, fields));
        self.reply_when_written(header, context)
    }
}

impl Handler<MetadataRequested> for BufferSet {
    type Result = ();

    fn handle(&mut self, request: MetadataRequested, _: &mut Self::Context) {
        // Of one that is not its own any more, or was never known to be made, nobody has text.
        if self.inner.state().describes_with(request.key) {
            answer(request.reply, self.inner.state().missing_text());
        }
    }
}

impl Handler<MetadataAccepted> for BufferSet {
    type Result = ();

    fn handle(&mut self, accepted: MetadataAccepted, _: &mut Self::Context) {
        if self.inner.state().describes_with(accepted.key) {
            self.inner.state_mut().accept(accepted.version, accepted.end);
        }
    }
}

macro_rules! handle {
    ($($message:ident, $name:literal, |$inner:ident| $work:expr;)*) => {$(
        impl Handler<$message> for BufferSet {
            type Result = Answer<()>;

            fn handle(&mut self, _: $message, context: &mut Self::Context) -> Self::Result {
                self.in_turn(context, $name, async move |$inner| $work)
            }
        }
    )*};
}

handle! {
    PushMetadata, "push", |inner| inner.push().await;
    Flush, "flush", |inner| {
        inner.for_each_channel(|session, key| consumer::FlushChannel { session, key }).await
    };
    ClearQuiescent, "clear quiescent", |inner| {
        inner.for_each_channel(|session, key| consumer::ClearQuiescentChannel { session, key }).await
    };
    OpenPackets, "open packets", |inner| {
        inner.for_each_channel(|session, key| consumer::OpenChannelPackets { session, key }).await
    };
    Rotate, "rotate", |inner| inner.rotate().await;
    Clear, "clear", |inner| inner.clear().await;
}

impl Handler<RegenerateMetadata> for BufferSet {
    type Result = Answer<()>;

    fn handle(&mut self, request: RegenerateMetadata, context: &mut Self::Context) -> Self::Result {
        self.inner.state_mut().registry.regenerate(request.clock);
        let written = self.written(context);
        self.in_turn(context, "regenerate", async move |inner| {
            written.await;
            inner.push().await
        })
    }
}

impl Handler<Record> for BufferSet {
    type Result = Answer<()>;

    fn handle(&mut self, request: Record, context: &mut Self::Context) -> Self::Result {
        let begin = |set: &mut Self, _: &mut Context<Self>| {
            let inner = Rc::clone(&set.inner);
            let span = inner.span.clone();
            async move { inner.record(request).await }.instrument(span)
        };
        Queue::run(|set| &mut set.recordings, self, context, "record", begin)
    }
}

impl Handler<Sizes> for BufferSet {
    type Result = Result<Vec<ChannelSize>, BuffersError>;

    fn handle(&mut self, _: Sizes, _: &mut Self::Context) -> Self::Result {
        Ok(self.inner.state().sizes())
    }
}

impl Handler<Counters> for BufferSet {
    type Result = ResponseActFuture<Self, Result<Vec<ChannelCounters>, BuffersError>>;

    fn handle(&mut self, _: Counters, _: &mut Self::Context) -> Self::Result {
        let inner = Rc::clone(&self.inner);
        Box::pin(async move { inner.counters().await }.into_actor(self))
    }
}

impl Handler<Close> for BufferSet {
    type Result = Answer<()>;

    fn handle(&mut self, _: Close, context: &mut Self::Context) -> Self::Result {
        self.last_in_turn(context, "close", async move |inner| inner.close().await)
    }
}

impl Handler<Finish> for BufferSet {
    type Result = Answer<Vec<ChannelCounters>>;

    fn handle(&mut self, _: Finish, context: &mut Self::Context) -> Self::Result {
        let begin = |set: &mut Self, context: &mut Context<Self>| {
            set.last_in_turn(context, "finish", async move |inner| inner.finish().await)
        };
        Queue::run_always(|set| &mut set.recordings, self, context, "finish", begin)
    }
}
