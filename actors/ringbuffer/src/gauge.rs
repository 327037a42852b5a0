//! How much of a stream is in use, for whoever is not its reader: looked at without the reader's being woken.

use std::ops::Deref;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};

use crate::config::Mode;
use crate::geometry::Geometry;
use crate::guard::Guard;
use crate::layout::{Control, Layout};
use crate::memory::Mapping;
use crate::stream::Positions;

/// The memory of a stream, which its reader has, and gauges while they look.
#[derive(Debug)]
pub(crate) struct Memory {
    // Before the memory that it guards.
    pub guard: Option<Guard>,
    mapping: Mapping,
}

impl Memory {
    pub fn new(mapping: Mapping, guard: Option<Guard>) -> Self {
        Self { guard, mapping }
    }
}

impl Deref for Memory {
    type Target = Mapping;

    fn deref(&self) -> &Mapping {
        &self.mapping
    }
}

/// Shows how full a stream's buffer is, in any thread. The stream's memory goes with its reader, not with this.
#[derive(Clone, Debug)]
pub struct Gauge {
    memory: Weak<Memory>,
    control: &'static Control,
    geometry: Geometry,
}

impl Gauge {
    pub(crate) fn new(memory: &Arc<Memory>, layout: &Layout) -> Self {
        let Layout { control, geometry, .. } = *layout;
        Self { memory: Arc::downgrade(memory), control, geometry }
    }

    /// Whether there is no such stream any more.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        self.memory.strong_count() == 0
    }

    /// Where writers and reader are now. `None` when the stream is gone, or its positions are as no application's LTTng-UST
    /// leaves them.
    #[must_use]
    pub fn positions(&self) -> Option<Positions> {
        let memory = self.memory.upgrade()?;
        // In this order: the writers may push the reader meanwhile, never beyond themselves.
        let consumed = memory.word(self.control.consumed).load(Ordering::SeqCst);
        let produced = memory.word(self.control.offset).load(Ordering::SeqCst);
        let ahead = self.geometry.ahead(produced, consumed);
        let positions = Positions { consumed, produced: consumed.wrapping_add_signed(ahead) };
        let used_bytes = positions.used_bytes();
        let is_possible = match self.geometry.mode {
            Mode::Discard => used_bytes <= self.geometry.buf_size(),
            Mode::Overwrite => used_bytes.cast_signed() >= 0,
        };
        is_possible.then_some(positions)
    }
}
