//! What a channel is made from, as the session daemon asks for it.

use lttngd_model::{Bitness, BufferLayout};

use crate::{
    error::ConfigError,
    limits::{
        BUFFER_MAX_LEN, BUFFER_MAX_LEN_32, CPU_COUNT_MAX, SUBBUF_COUNT_MAX, SUBBUF_COUNT_MAX_32,
    },
};

/// Size in bytes of a trace's UUID.
pub const UUID_LEN: usize = 16;
/// Bytes of sub-buffers that the reader of a stream of which snapshots are taken has to give for others,
/// unless two have more: with two it copies one while writers fill the others.
pub const SPARE_MAX_LEN: u64 = 1 << 20;
/// A blocking timeout without an end.
pub const BLOCKING_FOREVER: i64 = -1;

/// What a writer does when its buffer is full.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Mode {
    /// It drops the new event, and counts it.
    Discard,
    /// It drops the oldest packet.
    Overwrite,
}

/// A channel of an application's or of a user's buffers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ChannelConfig {
    /// What happens when a buffer is full.
    pub mode: Mode,
    /// Size of a sub-buffer in bytes: a power of two, at least a page.
    pub subbuf_size_bytes: u64,
    /// Sub-buffers of each stream: a power of two, in overwrite mode at least two.
    pub num_subbuf: u64,
    /// Time in microseconds between flushes, 0 for none. The buffers only tell it.
    pub switch_timer_interval_us: u32,
    /// Time in microseconds between looks at the buffers, 0 for none. When there is one, applications
    /// write nothing to the wake-up pipes (the transports with `-rt` in their names).
    pub read_timer_interval_us: u32,
    /// How long a writer that may block waits for room, in microseconds; [`BLOCKING_FOREVER`].
    pub blocking_timeout_us: i64,
    /// The channel's id in the trace, `stream_id` of its packets.
    pub channel_id: u32,
    /// The trace that its packets are of.
    pub trace_uuid: [u8; UUID_LEN],
    /// Streams of the channel, one for each possible CPU: see
    /// [`possible_cpu_count`](crate::possible_cpu_count).
    pub cpu_count: u32,
    /// Whether snapshots are taken of it. Where sub-buffers are exchanged its readers then have more than one
    /// to give for others ([`SPARE_MAX_LEN`]).
    pub snapshots: bool,
    /// Whose applications write to it.
    pub layout: BufferLayout,
    /// The size of those applications' `long`.
    pub bitness: Bitness,
}

impl ChannelConfig {
    /// Checks all that the layout rests on.
    pub(crate) fn check(&self, page_size: u64) -> Result<(), ConfigError> {
        let subbuf_size = self.subbuf_size_bytes;
        if !subbuf_size.is_power_of_two() || subbuf_size < page_size {
            return Err(ConfigError::SubbufSize { value: subbuf_size, page_size });
        }
        let fewest = if self.mode == Mode::Overwrite { 2 } else { 1 };
        let (most, max) = match self.bitness {
            Bitness::Bits32 => (SUBBUF_COUNT_MAX_32, BUFFER_MAX_LEN_32),
            Bitness::Bits64 => (SUBBUF_COUNT_MAX, BUFFER_MAX_LEN),
        };
        let count = self.num_subbuf;
        if !count.is_power_of_two() || !(fewest..=most).contains(&count) {
            return Err(ConfigError::SubbufCount { value: count, fewest, most });
        }
        if subbuf_size.checked_mul(count).is_none_or(|size| size > max) {
            return Err(ConfigError::BufferSize { subbuf_size, count, max });
        }
        if !(1..=CPU_COUNT_MAX).contains(&self.cpu_count) {
            return Err(ConfigError::CpuCount { value: self.cpu_count });
        }
        Ok(())
    }
}
