//! A data thread as a whole, without its thread: turns are taken by hand, and a relay daemon is the other end of
//! two sockets.
#![allow(clippy::unwrap_used)]

mod files;
mod held;

use std::{
    io::{Read, Write},
    os::unix::net::UnixStream,
    sync::{Arc, mpsc},
    time::{Duration, Instant},
};

use lttngd_model::{ChannelKey, ChunkId, NetIndex, RelaySessionId, RelayStreamHandle, SessionId};
use lttngd_ringbuffer::FlushMode;
use lttngd_wire::consumer::ConsumerError as Code;
use lttngd_wire::relay::{
    ConsumerCommand, ConsumerReply, DATA_HEADER_LEN, DataHeader, HEADER_LEN, Header,
    RotationPosition, Version,
};
use tokio::sync::{
    mpsc::{UnboundedReceiver, unbounded_channel},
    oneshot,
};

use super::{
    example::{Application, KEY, NO_TIMERS, SESSION, example_channel, example_writing},
    new::{
        ChannelEnd, NewChannel, NewMetadata, PushedText, Recording, RelaySockets, Setup, Timers,
    },
    order::{Order, Reply},
    state::Worker,
    timers::Due,
};
use crate::{
    chunk::{Chunk, ChunkPlace},
    clock::PacketClock,
    event::Event,
};

const RELAY: NetIndex = NetIndex(2);
const RELAY_SESSION: RelaySessionId = RelaySessionId(70);
const METADATA_KEY: ChannelKey = ChannelKey(9);
const HANDLE: RelayStreamHandle = RelayStreamHandle(5);
const MINOR: u32 = 13;

/// A data thread without its thread, and the relay daemon's ends of a connection.
struct World {
    worker: Worker,
    control: UnixStream,
    data: UnixStream,
    events: UnboundedReceiver<Event>,
}

impl World {
    fn new() -> Self {
        let (events, told) = unbounded_channel();
        let setup = Setup {
            events,
            clock: PacketClock::default(),
            relay_limits: lttngd_relaystream::RelayLimits::default(),
            pulse: Default::default(),
            pause: Default::default(),
        };
        let flags = rustix::event::EventfdFlags::NONBLOCK;
        let wakeup_fd = Arc::new(rustix::event::eventfd(0, flags).unwrap());
        let (_, inbox) = mpsc::channel();
        let mut worker = Worker::new(setup, wakeup_fd, inbox).unwrap();
        let (control, own_control) = UnixStream::pair().unwrap();
        let (data, own_data) = UnixStream::pair().unwrap();
        for socket in [&control, &data] {
            socket.set_nonblocking(true).unwrap();
        }
        let sockets = RelaySockets {
            net_index: RELAY,
            session: SESSION,
            relay_session_id: RELAY_SESSION,
            version: Version { major: 2, minor: MINOR },
            control: own_control.into(),
            data: own_data.into(),
        };
        let (answer, mut outcome) = Reply::new();
        worker.carry_out(Order::AddRelay(Box::new(sockets), answer));
        assert_eq!(outcome.try_recv(), Ok(Ok(())));
        Self { worker, control, data, events: told }
    }

    fn chunk(&self, id: u64) -> Arc<Chunk> {
        let events = self.worker.setup.events.clone();
        Chunk::new(SESSION, ChunkId(id), ChunkPlace::Remote, events)
    }

    /// Does what a turn does, without waiting.
    fn turn(&mut self) {
        self.worker.serve_ready();
        self.worker.work_on_snapshots();
        self.worker.settle_relays();
    }

    /// The next command at the relay daemon, which has to be there.
    fn command(&mut self) -> ConsumerCommand {
        let mut head = [0; HEADER_LEN];
        self.control.read_exact(&mut head).unwrap();
        let header = Header::decode(&head).unwrap();
        let mut payload = vec![0; usize::try_from(header.data_size).unwrap()];
        self.control.read_exact(&mut payload).unwrap();
        ConsumerCommand::decode(header.command, &payload, MINOR).unwrap()
    }

    fn reply(&mut self, reply: &ConsumerReply) {
        self.control.write_all(&reply.encode()).unwrap();
        self.worker.relay_ready(RELAY, true);
        self.worker.settle_relays();
        self.turn();
    }

    /// Asks whether data is pending.
    fn ask_data_pending(&mut self) -> oneshot::Receiver<bool> {
        let (reply, outcome) = Reply::new();
        self.worker.carry_out(Order::TellDataPending(SESSION, reply));
        outcome
    }

