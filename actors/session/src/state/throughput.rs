//! How fast a session records. No input or output.

use std::time::Duration;

use tokio::time::Instant;

/// Over how long it is measured at least. Channels are sampled once a second, unless they say otherwise.
const WINDOW: Duration = Duration::from_millis(900);

/// What was written of a session lately.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Throughput {
    /// Since when the bytes are counted.
    begun: Option<Instant>,
    bytes: u64,
    /// In the last window.
    bytes_per_s: u64,
}

impl Throughput {
    /// So much more was written by now. How much it was in a second lately.
    pub(crate) fn written(&mut self, bytes: u64, now: Instant) -> u64 {
        let Some(begun) = self.begun else {
            // Of what was written before it is not known since when.
            self.begun = Some(now);
            return 0;
        };
        self.bytes = self.bytes.saturating_add(bytes);
        let took = now.saturating_duration_since(begun);
        if took >= WINDOW {
            let per_s = u128::from(self.bytes) * 1000 / took.as_millis().max(1);
            self.bytes_per_s = u64::try_from(per_s).unwrap_or(u64::MAX);
            (self.begun, self.bytes) = (Some(now), 0);
        }
        self.bytes_per_s
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_what_came_in_the_last_window() {
        let (mut throughput, start) = (Throughput::default(), Instant::now());
        let at = |ms| start + Duration::from_millis(ms);
        assert_eq!(throughput.written(1 << 30, at(0)), 0, "since when is not known");
        // Two channels that are sampled at a moment.
        assert_eq!(throughput.written(1000, at(1000)), 1000);
        assert_eq!(throughput.written(500, at(1001)), 1000);
        assert_eq!(throughput.written(1500, at(2000)), 2000);
        assert_eq!(throughput.written(0, at(3000)), 0);
        assert_eq!(throughput.written(0, at(3000)), 0);
        assert_eq!(throughput.written(u64::MAX, at(4000)), u64::MAX);
    }
}
