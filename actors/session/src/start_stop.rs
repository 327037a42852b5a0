//! Starting, stopping, and whether data is pending.

use std::{
    rc::Rc,
    time::{SystemTime, UNIX_EPOCH},
};

use futures::future::join_all;
use lttngd_buffers::{BufferSet, BuffersError, ClearQuiescent, Flush, OpenPackets, PushMetadata};
use lttngd_consumer::{self as consumer, ConsumerError, CreateTraceChunk};
use lttngd_model::ErrorCode;
use lttngd_runtime::ask;

use crate::{
    DataPending, Output, Start, Stop,
    actor::Inner,
    error::{buffers_code, consumer_code},
    output::{Chunk, make_first_chunk},
};

impl Inner {
    pub(crate) async fn start(self: Rc<Self>, _: Start) -> Result<(), ErrorCode> {
        let _turn = self.turn().await?;
        let has_channel = self.domain.borrow().as_ref().is_some_and(|ust| !ust.channels.is_empty());
        self.life.get().admit_start(has_channel)?;
        self.make_chunk().await?;
        self.on_all_sets(ClearQuiescent).await.map_err(|error| self.failed_start(&error))?;
        self.change_life(|life| {
            life.active = true;
            life.was_started = true;
        });
        self.synchronise_all().await;
        if self.chunk.borrow().is_none() {
            // Only buffers that nobody drains need a first packet for its time stamp.
            self.on_all_sets(OpenPackets).await.map_err(|error| self.failed_start(&error))?;
        }
        Ok(())
    }

    fn failed_start(&self, error: &BuffersError) -> ErrorCode {
        tracing::error!(session = %self.config.name, %error, "the session does not start");
        buffers_code(error, ErrorCode::UstStartFail)
    }

    /// Makes the first chunk of a session with an output, once.
    async fn make_chunk(&self) -> Result<(), ErrorCode> {
        let root = match (&*self.output.borrow(), &*self.chunk.borrow()) {
            (Output::Local(root), None) => root.clone(),
            _ => return Ok(()),
        };
        let chunk = make_first_chunk(root.clone(), self.config.owner).await.map_err(|error| {
            tracing::error!(session = %self.config.name, path = %root.display(), %error, "the output directory cannot be made");
            ErrorCode::CreateDirFail
        })?;
        for (_, consumer) in self.config.consumers.all() {
            let create = CreateTraceChunk {
                session: self.config.id,
                chunk: chunk.id,
                created_at_s: now_s(),
                owner: self.config.owner,
                directory: std::sync::Arc::clone(&chunk.domain_directory),
            };
            ask(consumer, create, self.config.consumer_deadline)
                .await
                .map_err(ConsumerError::from)
                .flatten()
                .map_err(|error| {
                    tracing::error!(session = %self.config.name, %error, "no trace chunk");
                    consumer_code(&error, ErrorCode::CreateTraceChunkFailConsumer)
                })?;
        }
        self.set_chunk(chunk);
        Ok(())
    }

    fn set_chunk(&self, chunk: Chunk) {
        *self.chunk.borrow_mut() = Some(chunk);
    }

    pub(crate) async fn stop(self: Rc<Self>, _: Stop) -> Result<(), ErrorCode> {
        let _turn = self.turn().await?;
        self.life.get().admit_stop()?;
        self.quiet().await
    }

    /// Stops every application and closes every packet.
    pub(crate) async fn quiet(&self) -> Result<(), ErrorCode> {
        self.change_life(|life| life.active = false);
        if self.life.get().lost_consumer {
            return Ok(());
        }
        self.synchronise_all().await;
        // Metadata last: the stock consumer answers a push late, and everybody waits behind it.
        let flushed = self.on_all_sets(Flush).await;
        let pushed = self.on_all_sets(PushMetadata).await;
        flushed.and(pushed).map_err(|error| {
            tracing::error!(session = %self.config.name, %error, "the session does not stop cleanly");
            buffers_code(&error, ErrorCode::UstStopFail)
        })
    }

    /// Asks every buffer set the same, side by side.
    pub(crate) async fn on_all_sets<M>(&self, message: M) -> Result<(), BuffersError>
    where
        M: actix::Message<Result = Result<(), BuffersError>> + Copy + Send + 'static,
        BufferSet: actix::Handler<M>,
    {
        let sets: Vec<_> = self.sets.borrow().values().cloned().collect();
        let asks = sets.iter().map(|set| ask(set, message, self.config.consumer_deadline));
        join_all(asks)
            .await
            .into_iter()
            .map(|outcome| outcome.map_err(BuffersError::from).flatten())
            .collect()
    }

    pub(crate) async fn data_pending(self: Rc<Self>, _: DataPending) -> Result<bool, ErrorCode> {
        // Applications may record until a stop that is under way is through.
        drop(self.turn().await?);
        if !self.life.get().admit_data_pending()? {
            return Ok(false);
        }
        if self.finishing.get() > 0 {
            return Ok(true);
        }
        for (_, consumer) in self.config.consumers.all() {
            let pending = consumer::DataPending { session: self.config.id };
            let pending = ask(consumer, pending, self.config.consumer_deadline)
                .await
                .map_err(ConsumerError::from)
                .flatten();
            match pending {
                Ok(false) | Err(ConsumerError::Lost) => {}
                Ok(true) => return Ok(true),
                Err(error) => {
                    tracing::error!(session = %self.config.name, %error, "whether data is pending is not known");
                    return Err(ErrorCode::Unk);
                }
            }
        }
        Ok(false)
    }
}

/// Seconds since the Epoch.
pub(crate) fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs())
}
