//! The channels of a session in the kernel's domain.

use super::trackers::KernelTrackers;
use crate::{
    BufferMode, ChannelAttributes, ChannelListing, ChannelOutput, Context, ErrorCode, EventKind,
    EventListing, Filter, ProbeAttributes, SessionKind, UserspaceProbe, ust::DEFAULT_CHANNEL_NAME,
};

/// Size of one sub-buffer by default, in bytes.
const SUBBUF_SIZE_BYTES: u64 = 1 << 20;
/// Count of sub-buffers by default.
const NUM_SUBBUF: u64 = 4;
/// Period of the read timer by default.
const READ_TIMER_INTERVAL_US: u32 = 200_000;
/// Period of the monitor timer by default.
const MONITOR_TIMER_INTERVAL_US: u64 = 1_000_000;
/// Size of one sub-buffer of metadata, in bytes, and their count.
const METADATA_SUBBUF_SIZE_BYTES: u64 = 4096;
const METADATA_NUM_SUBBUF: u64 = 2;

/// What the rules need to know of the session and of the tracer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct KernelFacts {
    /// What the session is for.
    pub kind: SessionKind,
    /// Whether it was started at least once, after which channels and contexts are fixed.
    pub was_started: bool,
    /// Whether snapshots of it have a place, for which packets must be mapped.
    pub has_snapshot_output: bool,
    /// Whether the tracer tells how far a buffer is filled.
    pub can_be_monitored: bool,
}

/// An event rule. Kind, name and filter bytecode are its identity.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct KernelRule {
    /// Identity among the rules of the session. Never reused.
    pub index: u32,
    /// Kind: any but all and nothing.
    pub kind: EventKind,
    /// Name, or pattern for tracepoints and system calls.
    pub name: String,
    /// Filter.
    pub filter: Option<Filter>,
    /// Where in the kernel, for probes and functions.
    pub probe: Option<ProbeAttributes>,
    /// Where in a program, for probes in user space.
    pub userspace_probe: Option<UserspaceProbe>,
    /// Whether it records.
    pub enabled: bool,
}

impl KernelRule {
    fn listing(&self) -> EventListing {
        EventListing {
            // Every function is one kind here.
            kind: match self.kind {
                EventKind::FunctionEntry => EventKind::Function,
                kind => kind,
            },
            name: self.name.clone(),
            loglevel_type: 0,
            loglevel: 0,
            enabled: i8::from(self.enabled),
            pid: 0,
            flags: 0,
            filter_expression: self.filter.as_ref().map(|filter| filter.expression.clone()),
            exclusions: Vec::new(),
            probe: self.probe.clone(),
            userspace_probe: self.userspace_probe.clone(),
        }
    }
}

/// A channel.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct KernelChannel {
    /// Identity among the channels of the session, in the order of creation from 0. Never reused.
    pub index: u32,
    /// Name.
    pub name: String,
    /// Whether it records.
    pub enabled: bool,
    /// Attributes, resolved: the mode is never [`BufferMode::Default`].
    pub attributes: ChannelAttributes,
    /// Contexts in the order they were added; none twice.
    pub contexts: Vec<Context>,
    /// Event rules in the order they were enabled.
    pub events: Vec<KernelRule>,
}

impl KernelChannel {
    /// Whether a full buffer overwrites its oldest sub-buffer.
    #[must_use]
    pub fn overwrites(&self) -> bool {
        self.attributes.mode == BufferMode::Overwrite
    }

    fn listing(&self) -> ChannelListing {
        ChannelListing {
            name: self.name.clone(),
            enabled: self.enabled,
            attributes: self.attributes,
            discarded_events: 0,
            lost_packets: 0,
        }
    }
}

/// The kernel's domain of a session. It exists from the first command that names the domain.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct KernelDomain {
    /// Channels in the order they were created.
    pub channels: Vec<KernelChannel>,
    /// Which processes record.
    pub trackers: KernelTrackers,
    /// Whether a channel was asked for by name, after which events must name theirs.
    pub(super) has_non_default_channel: bool,
    /// Index of the next channel.
    pub(super) next_channel: u32,
    /// Index of the next event rule.
    pub(super) next_rule: u32,
}

impl KernelDomain {
    /// The channel that a command means: an empty name is the default one's.
    pub(super) fn meant(&self, name: &str) -> Option<&KernelChannel> {
        let name = if name.is_empty() { DEFAULT_CHANNEL_NAME } else { name };
        self.channels.iter().find(|channel| channel.name == name)
    }

    /// The channel of an index.
    pub(super) fn channel_mut(&mut self, index: u32) -> Option<&mut KernelChannel> {
        self.channels.iter_mut().find(|channel| channel.index == index)
    }

    /// The channels by their indexes, the newest first (LIST_CHANNELS). The counters are 0: only the consumer
    /// daemon knows them.
    #[must_use]
    pub fn list_channels(&self) -> Vec<(u32, ChannelListing)> {
        let newest_first = self.channels.iter().rev();
        newest_first.map(|channel| (channel.index, channel.listing())).collect()
    }

    /// The event rules of a channel, the newest first (LIST_EVENTS).
    ///
    /// # Errors
    /// [`ErrorCode::KernChanNotFound`].
    pub fn list_events(&self, channel: &str) -> Result<Vec<EventListing>, ErrorCode> {
        let channel = self.meant(channel).ok_or(ErrorCode::KernChanNotFound)?;
        Ok(channel.events.iter().rev().map(KernelRule::listing).collect())
    }

    /// Whether a channel's packets cannot be mapped, which snapshots need.
    #[must_use]
    pub fn has_spliced_channel(&self) -> bool {
        self.channels.iter().any(|channel| channel.attributes.output == ChannelOutput::Splice)
    }
}

impl ChannelAttributes {
    /// The attributes of a channel that the daemon makes of its own accord in the kernel's domain.
    #[must_use]
    pub fn kernel() -> Self {
        Self {
            mode: BufferMode::Default,
            subbuf_size_bytes: SUBBUF_SIZE_BYTES,
            num_subbuf: NUM_SUBBUF,
            switch_timer_interval_us: 0,
            read_timer_interval_us: READ_TIMER_INTERVAL_US,
            monitor_timer_interval_us: MONITOR_TIMER_INTERVAL_US,
            live_timer_interval_us: 0,
            blocking_timeout_us: 0,
            output: ChannelOutput::Splice,
            tracefile_size_bytes: 0,
            tracefile_count: 0,
        }
    }

    /// Those of the kernel's metadata channels. A sub-buffer has at least one page, `page_size_bytes`.
    #[must_use]
    pub fn kernel_metadata(page_size_bytes: u64) -> Self {
        Self {
            mode: BufferMode::Discard,
            subbuf_size_bytes: METADATA_SUBBUF_SIZE_BYTES.max(page_size_bytes),
            num_subbuf: METADATA_NUM_SUBBUF,
            read_timer_interval_us: 0,
            monitor_timer_interval_us: 0,
            output: ChannelOutput::Mmap,
            ..Self::kernel()
        }
    }
}
