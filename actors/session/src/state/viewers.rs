//! When viewers of a live session have seen what there is.

use std::time::Duration;

use tokio::time::Instant;

/// How long viewers have to look. Those of babeltrace do so every 100 ms.
const VIEWER_GRACE: Duration = Duration::from_millis(500);

/// When there was last something new.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Viewers {
    news: Option<Instant>,
}

impl Viewers {
    /// There is something new.
    pub(crate) fn news(&mut self, now: Instant) {
        self.news = Some(now);
    }

    /// Until when they are given time, if there was anything.
    pub(crate) fn until(self) -> Option<Instant> {
        self.news.map(|news| news + VIEWER_GRACE)
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
