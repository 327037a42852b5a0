//! As much of a consumer daemon as one channel needs.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use lttngd_model::{Bitness, BufferLayout};
use lttngd_ringbuffer::{
    Channel, ChannelConfig, FlushMode, GetError, Losses, Mode, MonotonicClock, Packet, Storage,
    Stream, StreamObject, Wakeup, possible_cpu_count, write,
};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::session_daemon::{Application, SessionDaemon};
use lttngd_world::{Arena, eventually};

const PAGE: u64 = 4096;
/// How long the reader waits for a wake-up before it looks and flushes by itself.
const TIMER: Timespec = Timespec { tv_sec: 0, tv_nsec: 500_000 };

/// A small channel.
pub fn config(mode: Mode) -> ChannelConfig {
    ChannelConfig {
        layout: BufferLayout::default(),
        bitness: Bitness::Bits64,
        mode,
        subbuf_size_bytes: PAGE,
        num_subbuf: 4,
        switch_timer_interval_us: 0,
        read_timer_interval_us: 0,
        blocking_timeout_us: 0,
        channel_id: 0,
        trace_uuid: *b"\x11\x22\x33\x44\x55\x66\x47\x88\x89\xaa\xbb\xcc\xdd\xee\xff\x00",
        cpu_count: possible_cpu_count().unwrap(),
        snapshots: false,
    }
}

/// A channel, its streams and their files.
pub struct Recorder {
    daemon: SessionDaemon,
    channel: Channel,
    objects: Vec<StreamObject>,
    pub streams: Vec<Stream>,
    files: Vec<File>,
    directory: PathBuf,
}

impl Recorder {
    pub fn new(arena: &Arena, config: &ChannelConfig) -> Self {
        Self::with_storage(arena, config, |_| Storage::Memory)
    }

    /// With the storage of each stream.
    pub fn with_storage(
        arena: &Arena,
        config: &ChannelConfig,
        storage: impl Fn(u32) -> Storage,
    ) -> Self {
        let directory = arena.file("trace");
        fs::create_dir(&directory).unwrap();
        let channel = Channel::create(config, &MonotonicClock).unwrap();
        let (streams, objects): (Vec<Stream>, Vec<StreamObject>) = (0..config.cpu_count)
            .map(|cpu| channel.create_stream(cpu, storage(cpu), &MonotonicClock).unwrap())
            .unzip();
        Self {
            daemon: SessionDaemon::new(arena, config.trace_uuid),
            channel,
            objects,
            files: files(&directory, streams.len()),
            streams,
            directory,
        }
    }

    /// Where the trace is.
    pub fn directory(&self) -> PathBuf {
        self.directory.clone()
    }

    pub fn metadata(&self) -> Vec<u8> {
        self.daemon.metadata()
    }

    /// Takes the next application that registers.
    pub fn attach(&self) -> Application {
        self.daemon.attach(&self.channel, &self.objects)
    }

    /// Of all streams.
    pub fn losses(&self) -> Losses {
        self.streams.iter().map(Stream::losses).fold(Losses::default(), |sum, losses| Losses {
            discarded_events: sum.discarded_events + losses.discarded_events,
            lost_packets: sum.lost_packets + losses.lost_packets,
        })
    }

    /// Reads packets, by wake-ups and by a timer, while `work` is done by another thread.
    pub fn read_while(&mut self, work: impl FnOnce() + Send) {
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let worker = scope.spawn(|| {
                work();
                done.store(true, Ordering::SeqCst);
            });
            while !done.load(Ordering::SeqCst) && !worker.is_finished() {
                self.wait_and_read();
            }
            worker.join().unwrap();
        });
    }

    fn wait_and_read(&mut self) {
        let readers = self.streams.iter().map(Stream::wakeup_reader);
        let mut polled: Vec<_> =
            readers.map(|reader| PollFd::from_borrowed_fd(reader, PollFlags::IN)).collect();
        let woken = poll(&mut polled, Some(&TIMER)).unwrap();
        for (stream, file) in self.streams.iter_mut().zip(&self.files) {
            let _ = stream.drain_wakeups();
            if woken == 0 {
                stream.flush(FlushMode::Active, &MonotonicClock).unwrap();
            }
            drain(stream, file);
        }
    }

    /// Whether no application has the channel.
    pub fn is_hung_up(&mut self) -> bool {
        self.channel.close_wakeup();
        self.channel.is_hung_up()
    }

    /// Waits until the applications are gone, then reads all that they left.
    pub fn finish(&mut self) {
        eventually("the applications let the channel go", || self.is_hung_up().then_some(()));
        self.objects.clear();
        for (stream, file) in self.streams.iter_mut().zip(&self.files) {
            let _ = stream.drain_wakeups();
            assert_eq!(stream.drain_wakeups(), Wakeup::HungUp);
            stream.flush_quiescent(&MonotonicClock).unwrap();
            drain(stream, file);
            assert_eq!(stream.get_next(), Err(GetError::Empty));
            // In a full buffer there was no room for the packet that tells of the last losses.
            stream.flush(FlushMode::Full, &MonotonicClock).unwrap();
            drain(stream, file);
        }
        fs::write(self.directory.join("metadata"), self.daemon.metadata()).unwrap();
    }

    /// Writes the newest packets, at most so many of each stream, into another trace.
    pub fn snapshot(&mut self, directory: &Path, packets_max: u64) {
        for (stream, file) in self.streams.iter_mut().zip(files(directory, self.objects.len())) {
            assert!(!stream.take_snapshot(packets_max, &MonotonicClock).unwrap());
            while let Some(packet) = stream.packet() {
                write_packet(&packet, &file);
                stream.put_snapshot_packet().unwrap();
            }
        }
        fs::write(directory.join("metadata"), self.daemon.metadata()).unwrap();
    }
}

fn files(directory: &Path, count: usize) -> Vec<File> {
    let file = |cpu| File::create(directory.join(format!("channel_{cpu}"))).unwrap();
    (0..count).map(file).collect()
}

fn drain(stream: &mut Stream, file: &File) {
    loop {
        match stream.get_next() {
            Ok(_) => {
                write_packet(&stream.packet().unwrap(), file);
                stream.put_next().unwrap();
            }
            Err(GetError::Empty | GetError::Uncommitted | GetError::Overwritten) => return,
            Err(error) => panic!("{error}"),
        }
    }
}

fn write_packet(packet: &Packet<'_>, file: &File) {
    let mut written = 0;
    while written < packet.size_bytes() {
        written += write(file, &packet.views(), written).unwrap();
    }
}
