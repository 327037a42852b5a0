//! The connection of a session to its relay daemon.

use lttngd_model::NetIndex;
use lttngd_relayd::{HandedOver, Held};

use super::State;

/// The connection of a session that streams.
pub(crate) struct SessionRelayd {
    pub(crate) held: Held,
    /// Once the consumers have it.
    pub(crate) handed_over: Option<HandedOver>,
}

impl State {
    /// The connection that the consumers have.
    pub(crate) fn relayd(&self) -> Option<HandedOver> {
        self.relayd.as_ref().and_then(|relayd| relayd.handed_over)
    }

    /// The connection that they have, or will have.
    pub(crate) fn relayd_index(&self) -> Option<NetIndex> {
        self.relayd.as_ref().map(|relayd| relayd.held.net_index())
    }
}
