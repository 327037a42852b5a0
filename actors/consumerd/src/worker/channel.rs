//! A data channel: what its streams have in common.

use std::sync::Arc;

use lttngd_model::SessionId;
use lttngd_runtime::Held;

use super::{
    new::{ChannelEnd, Counts, OutputConfig, Timers},
    poller::WatchToken,
    throttle::WakeupThrottle,
};
use crate::{chunk::Chunk, shm::ShmPlace};

/// A channel that runs.
#[derive(Debug)]
pub(super) struct DataChannel {
    pub(super) session: SessionId,
    pub(super) monitored: bool,
    /// The chunk that its streams are to go to.
    pub(super) chunk: Option<Arc<Chunk>>,
    /// The streams' slots.
    pub(super) streams: Vec<usize>,
    pub(super) end: ChannelEnd,
    pub(super) watched: Option<WatchToken>,
    pub(super) throttle: WakeupThrottle,
    pub(super) timers: Timers,
    pub(super) is_live: bool,
    pub(super) writing: Arc<OutputConfig>,
    /// Counts of streams that have ended.
    pub(super) ended: Counts,
    /// Removes the files of shared memory when it is dropped.
    pub(super) _shm: Option<ShmPlace>,
    /// The places of its descriptors in the budget, and of streams that came later.
    pub(super) held: Vec<Held>,
}

impl DataChannel {
    /// Its id in the trace.
    pub(super) fn stream_id(&self) -> u64 {
        self.end.stream_id()
    }
}
