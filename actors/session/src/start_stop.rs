//! Starting, stopping, and whether data is pending.

use std::{
    rc::Rc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use actix::{Context, ResponseActFuture, WrapFuture};
use futures::{TryFutureExt, future::join_all};
use lttngd_buffers::{BufferSet, BuffersError, ClearQuiescent, Flush, OpenPackets, PushMetadata};
use lttngd_consumer::{self as consumer, ConsumerError};
use lttngd_model::{BufferMode, ChannelAttributes, ErrorCode, Timestamp, Tracer};
use lttngd_runtime::{Backoff, ask};
use tokio::time::Instant;

use crate::{
    DataPending, Session, SessionEvent, Start, Stop, actor::Inner, error::SetFailure,
    state::SessionSet,
};

/// How long the reply to DATA_PENDING waits for what is about to be written. The stock command line,
/// which asks when it stops and destroys a session, asks again only 200 ms later.
const PENDING_PATIENCE: Duration = Duration::from_millis(100);
/// First and longest pause between two looks meanwhile.
const PENDING_PAUSES: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(20));

impl Session {
    pub(crate) fn data_pending(
        &mut self,
        _: DataPending,
        context: &mut Context<Self>,
    ) -> ResponseActFuture<Self, Result<bool, ErrorCode>> {
        if self.inner.life().failed {
            // What is left of it is being let go, or was.
            let pending = !self.inner.finishing.is_none();
            return Box::pin(async move { Ok(pending) }.into_actor(self));
        }
        // Applications may record until a stop that is under way is through.
        let turn = self.in_turn(context, "data_pending", async |_| Ok(()));
        let pending = Rc::clone(&self.inner).data_pending();
        Box::pin(async { turn.and_then(|()| pending).await }.into_actor(self))
    }
}

impl Inner {
    pub(crate) async fn start(self: Rc<Self>, _: Start) -> Result<(), ErrorCode> {
        let has_channel = self.state().domains.has_channels();
        self.life().admit_start(has_channel)?;
        self.state().rotations.admit_start()?;
        self.admit_buffers()?;
        self.connect_relayd().await?;
        self.ensure_consumers().await?;
        self.enter_chunk().await?;
        self.on_all_sets(ClearQuiescent).await.map_err(|error| self.failed_start(&error))?;
        self.change_life(|life| {
            life.active = true;
            life.was_started = true;
        });
        self.state_mut().rotations.started();
        self.tell_viewers();
        self.arm_rotation_timer();
        // Before applications record: what comes then is within the time of every stream. Buffers that are
        // made by now begin when they are.
        self.open_packets().await.map_err(|error| self.failed_start(&error))?;
        if let Some(code) = self.synchronise_all().await {
            // Nobody is recorded, and nobody would be: the session is as it says, not started. What
            // else goes wrong now is in the log, and says less.
            let _ = self.quiet().await;
            return Err(code);
        }
        self.tell(SessionEvent::Started);
        Ok(())
    }

    /// Makes the time of all streams begin by now. Those that are in a trace chunk have a first packet there.
    pub(crate) async fn open_packets(&self) -> Result<(), SetFailure> {
        if self.state().chunk.is_some() {
            return Ok(());
        }
        self.on_all_sets(OpenPackets).await
    }

    /// Refuses buffers that cannot be made for any application, as shared memory larger than files may be.
    fn admit_buffers(&self) -> Result<(), ErrorCode> {
        let limit = rustix::process::getrlimit(rustix::process::Resource::Fsize).current;
        let state = self.state();
        // Those of the kernel are in no files.
        let attributes = state.domains.of(Tracer::Ust).map(|domain| domain.attributes());
        let attributes = attributes.unwrap_or_default();
        let largest = attributes.iter().map(buffer_len).max().unwrap_or(0);
        if limit.is_some_and(|limit| largest > limit) {
            tracing::error!(
                session = self.config.name,
                limit,
                largest,
                "the session does not start: its buffers are larger than files may be (ulimit -f, RLIMIT_FSIZE)"
            );
            return Err(ErrorCode::UstChanFail);
        }
        Ok(())
    }