    /// How many packets arrived since the last time.
    fn packets(&mut self) -> usize {
        let mut count = 0;
        let mut head = [0; DATA_HEADER_LEN];
        while self.data.read_exact(&mut head).is_ok() {
            let header = DataHeader::decode(&head).unwrap();
            let mut content = vec![0; header.content_len as usize];
            self.data.read_exact(&mut content).unwrap();
            count += 1;
        }
        count
    }

    /// Adds a channel with one stream. What is returned is what applications have of it.
    fn add_channel(&mut self, chunk: &Arc<Chunk>) -> Application {
        let (application, mut outcome) = self.begin_channel(chunk, NO_TIMERS);
        self.reply(&ConsumerReply::StreamAdded { handle: HANDLE });
        assert_eq!(outcome.try_recv(), Ok(Ok(())));
        application
    }

    /// The same, until the relay daemon is told of the stream.
    fn begin_channel(
        &mut self,
        chunk: &Arc<Chunk>,
        timers: Timers,
    ) -> (Application, oneshot::Receiver<Result<(), Code>>) {
        let writing = example_writing("channel0", Some(RELAY));
        let (channel, application) = example_channel(writing, Arc::clone(chunk), timers);
        let (reply, outcome) = Reply::new();
        self.worker.carry_out(Order::AddChannel(channel, reply));
        self.turn();
        assert!(matches!(self.command(), ConsumerCommand::AddStream(_)));
        (application, outcome)
    }
}

#[test]
fn text_that_came_at_once_goes_in_one_command() {
    const PACKET_LEN: usize = lttngd_wire::ctf::METADATA_PACKET_LEN;

    let mut world = World::new();
    let chunk = world.chunk(0);
    let metadata = NewMetadata {
        key: METADATA_KEY,
        writing: example_writing("metadata", Some(RELAY)),
        chunk: Some(chunk),
        uuid: [3; 16],
        monitored: true,
        refresh_interval_us: 0,
    };
    let (reply, mut outcome) = Reply::new();
    world.worker.carry_out(Order::AddMetadata(Box::new(metadata), reply));
    world.turn();
    assert!(matches!(world.command(), ConsumerCommand::AddStream(_)));
    assert_eq!(world.command(), ConsumerCommand::StreamsSent);
    world.reply(&ConsumerReply::StreamAdded { handle: HANDLE });
    world.reply(&ConsumerReply::Done);
    assert_eq!(outcome.try_recv(), Ok(Ok(())));

    let text = vec![b'x'; 2 * PACKET_LEN];
    let pushed =
        PushedText { key: METADATA_KEY, offset: 0, version: 0, uuid: None, text: text.clone() };
    world.worker.push_metadata(&pushed).unwrap();
    world.turn();
    let ConsumerCommand::SendMetadata { handle, padding_len, content } = world.command() else {
        panic!("no metadata");
    };
    assert_eq!((handle, content.len() + padding_len as usize), (HANDLE, 3 * PACKET_LEN));
    let expected: Vec<u8> = lttngd_wire::ctf::metadata_packets([3; 16], &text)
        .flat_map(|packet| packet.content().to_vec())
        .collect();
    assert_eq!(content, expected, "the first packets are full");
    assert!(world.control.read(&mut [0]).is_err(), "nothing is left to send");
}

#[test]
fn no_timer_closes_a_packet_of_a_stream_that_a_slow_relay_daemon_does_not_know_yet() {
    let every_ms = || Timers { switch_us: 1000, read_us: 1000, live_us: 1000 };
    let mut world = World::new();
    let chunk = world.chunk(0);
    let (_application, mut outcome) = world.begin_channel(&chunk, every_ms());
    assert_eq!(channel_timers(&mut world.worker), 0);

    world.reply(&ConsumerReply::StreamAdded { handle: HANDLE });
    assert_eq!(outcome.try_recv(), Ok(Ok(())));
    assert_eq!(channel_timers(&mut world.worker), 3);
}

/// How many timers of channels there are.
fn channel_timers(worker: &mut Worker) -> usize {
    let later = Instant::now() + Duration::from_secs(3600);
    let due = std::iter::from_fn(|| worker.timers.pop_due(later));
    due.filter(|due| matches!(due, Due::Channel(..))).count()
}

