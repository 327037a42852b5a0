//! Wrong events.

use lttngd_model::{
    Bytecode, ErrorCode, EventDescription, Filter, FunctionLookup, ProbeAttributes, ProbeLocation,
    UserspaceProbe,
};

use super::through_old_wire;
use crate::DecodeError;
use crate::client::{Command, Request};

/// Size of `struct lttng_event_comm`, after which the name stands.
const NAME: usize = 43;

fn event() -> EventDescription {
    EventDescription {
        kind: 0,
        loglevel_type: 0,
        loglevel: -1,
        enabled: 0,
        pid: 0,
        flags: 0,
        name: "ab".to_owned(),
        exclusions: vec!["x".to_owned()],
        filter: Some(Filter {
            expression: "f".to_owned(),
            bytecode: Bytecode { reloc_table_offset: 2, seqnum: 0, data: vec![1, 2] },
        }),
        probe: None,
        userspace_probe: None,
    }
}

fn enable(event: EventDescription) -> Command {
    Command::EnableEvent { channel: String::new(), event }
}

/// What ENABLE_EVENT makes of an event with some bytes changed.
fn changed(event: EventDescription, at: usize, bytes: &[u8]) -> Result<Command, ErrorCode> {
    let (request, mut payload) = Request::new(&enable(event));
    payload[at..at + bytes.len()].copy_from_slice(bytes);
    request.command(&payload)
}

fn refused(event: EventDescription, at: usize, bytes: &[u8]) {
    let result = changed(event, at, bytes);
    assert_eq!(result, Err(ErrorCode::InvalidProtocol), "{bytes:?} at {at}");
}

#[test]
fn numbers_pass_whatever_they_are() {
    for at in [1, 2, 6, 7, 11] {
        assert!(changed(event(), at, &[0x7f]).is_ok(), "{at}");
    }
}

#[test]
fn unknown_kinds_are_refused() {
    refused(event(), 0, &[7]);
    refused(event(), 0, &[0xfe]);
}

#[test]
fn lengths_must_fit() {
    for at in [15, 19, 23, 27, 31, 35, 39] {
        refused(event(), at, &u32::MAX.to_ne_bytes());
        refused(event(), at, &[9]);
    }
    refused(event(), 15, &[0]);
    refused(event(), 15, &[2]);
}

#[test]
fn text_must_be_text() {
    let exclusion = NAME + 3 + 4;
    let filter = exclusion + 2;
    for at in [NAME, exclusion, filter] {
        refused(event(), at, &[0]);
        refused(event(), at, &[0xff]);
        refused(event(), at + 1, b"!!");
    }
}

#[test]
fn names_and_exclusions_have_a_limit() {
    let long = |len| EventDescription { name: "n".repeat(len), ..event() };
    assert!(through_old_wire(&enable(long(255))).is_ok());
    assert!(through_old_wire(&enable(long(256))).is_err());
    let long = |len| EventDescription { exclusions: vec!["n".repeat(len)], ..event() };
    assert!(through_old_wire(&enable(long(255))).is_ok());
    assert!(through_old_wire(&enable(long(256))).is_err());
    let many = |len| EventDescription { exclusions: vec!["n".to_owned(); len], ..event() };
    assert!(through_old_wire(&enable(many(4096))).is_ok());
    assert!(through_old_wire(&enable(many(4097))).is_err());
}

#[test]
fn filters_have_a_limit() {
    let with = |text: usize, code: usize| {
        let bytecode = Bytecode { reloc_table_offset: 0, seqnum: 0, data: vec![0; code] };
        let filter = Some(Filter { expression: "f".repeat(text), bytecode });
        through_old_wire(&enable(EventDescription { filter, ..event() })).is_ok()
    };
    assert!(with(65535, 65536));
    assert!(!with(65536, 1));
    assert!(!with(1, 65537));
}

#[test]
fn filter_text_and_bytecode_belong_together() {
    let filter = NAME + 3 + 4 + 2;
    let strip = |len_at: usize, from: usize, to: usize| {
        let (mut request, mut payload) = Request::new(&enable(event()));
        payload[len_at..len_at + 4].fill(0);
        payload.drain(from..to);
        assert!(super::announce(&mut request, payload.len()));
        request.command(&payload)
    };
    let end = filter + 2 + 48 + 2;
    assert_eq!(strip(23, filter, filter + 2), Err(ErrorCode::InvalidProtocol), "bytecode alone");
    assert_eq!(strip(27, filter + 2, end), Err(ErrorCode::InvalidProtocol), "text alone");
}

#[test]
fn bytecode_must_be_whole() {
    let bytecode = NAME + 3 + 4 + 2 + 2;
    refused(event(), bytecode, &[1]);
    refused(event(), bytecode, &[3]);
    refused(event(), bytecode + 4, &[3]);
    assert!(changed(event(), bytecode + 4, &[0]).is_ok());
}

#[test]
fn attributes_must_be_those_of_the_kind() {
    let probe = || ProbeAttributes { address: 5, offset: 5, symbol: "s".to_owned() };
    let plain = EventDescription { exclusions: Vec::new(), filter: None, ..event() };
    let kprobe = EventDescription { kind: 1, probe: Some(probe()), ..plain.clone() };
    let function = EventDescription {
        kind: 3,
        probe: Some(ProbeAttributes { address: 0, offset: 0, ..probe() }),
        ..plain.clone()
    };
    let location = ProbeLocation::Function {
        name: "f".to_owned(),
        binary_path: "/p".to_owned(),
        lookup: FunctionLookup::Elf,
    };
    let probe = UserspaceProbe::from(location.to_bytes());
    let uprobe = EventDescription { kind: 6, userspace_probe: Some(probe), ..plain.clone() };
    for event in [&kprobe, &function, &uprobe] {
        assert_eq!(through_old_wire(&enable(event.clone())), Ok(enable(event.clone())));
    }
    for (event, kind) in [(&kprobe, 0), (&kprobe, 3), (&function, 1), (&uprobe, 2), (&plain, 6)] {
        refused(event.clone(), 0, &[kind]);
    }
    refused(kprobe.clone(), NAME + 3 + 16, &[3]);
    refused(kprobe, 35, &[21]);
    refused(function, 39, &[0]);
}

#[test]
fn a_location_that_is_none_is_refused() {
    for bytes in [Vec::new(), vec![1, 2, 3]] {
        let none = UserspaceProbe::from(bytes);
        let event = EventDescription { kind: 6, userspace_probe: Some(none), ..event() };
        assert_eq!(through_old_wire(&enable(event)), Err(ErrorCode::InvalidProtocol));
    }
}

#[test]
fn errors_name_the_member() {
    let error = crate::client::decode_events(1, &[9; 43]).unwrap_err();
    assert_eq!(error, DecodeError::BadValue { what: "event_type", value: 9 });
}
