//! When a session looks what its channels lost, by what samples tell of their buffers. No input or output.
//!
//! Events are lost when a buffer is full. So what was lost since the last look was lost of a channel whose buffers
//! have held about as much as fits since then: what is in them, or was written since. Others are looked at seldom.

use std::{collections::HashMap, time::Duration};

use lttngd_model::ChannelKey;
use tokio::time::Instant;

use crate::SampledChannel;

/// Shortest time between two looks at a session whose buffers may have been full.
const LOOK_SOON: Duration = Duration::from_secs(1);
/// The same at another one, of which something was written.
const LOOK_LATER: Duration = Duration::from_secs(10);
/// How many times as long as a look takes the next one waits at least.
const LOOK_PAUSES: u32 = 20;

/// What was seen of a session's buffers.
#[derive(Debug, Default)]
pub(crate) struct LossLooks {
    channels: HashMap<ChannelKey, Seen>,
    /// Whether anything has changed since the last look.
    has_changed: bool,
    /// Whether a buffer may have been full since then.
    was_full: bool,
    /// The end of the last look, or when there was first something to look at, and how long the next one waits.
    since: Option<(Instant, Duration)>,
    is_looking: bool,
    looks: u64,
}

/// What was seen of a channel.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    /// What the fullest of its buffers held, in bytes.
    usage: u64,
    /// Bytes that were written since the last look.
    written: u64,
}

impl LossLooks {
    /// A channel was sampled: what the fullest of its buffers holds, and what was written since the sample before.
    /// Whether it is time to look.
    pub(crate) fn sampled(
        &mut self,
        channel: &SampledChannel,
        (usage, newly_written): (u64, u64),
        now: Instant,
    ) -> bool {
        let seen = self.channels.entry(channel.key).or_default();
        if usage != seen.usage || newly_written > 0 {
            let written = seen.written.saturating_add(newly_written);
            *seen = Seen { usage, written };
            self.has_changed = true;
            // What does not fit leaves room behind itself, and what is read is given back in parts.
            self.was_full |= written.saturating_add(usage) >= channel.capacity_bytes / 2;
        }
        if self.is_looking || !self.has_changed {
            return false;
        }
        let is_first = self.looks == 0;
        let (since, pause) = *self.since.get_or_insert((now, Duration::ZERO));
        let pause = match self.was_full {
            true if is_first => Duration::ZERO,
            true => pause.max(LOOK_SOON),
            false => pause.max(LOOK_LATER),
        };
        now.saturating_duration_since(since) >= pause
    }

    /// A channel is not sampled any more.
    pub(crate) fn gone(&mut self, key: ChannelKey) {
        self.channels.remove(&key);
    }

    /// A look begins.
    pub(crate) fn begin(&mut self) {
        self.channels.values_mut().for_each(|seen| seen.written = 0);
        (self.has_changed, self.was_full, self.is_looking) = (false, false, true);
        self.looks += 1;
    }

    /// It is over, and took so long.
    pub(crate) fn over(&mut self, took: Duration, now: Instant) {
        self.is_looking = false;
        self.since = Some((now, took * LOOK_PAUSES));
    }
}

#[cfg(test)]
mod tests {
    use lttngd_model::Tracer;

    use super::*;

    fn channel(key: u64) -> SampledChannel {
        let (key, name) = (ChannelKey(key), "c".to_owned());
        SampledChannel { key, tracer: Tracer::Ust, name, capacity_bytes: 1000 }
    }

    fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    #[test]
    fn a_session_whose_buffers_were_full_is_looked_at_at_once_and_then_once_a_second() {
        let (mut looks, now) = (LossLooks::default(), Instant::now());
        assert!(!looks.sampled(&channel(1), (400, 0), now));
        assert!(looks.sampled(&channel(1), (400, 100), now), "half of it was seen");
        looks.begin();
        assert!(!looks.sampled(&channel(1), (1000, 5000), now + seconds(5)), "one look at a time");
        looks.over(Duration::ZERO, now + seconds(5));
        assert!(!looks.sampled(&channel(1), (0, 0), now + seconds(5)), "it waits a second");
        assert!(looks.sampled(&channel(2), (0, 0), now + seconds(6)), "whichever is sampled then");
    }

    #[test]
    fn one_that_writes_little_is_looked_at_seldom_and_one_that_writes_nothing_never() {
        let (mut looks, now) = (LossLooks::default(), Instant::now());
        for second in 0..100 {
            assert!(!looks.sampled(&channel(1), (0, 0), now + seconds(second)));
        }
        assert!(!looks.sampled(&channel(1), (0, 1), now + seconds(100)));
        assert!(!looks.sampled(&channel(1), (0, 1), now + seconds(109)));
        assert!(looks.sampled(&channel(1), (0, 0), now + seconds(110)));
        looks.begin();
        looks.over(Duration::ZERO, now + seconds(110));
        assert!(
            !looks.sampled(&channel(1), (0, 0), now + seconds(200)),
            "nothing was written since"
        );
    }

    #[test]
    fn looks_that_take_long_are_made_seldom() {
        let (mut looks, now) = (LossLooks::default(), Instant::now());
        assert!(looks.sampled(&channel(1), (1000, 0), now));
        looks.begin();
        looks.over(seconds(3), now + seconds(3));
        assert!(!looks.sampled(&channel(1), (1000, 1), now + seconds(62)));
        assert!(looks.sampled(&channel(1), (1000, 0), now + seconds(63)));
    }

    #[test]
    fn channels_of_applications_that_are_gone_take_no_room() {
        let (mut looks, now) = (LossLooks::default(), Instant::now());
        for key in 0..1000 {
            looks.sampled(&channel(key), (1, 1), now);
            looks.gone(ChannelKey(key));
        }
        assert!(looks.channels.is_empty());
    }
}
