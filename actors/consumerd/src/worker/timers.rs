//! What is done at a time.

use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    time::{Duration, Instant},
};

use lttngd_model::{ChannelKey, NetIndex};

/// Which timer of a channel.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Timer {
    /// Closes the packets that are open.
    Switch,
    /// Looks for packets that nobody tells of.
    Read,
    /// Closes packets, or tells viewers that there is nothing.
    Live,
}

/// What is due.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Due {
    Channel(ChannelKey, Timer),
    /// The text of a metadata channel is to be asked for.
    Metadata(ChannelKey),
    /// A channel's pipes are to be listened to again.
    Listen(ChannelKey),
    /// Writers of a channel may have left packets unfinished for good.
    Abandoned(ChannelKey),
    /// Nobody should have a channel any more: its trace has ended.
    Over(ChannelKey),
    /// Metadata that could not be written is to be tried again.
    Unwritten(ChannelKey),
    /// A relay daemon may have let a deadline pass.
    Relay(NetIndex),
    /// A relay daemon is to be asked again for what it had not written.
    Leaving(NetIndex),
}

/// Period in microseconds at which a channel of the kernel that is written as it comes is looked at. One without a
/// read timer of its own wakes nobody, and nobody is told whether it has one.
pub(crate) const LOOK_PERIOD_US: u32 = 200_000;
/// The same of one whose packets are all told of.
const LOOK_PERIOD_MAX_US: u32 = 8 * LOOK_PERIOD_US;

/// The next such period; `found` says whether there were packets that nobody had told of.
pub(super) fn next_look_us(period_us: u32, found: bool) -> u32 {
    if found { LOOK_PERIOD_US } else { period_us.saturating_mul(2).min(LOOK_PERIOD_MAX_US) }
}

/// Timers of this period or longer fire together with others.
const SHARED_PERIOD_MIN: Duration = Duration::from_millis(500);
/// How far they are put off for that, at most: this, or one of [`SHARED_PARTS`] of the period.
const SHARED_STEP: Duration = Duration::from_millis(50);
/// See [`SHARED_STEP`].
const SHARED_PARTS: u32 = 20;

/// What is due and when.
#[derive(Debug)]
pub(super) struct TimerQueue {
    heap: BinaryHeap<Reverse<(Instant, Due)>>,
    start: Instant,
}

impl Default for TimerQueue {
    fn default() -> Self {
        Self { heap: BinaryHeap::new(), start: Instant::now() }
    }
}

impl TimerQueue {
    pub(super) fn schedule(&mut self, at: Instant, due: Due) {
        self.heap.push(Reverse((at, due)));
    }

    /// When a timer of this period that fired at `now` is to fire again.
    pub(super) fn next_in(&self, now: Instant, period: Duration) -> Instant {
        let at = now + period;
        if period < SHARED_PERIOD_MIN {
            return at;
        }
        let since = at.saturating_duration_since(self.start).as_nanos();
        let step = SHARED_STEP.max(period / SHARED_PARTS);
        let steps = since.div_ceil(step.as_nanos());
        self.start + step * u32::try_from(steps).unwrap_or(u32::MAX)
    }

    /// When something is due.
    pub(super) fn next(&self) -> Option<Instant> {
        self.heap.peek().map(|Reverse((at, _))| *at)
    }

    /// Takes something that is due.
    pub(super) fn pop_due(&mut self, now: Instant) -> Option<Due> {
        if self.next()? > now {
            return None;
        }
        self.heap.pop().map(|Reverse((_, due))| due)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_channel_of_the_kernel_that_tells_of_its_packets_is_looked_at_seldom() {
        let mut period_us = LOOK_PERIOD_US;
        for expected_us in [400_000, 800_000, 1_600_000, 1_600_000] {
            period_us = next_look_us(period_us, false);
            assert_eq!(period_us, expected_us);
        }
        assert_eq!(next_look_us(period_us, true), LOOK_PERIOD_US);
    }

    #[test]
    fn what_is_due_comes_in_order() {
        let mut queue = TimerQueue::default();
        let now = Instant::now();
        let due = |key| Due::Metadata(ChannelKey(key));
        queue.schedule(now + Duration::from_secs(2), due(2));
        queue.schedule(now + Duration::from_secs(1), due(1));
        assert_eq!(queue.pop_due(now), None);
        let later = now + Duration::from_secs(3);
        assert_eq!(queue.pop_due(later), Some(due(1)));
        assert_eq!(queue.pop_due(later), Some(due(2)));
        assert_eq!(queue.pop_due(later), None);
    }

    #[test]
    fn long_periods_share_their_times() {
        let queue = TimerQueue::default();
        let second = Duration::from_secs(1);
        let (first, other) =
            (queue.start + Duration::from_micros(10), queue.start + SHARED_STEP / 2);
        let at = queue.next_in(first, second);
        assert_eq!(at, queue.next_in(other, second));
        assert!(at >= other + second && at <= first + second + SHARED_STEP);
        let long = Duration::from_secs(64);
        let (first, other) = (queue.start + second, queue.start + 3 * second);
        assert_eq!(queue.next_in(first, long), queue.next_in(other, long));
        assert!(queue.next_in(first, long) <= first + long + long / SHARED_PARTS);
        let short = Duration::from_millis(1);
        assert_eq!(queue.next_in(first, short), first + short);
    }
}
