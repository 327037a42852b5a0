//! Whether data is pending: whether something of the session is not where it can be read yet.

use std::{rc::Rc, time::Duration};

use actix::Context;
use lttngd_consumer::{self as consumer, ConsumerError};
use lttngd_model::ErrorCode;
use lttngd_runtime::{Asker, Backoff};
use lttngd_wire::consumer::ConsumerError as Code;
use tokio::time::Instant;

use crate::{Session, actor::Inner, complain::complain, order::DATA_PENDING, reply::Replying};

/// How long the reply to DATA_PENDING waits for what is about to be written. The stock command line,
/// which asks when it stops and destroys a session, asks again only 200 ms later.
const PENDING_PATIENCE: Duration = Duration::from_millis(100);

/// What consumer daemons, and relay daemons behind them, have not written of a session.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum AtConsumers {
    /// Something.
    Pending,
    /// Nothing.
    Nothing,
    /// Nothing that they know of: in one of them the session failed. What it had then is written without anybody's
    /// asking, and nothing comes after it.
    Failed,
}

/// First and longest pause between two looks meanwhile.
const PENDING_PAUSES: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(20));

impl Session {
    pub(crate) fn data_pending(
        &mut self,
        asker: Asker,
        context: &mut Context<Self>,
    ) -> Replying<bool> {
        if self.inner.life().failed {
            // What is left of it is being let go, or was.
            return Replying::Now(Ok(!self.inner.finishing.is_none()));
        }
        // Applications may record until a stop that is under way is through. What is asked is whether all that was
        // recorded until this turn is written: what follows it may run beside the rest.
        let look = async |inner: Rc<Inner>| inner.may_be_pending();
        let admitted = self.query_in_turn(context, (DATA_PENDING, asker.clone()), look);
        let inner = Rc::clone(&self.inner);
        let pending = self.inner.within(async move {
            let asked =
                async { if admitted.await? { inner.data_pending().await } else { Ok(false) } };
            // Nobody is there to be told.
            asker.while_waits(asked).await.unwrap_or(Ok(true))
        });
        // Of many that wait, those are looked at that can go on.
        Replying::Beside(self.works.answer(pending))
    }
}

impl Inner {
    fn may_be_pending(&self) -> Result<bool, ErrorCode> {
        let state = self.state();
        state.life.admit_data_pending(state.domains.tracers())
    }

    async fn data_pending(&self) -> Result<bool, ErrorCode> {
        let patience = Instant::now() + PENDING_PATIENCE;
        let mut pause = Backoff::new(PENDING_PAUSES.0, PENDING_PAUSES.1);
        loop {
            let pending = !self.finishing.is_none()
                || !self.stopping.is_none()
                || self.state().rotations.is_ongoing()
                || self.pending_at_consumers().await? == AtConsumers::Pending;
            let step = pause.step();
            if !pending || Instant::now() + step > patience {
                return Ok(pending);
            }
            tokio::time::sleep(step).await;
            if !self.may_be_pending()? {
                return Ok(false);
            }
        }
    }

    /// Whether consumers have not written everything, or the relay daemon behind them.
    pub(crate) async fn pending_at_consumers(&self) -> Result<AtConsumers, ErrorCode> {
        let mut known = AtConsumers::Nothing;
        for (_, consumer) in &self.consumers() {
            let pending = consumer::DataPending { session: self.config.id };
            match self.ask_consumer(consumer, pending).await {
                Ok(false) | Err(ConsumerError::Lost | ConsumerError::Ended) => {}
                Ok(true) => return Ok(AtConsumers::Pending),
                Err(ConsumerError::Refused(Code::FATAL)) => known = AtConsumers::Failed,
                Err(error) => {
                    complain!(self, "whether data is pending is not known", %error);
                    return Err(ErrorCode::Unk);
                }
            }
        }
        Ok(known)
    }
}
