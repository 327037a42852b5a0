//! The channel object: what applications copy to know the layout of a channel's streams (LTTng-UST
//! 2.12 to 2.16, `struct lttng_ust_ring_buffer_channel`). It is sent, not shared.

use lttngd_model::{Bitness, BufferLayout};

use crate::config::{BLOCKING_FOREVER, ChannelConfig, Mode};
use crate::geometry::Geometry;
use crate::layout::{ref_len, word_len};

const NAME_LEN: usize = 255;
/// Bits of an event's compact timestamp.
pub(crate) const TIMESTAMP_BITS: u32 = 27;
const US_PER_MS: i64 = 1000;

/// Offsets of members, which differ by the words of applications and from ABI to ABI.
struct Places {
    commit_count_mask: usize,
    switch_timer_interval: usize,
    switch_timer_enabled: usize,
    read_timer_interval: usize,
    read_timer_enabled: usize,
    private_offset: usize,
    stream_count: usize,
    blocking_timeout_ms: usize,
    buf_size: usize,
    subbuf_size: usize,
    /// Of a sub-buffer, then of their number, then of the buffer, 4 bytes each.
    orders: usize,
    extra_reader_subbuf: usize,
    num_subbuf: usize,
    start_time: usize,
    config: usize,
    client_type: usize,
    name: usize,
    /// The references to streams begin within the fixed part's padding.
    stream_refs: usize,
    /// Size in bytes of the part before what those references take.
    fixed_len: usize,
    /// Size in bytes of the private part of the client library, at the end, and members within it.
    private_len: usize,
    private_id: usize,
    private_uuid: usize,
}

/// Members of the configuration within it.
mod config_member {
    pub const SYNC: usize = 4;
    pub const MODE: usize = 8;
    pub const OUTPUT: usize = 12;
    pub const OOPS: usize = 20;
    pub const IPI: usize = 24;
    pub const WAKEUP: usize = 28;
    pub const TIMESTAMP_BITS: usize = 32;
}

const UST8_64: Places = Places {
    commit_count_mask: 8,
    switch_timer_interval: 16,
    switch_timer_enabled: 32,
    read_timer_interval: 40,
    read_timer_enabled: 56,
    private_offset: 64,
    stream_count: 72,
    blocking_timeout_ms: 88,
    buf_size: 120,
    subbuf_size: 128,
    orders: 136,
    extra_reader_subbuf: 148,
    num_subbuf: 152,
    start_time: 160,
    config: 184,
    client_type: 304,
    name: 344,
    stream_refs: 664,
    fixed_len: 768,
    private_len: 120,
    private_id: 92,
    private_uuid: 100,
};
const UST11_64: Places = Places {
    client_type: 312,
    name: 352,
    stream_refs: 672,
    private_len: 64,
    private_id: 0,
    private_uuid: 4,
    ..UST8_64
};
const UST8_32: Places = Places {
    commit_count_mask: 4,
    switch_timer_interval: 8,
    switch_timer_enabled: 16,
    read_timer_interval: 20,
    read_timer_enabled: 28,
    private_offset: 36,
    stream_count: 40,
    blocking_timeout_ms: 48,
    buf_size: 80,
    subbuf_size: 84,
    orders: 88,
    extra_reader_subbuf: 100,
    num_subbuf: 104,
    start_time: 108,
    config: 124,
    client_type: 200,
    name: 232,
    stream_refs: 552,
    fixed_len: 640,
    private_len: 80,
    private_id: 52,
    private_uuid: 60,
};
const UST11_32: Places = Places {
    client_type: 204,
    name: 236,
    stream_refs: 556,
    private_len: 64,
    private_id: 0,
    private_uuid: 4,
    ..UST8_32
};

impl Places {
    fn of(config: &ChannelConfig) -> &'static Self {
        match (config.layout, config.bitness) {
            (BufferLayout::Ust8, Bitness::Bits64) => &UST8_64,
            (BufferLayout::Ust8, Bitness::Bits32) => &UST8_32,
            (BufferLayout::Ust11, Bitness::Bits64) => &UST11_64,
            (BufferLayout::Ust11, Bitness::Bits32) => &UST11_32,
        }
    }
}

