//! Numbers of connections.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use lttngd_model::NetIndex;

/// The first one that the stock daemon gives out.
const FIRST: u64 = 2;

/// Gives out network sequence indexes, each once in the life of a daemon.
#[derive(Clone, Debug)]
pub struct NetIndexes(Arc<AtomicU64>);

impl Default for NetIndexes {
    fn default() -> Self {
        Self(Arc::new(AtomicU64::new(FIRST)))
    }
}

impl NetIndexes {
    /// The next index.
    #[must_use]
    pub fn next(&self) -> NetIndex {
        NetIndex(self.0.fetch_add(1, Ordering::Relaxed))
    }
}