#[test]
fn packets_of_the_next_trace_chunk_follow_the_rotation_and_the_last_index() {
    let mut world = World::new();
    let (old, new) = (world.chunk(0), world.chunk(1));
    let _held = world.add_channel(&old);
    world.worker.set_chunk(SESSION, &new);

    let (reply, mut outcome) = Reply::new();
    world.worker.carry_out(Order::RotateChannel(KEY, reply));
    world.turn();
    let ConsumerCommand::RotateStreams(rotation) = world.command() else { panic!("no rotation") };
    assert_eq!(rotation.new_chunk_id, Some(ChunkId(1)));
    assert_eq!(rotation.positions, [RotationPosition { handle: HANDLE, at_packet_seq_num: 1 }]);
    // Writers go on before the relay daemon has answered.
    world.worker.streams[0].flush(FlushMode::Full, &PacketClock::default());
    world.worker.make_ready(0);
    world.turn();
    assert_eq!(world.packets(), 1, "that of the old chunk, ahead of the reply");
    assert!(matches!(world.command(), ConsumerCommand::SendIndex(_)));

    world.reply(&ConsumerReply::Done);
    assert_eq!(outcome.try_recv(), Ok(Ok(())));
    assert_eq!(world.packets(), 0, "the index has no reply");
    assert!(world.worker.streams[0].chunk.as_ref().is_some_and(|chunk| chunk.id == old.id));

    world.reply(&ConsumerReply::Done);
    assert_eq!(world.packets(), 1, "what came meanwhile; the next one is open");
    assert!(world.worker.streams[0].chunk.as_ref().is_some_and(|chunk| chunk.id == new.id));

    // The old chunk is over when the relay daemon has written it.
    drop(old);
    for missing in [true, false] {
        while !matches!(world.command(), ConsumerCommand::BeginDataPending(RELAY_SESSION)) {}
        let expected = ConsumerCommand::DataPending { handle: HANDLE, last_net_seq_num: 0 };
        assert_eq!(world.command(), expected);
        assert_eq!(world.command(), ConsumerCommand::EndDataPending(RELAY_SESSION));
        if missing {
            // The index of the new chunk.
            world.reply(&ConsumerReply::Done);
        }
        assert!(world.events.try_recv().is_err(), "packets are on their way");
        world.reply(&ConsumerReply::Done);
        world.reply(&ConsumerReply::Pending(missing));
        world.reply(&ConsumerReply::Pending(false));
        if missing {
            world.worker.leaving_timer(RELAY);
            world.turn();
        }
    }
    assert!(matches!(world.events.try_recv(), Ok(Event::ChunkEnded { chunk: ChunkId(0), .. })));
}

#[test]
fn a_stream_that_is_given_up_is_closed_and_no_rotation_waits_for_it() {
    /// Where the writers' position is.
    const POSITION: u64 = 128;

    let mut world = World::new();
    let (old, new) = (world.chunk(0), world.chunk(1));
    let application = world.add_channel(&old);
    rustix::io::pwrite(&application.memory, &1_u64.to_ne_bytes(), POSITION).unwrap();
    world.worker.set_chunk(SESSION, &new);
    for _ in 0..2 {
        let (reply, mut outcome) = Reply::new();
        world.worker.carry_out(Order::RotateChannel(KEY, reply));
        world.turn();
        assert_eq!(outcome.try_recv(), Ok(Ok(())));
    }
    assert!(matches!(world.command(), ConsumerCommand::CloseStream { handle: HANDLE, .. }));
    assert!(world.control.read(&mut [0]).is_err(), "it is told nothing else");
    assert!(world.worker.streams[0].chunk.is_none());
    let mut outcome = world.ask_data_pending();
    world.turn();
    assert_eq!(world.command(), ConsumerCommand::BeginDataPending(RELAY_SESSION));
    assert!(outcome.try_recv().is_err(), "the relay daemon alone is asked");
    drop(old);
    assert!(matches!(world.events.try_recv(), Ok(Event::ChunkEnded { chunk: ChunkId(0), .. })));
}

#[test]
fn a_relay_daemon_is_asked_for_data_of_streams_that_ended() {
    let mut world = World::new();
    let mut outcome = world.ask_data_pending();
    world.turn();
    assert_eq!(world.command(), ConsumerCommand::BeginDataPending(RELAY_SESSION));
    assert_eq!(world.command(), ConsumerCommand::EndDataPending(RELAY_SESSION));
    world.reply(&ConsumerReply::Done);
    assert!(outcome.try_recv().is_err(), "one reply is missing");
    world.reply(&ConsumerReply::Pending(true));
    assert_eq!(outcome.try_recv(), Ok(true));
}

#[test]
fn data_may_be_pending_at_a_relay_daemon_that_cannot_be_asked() {
    let mut world = World::new();
    for _ in 0..lttngd_relaystream::COMMANDS_MAX {
        world.worker.relays.chunk_exists(RELAY, ChunkId(0), Reply::new().0);
    }
    let mut outcome = world.ask_data_pending();
    assert_eq!(outcome.try_recv(), Ok(true));
    world.control.shutdown(std::net::Shutdown::Both).unwrap();
    world.worker.relay_ready(RELAY, true);
    world.worker.settle_relays();
    let mut outcome = world.ask_data_pending();
    assert_eq!(outcome.try_recv(), Ok(false), "it is lost");
}

