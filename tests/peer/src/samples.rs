//! Channels and events as clients describe them.

use lttngd_model::{
    BufferMode, ChannelAttributes, ChannelListing, ChannelOutput, EventDescription,
};

/// A channel of this name with small buffers.
#[must_use]
pub fn channel_listing(name: &str) -> ChannelListing {
    ChannelListing {
        name: name.to_owned(),
        enabled: true,
        attributes: ChannelAttributes {
            mode: BufferMode::Default,
            subbuf_size_bytes: 4096,
            num_subbuf: 4,
            switch_timer_interval_us: 0,
            read_timer_interval_us: 0,
            monitor_timer_interval_us: 0,
            live_timer_interval_us: 0,
            blocking_timeout_us: 0,
            output: ChannelOutput::Mmap,
            tracefile_size_bytes: 0,
            tracefile_count: 0,
        },
        discarded_events: 0,
        lost_packets: 0,
    }
}

/// A tracepoint of this name, at every log level.
#[must_use]
pub fn event_description(name: &str) -> EventDescription {
    EventDescription {
        kind: 0,
        loglevel_type: 0,
        loglevel: -1,
        enabled: 0,
        pid: 0,
        flags: 0,
        name: name.to_owned(),
        exclusions: Vec::new(),
        filter: None,
        probe: None,
        userspace_probe: None,
    }
}
