//! What sessions ask of all that has buffers for them: as buffer sets of applications, but that the tracer
//! makes metadata and closes packets by itself.

use std::rc::Rc;

use actix::{Context, Handler, Message, ResponseActFuture, WrapFuture};
use futures::future::join_all;
use lttngd_buffers::{
    BuffersError, ChannelCounters, ChannelSize, Clear, ClearQuiescent, Close, Counters, Flush,
    OpenPackets, PushMetadata, Record, RegenerateMetadata, Rotate, Sizes, counters_of,
};
use lttngd_consumer::{
    self as consumer, AddChannel, Consumer, ConsumerError, DestroyChannel, EndSampling,
    KernelStream, RecordChannel, RotateChannel,
};
use lttngd_model::{BufferMode, ChannelAttributes, ChannelKey, SessionId};
use lttngd_runtime::{Outlet, Queue};
use lttngd_wire::kernel::Call;

use super::{Answer, Inner, KernelSession, state::announced_metadata};
use crate::CallError;

impl From<CallError> for BuffersError {
    fn from(error: CallError) -> Self {
        Self::Tracer(error.to_string())
    }
}

impl Inner {
    /// Makes one request for every data channel that the consumer daemon has, then one for the metadata.
    async fn for_each_channel<M>(
        &self,
        message: impl Fn(SessionId, ChannelKey, bool) -> M,
    ) -> Result<(), BuffersError>
    where
        M: Message<Result = Result<(), ConsumerError>> + Send + 'static,
        Consumer: Handler<M>,
    {
        let (session, metadata) = (self.config.session, self.state().metadata);
        let output = self.state().output.clone();
        let asked =
            self.state().sent().into_iter().map(|channel| message(session, channel.key, false));
        // A channel that fails keeps the others' packets from nobody.
        let data = join_all(asked.map(|message| self.ask(message))).await;
        let data = data.into_iter().try_for_each(|outcome| output.without_relayd(outcome));
        let metadata = match metadata {
            Some(key) => output.without_relayd(self.ask(message(session, key, true)).await),
            None => Ok(()),
        };
        data.and(metadata)
    }

    async fn flush(&self) -> Result<(), BuffersError> {
        // One that has never recorded has nothing in the tracer.
        if self.state().device.is_none() {
            return Ok(());
        }
        Ok(self.work(|calls, objects| objects.flush(calls)).await??)
    }

    async fn rotate(&self) -> Result<(), BuffersError> {
        let relayd = self.state().output.relayd();
        let to = |session, key, metadata| RotateChannel { session, key, metadata, relayd };
        self.for_each_channel(to).await
    }

    async fn clear(&self) -> Result<(), BuffersError> {
        self.for_each_channel(|session, key, _| consumer::ClearChannel { session, key }).await
    }

    async fn regenerate_metadata(&self) -> Result<(), BuffersError> {
        let call = Call::RegenerateMetadata;
        Ok(self.work(move |calls, objects| objects.tell(calls, &call)).await??)
    }

    /// The metadata of a snapshot is of a channel of its own, which begins with the text's beginning.
    async fn record(&self, request: Record) -> Result<(), BuffersError> {
        let attributes = ChannelAttributes::kernel_metadata(self.config.page_size);
        let made =
            self.work(move |calls, objects| objects.new_metadata(calls, &attributes)).await?;
        let made = made.map_err(|(_, error)| error)?;
        let (session, key) = (self.config.session, self.config.keys.next());
        let output = self.state().output.clone();
        let live = self.config.live_timer_interval_us;
        let add = announced_metadata(session, key, attributes, &output, live);
        // It comes after its chunk, of which the consumer daemon told the channels there were, and goes where
        // they go for this once.
        let (chunk_id, relayd_id) = (Some(request.chunk), request.relayd);
        let add = AddChannel { chunk_id, relayd_id, ..add };
        let streams = vec![KernelStream { cpu: 0, descriptor: made.stream.clone() }];
        let recorded = match self.add(add, streams, 0, Outlet::closed()).await {
            Ok(()) => {
                let recorded = self.record_channels(request, key).await;
                recorded.and(self.ask(DestroyChannel { session, key }).await)
            }
            not_added => not_added,
        };
        // The last who has it: closing it waits for the tracer.
        self.work(move |_, _| drop(made)).await?;
        recorded
    }

