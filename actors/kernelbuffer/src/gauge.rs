//! How full a buffer is, for whoever is not its reader.

use std::sync::{Arc, Weak};

use lttngd_ringbuffer::Positions;
use lttngd_wire::kernel::ReaderCall;
use rustix::io::Errno;

use crate::calls::Calls;

/// Shows how full a stream's buffer is, in any thread. The stream goes with its reader, not with this.
#[derive(Clone, Debug)]
pub struct KernelGauge(Weak<dyn Calls>);

impl KernelGauge {
    pub(crate) fn new(calls: &Arc<dyn Calls>) -> Self {
        Self(Arc::downgrade(calls))
    }

    /// Whether there is no such stream any more.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        self.0.strong_count() == 0
    }

    /// Where writers and reader are now. `None` when the stream is gone, or nothing can be known of it. The kernel
    /// has one sample for all who look: what two of them see is of one of their moments.
    #[must_use]
    pub fn positions(&self) -> Option<Positions> {
        positions(&*self.0.upgrade()?).ok()
    }
}

pub(crate) fn positions(calls: &dyn Calls) -> Result<Positions, Errno> {
    calls.tell(ReaderCall::SamplePositions)?;
    let consumed = calls.ask(ReaderCall::ConsumedPosition)?;
    let produced = calls.ask(ReaderCall::ProducedPosition)?;
    Ok(Positions { consumed, produced })
}