/// The transport by its name and its number among the client types.
fn transport(config: &ChannelConfig) -> (&'static str, u32) {
    match (config.mode, config.read_timer_interval_us) {
        (Mode::Discard, 0) => ("relay-discard-mmap", 1),
        (Mode::Overwrite, 0) => ("relay-overwrite-mmap", 2),
        (Mode::Discard, _) => ("relay-discard-rt-mmap", 3),
        (Mode::Overwrite, _) => ("relay-overwrite-rt-mmap", 4),
    }
}

/// In milliseconds, as applications wait; a shorter time than one is not lost.
fn blocking_timeout_ms(timeout_us: i64) -> i32 {
    if timeout_us <= BLOCKING_FOREVER {
        return -1;
    }
    i32::try_from(timeout_us / US_PER_MS).unwrap_or(i32::MAX)
}

/// The bytes of the channel object of a checked configuration.
pub(crate) fn encode(config: &ChannelConfig, start_time: u64) -> Vec<u8> {
    let geometry = Geometry::new(config);
    let places = Places::of(config);
    let ref_len = ref_len(config.bitness) as usize;
    let private = places.fixed_len + ref_len * config.cpu_count as usize;
    let bytes = vec![0; private + places.private_len];
    let mut image = Image { bytes, word_len: word_len(config.bitness) as usize };
    image.word(places.commit_count_mask, geometry.commit_mask());
    image.word(places.switch_timer_interval, config.switch_timer_interval_us.into());
    image.u32(places.switch_timer_enabled, (config.switch_timer_interval_us != 0).into());
    image.word(places.read_timer_interval, config.read_timer_interval_us.into());
    image.u32(places.read_timer_enabled, (config.read_timer_interval_us != 0).into());
    image.word(places.private_offset, private as u64);
    image.u32(places.stream_count, config.cpu_count);
    let timeout_ms = blocking_timeout_ms(config.blocking_timeout_us);
    image.u32(places.blocking_timeout_ms, timeout_ms.cast_unsigned());
    image.word(places.buf_size, geometry.buf_size());
    image.word(places.subbuf_size, geometry.subbuf_size());
    image.u32(places.orders, geometry.subbuf_order);
    image.u32(places.orders + 4, geometry.num_order);
    image.u32(places.orders + 8, geometry.buf_order());
    image.u32(places.extra_reader_subbuf, geometry.exchanges.into());
    image.word(places.num_subbuf, geometry.num_subbuf());
    image.put(places.start_time, &start_time.to_ne_bytes());
    let (name, client_type) = transport(config);
    for (at, value) in [
        (config_member::SYNC, 1),
        (config_member::MODE, (config.mode == Mode::Discard).into()),
        (config_member::OUTPUT, 1),
        (config_member::OOPS, 1),
        (config_member::IPI, 1),
        (config_member::WAKEUP, (config.read_timer_interval_us == 0).into()),
        (config_member::TIMESTAMP_BITS, TIMESTAMP_BITS),
    ] {
        image.u32(places.config + at, value);
    }
    image.u32(places.client_type, client_type);
    debug_assert!(name.len() < NAME_LEN);
    image.put(places.name, name.as_bytes());
    for cpu in 0..config.cpu_count {
        image.word(places.stream_refs + ref_len * cpu as usize, stream_object(cpu));
    }
    image.u32(private + places.private_id, config.channel_id);
    image.put(private + places.private_uuid, &config.trace_uuid);
    image.bytes
}

/// The number of a stream's object in references; the channel's is 0.
pub(crate) fn stream_object(cpu: u32) -> u64 {
    u64::from(cpu) + 1
}

/// Bytes being filled.
struct Image {
    bytes: Vec<u8>,
    /// Size in bytes of the words of applications.
    word_len: usize,
}

impl Image {
    fn put(&mut self, offset: usize, bytes: &[u8]) {
        self.bytes[offset..offset + bytes.len()].copy_from_slice(bytes);
    }

    fn u32(&mut self, offset: usize, value: u32) {
        self.put(offset, &value.to_ne_bytes());
    }

    /// A word, in the order of bytes of the machine, which is the one that the layout is known of: the low ones are first.
    fn word(&mut self, offset: usize, value: u64) {
        let len = self.word_len;
        self.put(offset, &value.to_le_bytes()[..len]);
    }
}
