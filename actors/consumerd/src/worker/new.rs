//! What a data thread is given, and what it tells.

use std::{
    fmt,
    os::fd::{BorrowedFd, OwnedFd},
    sync::Arc,
    time::Duration,
};

use lttngd_model::{ChannelKey, ChunkId, NetIndex, RelaySessionId, SessionId};
use lttngd_relaystream::RelayLimits;
use lttngd_ringbuffer::Losses;
use lttngd_runtime::{Held, Pause};
use lttngd_wire::{
    consumer::{CloseCommand, MetadataRequest},
    relay::Version,
};
use tokio::sync::mpsc::UnboundedSender;

use super::{stream_source::StreamSource, timers::Timer};
use crate::{
    chunk::Chunk, clock::PacketClock, event::Event, health::Pulse, samples::WrittenPackets,
    shm::ShmPlace,
};

/// What all data threads start with.
#[derive(Clone, Debug)]
pub(crate) struct Setup {
    pub(crate) events: UnboundedSender<Event>,
    pub(crate) clock: PacketClock,
    pub(crate) relay_limits: RelayLimits,
    /// Shows whether the thread does something.
    pub(crate) pulse: Pulse,
    /// Whether data stays in its buffers, as tests want it.
    pub(crate) pause: Pause,
}

/// The directory of what applications record.
pub(crate) const UST_DIRECTORY: &str = "ust";
/// The directory of what the kernel records.
pub(crate) const KERNEL_DIRECTORY: &str = "kernel";

/// Where and how the streams of a channel are written.
#[derive(Debug)]
pub(crate) struct OutputConfig {
    pub(crate) session: SessionId,
    /// The channel's name.
    pub(crate) name: String,
    /// Directory of the streams below that of their trace chunk.
    pub(crate) path: String,
    /// Directory of their domain at a relay daemon; here it is that of the trace chunk.
    pub(crate) domain: &'static str,
    /// The relay daemon that gets them.
    pub(crate) relay: Option<NetIndex>,
    pub(crate) tracefile_size_bytes: u64,
    pub(crate) tracefile_count: u32,
    /// How metadata of its trace is asked for.
    pub(crate) metadata_request: MetadataRequest,
}

impl OutputConfig {
    /// The name of a stream in the trace.
    pub(super) fn stream_name(&self, cpu: u32) -> String {
        format!("{}_{cpu}", self.name)
    }
}

/// Periods of a channel's timers in microseconds, 0 for none.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timers {
    pub(crate) switch_us: u32,
    pub(crate) read_us: u32,
    pub(crate) live_us: u32,
}

/// Shortest period of a timer: a data thread comes before all programs, and has other sessions.
const TIMER_PERIOD_MIN: Duration = Duration::from_millis(1);

impl Timers {
    /// Whether one is asked for that fires more often than any does.
    pub(super) fn are_too_fast(&self) -> bool {
        let is_too_fast = |us: u32| us > 0 && Duration::from_micros(us.into()) < TIMER_PERIOD_MIN;
        [self.switch_us, self.read_us, self.live_us].into_iter().any(is_too_fast)
    }

    pub(super) fn period(&self, timer: Timer) -> Option<Duration> {
        let period_us = match timer {
            Timer::Switch => self.switch_us,
            Timer::Read => self.read_us,
            Timer::Live => self.live_us,
        };
        (period_us > 0).then(|| Duration::from_micros(period_us.into()).max(TIMER_PERIOD_MIN))
    }
}

/// A channel that a data thread gets.
#[derive(Debug)]
pub(crate) struct NewChannel {
    pub(crate) key: ChannelKey,
    pub(crate) writing: OutputConfig,
    /// The trace chunk at the beginning.
    pub(crate) chunk: Option<Arc<Chunk>>,
    pub(crate) end: ChannelEnd,
    pub(crate) streams: Vec<NewStream>,
    pub(crate) shm: Option<ShmPlace>,
    pub(crate) monitored: bool,
    pub(crate) is_live: bool,
    pub(crate) timers: Timers,
    /// The place of its descriptors in the budget.
    pub(crate) held: Held,
}

/// What a channel's end is seen by, and its id in the trace is known from.
#[derive(Debug)]
pub(crate) enum ChannelEnd {
    /// The pipe of a channel of applications.
    Ring(Box<lttngd_ringbuffer::Channel>),
    /// A channel of the kernel ends with its last stream.
    Kernel {
        /// Its id in the trace.
        stream_id: u64,
        /// Whether its packets are mapped: one that is spliced has left its buffer.
        is_mapped: bool,
    },
}

impl ChannelEnd {
    /// The channel's id in the trace.
    pub(super) fn stream_id(&self) -> u64 {
        match self {
            Self::Ring(ring) => ring.config().channel_id.into(),
            Self::Kernel { stream_id, .. } => *stream_id,
        }
    }

