//! The clock of packets that are closed or opened here. It must be the one of the applications.

use rustix::time::{ClockId, clock_gettime};

const NS_PER_S: u64 = 1_000_000_000;

/// The trace clock of the applications.
pub trait Clock {
    /// The time, in the clock's units. It is called within loops and must not block.
    fn now(&self) -> u64;
}

/// For clock plugins, and tests.
impl<F: Fn() -> u64> Clock for F {
    fn now(&self) -> u64 {
        self()
    }
}

/// `CLOCK_MONOTONIC` in nanoseconds: the clock of applications that have no clock plugin.
#[derive(Clone, Copy, Debug, Default)]
pub struct MonotonicClock;

impl Clock for MonotonicClock {
    fn now(&self) -> u64 {
        let now = clock_gettime(ClockId::Monotonic);
        now.tv_sec.cast_unsigned() * NS_PER_S + now.tv_nsec.cast_unsigned()
    }
}
