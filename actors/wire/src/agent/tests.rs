//! Registrations, commands and replies: layouts, whole, cut, wrong and arbitrary.
#![allow(clippy::unwrap_used)]

use lttngd_model::{AppContext, EventDescription, LogLevelRule, SYMBOL_NAME_LEN};
use proptest::{collection::vec, option, prelude::*};

use super::*;

fn context() -> AppContext {
    AppContext { provider: "prov".to_owned(), name: "ctx".to_owned() }
}

fn enable(filter: Option<&str>) -> Command {
    Command::EnableEvent(EnableEvent {
        name: "app".to_owned(),
        loglevel_type: 1,
        loglevel: 800,
        filter: filter.map(str::to_owned),
    })
}

/// Every kind of command, with the size of its payload.
fn commands() -> Vec<(Command, usize)> {
    vec![
        (Command::List, 0),
        (enable(None), 268),
        (enable(Some("x == 1")), 275),
        (Command::DisableEvent { name: "app".to_owned() }, 256),
        (Command::RegistrationDone, 0),
        (Command::EnableAppContext(context()), 17),
        (Command::DisableAppContext(context()), 17),
    ]
}

fn split(bytes: &[u8]) -> (Header, &[u8]) {
    let (head, payload) = bytes.split_at(HEADER_LEN);
    let header = Header::decode(head).unwrap();
    assert_eq!(header.data_size, payload.len() as u64);
    (header, payload)
}

#[test]
fn registrations_have_the_layout_of_agents() {
    let registration = Registration { domain: Domain::Python, pid: 0x0102_0304 };
    let bytes = registration.encode();
    assert_eq!(bytes, [0, 0, 0, 5, 1, 2, 3, 4, 0, 0, 0, 2, 0, 0, 0, 0]);
    assert_eq!(Registration::decode(&bytes), Ok(registration));
    for end in 0..bytes.len() {
        assert!(Registration::decode(&bytes[..end]).is_err());
    }
    assert!(Registration::decode(&[bytes.as_slice(), &[0]].concat()).is_err());
    // No domain of agents, other versions, the other byte order.
    for (at, value) in [(3, 2), (3, 6), (0, 1), (11, 1), (11, 3), (15, 1)] {
        let mut wrong = bytes.clone();
        wrong[at] = value;
        assert!(Registration::decode(&wrong).is_err(), "{at} {value}");
    }
}

#[test]
fn commands_have_their_sizes_and_come_back() {
    for (number, (command, len)) in [1, 2, 2, 3, 4, 5, 6].into_iter().zip(commands()) {
        let bytes = command.encode();
        let (header, payload) = split(&bytes);
        assert_eq!((header.command, payload.len()), (number, len), "{command:?}");
        assert_eq!(Command::decode(number, payload).as_ref(), Ok(&command));
        for end in 0..payload.len() {
            assert!(Command::decode(number, &payload[..end]).is_err(), "{command:?} {end}");
        }
        assert!(Command::decode(number, &[payload, &[0]].concat()).is_err());
    }
    for number in [0, 7, u32::MAX] {
        assert!(Command::decode(number, &[]).is_err());
    }
}

#[test]
fn enable_has_the_layout_of_agents() {
    let bytes = enable(Some("f")).encode();
    assert_eq!(bytes[..16], [0, 0, 0, 0, 0, 0, 1, 14, 0, 0, 0, 2, 0, 0, 0, 0]);
    assert_eq!(bytes[16..24], [0, 0, 3, 32, 0, 0, 0, 1]);
    assert_eq!(bytes[24..28], *b"app\0");
    assert_eq!(bytes[280..], *b"\0\0\0\x02f\0");
    let every = EventDescription::tracepoint("app").at_log_level(LogLevelRule::All);
    let mut domain = lttngd_model::ust::UstDomain::new(4096);
    let facts = lttngd_model::ust::SessionFacts {
        kind: lttngd_model::SessionKind::Regular,
        was_started: false,
    };
    domain.enable_agent_event(Domain::Jul, &every, 1, facts).unwrap();
    let rule = &domain.agents[&Domain::Jul].events[0].rule;
    let bytes = Command::EnableEvent(EnableEvent::from(&**rule)).encode();
    assert_eq!(bytes[16..24], [0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0]);
    assert_eq!(bytes.len(), 16 + 268);
}

#[test]
fn headers_have_a_limit() {
    let bytes = Command::List.encode();
    for end in 0..HEADER_LEN {
        assert!(Header::decode(&bytes[..end]).is_err());
    }
    let mut large = bytes.clone();
    large[..8].copy_from_slice(&PAYLOAD_MAX_LEN.to_be_bytes());
    assert_eq!(Header::decode(&large).unwrap().data_size, PAYLOAD_MAX_LEN);
    large[..8].copy_from_slice(&(PAYLOAD_MAX_LEN + 1).to_be_bytes());
    assert!(Header::decode(&large).is_err());
}

#[test]
fn replies_begin_with_a_code() {
    for (code, reply) in [
        (1, Ok(())),
        (2, Err(Refusal::Invalid)),
        (3, Err(Refusal::UnknownName)),
        (0, Err(Refusal::Unknown(0))),
        (u32::MAX, Err(Refusal::Unknown(u32::MAX))),
    ] {
        assert_eq!(Reply::decode(code.to_be_bytes()), Reply(reply));
        assert_eq!(Reply(reply).encode(), code.to_be_bytes());
    }
}

