//! Messages as they are: those of the stock programs that were recorded, and where none was, those that our own peers send.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use lttngd_model::trigger::{Action, Condition, Evaluation, RatePolicy, Trigger};
use lttngd_model::{ChannelKey, ChunkId, ProbeLocation, RelayStreamHandle};
use lttngd_wire::client::{self, Dialect};
use lttngd_wire::relay::{self, ClosedChunkHead, RelayRefusal, SessionHead};
use lttngd_wire::ust::command::{COUNTER_CONFIGURATION_LEN, EVENT_NOTIFIER_LEN, FIELD_ENTRY_LEN};
use lttngd_wire::ust::registration::REGISTRATION_LEN;
use lttngd_wire::{agent, consumer, notification};

use super::Fed;

/// What may stand before a message in what was recorded, in bytes: numbers, heads, and a client's request.
const HEADS: [usize; 11] =
    [4, 8, notification::HEADER_LEN, 12, 16, 20, 24, 40, 56, 64, client::REQUEST_LEN];
/// The size of what is recorded without the zeros at its end.
const PADDED: [usize; 5] = [
    REGISTRATION_LEN,
    COUNTER_CONFIGURATION_LEN,
    EVENT_NOTIFIER_LEN,
    FIELD_ENTRY_LEN,
    consumer::MESSAGE_LEN,
];

/// All of them.
pub fn seeds() -> &'static [Fed] {
    static SEEDS: LazyLock<Vec<Fed>> = LazyLock::new(|| {
        let mut seeds = Vec::new();
        for bytes in recorded().into_iter().chain(made()) {
            let tails = HEADS.iter().filter_map(|head| bytes.get(*head..));
            let padded = PADDED.iter().filter(|len| bytes.len() < **len).map(|len| {
                let mut padded = bytes.clone();
                padded.resize(*len, 0);
                padded
            });
            let variants: Vec<_> = tails.map(<[u8]>::to_vec).chain(padded).collect();
            for bytes in [bytes].into_iter().chain(variants) {
                for (number, dialect) in (0..4).zip(Dialect::ALL) {
                    seeds.push(Fed { bytes: bytes.clone(), number, dialect, minor: 13 });
                }
            }
        }
        seeds
    });

    &SEEDS
}

/// What stock programs sent.
fn recorded() -> Vec<Vec<u8>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recorded");
    let directories = fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> = directories
        .flat_map(|directory| fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()))
        .collect();
    // The same case is the same messages.
    files.sort();
    assert!(files.len() > 200, "{} recorded messages", files.len());
    let messages = files.iter().flat_map(|file| match file.extension() {
        Some(extension) if extension == "bin" => vec![fs::read(file).unwrap()],
        _ => rows(&fs::read_to_string(file).unwrap()),
    });
    messages.collect()
}

/// The messages of a file of rows: `request LEN` or `reply LEN`, then offsets with bytes from there on; the rest is zero.
fn rows(text: &str) -> Vec<Vec<u8>> {
    let mut messages: Vec<Vec<u8>> = Vec::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (word, value) = line.split_once(' ').unwrap();
        let Ok(offset) = word.parse::<usize>() else {
            messages.push(vec![0; value.parse().unwrap()]);
            continue;
        };
        let message = messages.last_mut().unwrap();
        for (at, digits) in (offset..).zip(value.as_bytes().chunks(2)) {
            let digits = std::str::from_utf8(digits).unwrap();
            message[at] = u8::from_str_radix(digits, 16).unwrap();
        }
    }
    messages
}

/// What was not recorded, as this crate writes it for the peer that reads it.
fn made() -> Vec<Vec<u8>> {
    [of_agents(), of_consumers(), of_triggers(), of_relays(), of_tracers()].concat()
}

/// Of both ends of a logging agent's connection.
fn of_agents() -> Vec<Vec<u8>> {
    let domain = lttngd_model::Domain::Jul;
    let event = agent::EnableEvent {
        name: "logger".to_owned(),
        loglevel_type: 1,
        loglevel: 800,
        filter: Some("a > 3".to_owned()),
    };
    let names = ["one".to_owned(), "two".to_owned()];
    let agents = [
        agent::Registration { domain, pid: 7 }.encode(),
        agent::Command::List.encode(),
        agent::Command::EnableEvent(event).encode(),
        agent::Command::DisableEvent { name: "logger".to_owned() }.encode(),
        agent::Reply(Ok(())).encode().to_vec(),
        agent::encode_loggers(&names),
    ];
    agents.into()
}

