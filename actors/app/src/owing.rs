//! What an application owes, in words that whoever looks at the daemon reads without asking it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

/// How much an application was asked and has not done, and since when it owes anything. Copies are the same.
#[derive(Clone, Debug, Default)]
pub struct Owing(Arc<Words>);

#[derive(Debug)]
struct Words {
    /// From when moments are counted.
    epoch: Instant,
    count: AtomicUsize,
    /// Milliseconds since then.
    since_ms: AtomicU64,
}

impl Default for Words {
    fn default() -> Self {
        let (count, since_ms) = (AtomicUsize::default(), AtomicU64::default());
        Self { epoch: Instant::now(), count, since_ms }
    }
}

impl Owing {
    /// How much it is, and for how long it has owed anything by `now`, if it does. Both may be of different moments.
    #[must_use]
    pub fn get(&self, now: Instant) -> (usize, Option<Duration>) {
        let count = self.0.count.load(Ordering::Relaxed);
        let since_ms = self.0.since_ms.load(Ordering::Relaxed);
        let since = self.0.epoch + Duration::from_millis(since_ms);
        (count, (count > 0).then(|| now.saturating_duration_since(since)))
    }

    /// Shows that it is so much by now.
    pub(crate) fn show(&self, count: usize) {
        if self.0.count.load(Ordering::Relaxed) == 0 && count > 0 {
            let since_ms = u64::try_from(self.0.epoch.elapsed().as_millis()).unwrap_or(u64::MAX);
            self.0.since_ms.store(since_ms, Ordering::Relaxed);
        }
        self.0.count.store(count, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_told_since_when_anything_is_owed() {
        let owing = Owing::default();
        let shown = owing.clone();
        assert_eq!(shown.get(Instant::now()), (0, None));
        owing.show(1);
        let begun = Instant::now();
        owing.show(3);
        let later = begun + Duration::from_secs(5);
        let (count, owes_for) = shown.get(later);
        assert_eq!(count, 3);
        assert!(owes_for >= Some(Duration::from_secs(5)), "{owes_for:?}");
        owing.show(0);
        assert_eq!(shown.get(later), (0, None));
    }
}
