//! Asking what stands below the session: its consumer daemons, and all of its buffer sets.

use actix::Addr;
use futures::future::join_all;
use lttngd_buffers::{BufferSet, BuffersError};
use lttngd_consumer::{Consumer, ConsumerError, EnsureRunning};
use lttngd_kernel::KernelSession;
use lttngd_model::{Bitness, ConsumerKind, ErrorCode};
use lttngd_runtime::ask;

use crate::{actor::Inner, complain::complain, error::SetFailure};

impl Inner {
    /// The consumer daemons of the domains that the session has.
    pub(crate) fn consumers(&self) -> Vec<(ConsumerKind, Addr<Consumer>)> {
        let state = self.state();
        let is_used = |kind: ConsumerKind| state.domains.of(kind.tracer()).is_some();
        let used = state.consumers.all().filter(|(kind, _)| is_used(*kind));
        used.map(|(kind, consumer)| (kind, consumer.clone())).collect()
    }

    /// Asks a consumer daemon with the session's deadline.
    pub(crate) async fn ask_consumer<M, T>(
        &self,
        consumer: &Addr<Consumer>,
        message: M,
    ) -> Result<T, ConsumerError>
    where
        M: actix::Message<Result = Result<T, ConsumerError>> + Send + 'static,
        T: Send + 'static,
        Consumer: actix::Handler<M>,
    {
        ask(consumer, message, self.config.consumer_deadline).await?
    }

    /// Starts the consumer daemons of the session's domains that do not run.
    pub(crate) async fn ensure_consumers(&self) -> Result<(), ErrorCode> {
        for (kind, consumer) in &self.consumers() {
            ask(consumer, EnsureRunning, lttngd_consumer::HANDSHAKE_DEADLINE * 2)
                .await
                .map_err(ConsumerError::from)
                .flatten()
                .map_err(|error| {
                    complain!(self, "the consumer daemon does not run", %error);
                    match kind {
                        ConsumerKind::Ust(Bitness::Bits64) => ErrorCode::UstConsumer64Fail,
                        ConsumerKind::Ust(Bitness::Bits32) => ErrorCode::UstConsumer32Fail,
                        ConsumerKind::Kernel => ErrorCode::KernConsumerFail,
                    }
                })?;
        }
        self.connect_relayd().await
    }

    /// Asks all who have buffers the same, side by side.
    pub(crate) async fn on_all_sets<M>(&self, message: M) -> Result<(), SetFailure>
    where
        M: actix::Message<Result = Result<(), BuffersError>> + Clone + Send + 'static,
        BufferSet: actix::Handler<M>,
        KernelSession: actix::Handler<M>,
    {
        let all: Vec<_> = self.state().all_buffers().collect();
        let asks = all.iter().map(async |buffers| {
            let outcome = buffers.ask(message.clone(), self.config.consumer_deadline).await;
            outcome.map_err(|error| SetFailure { tracer: buffers.kind.tracer(), error })
        });
        join_all(asks).await.into_iter().collect()
    }
}
