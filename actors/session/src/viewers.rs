//! Viewers of a live session: they look now and then for what is new at the relay daemon.
//!
//! To a viewer that has not looked since streams or a trace chunk came, and finds them over, relay daemons
//! of 2.13 show nothing, or say for ever that there is nothing yet. So a session does not end before its
//! viewers had the time to look.

use std::time::Duration;

use lttngd_model::SessionKind;
use tokio::time::Instant;

use crate::{actor::Inner, output::Output};

/// How long viewers have to look. Those of babeltrace do so every 100 ms.
const VIEWER_GRACE: Duration = Duration::from_millis(500);

/// When there was last something new.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Viewers {
    news: Option<Instant>,
}

impl Viewers {
    /// There is something new.
    fn news(&mut self, now: Instant) {
        self.news = Some(now);
    }

    /// Until when they are given time, if there was anything.
    fn until(self) -> Option<Instant> {
        self.news.map(|news| news + VIEWER_GRACE)
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_is_given_from_the_last_news() {
        let (mut viewers, now) = (Viewers::default(), Instant::now());
        assert_eq!(viewers.until(), None);
        viewers.news(now);
        viewers.news(now + VIEWER_GRACE);
        assert_eq!(viewers.until(), Some(now + 2 * VIEWER_GRACE));
    }
}