    /// What becomes readable at the end.
    pub(super) fn reader(&self) -> Option<BorrowedFd<'_>> {
        match self {
            Self::Ring(ring) => Some(ring.hang_up_reader()),
            Self::Kernel { .. } => None,
        }
    }

    /// Whether snapshots leave in its buffers what they take.
    pub(super) fn keeps_packets(&self) -> bool {
        !matches!(self, Self::Kernel { is_mapped: false, .. })
    }

    pub(super) fn is_there(&self) -> bool {
        matches!(self, Self::Ring(ring) if ring.is_hung_up())
    }
}

/// A stream of a [`NewChannel`].
#[derive(Debug)]
pub(crate) struct NewStream {
    /// Where its packets come from.
    pub(crate) source: Box<dyn StreamSource>,
    /// Our write end of its pipe, where it has one.
    pub(crate) wakeup: Option<OwnedFd>,
    /// Counts what is written of it.
    pub(crate) written: WrittenPackets,
}

/// A metadata channel that a data thread gets.
#[derive(Debug)]
pub(crate) struct NewMetadata {
    pub(crate) key: ChannelKey,
    pub(crate) writing: OutputConfig,
    /// The trace chunk at the beginning.
    pub(crate) chunk: Option<Arc<Chunk>>,
    pub(crate) uuid: [u8; 16],
    /// Whether it is written all the time; otherwise only with snapshots.
    pub(crate) monitored: bool,
    /// Period in microseconds at which newer text is asked for, 0 for none.
    pub(crate) refresh_interval_us: u32,
}

/// Text of a metadata channel.
pub(crate) struct PushedText {
    pub(crate) key: ChannelKey,
    /// Where it stands in the whole text, in bytes.
    pub(crate) offset: u64,
    /// Text of another version begins anew.
    pub(crate) version: u64,
    /// The trace's UUID, where it is not known before its text is.
    pub(crate) uuid: Option<[u8; 16]>,
    pub(crate) text: Vec<u8>,
}

/// Without the text, which is long.
impl fmt::Debug for PushedText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, offset, version, uuid: _, text } = self;
        f.debug_struct("PushedText")
            .field("key", key)
            .field("offset", offset)
            .field("version", version)
            .field("len", &text.len())
            .finish()
    }
}

/// What a snapshot takes from a channel.
#[derive(Debug)]
pub(crate) struct Recording {
    pub(crate) key: ChannelKey,
    pub(crate) metadata: bool,
    /// Directory of the streams below that of the trace chunk.
    pub(crate) path: String,
    /// The relay daemon that gets it.
    pub(crate) relay: Option<NetIndex>,
    /// Newest packets of each stream, 0 for all.
    pub(crate) packets_max: u64,
    pub(crate) chunk: Arc<Chunk>,
}

/// The sockets of a connection, as the session daemon hands them over.
#[derive(Debug)]
pub(crate) struct RelaySockets {
    pub(crate) net_index: NetIndex,
    pub(crate) session: SessionId,
    pub(crate) relay_session_id: RelaySessionId,
    pub(crate) version: Version,
    pub(crate) control: OwnedFd,
    pub(crate) data: OwnedFd,
}

/// A trace chunk to be made at a relay daemon.
#[derive(Debug)]
pub(crate) struct NewRemoteChunk {
    pub(crate) net_index: NetIndex,
    pub(crate) id: ChunkId,
    pub(crate) name: String,
    pub(crate) created_at_s: u64,
}

/// A trace chunk to be closed at a relay daemon.
#[derive(Debug)]
pub(crate) struct ClosingChunk {
    pub(crate) net_index: NetIndex,
    pub(crate) id: ChunkId,
    pub(crate) closed_at_s: u64,
    pub(crate) command: Option<CloseCommand>,
}

/// What a channel has lost.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Counts {
    pub(crate) discarded_events: u64,
    pub(crate) lost_packets: u64,
}

impl Counts {
    /// Applications may tell any numbers.
    pub(super) fn add(&mut self, losses: Losses) {
        self.discarded_events = self.discarded_events.saturating_add(losses.discarded_events);
        self.lost_packets = self.lost_packets.saturating_add(losses.lost_packets);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_timer_fires_more_often_than_any_may() {
        let timers = Timers { switch_us: 1, read_us: 0, live_us: 2_000 };
        assert!(timers.are_too_fast());
        assert_eq!(timers.period(Timer::Switch), Some(TIMER_PERIOD_MIN));
        assert_eq!(timers.period(Timer::Read), None);
        assert_eq!(timers.period(Timer::Live), Some(Duration::from_millis(2)));
        assert!(!Timers { switch_us: 1_000, ..timers }.are_too_fast());
    }
}
