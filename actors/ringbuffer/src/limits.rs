//! How much a channel may have.

/// Largest count of streams of a channel: more CPUs than Linux supports.
pub const CPU_COUNT_MAX: u32 = 8192;
/// Largest count of sub-buffers of a stream.
pub const SUBBUF_COUNT_MAX: u64 = 1 << 20;
/// The same for applications of 32 bits: half of an id of 32 bits is a sub-buffer's number, and the reader has some as well.
pub const SUBBUF_COUNT_MAX_32: u64 = 1 << 15;
/// Largest size in bytes of the sub-buffers of a stream together.
pub const BUFFER_MAX_LEN: u64 = 1 << 40;
/// The same for applications of 32 bits: a part of their address space, and of a position.
pub const BUFFER_MAX_LEN_32: u64 = 1 << 30;
