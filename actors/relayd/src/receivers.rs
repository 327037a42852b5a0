//! The consumer daemons that are given a connection.

use std::{os::fd::OwnedFd, time::Duration};

use actix::Addr;
use lttngd_consumer::{AddRelayd, Consumer, ConsumerError, DestroyRelayd};
use lttngd_model::{ConsumerKind, NetIndex, RelaySessionId, SessionId};
use lttngd_runtime::ask;
use lttngd_wire::relay::Version;
use tracing::Span;

/// The consumer daemons that are given a connection, and what they call it.
#[derive(Clone, Debug)]
pub(crate) struct Receivers {
    pub(crate) net_index: NetIndex,
    pub(crate) session: SessionId,
    /// In which all is logged that is of the connection.
    pub(crate) span: Span,
    pub(crate) consumers: Vec<(ConsumerKind, Addr<Consumer>)>,
    pub(crate) deadline: Duration,
}

/// What one of them is given.
#[derive(Debug)]
pub(crate) struct Pair {
    pub(crate) version: Version,
    /// The session in the relay daemon.
    pub(crate) session_id: RelaySessionId,
    /// Where it writes the session, below its own output directory; empty before 2.11.
    pub(crate) output_path: String,
    pub(crate) control: OwnedFd,
    pub(crate) data: OwnedFd,
}

impl Receivers {
    /// Gives one of them its connections.
    pub(crate) async fn hand_over(
        &self,
        consumer: &Addr<Consumer>,
        pair: Pair,
    ) -> Result<(), ConsumerError> {
        let Pair { version, session_id, output_path, control, data } = pair;
        self.span.in_scope(|| tracing::info!(?output_path, "connected to a relay daemon"));
        let add = AddRelayd {
            net_index: self.net_index,
            version: (version.major, version.minor),
            session: self.session,
            relayd_session_id: session_id,
            control,
            data,
        };
        ask(consumer, add, self.deadline).await?
    }

    /// Tells those of these indexes to let go of the connection, which closes with the last stream that
    /// uses it.
    pub(crate) async fn let_go(&self, holders: impl IntoIterator<Item = usize>) {
        let (session, net_index) = (self.session, self.net_index);
        for (_, consumer) in holders.into_iter().filter_map(|index| self.consumers.get(index)) {
            let destroy = DestroyRelayd { session, net_index };
            let asked = ask(consumer, destroy, self.deadline).await;
            // It refuses one that it never got, and one whose relay daemon is gone.
            if let Err(error) = asked.map_err(ConsumerError::from).flatten() {
                self.span.in_scope(|| tracing::debug!(%error));
            }
        }
    }
}
