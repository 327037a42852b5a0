#![allow(clippy::unwrap_used)]

mod layout;
mod owned;
mod reading;
mod words;

use crate::{Channel, ChannelConfig, Mode, Storage, Stream, StreamObject};

/// A clock that stands.
pub fn at(now: u64) -> impl Fn() -> u64 {
    move || now
}

pub fn config(mode: Mode, subbuf_size_bytes: u64, num_subbuf: u64) -> ChannelConfig {
    ChannelConfig {
        layout: lttngd_model::BufferLayout::default(),
        bitness: lttngd_model::Bitness::Bits64,
        mode,
        subbuf_size_bytes,
        num_subbuf,
        switch_timer_interval_us: 0,
        read_timer_interval_us: 0,
        blocking_timeout_us: 0,
        channel_id: 7,
        trace_uuid: *b"0123456789abcdef",
        cpu_count: 2,
        snapshots: false,
    }
}

pub fn stream(config: &ChannelConfig, cpu: u32) -> (Stream, StreamObject) {
    let channel = Channel::create(config, &at(1)).unwrap();
    channel.create_stream(cpu, Storage::Memory, &at(10)).unwrap()
}
