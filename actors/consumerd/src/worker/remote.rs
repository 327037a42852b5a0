//! A stream as a relay daemon knows it.

use lttngd_model::{NetIndex, RelayStreamHandle};
use lttngd_relaystream::RelayStream;

/// A stream at a relay daemon.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct RemoteStream {
    pub(super) net_index: NetIndex,
    pub(super) stream: RelayStream,
    /// Whether packets are indexed. Those of snapshots are not.
    pub(super) indexed: bool,
}

impl RemoteStream {
    pub(super) fn new(net_index: NetIndex, handle: RelayStreamHandle, indexed: bool) -> Self {
        Self { net_index, stream: RelayStream::new(handle), indexed }
    }

    /// By which the relay daemon knows it.
    pub(super) fn handle(&self) -> RelayStreamHandle {
        self.stream.handle()
    }
}

/// What became of a packet for a relay daemon.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Sent {
    /// It is written, with so many bytes.
    Whole(u64),
    /// It cannot go on now. Whether a part of it is sent.
    Parked {
        /// Then the same packet has to come before any other.
        partly: bool,
    },
    /// It will never be.
    Lost,
}