/// The names that come in pieces of so many bytes.
fn loggers(count: u32, bytes: &[u8], piece: usize) -> Result<Vec<String>, DecodeError> {
    let mut loggers = Loggers::new(count);
    for piece in bytes.chunks(piece) {
        loggers.take(piece)?;
    }
    let names = loggers.finish()?;
    Ok(names.iter().map(|(name, ())| name.to_owned()).collect())
}

fn decode_loggers(count: u32, bytes: &[u8]) -> Result<Vec<String>, DecodeError> {
    let whole = loggers(count, bytes, bytes.len().max(1));
    for piece in 1..bytes.len().min(8) {
        let pieces = loggers(count, bytes, piece);
        assert_eq!(pieces.is_ok(), whole.is_ok());
        assert!(pieces.is_err() || pieces == whole);
    }
    whole
}

#[test]
fn names_that_are_too_long_are_left_out() {
    let longest = "x".repeat(SYMBOL_NAME_LEN - 1);
    let names = [longest.clone(), format!("{longest}x"), "y".repeat(5000), "z".to_owned()];
    let bytes = encode_loggers(&names);
    let data = &bytes[REPLY_LEN + LIST_HEAD_LEN..];
    for piece in [1, 7, 255, 256, 257, data.len()] {
        assert_eq!(loggers(4, data, piece).unwrap(), [longest.as_str(), "z"], "{piece}");
    }
    // What stands in for a byte that is no text takes three.
    let bytes = [vec![0xff; 85], vec![0], vec![0xff; 86], vec![0]].concat();
    assert_eq!(loggers(2, &bytes, 10).unwrap(), ["\u{fffd}".repeat(85)]);
}

#[test]
fn listings_are_whole_or_refused() {
    let names = ["a".to_owned(), String::new(), "b.é".to_owned()];
    let bytes = encode_loggers(&names);
    assert_eq!(bytes[..REPLY_LEN], [0, 0, 0, 1]);
    let (head, data) = bytes[REPLY_LEN..].split_at(LIST_HEAD_LEN);
    let head = ListHead::decode(head).unwrap();
    // As counted by agents: the names alone.
    assert_eq!((head.data_size as usize, head.count), (data.len(), 3));
    assert_eq!(decode_loggers(3, data).unwrap(), names);
    for end in 0..data.len() {
        assert!(decode_loggers(3, &data[..end]).is_err());
    }
    assert!(decode_loggers(2, data).is_err());
    assert!(decode_loggers(4, data).is_err());
    assert_eq!(decode_loggers(1, b"\xff\0").unwrap(), ["\u{fffd}"]);
    let head = |data_size: u32, count: u32| {
        ListHead::decode(&[data_size.to_be_bytes(), count.to_be_bytes()].concat())
    };
    assert!(head(LOGGERS_MAX_LEN, LOGGERS_MAX).is_ok());
    assert!(head(LOGGERS_MAX_LEN, LOGGERS_MAX + 1).is_err());
    assert!(head(LOGGERS_MAX_LEN + 1, 0).is_err());
    // Each name takes a byte.
    assert!(head(3, 4).is_err());
}

fn text() -> impl Strategy<Value = String> {
    "[a-zA-Z0-9_:*é/. ]{0,60}"
}

fn any_command() -> impl Strategy<Value = Command> {
    let context = || (text(), text()).prop_map(|(provider, name)| AppContext { provider, name });
    prop_oneof![
        Just(Command::List),
        Just(Command::RegistrationDone),
        (text(), any::<u32>(), any::<i32>(), option::of(text())).prop_map(
            |(name, loglevel_type, loglevel, filter)| Command::EnableEvent(EnableEvent {
                name,
                loglevel_type,
                loglevel,
                filter,
            })
        ),
        text().prop_map(|name| Command::DisableEvent { name }),
        context().prop_map(Command::EnableAppContext),
        context().prop_map(Command::DisableAppContext),
    ]
}

proptest! {
    #[test]
    fn any_command_comes_back(command in any_command()) {
        let bytes = command.encode();
        let (header, payload) = split(&bytes);
        prop_assert_eq!(Command::decode(header.command, payload), Ok(command));
    }

    #[test]
    fn any_names_come_back(names in vec(text(), 0..20)) {
        let bytes = encode_loggers(&names);
        let (head, data) = bytes[REPLY_LEN..].split_at(LIST_HEAD_LEN);
        let head = ListHead::decode(head).unwrap();
        prop_assert_eq!(decode_loggers(head.count, data), Ok(names));
    }

    #[test]
    fn any_bytes_are_taken_or_refused(number in 0..8_u32, count in 0..20_u32, bytes in vec(any::<u8>(), 0..400)) {
        let _ = Registration::decode(&bytes);
        let _ = Header::decode(&bytes);
        let _ = ListHead::decode(&bytes);
        if let Ok(names) = decode_loggers(count, &bytes) {
            prop_assert_eq!(names.len(), count as usize);
        }
        if let Ok(command) = Command::decode(number, &bytes) {
            prop_assert_eq!(command.number(), number);
        }
    }
}
