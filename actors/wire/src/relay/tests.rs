//! Commands and replies in every variant, whole, cut and wrong.
#![allow(clippy::unwrap_used)]

mod consumer;

use lttngd_model::{ChunkId, RelaySessionId, SessionId, Timestamp};

use super::*;

fn session() -> CreateSession {
    CreateSession {
        name: "s".to_owned(),
        hostname: "host".to_owned(),
        base_path: "a/b".to_owned(),
        live_timer_us: 7,
        snapshot: true,
        name_contains_creation_time: true,
        sessiond_uuid: [3; 16],
        session_id: SessionId(1 << 40),
        created_at: Timestamp { epoch_s: 99 },
        current_chunk_id: Some(ChunkId(5)),
    }
}

fn split(bytes: &[u8]) -> (Header, &[u8]) {
    let (head, payload) = bytes.split_at(HEADER_LEN);
    let header = Header::decode(head).unwrap();
    assert_eq!(header.data_size, payload.len() as u64);
    (header, payload)
}

#[test]
fn commands_come_back() {
    for (command, minor) in [
        (Command::Version(OWN_VERSION), 0),
        (Command::GetConfiguration, 12),
        (Command::CreateSession(Box::new(session())), 11),
        (Command::CreateSession(Box::new(session())), 13),
        (Command::CreateSession(Box::new(session())), 15),
    ] {
        let bytes = command.encode(minor);
        let (header, payload) = split(&bytes);
        assert_eq!(Command::decode(header.command, payload, minor).unwrap(), Some(command));
        for end in 0..payload.len() {
            assert!(Command::decode(header.command, &payload[..end], minor).is_err());
        }
        let longer = [payload, &[0]].concat();
        assert!(Command::decode(header.command, &longer, minor).is_err());
    }
    assert!(Command::decode(3, &[], 13).is_err());
    assert!(Command::decode(22, &1_u64.to_be_bytes(), 13).is_err());
}

#[test]
fn old_relays_are_told_less() {
    let command = Command::CreateSession(Box::new(session()));
    let bytes = command.encode(10);
    let (header, payload) = split(&bytes);
    assert_eq!(payload.len(), 327);
    let Some(Command::CreateSession(old)) = Command::decode(header.command, payload, 4).unwrap()
    else {
        panic!("no session")
    };
    assert_eq!((old.name.as_str(), old.hostname.as_str()), ("s", "host"));
    assert_eq!((old.live_timer_us, old.snapshot, old.base_path.as_str()), (7, true, ""));
    let bytes = command.encode(3);
    let (header, payload) = split(&bytes);
    assert_eq!(Command::decode(header.command, payload, 3).unwrap(), None);
}

#[test]
fn names_that_are_too_long_are_cut_between_letters() {
    let hostname = format!("{}é", "h".repeat(62));
    let long = CreateSession { name: "n".repeat(999), hostname, ..session() };
    let bytes = Command::CreateSession(Box::new(long)).encode(13);
    let (header, payload) = split(&bytes);
    let Some(Command::CreateSession(cut)) = Command::decode(header.command, payload, 13).unwrap()
    else {
        panic!("no session")
    };
    assert_eq!((cut.name.len(), cut.hostname.as_str()), (254, "h".repeat(62).as_str()));
}

/// The trace format stands between what is of fixed size and the names.
#[test]
fn the_format_of_traces_is_told_from_2_15_on() {
    let command = Command::CreateSession(Box::new(session()));
    let (older, newer) = (command.encode(14), command.encode(15));
    assert_eq!(newer.len(), older.len() + 4);
    let (fixed, names) = older.split_at(HEADER_LEN + 59);
    assert_eq!(newer[HEADER_LEN..HEADER_LEN + 59], fixed[HEADER_LEN..]);
    assert_eq!(newer[HEADER_LEN + 59..HEADER_LEN + 63], 1_u32.to_be_bytes());
    assert_eq!(&newer[HEADER_LEN + 63..], names);
    let (header, payload) = split(&newer);
    let mut other = payload.to_vec();
    other[62] = 2;
    assert!(Command::decode(header.command, &other, 15).is_err(), "CTF 2 is written by nobody");
}

#[test]
fn lengths_over_their_limits() {
    let bytes = Command::CreateSession(Box::new(session())).encode(13);
    let (header, payload) = split(&bytes);
    for (member, limit) in [(0, 255), (4, 64), (8, 4096)] {
        let mut payload = payload.to_vec();
        payload[member..member + 4].copy_from_slice(&u32::to_be_bytes(limit + 1));
        let error = Command::decode(header.command, &payload, 13).unwrap_err();
        assert!(matches!(error, DecodeError::TooLarge { .. }), "{error}");
    }
    let mut header = bytes[..HEADER_LEN].to_vec();
    header[8] = 1;
    assert!(matches!(Header::decode(&header), Err(DecodeError::TooLarge { .. })));
}

#[test]
fn replies_come_back() {
    for clear_allowed in [false, true] {
        let configuration = Configuration { clear_allowed };
        assert_eq!(Configuration::decode(&configuration.encode()), Ok(configuration));
    }
    let refused = [11_u32.to_be_bytes().as_slice(), &[0; 8]].concat();
    assert_eq!(Configuration::decode(&refused), Err(RelayRefusal(11).into()));
    for minor in [1, 4, 10, 11, 13] {
        let bytes = SessionHead::encode(RelaySessionId(8), "host/s", minor);
        let (head, path) = bytes.split_at(SessionHead::len(minor));
        let decoded = SessionHead::decode(head, minor).unwrap();
        assert_eq!(decoded.session_id, RelaySessionId(8));
        let expected = if minor < 11 { "" } else { "host/s" };
        assert_eq!(decoded.decode_path(path).unwrap(), expected);
        assert!(decoded.decode_path(&[path, b"x"].concat()).is_err());
        let refusal = RelayRefusal(25);
        let refused = SessionHead::decode(&SessionHead::encode_refusal(refusal, minor), minor);
        assert_eq!(refused, Err(refusal.into()));
        assert!(SessionHead::decode(&head[1..], minor).is_err());
    }
    let mut long = SessionHead::encode(RelaySessionId(1), "", 13);
    long[12..16].copy_from_slice(&4097_u32.to_be_bytes());
    let decoded = SessionHead::decode(&long[..16], 13);
    assert!(matches!(decoded, Err(ReplyError::Malformed(DecodeError::TooLarge { .. }))));
}

#[test]
fn the_lower_minor_of_one_major_is_used() {
    let common = |major, minor| OWN_VERSION.common(Version { major, minor });
    assert_eq!(common(2, 4), Some(Version { major: 2, minor: 4 }));
    assert_eq!(common(2, 99), Some(OWN_VERSION));
    assert_eq!(common(3, 13), None);
    let told = OWN_VERSION;
    assert_eq!(Version::decode(&told.encode()), Ok(told));
    assert!(told.has_clear() && told.has_trace_chunks());
    assert!(told.can_reset_metadata() && !Version { major: 2, minor: 7 }.can_reset_metadata());
    assert!(!Version { major: 2, minor: 11 }.has_clear());
    assert!(!Version { major: 2, minor: 10 }.has_trace_chunks());
}