/// A channel's image with a private part of so many bytes.
fn image(private_len: usize) -> Vec<u8> {
    const PRIVATE: usize = 800;
    let mut image = vec![0; PRIVATE + private_len];
    image[64..72].copy_from_slice(&(PRIVATE as u64).to_ne_bytes());
    image
}

/// Of a consumer daemon.
fn of_consumers() -> Vec<Vec<u8>> {
    let sample = consumer::MonitorSample {
        key: ChannelKey(3),
        lowest: 0,
        highest: 4096,
        total_consumed: 8192,
        total_packets: Some(2),
    };
    let consumers = [
        sample.encode(),
        consumer::ChunkReplyHead::encode(0, "trace"),
        consumer::encode_status(0).to_vec(),
        consumer::encode_status(1).to_vec(),
        consumer::encode_counter(5).to_vec(),
        consumer::ChannelHead { image_len: 4096, kind: 0 }.encode(),
        image(64),
        image(120),
    ];
    consumers.into()
}

/// Of triggers, and who is notified of them.
fn of_triggers() -> Vec<Vec<u8>> {
    let captured = [
        0x96, 0xd1, 1, 0xb7, 0xa4, b't', b'e', b's', b't', 0xc0, 0xcb, 0x40, 0x91, 0x58, 0, 0, 0,
        0, 0, 0x93, 1, 2, 3, 0xc0,
    ];
    let notifications = [
        notification::encode_handshake(),
        notification::encode_status(notification::Status::Ok),
        notification::encode_dropped(),
        captured.to_vec(),
    ];
    let condition = Condition::RotationOngoing { session: "s".to_owned() };
    let trigger = Trigger {
        owner_uid: 0,
        name: Some("trigger".to_owned()),
        is_hidden: false,
        condition: condition.clone(),
        action: Action::Notify(RatePolicy::default()),
    };
    let evaluation = Evaluation::RotationOngoing { rotation_id: 3 };
    let triggers = [
        client::encode_condition(&condition, Dialect::V2_13),
        notification::encode_notification(
            &client::encode_trigger(&trigger, Dialect::V2_13),
            &evaluation,
            0,
        )
        .unwrap(),
    ];
    notifications.into_iter().chain(triggers).collect()
}

/// Of both ends of a relay daemon's connection.
fn of_relays() -> Vec<Vec<u8>> {
    let handle = RelayStreamHandle(1);
    let metadata =
        relay::ConsumerCommand::SendMetadata { handle, padding_len: 2, content: b"text".to_vec() };
    let stream = relay::AddStream {
        name: "channel_0".to_owned(),
        path: "ust/uid/1000/64-bit".to_owned(),
        tracefile_size_bytes: 8192,
        tracefile_count: 4,
        chunk_id: ChunkId(9),
    };
    let relays = [
        relay::ConsumerCommand::AddStream(stream).encode(13),
        metadata.encode(13),
        relay::ConsumerCommand::TraceChunkExists(ChunkId(1)).encode(13),
        relay::Configuration { clear_allowed: true }.encode(),
        SessionHead::encode(lttngd_model::RelaySessionId(3), "host/session", 13),
        SessionHead::encode_refusal(RelayRefusal(2), 13),
        ClosedChunkHead::encode(Ok("host/session/archives/1")),
        relay::DataHeader { handle, net_seq_num: 1, content_len: 100, padding_len: 28 }
            .encode()
            .to_vec(),
    ];
    relays.into()
}

/// Of the kernel's tracer, and of what clients have to do with it.
fn of_tracers() -> Vec<Vec<u8>> {
    let lists =
        ["event { name = sched_switch; };\n", "syscall { id = 1; name = write; bitness = 64; };\n"];
    let kernel = lists.map(|text| text.as_bytes().to_vec());
    let newer = client::encode_kernel_tracer_status(client::KernelTracerStatus::Initialized);
    let probe = ProbeLocation::Tracepoint {
        provider: "provider".to_owned(),
        name: "name".to_owned(),
        binary_path: "/bin/program".to_owned(),
    };
    kernel.into_iter().chain([newer, probe.to_bytes()]).collect()
}
