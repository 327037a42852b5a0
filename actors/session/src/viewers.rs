//! Viewers of a live session: they look now and then for what is new at the relay daemon.
//!
//! To a viewer that has not looked since streams or a trace chunk came, and finds them over, relay daemons
//! of 2.13 show nothing, or say for ever that there is nothing yet. So a session does not end before its
//! viewers had the time to look.

use lttngd_model::SessionKind;
use tokio::time::Instant;

use crate::{actor::Inner, output::Output};

impl Inner {
    /// Streams or a trace chunk began.
    pub(crate) fn tell_viewers(&self) {
        let is_live = matches!(self.config.kind, SessionKind::Live { .. });
        let mut state = self.state_mut();
        if is_live && matches!(state.output, Output::Network(_)) {
            state.viewers.news(Instant::now());
        }
    }

    /// Waits until viewers have seen what there is.
    pub(crate) async fn wait_for_viewers(&self) {
        let until = self.state().viewers.until();
        if let Some(until) = until {
            tokio::time::sleep_until(until).await;
        }
    }
}
