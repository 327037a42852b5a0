//! The clock of packets, which is that of the applications.

use std::sync::Arc;

use lttngd_ringbuffer::{Clock, MonotonicClock};

/// A clock for the ring buffers: the usual one, or a clock plugin's.
#[derive(Clone, Default)]
pub struct PacketClock(Option<Arc<dyn Fn() -> u64 + Send + Sync>>);

impl PacketClock {
    /// A clock that `read` reads.
    pub fn plugin(read: impl Fn() -> u64 + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(read)))
    }
}

impl std::fmt::Debug for PacketClock {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = if self.0.is_some() { "plugin" } else { "monotonic" };
        formatter.debug_tuple("PacketClock").field(&name).finish()
    }
}

impl Clock for PacketClock {
    fn now(&self) -> u64 {
        match &self.0 {
            Some(read) => read(),
            None => MonotonicClock.now(),
        }
    }
}
