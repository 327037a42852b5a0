//! Channels and trace chunks as tests of data threads have them: of one stream, and in directories that go with
//! their test.
#![allow(clippy::unwrap_used)]

use std::{
    fs::{self, File},
    os::fd::{AsFd, OwnedFd},
    sync::Arc,
};

use lttngd_model::{ChannelKey, ChunkId, NetIndex, SessionId};
use lttngd_ringbuffer::{Channel, ChannelConfig, CreateError, Mode, Storage};
use lttngd_runas::Owner;
use lttngd_runtime::Descriptors;
use lttngd_tracefile::TraceChunk;
use lttngd_wire::consumer::MetadataRequest;
use tempfile::TempDir;
use tokio::sync::mpsc::UnboundedSender;

use super::new::{ChannelEnd, NewChannel, NewStream, OutputConfig, Timers, UST_DIRECTORY};
use crate::{
    chunk::{Chunk, ChunkPlace},
    clock::PacketClock,
    event::Event,
};

/// The session of all of it.
pub(super) const SESSION: SessionId = SessionId(4);
/// The channel.
pub(super) const KEY: ChannelKey = ChannelKey(1);
/// Where its streams are written below their trace chunk.
pub(super) const PATH: &str = "uid/0/64-bit";
/// Size of its sub-buffers in bytes.
pub(super) const SUBBUF: u64 = 4096;
/// Timers that do not run.
pub(super) const NO_TIMERS: Timers = Timers { switch_us: 0, read_us: 0, live_us: 0 };

/// How a channel of user-space buffers is written.
pub(super) fn example_writing(name: &str, relay: Option<NetIndex>) -> OutputConfig {
    OutputConfig {
        session: SESSION,
        name: name.to_owned(),
        path: PATH.to_owned(),
        domain: UST_DIRECTORY,
        relay,
        tracefile_size_bytes: 0,
        tracefile_count: 0,
        metadata_request: MetadataRequest {
            session_id: SESSION,
            session_id_per_pid: 0,
            bits_per_long: 64,
            uid: 0,
            key: ChannelKey(9),
        },
    }
}

/// The buffers of a channel of one stream.
pub(crate) fn example_ring(num_subbuf: u64, snapshots: bool) -> Result<Channel, CreateError> {
    let config = ChannelConfig {
        layout: lttngd_model::BufferLayout::default(),
        bitness: lttngd_model::Bitness::Bits64,
        mode: Mode::Discard,
        subbuf_size_bytes: SUBBUF,
        num_subbuf,
        switch_timer_interval_us: 0,
        read_timer_interval_us: 0,
        blocking_timeout_us: 0,
        channel_id: 0,
        trace_uuid: [0; 16],
        cpu_count: 1,
        snapshots,
    };
    Channel::create(&config, &PacketClock::default())
}

/// What applications have of a channel. The channel is over when this is dropped.
#[derive(Debug)]
pub(super) struct Application {
    _channel: OwnedFd,
    _stream: OwnedFd,
    pub(super) memory: OwnedFd,
}

/// A monitored channel of one stream.
pub(super) fn example_channel(
    writing: OutputConfig,
    chunk: Arc<Chunk>,
    timers: Timers,
) -> (Box<NewChannel>, Application) {
    let mut ring = example_ring(4, false).unwrap();
    let made = ring.create_stream(0, Storage::Memory, &PacketClock::default());
    let (stream, object) = made.unwrap();
    let of_application = Application {
        _channel: ring.wakeup().unwrap().try_clone_to_owned().unwrap(),
        _stream: object.wakeup.as_fd().try_clone_to_owned().unwrap(),
        memory: object.memory,
    };
    ring.close_wakeup();
    let channel = NewChannel {
        held: Descriptors::unlimited().control(0),
        key: KEY,
        writing,
        chunk: Some(chunk),
        end: ChannelEnd::Ring(Box::new(ring)),
        streams: vec![NewStream {
            source: Box::new(stream),
            wakeup: Some(object.wakeup),
            written: Default::default(),
        }],
        shm: None,
        monitored: true,
        is_live: false,
        timers,
    };
    (Box::new(channel), of_application)
}

/// A trace chunk of files here, in a directory that goes with the test. In it no file of a stream can be made
/// before there is room for it.
pub(super) fn local_chunk(id: u64, events: UnboundedSender<Event>) -> (TempDir, Arc<Chunk>) {
    let directory = tempfile::tempdir().unwrap();
    let files = File::open(directory.path()).unwrap();
    let files = TraceChunk::new(files.into(), Owner::process()).unwrap();
    (directory, Chunk::new(SESSION, ChunkId(id), ChunkPlace::Local(files), events))
}

/// Makes the directory of the streams of a trace chunk.
pub(super) fn make_room(directory: &TempDir) {
    fs::create_dir_all(directory.path().join(PATH).join("index")).unwrap();
}

/// Bytes in a file of a stream, 0 when it is not there.
pub(super) fn len(directory: &TempDir, name: &str) -> u64 {
    fs::metadata(directory.path().join(PATH).join(name)).map_or(0, |it| it.len())
}
