//! Channels as clients describe them.

/// What a full ring buffer does with new events.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum BufferMode {
    /// The session decides: overwrite in snapshot sessions, discard otherwise (wire value -1).
    Default,
    /// New events are dropped and counted.
    Discard,
    /// The oldest sub-buffer is overwritten.
    Overwrite,
}

/// How a consumer daemon reads a channel (`enum lttng_event_output`).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u32)]
pub enum ChannelOutput {
    /// `splice(2)`; the kernel domain only.
    Splice = 0,
    /// `mmap(2)`.
    Mmap = 1,
}

/// The attributes of a channel (`struct lttng_channel_attr` and its extension).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ChannelAttributes {
    /// What a full buffer does.
    pub mode: BufferMode,
    /// Size of one sub-buffer in bytes; a power of two, at least a page.
    pub subbuf_size_bytes: u64,
    /// Count of sub-buffers; a power of two.
    pub num_subbuf: u64,
    /// Period of the switch timer in microseconds, 0 for none.
    pub switch_timer_interval_us: u32,
    /// Period of the read timer in microseconds, 0 for none.
    pub read_timer_interval_us: u32,
    /// Period of the monitor timer in microseconds, 0 for none.
    pub monitor_timer_interval_us: u64,
    /// Period of the live timer in microseconds, 0 for none.
    pub live_timer_interval_us: u32,
    /// How long a producer may wait for room, in microseconds: 0 not at all, -1 for ever.
    pub blocking_timeout_us: i64,
    /// How the consumer reads it.
    pub output: ChannelOutput,
    /// Largest size of one trace file in bytes, 0 for no limit.
    pub tracefile_size_bytes: u64,
    /// Largest count of trace files of one stream, 0 for no limit.
    pub tracefile_count: u64,
}

/// A channel as a client names it or a listing shows it (`struct lttng_channel`).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ChannelListing {
    /// Name, without NUL.
    pub name: String,
    /// Whether it records.
    pub enabled: bool,
    /// Its attributes.
    pub attributes: ChannelAttributes,
    /// Events dropped since the session began; listings only.
    pub discarded_events: u64,
    /// Packets overwritten since the session began; listings only.
    pub lost_packets: u64,
}