    async fn record_channels(
        &self,
        request: Record,
        metadata: ChannelKey,
    ) -> Result<(), BuffersError> {
        let Record { chunk: _, packets_per_stream, relayd, prefix } = request;
        let session = self.config.session;
        let record = |key, metadata, packets_per_stream| RecordChannel {
            session,
            key,
            metadata,
            path: prefix.clone(),
            packets_per_stream,
            relayd,
        };
        let channels = self.state().sent();
        for channel in channels {
            self.ask(record(channel.key, false, packets_per_stream)).await?;
        }
        self.ask(record(metadata, true, 0)).await
    }

    async fn counters(&self) -> Result<Vec<ChannelCounters>, BuffersError> {
        let channels = self.state().sent();
        let channels = channels
            .iter()
            .map(|of| (of.index, of.key, of.attributes.mode == BufferMode::Overwrite));
        let (session, deadline) = (self.config.session, self.config.consumer_deadline);
        counters_of(&self.config.consumer, deadline, session, channels).await
    }

    /// Lets go of everything. Channels that are written as they come end with the tracer's own.
    async fn close(&self) -> Result<(), BuffersError> {
        let (session, output) = (self.config.session, self.state().output.clone());
        let mut outcome = Ok(());
        if output.chunk().is_none() {
            let channels = self.state().sent();
            for channel in channels {
                let destroyed = self.ask(DestroyChannel { session, key: channel.key }).await;
                outcome = outcome.and(destroyed);
            }
        }
        let (device, (keys, objects)) = {
            let mut state = self.state_mut();
            (state.device.take(), state.let_go())
        };
        // It fails only when the consumer's actor is gone, and what it would tell with it.
        let _ = self.config.consumer.send(EndSampling { keys }).await;
        if let Some(device) = device {
            device.run(move |_| drop(objects)).await;
        }
        outcome
    }
}

macro_rules! handle {
    ($($message:ident, $name:literal, |$inner:ident| $work:expr;)*) => {$(
        impl Handler<$message> for KernelSession {
            type Result = Answer<(), BuffersError>;

            fn handle(&mut self, _: $message, context: &mut Self::Context) -> Self::Result {
                self.in_turn(context, $name, async move |$inner: Rc<Inner>| $work)
            }
        }
    )*};
}

handle! {
    Flush, "flush", |inner| inner.flush().await;
    OpenPackets, "open packets", |inner| inner.open_packets().await;
    Rotate, "rotate", |inner| inner.rotate().await;
    Clear, "clear", |inner| inner.clear().await;
    RegenerateMetadata, "regenerate", |inner| inner.regenerate_metadata().await;
}

/// What the tracer does by itself.
macro_rules! nothing_to_do {
    ($($message:ident,)*) => {$(
        impl Handler<$message> for KernelSession {
            type Result = Result<(), BuffersError>;

            fn handle(&mut self, _: $message, _: &mut Self::Context) -> Self::Result {
                Ok(())
            }
        }
    )*};
}

nothing_to_do! {
    PushMetadata,
    ClearQuiescent,
}

impl Handler<Record> for KernelSession {
    type Result = Answer<(), BuffersError>;

    fn handle(&mut self, request: Record, context: &mut Self::Context) -> Self::Result {
        self.in_turn(context, "record a snapshot", async move |inner: Rc<Inner>| {
            inner.record(request).await
        })
    }
}

impl Handler<Sizes> for KernelSession {
    type Result = Result<Vec<ChannelSize>, BuffersError>;

    fn handle(&mut self, _: Sizes, _: &mut Self::Context) -> Self::Result {
        Ok(self.inner.state().sizes())
    }
}

impl Handler<Counters> for KernelSession {
    type Result = ResponseActFuture<Self, Result<Vec<ChannelCounters>, BuffersError>>;

    fn handle(&mut self, _: Counters, _: &mut Self::Context) -> Self::Result {
        let inner = Rc::clone(&self.inner);
        Box::pin(async move { inner.counters().await }.into_actor(self))
    }
}

impl Handler<Close> for KernelSession {
    type Result = Answer<(), BuffersError>;

    fn handle(&mut self, _: Close, context: &mut Self::Context) -> Self::Result {
        let begin = |session: &mut Self, _: &mut Context<Self>| {
            // What fails from now on is the end of what ends.
            session.failure.dismiss();
            let inner = Rc::clone(&session.inner);
            inner.state_mut().closed = true;
            let ended = inner.watches.borrow_mut().end();
            async move {
                ended.await;
                inner.close().await
            }
        };
        Queue::run_always(|session| &mut session.queue, self, context, "close", begin)
    }
}
