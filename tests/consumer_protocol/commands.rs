//! Commands of all kinds, mostly for things that other commands made.

use lttngd_model::{
    ChannelKey, ChannelOutput, ChunkId, Credentials, NetIndex, RelaySessionId, SessionId,
    StreamKind,
};
use lttngd_wire::consumer::{
    AddRelaydSocket, AskChannel, ChannelClass, CloseCommand, MESSAGE_LEN, Message, SnapshotChannel,
};
use proptest::prelude::*;
use proptest::sample::{Index, select};

/// Most bytes of shared memory that a stream gets here.
const BUFFER_MAX_LEN: u64 = 1 << 16;
/// The shortest period of a timer: shorter ones only cost time.
const PERIOD_MIN_US: u32 = 10_000;
/// Most bytes of metadata at a time.
const TEXT_MAX_LEN: u64 = 1 << 16;

/// What is sent where a descriptor is due.
#[derive(Clone, Copy, Debug, Default)]
pub enum Descriptors {
    /// The right one. A relay daemon's socket is silent.
    #[default]
    Right,
    /// A relay daemon's socket of which the other end is closed.
    Closed,
    /// A relay daemon's socket on which something stands that nobody asked for.
    Garbage,
    /// None, with the byte that should carry one.
    None,
    /// Two.
    Two,
    /// Something else: no directory, no socket, no pipe.
    File,
}

/// One frame, and what comes with it.
#[derive(Clone, Default)]
pub struct Step {
    pub bytes: Vec<u8>,
    pub descriptors: Descriptors,
}

impl std::fmt::Debug for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let message = Message::decode(&self.bytes);
        write!(f, "{} {message:?} {:?}", self.number(), self.descriptors)
    }
}

impl Step {
    /// The command's number.
    pub fn number(&self) -> u32 {
        u32::from_ne_bytes(self.bytes[..4].try_into().unwrap())
    }

    /// The commands that end what this one began.
    pub fn opposites(&self) -> Vec<Message> {
        match Message::decode(&self.bytes) {
            Ok(Message::AskChannelCreation(ask)) => {
                let key = ask.key;
                vec![Message::DestroyChannel { key }, Message::CloseMetadata { key }]
            }
            Ok(Message::AddRelaydSocket(socket)) => {
                vec![Message::DestroyRelayd { net_index: socket.net_index }]
            }
            Ok(Message::CreateTraceChunk { session_id, chunk_id, .. }) => {
                vec![Message::CloseTraceChunk {
                    relayd_id: None,
                    session_id,
                    chunk_id,
                    close_timestamp_s: 3,
                    command: None,
                }]
            }
            _ => Vec::new(),
        }
    }
}

/// A channel that can be made.
pub fn channel() -> AskChannel {
    AskChannel {
        buffer_layout: lttngd_model::BufferLayout::default(),
        bitness: lttngd_model::Bitness::Bits64,
        subbuf_size_bytes: 4096,
        num_subbuf: 2,
        class: ChannelClass::Data { overwrite: false },
        switch_timer_interval_us: 0,
        read_timer_interval_us: 0,
        live_timer_interval_us: 0,
        is_live: false,
        monitor_timer_interval_us: 0,
        output: ChannelOutput::Mmap,
        session_id: SessionId(0),
        pathname: "uid/0/64-bit".to_owned(),
        name: "c".to_owned(),
        buffer_owner: Credentials { uid: 0, gid: 0 },
        relayd_id: None,
        key: ChannelKey(1),
        chunk_id: None,
        uuid: [1; 16],
        chan_id: 0,
        tracefile_size_bytes: 0,
        tracefile_count: 0,
        session_id_per_pid: 0,
        monitor: true,
        ust_app_uid: 0,
        blocking_timeout_us: 0,
        root_shm_path: String::new(),
        shm_path: String::new(),
    }
}

fn key() -> impl Strategy<Value = ChannelKey> {
    prop_oneof![20 => 1..6_u64, 1 => any::<u64>()].prop_map(ChannelKey)
}

fn session() -> impl Strategy<Value = SessionId> {
    prop_oneof![20 => 0..2_u64, 1 => any::<u64>()].prop_map(SessionId)
}

fn chunk() -> impl Strategy<Value = ChunkId> {
    prop_oneof![20 => 0..3_u64, 1 => any::<u64>()].prop_map(ChunkId)
}

fn relay() -> impl Strategy<Value = Option<NetIndex>> {
    prop_oneof![3 => Just(None), 1 => (2..4_u64).prop_map(|index| Some(NetIndex(index)))]
}