#[test]
fn the_relay_daemon_of_a_snapshot_is_asked_until_it_has_everything() {
    let mut world = World::new();
    let ask = |world: &mut World, pending| {
        let mut outcome = world.ask_data_pending();
        world.turn();
        assert_eq!(world.command(), ConsumerCommand::BeginDataPending(RELAY_SESSION));
        assert_eq!(world.command(), ConsumerCommand::EndDataPending(RELAY_SESSION));
        world.reply(&ConsumerReply::Done);
        world.reply(&ConsumerReply::Pending(pending));
        assert_eq!(outcome.try_recv(), Ok(pending));
    };
    world.worker.relays.note_snapshot(RELAY);
    ask(&mut world, true);
    ask(&mut world, false);
    let mut outcome = world.ask_data_pending();
    assert_eq!(outcome.try_recv(), Ok(false), "nothing was sent since");
    world.worker.relays.note_snapshot(RELAY);
    ask(&mut world, false);
}

#[test]
fn no_snapshot_is_recorded_of_packets_that_leave_their_buffer_when_they_are_read() {
    let mut world = World::new();
    let chunk = world.chunk(0);
    let mut record = |is_mapped| {
        let channel = NewChannel {
            held: lttngd_runtime::Descriptors::unlimited().control(0),
            key: KEY,
            writing: example_writing("channel0", None),
            chunk: None,
            end: ChannelEnd::Kernel { stream_id: 0, is_mapped },
            streams: Vec::new(),
            shm: None,
            monitored: false,
            is_live: false,
            timers: NO_TIMERS,
        };
        world.worker.carry_out(Order::AddChannel(Box::new(channel), Reply::new().0));
        let recording = Recording {
            key: KEY,
            metadata: false,
            path: String::new(),
            relay: None,
            packets_max: 0,
            chunk: Arc::clone(&chunk),
        };
        let (answer, mut outcome) = Reply::new();
        world.worker.carry_out(Order::Record(Box::new(recording), answer));
        world.turn();
        outcome.try_recv()
    };
    assert_eq!(record(true), Ok(Ok(())));
    assert_eq!(record(false), Ok(Err(Code::SNAPSHOT_FAILED)));
}

#[test]
fn a_connection_outlives_the_channels_of_its_session_unless_it_is_a_snapshots() {
    let mut world = World::new();
    world.worker.carry_out(Order::DestroySnapshotRelays(SESSION));
    world.turn();
    assert!(world.worker.relays.lives(RELAY));

    world.worker.relays.note_snapshot(RELAY);
    world.worker.carry_out(Order::DestroySnapshotRelays(SessionId(SESSION.0 + 1)));
    world.turn();
    assert!(world.worker.relays.lives(RELAY), "another session's");
    world.worker.carry_out(Order::DestroySnapshotRelays(SESSION));
    world.turn();
    assert!(!world.worker.relays.lives(RELAY));
    assert_eq!(world.control.read(&mut [0]).unwrap(), 0, "it is closed");
}

#[test]
fn packets_that_a_lost_relay_daemon_has_not_confirmed_are_lost() {
    for confirmed in [0, 1] {
        let mut world = World::new();
        let chunk = world.chunk(0);
        let _application = world.add_channel(&chunk);
        world.worker.flush_channel(KEY).unwrap();
        world.turn();
        assert_eq!(world.packets(), 1);
        assert!(matches!(world.command(), ConsumerCommand::SendIndex(_)));
        assert_eq!(world.worker.counts(KEY).lost_packets, 0);
        if confirmed == 1 {
            world.reply(&ConsumerReply::Done);
        }
        for socket in [&world.control, &world.data] {
            socket.shutdown(std::net::Shutdown::Both).unwrap();
        }
        world.worker.relay_ready(RELAY, true);
        world.turn();
        assert_eq!(world.worker.counts(KEY).lost_packets, 1 - confirmed);
        // What comes later has nowhere to go, which whoever asks is told when it is so.
        world.worker.clear_quiescent(KEY).unwrap();
        world.worker.flush_channel(KEY).unwrap();
        let (reply, mut counts) = Reply::new();
        world.worker.tell_counts(KEY, reply);
        assert!(counts.try_recv().is_err());
        world.turn();
        world.worker.answer_counts();
        assert_eq!(counts.try_recv().unwrap().lost_packets, 2 - confirmed);
    }
}
