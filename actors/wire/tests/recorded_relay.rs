//! Commands of the stock session daemon 2.13 to relay daemons of several versions: everything
//! decodes, and encodes to the same bytes.

#![allow(clippy::unwrap_used)]

mod recording;

use lttngd_model::SessionId;
use lttngd_wire::relay::{Command, CreateSession, HEADER_LEN, Header, OWN_VERSION, Version};
use recording::{message, messages, padded};

const DIRECTORY: &str = "relay";

/// The minor version that a name ends with, or has before a further word.
fn minor(name: &str) -> u32 {
    let version = name.split_once("_2_").map_or("13", |(_, rest)| rest);
    version.split('_').next().unwrap().parse().unwrap()
}

fn decode(bytes: &[u8], minor: u32) -> Option<Command> {
    let (head, payload) = bytes.split_at(HEADER_LEN);
    let header = Header::decode(head).unwrap();
    assert_eq!(header.data_size, payload.len() as u64);
    Command::decode(header.command, payload, minor).unwrap()
}

fn session(name: &str) -> CreateSession {
    let name = format!("create_session_{name}");
    match decode(&message(DIRECTORY, "command", &name), minor(&name)) {
        Some(Command::CreateSession(session)) => *session,
        other => panic!("{other:?}"),
    }
}

/// What the stock daemon leaves uninitialised behind the texts of fixed size, zeroed.
fn whole(bytes: Vec<u8>, minor: u32) -> Vec<u8> {
    if !(4..11).contains(&minor) {
        return bytes;
    }
    let (head, texts) = bytes.split_at(HEADER_LEN);
    let (name, rest) = texts.split_at(255);
    let (hostname, numbers) = rest.split_at(64);
    let text = |member: &[u8]| {
        let text = member.split(|byte| *byte == 0).next().unwrap().to_vec();
        padded(text, member.len())
    };
    [head, &text(name), &text(hostname), numbers].concat()
}

#[test]
fn every_command_encodes_to_the_same_bytes() {
    let messages = messages(DIRECTORY, "command");
    assert_eq!(messages.len(), 11);
    for (name, bytes) in messages {
        let minor = minor(&name);
        let command = decode(&bytes, minor).unwrap_or_else(|| {
            assert_eq!(name, "create_session_2_3");
            Command::CreateSession(Box::new(session("2_13")))
        });
        assert!(command.encode(minor) == whole(bytes, minor), "{name}: {command:?}");
    }
}

#[test]
fn what_a_relay_is_told() {
    let version = decode(&message(DIRECTORY, "command", "version"), 0);
    assert_eq!(version, Some(Command::Version(Version { minor: 13, ..OWN_VERSION })));
    let configuration = decode(&message(DIRECTORY, "command", "get_configuration"), 12);
    assert_eq!(configuration, Some(Command::GetConfiguration));
    let plain = session("2_13");
    assert_eq!((plain.name.as_str(), plain.base_path.as_str()), ("plain", ""));
    assert_eq!((plain.session_id, plain.current_chunk_id), (SessionId(0), None));
    assert!(!plain.snapshot && !plain.name_contains_creation_time);
    assert_ne!(plain.sessiond_uuid, [0; 16]);
    assert!(session("2_13_auto").name_contains_creation_time);
    assert_eq!(session("2_13_path").base_path, "sub/dir");
    assert_eq!(session("2_13_live").live_timer_us, 200_000);
    let old = session("2_10_live");
    assert_eq!((old.name.as_str(), old.live_timer_us), ("tenlive", 1_000_000));
}