fn text() -> impl Strategy<Value = String> {
    const TEXTS: &[&str] = &[
        "uid/0/64-bit",
        "uid/0/64-bit",
        "uid/0/64-bit",
        "c",
        "metadata",
        "",
        "..",
        "/",
        "no/where",
    ];
    select(TEXTS).prop_map(str::to_owned)
}

fn ask() -> impl Strategy<Value = Message> {
    let class = prop_oneof![
        3 => any::<bool>().prop_map(|overwrite| ChannelClass::Data { overwrite }),
        2 => Just(ChannelClass::Metadata)
    ];
    let size = prop_oneof![9 => Just(4096), 1 => any::<u64>()];
    let count = prop_oneof![9 => select(&[1, 2, 4][..]), 1 => any::<u64>()];
    let timers = [(); 4].map(|()| select(&[0, 0, 0, PERIOD_MIN_US][..]));
    let flags = any::<[bool; 2]>();
    let ids = (session(), key(), relay(), prop::option::of(chunk()));
    let files = (select(&[0, 0, 1, 4096][..]), select(&[0, 0, 1, 3][..]));
    let texts = (text(), text());
    (class, size, count, timers, flags, ids, files, texts).prop_map(
        |(class, size, count, timers, flags, ids, files, (pathname, name))| {
            let [switch, read, live, monitor] = timers;
            let [is_live, monitored] = flags;
            let (session_id, key, relayd_id, chunk_id) = ids;
            Message::AskChannelCreation(Box::new(AskChannel {
                subbuf_size_bytes: size,
                num_subbuf: count,
                class,
                switch_timer_interval_us: switch,
                read_timer_interval_us: read,
                live_timer_interval_us: live,
                monitor_timer_interval_us: monitor,
                is_live,
                monitor: monitored,
                session_id,
                key,
                relayd_id,
                chunk_id,
                tracefile_size_bytes: files.0,
                tracefile_count: files.1,
                pathname,
                name,
                ..channel()
            }))
        },
    )
}

fn add_relay() -> impl Strategy<Value = Message> {
    (2..4_u64, any::<bool>(), session(), 0..14_u32).prop_map(
        |(net_index, is_data, session_id, minor)| {
            Message::AddRelaydSocket(AddRelaydSocket {
                net_index: NetIndex(net_index),
                stream: if is_data { StreamKind::Data } else { StreamKind::Control },
                major: 2,
                minor,
                session_id,
                relayd_session_id: RelaySessionId(1),
            })
        },
    )
}

fn create_chunk() -> impl Strategy<Value = Message> {
    (relay(), session(), chunk(), text()).prop_map(|(relayd_id, session_id, chunk_id, name)| {
        Message::CreateTraceChunk {
            relayd_id,
            override_name: name,
            session_id,
            chunk_id,
            creation_timestamp_s: 1,
            owner: None,
        }
    })
}

fn close_chunk() -> impl Strategy<Value = Message> {
    let commands = [
        None,
        Some(CloseCommand::MoveToCompleted),
        Some(CloseCommand::NoOperation),
        Some(CloseCommand::Delete),
    ];
    (relay(), session(), chunk(), select(commands.to_vec())).prop_map(
        |(relayd_id, session_id, chunk_id, command)| Message::CloseTraceChunk {
            relayd_id,
            session_id,
            chunk_id,
            close_timestamp_s: 2,
            command,
        },
    )
}

fn snapshot() -> impl Strategy<Value = Message> {
    (text(), any::<bool>(), relay(), key(), 0..3_u64).prop_map(
        |(pathname, metadata, relayd_id, key, nb_packets_per_stream)| {
            Message::SnapshotChannel(Box::new(SnapshotChannel {
                pathname,
                metadata,
                relayd_id,
                key,
                nb_packets_per_stream,
            }))
        },
    )
}

fn push() -> impl Strategy<Value = Message> {
    (key(), prop_oneof![Just(0), 0..300_u64, any::<u64>()], 0..300_u64, 0..3_u64).prop_map(
        |(key, target_offset, len, version)| Message::PushMetadata {
            key,
            target_offset,
            len,
            version,
        },
    )
}

/// Commands that name a channel and no more.
fn of_channel() -> impl Strategy<Value = Message> {
    let make: [fn(ChannelKey) -> Message; 10] = [
        |key| Message::GetChannel { key },
        |key| Message::GetChannel { key },
        |key| Message::SetupMetadata { key },
        |key| Message::SetupMetadata { key },
        |key| Message::DestroyChannel { key },
        |key| Message::CloseMetadata { key },
        |key| Message::FlushChannel { key },
        |key| Message::ClearQuiescentChannel { key },
        |key| Message::ClearChannel { key },
        |key| Message::OpenChannelPackets { key },
    ];
    (key(), 0..make.len()).prop_map(move |(key, index)| make[index](key))
}

