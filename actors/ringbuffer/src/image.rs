//! The channel object: what applications copy to know the layout of a channel's streams (LTTng-UST
//! 2.12 to 2.16, `struct lttng_ust_ring_buffer_channel`). It is sent, not shared.

use lttngd_model::BufferLayout;

use crate::config::{BLOCKING_FOREVER, ChannelConfig, Mode};
use crate::geometry::Geometry;
use crate::layout::REF_LEN;

/// Size in bytes of the part before the references to streams counts.
const FIXED_LEN: usize = 768;
const NAME_LEN: usize = 255;
/// Bits of an event's compact timestamp.
const TIMESTAMP_BITS: u32 = 27;
const US_PER_MS: i64 = 1000;

/// Offsets of members.
mod member {
    pub const COMMIT_COUNT_MASK: usize = 8;
    pub const SWITCH_TIMER_INTERVAL: usize = 16;
    pub const SWITCH_TIMER_ENABLED: usize = 32;
    pub const READ_TIMER_INTERVAL: usize = 40;
    pub const READ_TIMER_ENABLED: usize = 56;
    pub const PRIVATE_OFFSET: usize = 64;
    pub const STREAM_COUNT: usize = 72;
    pub const BLOCKING_TIMEOUT_MS: usize = 88;
    pub const BUF_SIZE: usize = 120;
    pub const SUBBUF_SIZE: usize = 128;
    pub const SUBBUF_SIZE_ORDER: usize = 136;
    pub const NUM_SUBBUF_ORDER: usize = 140;
    pub const BUF_SIZE_ORDER: usize = 144;
    pub const EXTRA_READER_SUBBUF: usize = 148;
    pub const NUM_SUBBUF: usize = 152;
    pub const START_TIME: usize = 160;
    pub const CONFIG_SYNC: usize = 188;
    pub const CONFIG_MODE: usize = 192;
    pub const CONFIG_OUTPUT: usize = 196;
    pub const CONFIG_OOPS: usize = 204;
    pub const CONFIG_IPI: usize = 208;
    pub const CONFIG_WAKEUP: usize = 212;
    pub const CONFIG_TIMESTAMP_BITS: usize = 216;
}

/// What differs from ABI to ABI.
struct Places {
    client_type: usize,
    name: usize,
    /// The references to streams begin within the fixed part's padding.
    stream_refs: usize,
    /// Size in bytes of the private part of the client library, at the end, and members within it.
    private_len: usize,
    private_id: usize,
    private_uuid: usize,
}

impl Places {
    fn of(layout: BufferLayout) -> Self {
        match layout {
            BufferLayout::Ust8 => Self {
                client_type: 304,
                name: 344,
                stream_refs: 664,
                private_len: 120,
                private_id: 92,
                private_uuid: 100,
            },
            BufferLayout::Ust11 => Self {
                client_type: 312,
                name: 352,
                stream_refs: 672,
                private_len: 64,
                private_id: 0,
                private_uuid: 4,
            },
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
    let private = FIXED_LEN + REF_LEN as usize * config.cpu_count as usize;
    let places = Places::of(config.layout);
    let mut image = Image(vec![0; private + places.private_len]);
    image.u64(member::COMMIT_COUNT_MASK, geometry.commit_mask());
    image.u64(member::SWITCH_TIMER_INTERVAL, config.switch_timer_interval_us.into());
    image.u32(member::SWITCH_TIMER_ENABLED, (config.switch_timer_interval_us != 0).into());
    image.u64(member::READ_TIMER_INTERVAL, config.read_timer_interval_us.into());
    image.u32(member::READ_TIMER_ENABLED, (config.read_timer_interval_us != 0).into());
    image.u64(member::PRIVATE_OFFSET, private as u64);
    image.u32(member::STREAM_COUNT, config.cpu_count);
    let timeout_ms = blocking_timeout_ms(config.blocking_timeout_us);
    image.u32(member::BLOCKING_TIMEOUT_MS, timeout_ms.cast_unsigned());
    image.u64(member::BUF_SIZE, geometry.buf_size());
    image.u64(member::SUBBUF_SIZE, geometry.subbuf_size());
    image.u32(member::SUBBUF_SIZE_ORDER, geometry.subbuf_order);
    image.u32(member::NUM_SUBBUF_ORDER, geometry.num_order);
    image.u32(member::BUF_SIZE_ORDER, geometry.buf_order());
    image.u32(member::EXTRA_READER_SUBBUF, geometry.exchanges.into());
    image.u64(member::NUM_SUBBUF, geometry.num_subbuf());
    image.u64(member::START_TIME, start_time);
    let (name, client_type) = transport(config);
    image.u32(member::CONFIG_SYNC, 1);
    image.u32(member::CONFIG_MODE, (config.mode == Mode::Discard).into());
    image.u32(member::CONFIG_OUTPUT, 1);
    image.u32(member::CONFIG_OOPS, 1);
    image.u32(member::CONFIG_IPI, 1);
    image.u32(member::CONFIG_WAKEUP, (config.read_timer_interval_us == 0).into());
    image.u32(member::CONFIG_TIMESTAMP_BITS, TIMESTAMP_BITS);
    image.u32(places.client_type, client_type);
    debug_assert!(name.len() < NAME_LEN);
    image.bytes(places.name, name.as_bytes());
    for cpu in 0..config.cpu_count {
        let offset = places.stream_refs + REF_LEN as usize * cpu as usize;
        image.u64(offset, stream_object(cpu));
    }
    image.u32(private + places.private_id, config.channel_id);
    image.bytes(private + places.private_uuid, &config.trace_uuid);
    image.0
}

/// The number of a stream's object in references; the channel's is 0.
pub(crate) fn stream_object(cpu: u32) -> u64 {
    u64::from(cpu) + 1
}

/// Bytes being filled.
struct Image(Vec<u8>);

impl Image {
    fn bytes(&mut self, offset: usize, bytes: &[u8]) {
        self.0[offset..offset + bytes.len()].copy_from_slice(bytes);
    }

    fn u32(&mut self, offset: usize, value: u32) {
        self.bytes(offset, &value.to_ne_bytes());
    }

    fn u64(&mut self, offset: usize, value: u64) {
        self.bytes(offset, &value.to_ne_bytes());
    }
}