    fn failed_start(&self, error: &SetFailure) -> ErrorCode {
        tracing::error!(session = self.config.name, %error, "the session does not start");
        error.code(match error.tracer {
            Tracer::Ust => ErrorCode::UstStartFail,
            Tracer::Kernel => ErrorCode::KernStartFail,
        })
    }

    pub(crate) async fn stop(self: Rc<Self>, _: Stop) -> Result<(), ErrorCode> {
        self.life().admit_stop()?;
        let stopped = self.quiet().await;
        self.tell(SessionEvent::Stopped);
        stopped
    }

    /// Stops every application and closes every packet. Of a session that lost its consumer daemon there
    /// is nothing to close, which whoever stops it is told: not all that it recorded is in the trace.
    pub(crate) async fn quiet(&self) -> Result<(), ErrorCode> {
        self.change_life(|life| life.active = false);
        self.disarm_rotation_timer();
        self.await_no_apps().await;
        let whole = self.life().admit_with_consumer();
        if self.state().is_lost() {
            return whole;
        }
        self.synchronise_all().await;
        // Metadata last: the stock consumer answers a push late, and everybody waits behind it.
        let flushed = self.on_all_sets(Flush).await;
        let pushed = self.on_all_sets(PushMetadata).await;
        whole?;
        flushed.and(pushed).map_err(|error| {
            tracing::error!(session = self.config.name, %error, "the session does not stop cleanly");
            error.code(match error.tracer {
                Tracer::Ust => ErrorCode::UstStopFail,
                Tracer::Kernel => ErrorCode::KernStopFail,
            })
        })
    }

    /// Asks every buffer set the same, side by side.
    pub(crate) async fn on_all_sets<M>(&self, message: M) -> Result<(), SetFailure>
    where
        M: actix::Message<Result = Result<(), BuffersError>> + Copy + Send + 'static,
        BufferSet: actix::Handler<M>,
    {
        let sets: Vec<_> = self.state().all_sets().cloned().collect();
        let asks = sets.iter().map(async |SessionSet { actor, kind, .. }| {
            let outcome = ask(actor, message, self.config.consumer_deadline).await;
            let failed = |error| SetFailure { tracer: kind.tracer(), error };
            outcome.map_err(BuffersError::from).flatten().map_err(failed)
        });
        join_all(asks).await.into_iter().collect()
    }

    fn may_be_pending(&self) -> Result<bool, ErrorCode> {
        let state = self.state();
        state.life.admit_data_pending(state.domains.tracers())
    }

    async fn data_pending(self: Rc<Self>) -> Result<bool, ErrorCode> {
        let patience = Instant::now() + PENDING_PATIENCE;
        let mut pause = Backoff::new(PENDING_PAUSES.0, PENDING_PAUSES.1);
        loop {
            if !self.may_be_pending()? {
                return Ok(false);
            }
            let pending = !self.finishing.is_none()
                || self.state().rotations.is_ongoing()
                || self.pending_at_consumers().await?;
            let step = pause.step();
            if !pending || Instant::now() + step > patience {
                return Ok(pending);
            }
            tokio::time::sleep(step).await;
        }
    }

    /// Whether consumers have not written everything, or the relay daemon behind them.
    pub(crate) async fn pending_at_consumers(&self) -> Result<bool, ErrorCode> {
        for (_, consumer) in &self.consumers() {
            let pending = consumer::DataPending { session: self.config.id };
            match self.ask_consumer(consumer, pending).await {
                Ok(false) | Err(ConsumerError::Lost | ConsumerError::Ended) => {}
                Ok(true) => return Ok(true),
                Err(error) => {
                    tracing::error!(session = self.config.name, %error, "whether data is pending is not known");
                    return Err(ErrorCode::Unk);
                }
            }
        }
        Ok(false)
    }
}

/// Bytes of the sub-buffers of a stream; in overwrite mode the reader has one more.
fn buffer_len(attributes: &ChannelAttributes) -> u64 {
    let count =
        attributes.num_subbuf.saturating_add((attributes.mode == BufferMode::Overwrite).into());
    attributes.subbuf_size_bytes.saturating_mul(count)
}

/// The time.
pub(crate) fn now() -> Timestamp {
    let epoch_s = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
    Timestamp { epoch_s }
}