fn of_session() -> impl Strategy<Value = Message> {
    (session(), key(), chunk(), relay(), any::<bool>(), 0..6).prop_map(
        |(session_id, key, chunk_id, relayd_id, metadata, kind)| match kind {
            0 => Message::DataPending { session_id },
            1 => Message::DiscardedEvents { session_id, key },
            2 => Message::LostPackets { session_id, key },
            3 => Message::TraceChunkExists { relayd_id, session_id, chunk_id },
            4 => Message::DestroyRelayd { net_index: relayd_id.unwrap_or(NetIndex(9)) },
            _ => Message::RotateChannel { metadata, relayd_id, key },
        },
    )
}

fn message() -> impl Strategy<Value = Message> {
    prop_oneof![
        8 => ask(),
        12 => of_channel(),
        6 => of_session(),
        5 => create_chunk(),
        3 => close_chunk(),
        4 => add_relay(),
        3 => push(),
        2 => snapshot(),
        1 => Just(Message::Init { sessiond_uuid: [0; 16] }),
        1 => Just(Message::SetChannelMonitorPipe),
    ]
}

fn descriptors() -> impl Strategy<Value = Descriptors> {
    prop_oneof![
        12 => Just(Descriptors::Right),
        2 => Just(Descriptors::Closed),
        2 => Just(Descriptors::Garbage),
        1 => Just(Descriptors::None),
        1 => Just(Descriptors::Two),
        1 => Just(Descriptors::File),
    ]
}

/// Bytes that are changed: anywhere, or among the first ones, where the small commands have theirs.
fn mutations() -> impl Strategy<Value = Vec<(usize, u8)>> {
    let place =
        prop_oneof![any::<Index>().prop_map(|index| index.index(MESSAGE_LEN)), 0..40_usize,];
    let byte = prop_oneof![any::<u8>(), Just(0), Just(0xff)];
    prop_oneof![3 => Just(Vec::new()), 1 => prop::collection::vec((place, byte), 1..5)]
}

/// Keeps what a mutated command may cost within limits that have nothing to do with what is tried.
fn tame(bytes: Vec<u8>) -> Vec<u8> {
    match Message::decode(&bytes) {
        Ok(Message::AskChannelCreation(mut ask)) => {
            let len = ask.subbuf_size_bytes.checked_mul(ask.num_subbuf);
            if len.is_some_and(|len| (BUFFER_MAX_LEN..=1 << 40).contains(&len)) {
                ask.num_subbuf = 3;
            }
            for period in [
                &mut ask.switch_timer_interval_us,
                &mut ask.read_timer_interval_us,
                &mut ask.live_timer_interval_us,
                &mut ask.monitor_timer_interval_us,
            ] {
                *period = if *period == 0 { 0 } else { (*period).max(PERIOD_MIN_US) };
            }
            // Files outside the world are not to be made.
            (ask.root_shm_path, ask.shm_path) = (String::new(), String::new());
            Message::AskChannelCreation(ask).encode()
        }
        Ok(Message::PushMetadata { key, target_offset, len, version }) => {
            let len = len.min(TEXT_MAX_LEN);
            Message::PushMetadata { key, target_offset, len, version }.encode()
        }
        _ => bytes,
    }
}

fn step() -> impl Strategy<Value = Step> {
    (message(), mutations(), descriptors()).prop_map(|(message, mutations, descriptors)| {
        let mut bytes = message.encode();
        for (place, byte) in mutations {
            bytes[place] = byte;
        }
        Step { bytes: tame(bytes), descriptors }
    })
}

/// A sequence of commands.
pub fn steps() -> impl Strategy<Value = Vec<Step>> {
    prop::collection::vec(step(), 10..80)
}

/// The commands that come with a descriptor.
pub fn with_descriptors() -> Vec<Message> {
    let relay = |stream| {
        Message::AddRelaydSocket(AddRelaydSocket {
            net_index: NetIndex(2),
            stream,
            major: 2,
            minor: 13,
            session_id: SessionId(0),
            relayd_session_id: RelaySessionId(1),
        })
    };
    vec![
        Message::CreateTraceChunk {
            relayd_id: None,
            override_name: String::new(),
            session_id: SessionId(0),
            chunk_id: ChunkId(0),
            creation_timestamp_s: 1,
            owner: None,
        },
        Message::SetChannelMonitorPipe,
        relay(StreamKind::Control),
        relay(StreamKind::Data),
    ]
}
