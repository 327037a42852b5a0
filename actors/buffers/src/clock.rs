//! The trace clock: CLOCK_MONOTONIC, and where it stands against the calendar.

use std::{fs, sync::OnceLock};

use rustix::time::{ClockId, Timespec, clock_gettime};

use crate::tsdl::Clock;

/// How many times the offset is sampled; the sample taken in the shortest time wins.
const SAMPLES: usize = 10;
/// Names this boot; it does not change while the daemon runs.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// Samples the clock that applications stamp their events with.
#[must_use]
pub fn sample_clock() -> Clock {
    static BOOT: OnceLock<Option<String>> = OnceLock::new();
    let boot_id =
        BOOT.get_or_init(|| Some(fs::read_to_string(BOOT_ID).ok()?.trim().to_owned())).clone();
    let offset_ns = (0..SAMPLES)
        .map(|_| {
            let before = nanoseconds(clock_gettime(ClockId::Monotonic));
            let real = nanoseconds(clock_gettime(ClockId::Realtime));
            let after = nanoseconds(clock_gettime(ClockId::Monotonic));
            (after - before, real - (before + (after - before) / 2))
        })
        .min_by_key(|(duration, _)| *duration)
        .map_or(0, |(_, offset)| offset);
    Clock { boot_id, offset_ns }
}

fn nanoseconds(time: Timespec) -> i64 {
    time.tv_sec * 1_000_000_000 + time.tv_nsec
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_offset_leads_from_the_monotonic_clock_to_the_calendar() {
        let clock = sample_clock();
        let now = nanoseconds(clock_gettime(ClockId::Monotonic)) + clock.offset_ns;
        let real = nanoseconds(clock_gettime(ClockId::Realtime));
        assert!((now - real).abs() < 1_000_000_000, "{now} {real}");
        assert!(clock.boot_id.is_none_or(|id| id.len() == 36));
    }
}
