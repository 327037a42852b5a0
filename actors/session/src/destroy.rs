//! The end of a session.

use std::{rc::Rc, time::Duration};

use futures::future::join_all;
use lttngd_app::Forget;
use lttngd_buffers::{Close, Rotate};
use lttngd_consumer::{CloseTraceChunk, Consumer, ConsumerError, TraceChunkExists};
use lttngd_model::{ChunkId, ErrorCode};
use lttngd_runtime::{Backoff, ask};

use crate::{
    Destroy, Destroyed,
    actor::Inner,
    error::{buffers_code, consumer_code},
    start_stop::now_s,
};

/// First and longest pause between two looks whether the consumer has written everything.
const CHUNK_PAUSES: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(500));

impl Inner {
    pub(crate) async fn destroy(self: Rc<Self>, _: Destroy) -> Result<Destroyed, ErrorCode> {
        let _turn = self.turn().await?;
        let mut outcome = Ok(Destroyed);
        let mut keep = |step: Result<(), ErrorCode>| {
            if let Err(code) = step {
                outcome = Err(code);
            }
        };
        if self.life.get().active {
            keep(self.quiet().await);
        }
        self.change_life(|life| life.destroyed = true);
        let apps: Vec<_> = self.apps.take().into_values().collect();
        let forget = Forget { session: self.config.id };
        // An application that does not answer now forgets the session when it does.
        join_all(apps.iter().map(|(_, app)| app.send(forget))).await;
        if !self.life.get().lost_consumer {
            keep(self.close_chunk().await);
            keep(self.on_all_sets(Close).await.map_err(|error| {
                tracing::error!(session = %self.config.name, %error, "buffers are not closed cleanly");
                buffers_code(&error, ErrorCode::Unk)
            }));
        }
        self.sets.take();
        outcome
    }

    /// Lets the streams finish the chunk, and waits until they have.
    async fn close_chunk(&self) -> Result<(), ErrorCode> {
        let Some(chunk) = self.chunk.take() else { return Ok(()) };
        let rotated = self.on_all_sets(Rotate).await.map_err(|error| {
            tracing::error!(session = %self.config.name, %error, "streams do not leave the trace chunk");
            buffers_code(&error, ErrorCode::RotationFailConsumer)
        });
        let consumers = self.config.consumers.all().map(|(_, consumer)| consumer);
        let closed = join_all(consumers.map(|consumer| self.close_chunk_of(consumer, chunk.id)));
        let closed: Result<(), _> = closed.await.into_iter().collect();
        rotated.and(closed.map_err(|error| {
            tracing::error!(session = %self.config.name, %error, "the trace chunk is not closed");
            consumer_code(&error, ErrorCode::CloseTraceChunkFailConsumer)
        }))
    }

    async fn close_chunk_of(
        &self,
        consumer: &actix::Addr<Consumer>,
        chunk: ChunkId,
    ) -> Result<(), ConsumerError> {
        let (session, deadline) = (self.config.id, self.config.consumer_deadline);
        let close = CloseTraceChunk { session, chunk, closed_at_s: now_s(), command: None };
        ask(consumer, close, deadline).await??;
        let mut pause = Backoff::new(CHUNK_PAUSES.0, CHUNK_PAUSES.1);
        let written = async {
            while ask(consumer, TraceChunkExists { session, chunk }, deadline).await?? {
                tokio::time::sleep(pause.step()).await;
            }
            Ok(())
        };
        tokio::time::timeout(deadline, written).await.unwrap_or(Err(ConsumerError::TimedOut))
    }
}
