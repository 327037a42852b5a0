//! How much a channel may have.

/// Largest count of streams of a channel: more CPUs than Linux supports.
pub const CPU_COUNT_MAX: u32 = 8192;
/// Largest count of sub-buffers of a stream.
pub const SUBBUF_COUNT_MAX: u64 = 1 << 20;
/// Largest size in bytes of the sub-buffers of a stream together.
pub const BUFFER_MAX_LEN: u64 = 1 << 40;
