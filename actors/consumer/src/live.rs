//! A consumer daemon that runs, and what sessions that have ended may still ask of it.

use std::{cell::RefCell, rc::Rc};

use lttngd_model::SessionId;
use lttngd_wire::consumer::Message;
use tokio::sync::Notify;

use crate::{
    ConsumerError, channels::NewChannels, ended::EndedSessions, link::Link, links::Links,
    metadata::Sources, samples::Samples,
};

/// A consumer daemon that runs.
pub(crate) struct Live {
    pub(crate) pid: Option<u32>,
    pub(crate) links: Links,
    pub(crate) sources: Sources,
    pub(crate) samples: Samples,
    pub(crate) channels: NewChannels,
    pub(crate) ended: Rc<RefCell<EndedSessions>>,
    /// Rings when the command socket failed.
    pub(crate) failed: Notify,
    /// Rings when the consumer is to end.
    pub(crate) stop: Notify,
}

/// What becomes of a request that comes when its session has ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Late {
    /// It would be for what is not there any more, or make what nobody ends.
    Refused,
    /// It ends something.
    Served,
}

impl Live {
    pub(crate) fn has_ended(&self, session: SessionId) -> bool {
        self.ended.borrow().contains(session)
    }

    /// Where a session's exchanges are made. One that has ended gets no connection of its own again.
    pub(crate) async fn link(
        &self,
        session: SessionId,
        late: Late,
    ) -> Result<Rc<Link>, ConsumerError> {
        if !self.has_ended(session) {
            let link = self.links.of(session).await;
            // Connecting takes its time.
            if !self.has_ended(session) {
                return Ok(link);
            }
        }
        match late {
            Late::Refused => Err(ConsumerError::Ended),
            Late::Served => Ok(self.links.shared()),
        }
    }

    /// Takes back what was made for a session, by `undo`, when that has ended meanwhile.
    pub(crate) async fn unless_ended(
        &self,
        session: SessionId,
        link: &Link,
        undo: Message,
    ) -> Result<(), ConsumerError> {
        if !self.has_ended(session) {
            return Ok(());
        }
        match undo {
            close @ Message::CloseTraceChunk { .. } => link.close_chunk(&close).await.map(drop)?,
            undo => link.status(&undo).await?,
        }
        Err(ConsumerError::Ended)
    }
}
