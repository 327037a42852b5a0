//! What the commands of a set do: they ask the consumer, and keep the set's state between the answers.

use std::{
    cell::{Ref, RefMut},
    sync::Arc,
};

use actix::{Handler, Message};
use futures::future::join_all;
use lttngd_consumer::{
    self as consumer, Consumer, ConsumerError, CreateMetadata, MetadataSource, RotateChannel,
};
use lttngd_model::{ChannelKey, SessionId};
use lttngd_runtime::ask;

use super::Inner;
use crate::{
    BufferObjects, BuffersError, ChannelCounters, Prepare, Record, counters_of, state::State,
};

impl Inner {
    /// Asks the consumer.
    pub(super) async fn ask<M, T>(&self, message: M) -> Result<T, BuffersError>
    where
        M: Message<Result = Result<T, ConsumerError>> + Send + 'static,
        T: Send + 'static,
        Consumer: Handler<M>,
    {
        Ok(ask(&self.consumer, message, self.config.consumer_deadline).await??)
    }

    pub(super) fn state(&self) -> Ref<'_, State> {
        self.state.borrow()
    }

    pub(super) fn state_mut(&self) -> RefMut<'_, State> {
        self.state.borrow_mut()
    }

    pub(super) async fn prepare(
        &self,
        request: Prepare,
        source: MetadataSource,
    ) -> Result<Arc<BufferObjects>, BuffersError> {
        self.state().check_open()?;
        let missing = self.state().missing(request.channels);
        if missing.is_empty() && self.state().channels().is_empty() {
            return Ok(self.state().objects());
        }
        let has_metadata = self.state().metadata.is_some();
        if !missing.is_empty() || !has_metadata {
            let output = self.state_mut().go_on_to(request.output);
            self.config.make_directories(&output).await?;
            self.make_text_file().await?;
        }
        self.create_all(missing).await?;
        if !has_metadata {
            let output = self.state().output.clone();
            let ask = self.config.ask_metadata(&request.metadata, self.uuid, &output);
            let key = ask.key;
            self.state_mut().describe_with(key);
            let made = self.ask(CreateMetadata { ask: Box::new(ask), source }).await;
            if matches!(made, Err(BuffersError::Consumer(ConsumerError::TimedOut))) {
                // It is made when the consumer goes on, and another one has taken its place by then.
                let session = self.config.session;
                let closed = self.consumer.send(consumer::CloseMetadata { session, key });
                // What nobody waits for any more an actor does not do.
                actix::spawn(async move { drop(closed.await) });
            }
            made?;
            self.state_mut().metadata = Some(key);
        }
        Ok(self.state().objects())
    }

    /// Gives the consumer what it lacks. One command does so at a time; what the consumer asks for by itself
    /// is given meanwhile.
    pub(super) async fn push(&self) -> Result<(), BuffersError> {
        let Some(key) = self.state().metadata else { return Ok(()) };
        self.state_mut().registry.describe_rest();
        loop {
            let text = self.state().missing_text();
            if text.bytes.is_empty() {
                return Ok(());
            }
            let (version, end) = (text.version, text.offset + text.bytes.len() as u64);
            let session = self.config.session;
            let pushed = self.ask(consumer::PushMetadata { session, key, text }).await;
            if pushed.is_err() {
                return self.state().output.without_relayd(pushed);
            }
            self.state_mut().accept(version, end);
        }
    }

    /// Makes one request for every data channel, side by side.
    pub(super) async fn for_each_channel<M>(
        &self,
        message: impl Fn(SessionId, ChannelKey) -> M,
    ) -> Result<(), BuffersError>
    where
        M: Message<Result = Result<(), ConsumerError>> + Send + 'static,
        Consumer: Handler<M>,
    {
        let (session, keys) = (self.config.session, self.state().keys());
        let outcomes = join_all(keys.into_iter().map(|key| self.ask(message(session, key)))).await;
        outcomes.into_iter().try_for_each(|outcome| self.state().output.without_relayd(outcome))
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
        let metadata = self.state().metadata;
        match metadata {
            Some(key) => self.ask(message(self.config.session, key)).await,
            None => Ok(()),
        }
    }

    /// Moves data and what describes it: a channel that fails keeps the others' packets from nobody.
    pub(super) async fn rotate(&self) -> Result<(), BuffersError> {
        let relayd = self.state().output.relayd();
        let to = |metadata| move |session, key| RotateChannel { session, key, metadata, relayd };
        let data = self.for_each_channel(to(false)).await;
        let pushed = self.push().await;
        data.and(pushed).and(self.for_metadata(to(true)).await)
    }

    pub(super) async fn clear(&self) -> Result<(), BuffersError> {
        let clear = |session, key| consumer::ClearChannel { session, key };
        let data = self.for_each_channel(clear).await;
        data.and(self.for_metadata(clear).await)
    }

    /// The consumer asks for the metadata text itself.
    pub(super) async fn record(&self, request: Record) -> Result<(), BuffersError> {
        self.state_mut().registry.describe_rest();
        let Record { chunk: _, packets_per_stream, relayd, prefix } = request;
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
        if self.state().is_closed() { Ok(()) } else { data.and(metadata) }
    }

    pub(super) async fn counters(&self) -> Result<Vec<ChannelCounters>, BuffersError> {
        let channels = self.state().channels().to_vec();
        let channels =
            channels.iter().map(|of| (of.prepared.index, of.prepared.object.key, of.overwrite));
        let (session, deadline) = (self.config.session, self.config.consumer_deadline);
        counters_of(&self.consumer, deadline, session, channels).await
    }

    pub(super) async fn close(&self) -> Result<(), BuffersError> {
        let metadata = self.state_mut().close();
        let outcome = match metadata {
            Some(key) => {
                let session = self.config.session;
                self.ask(consumer::CloseMetadata { session, key }).await
            }
            None => Ok(()),
        };
        let keys = self.state_mut().let_go();
        // It fails only when the consumer's actor is gone, and what it would tell with it.
        let _ = self.consumer.send(consumer::EndSampling { keys }).await;
        let outcome = self.state().output.without_relayd(outcome);
        // Where the consumer is lost the user may want what is left.
        if outcome.is_ok() {
            self.remove_text_file().await;
        }
        outcome
    }

    pub(super) async fn finish(&self) -> Result<Vec<ChannelCounters>, BuffersError> {
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
