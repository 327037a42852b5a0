//! A stream with its writer.

use std::cell::Cell;
use std::os::fd::AsFd;

use lttngd_peer::{Event, Tracer, TracerChannel, events};
use lttngd_ringbuffer::{
    Channel, ChannelConfig, HEADER_LEN, Mode, PacketHeader, Storage, Stream, StreamObject,
};

pub const PAGE: u64 = 4096;
pub const MODES: [Mode; 2] = [Mode::Discard, Mode::Overwrite];
const CPU: u32 = 1;

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
        channel_id: 3,
        trace_uuid: *b"fedcba9876543210",
        cpu_count: 2,
        snapshots: false,
    }
}

/// A clock that goes on with each look.
#[derive(Debug, Default)]
pub struct Ticks(Cell<u64>);

impl Ticks {
    pub fn clock(&self) -> impl Fn() -> u64 {
        || {
            self.0.set(self.0.get() + 1);
            self.0.get()
        }
    }
}

/// Both ends of a stream.
#[derive(Debug)]
pub struct Rig {
    pub stream: Stream,
    pub tracer: Tracer,
    pub object: StreamObject,
}

impl Rig {
    pub fn new(config: &ChannelConfig) -> Self {
        Self::with_storage(config, Storage::Memory)
    }

    pub fn with_storage(config: &ChannelConfig, storage: Storage) -> Self {
        let channel = Channel::create(config, &|| 0).unwrap();
        Self::of(&channel, CPU, storage)
    }

    /// The streams of two CPUs of a channel.
    pub fn pair(config: &ChannelConfig) -> (Self, Self) {
        let channel = Channel::create(config, &|| 0).unwrap();
        let of = |cpu| Self::of(&channel, cpu, Storage::Memory);
        (of(0), of(1))
    }

    fn of(channel: &Channel, cpu: u32, storage: Storage) -> Self {
        let (stream, object) = channel.create_stream(cpu, storage, &|| 0).unwrap();
        let tracer = Tracer::map(
            &TracerChannel::new(channel.image()),
            object.stream_nr,
            object.memory_map_size_bytes,
            object.memory.as_fd(),
            object.wakeup.as_fd(),
        );
        Self { stream, tracer, object }
    }
}

/// The content of the packet that is held, behind its header.
pub fn content(stream: &Stream) -> Vec<u8> {
    let packet = stream.packet().unwrap();
    let mut content = vec![0; packet.header.content_size_bits as usize / 8 - HEADER_LEN];
    packet.body.copy_to(&mut content);
    content
}

/// The packet that is held: its header, and its events, which are as they were written.
pub fn read(stream: &Stream) -> (PacketHeader, Vec<Event>) {
    let header = *stream.packet().unwrap().header;
    let events = events(&content(stream)).expect("the packet has events of the tracer alone");
    (header, events)
}
