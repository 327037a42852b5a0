//! Wrong requests get the error that their command answers.

use lttngd_model::{
    BufferScheme, ContextKind, DescriptorOutput, Domain, ErrorCode, SessionDescriptor, SessionKind,
};

use super::{announce, patch, through_old_wire};
use crate::DecodeError;
use crate::client::{
    Command, CommandKind, Dialect, PAYLOAD_MAX_LEN, REQUEST_LEN, Request, RotationSchedule,
    SnapshotOutput, descriptor, kind,
};
use crate::{Reader, Writer};

fn bare(kind: CommandKind) -> Request {
    Request::new(&Command::Undefined(kind.to_raw(Dialect::V2_13).unwrap())).0
}

/// What a command makes of a payload of these bytes.
fn with_payload(kind: CommandKind, payload: &[u8]) -> Result<Command, ErrorCode> {
    let mut request = bare(kind);
    assert!(announce(&mut request, payload.len()));
    request.command(payload)
}

#[test]
fn unused_numbers_need_session_and_domain() {
    for number in [1, 7, 8, 19, 20, 22, 23, 29, 30, 37, 38, 39] {
        let (request, _) = Request::new(&Command::Undefined(number));
        assert!(request.needs_session() && request.needs_domain(), "{number}");
        assert_eq!(request.command(&[]), Ok(Command::Undefined(number)));
        assert_eq!(request.malformed(), ErrorCode::Und);
    }
    for number in [53, u32::MAX] {
        let (request, _) = Request::new(&Command::Undefined(number));
        assert!(!request.needs_session() && !request.needs_domain(), "{number}");
        assert_eq!(request.command(&[]), Ok(Command::Undefined(number)));
    }
}

#[test]
fn commands_need_what_the_protocol_says() {
    let without_session = [4, 13, 14, 18, 31, 43, 44, 49, 51, 52];
    let without_domain =
        [9, 11, 13, 16, 17, 24, 25, 26, 27, 28, 31, 40, 41, 42, 45, 46, 47, 48, 49, 50, 51, 52];
    for kind in CommandKind::ALL {
        for dialect in Dialect::ALL {
            let Some(raw) = kind.to_raw(dialect) else { continue };
            assert_eq!(CommandKind::from_raw(raw, dialect), Some(*kind));
            assert!(raw <= kind::last(dialect), "{kind:?}");
        }
        let Some(raw) = kind.to_raw(Dialect::V2_13) else { continue };
        assert_eq!(bare(*kind).needs_session(), !without_session.contains(&raw), "{kind:?}");
        assert_eq!(bare(*kind).needs_domain(), !without_domain.contains(&raw), "{kind:?}");
    }
}

#[test]
fn the_fixed_part_is_checked() {
    let bytes = bare(CommandKind::StartTrace).encode(&[]);
    let changed = |range: std::ops::Range<usize>, byte: u8| {
        let mut bytes = bytes.clone();
        bytes[range].fill(byte);
        Request::decode(&bytes, Dialect::V2_13)
    };
    assert!(matches!(changed(4..259, b'n'), Err(DecodeError::BadString { .. })));
    assert!(matches!(changed(4..6, 0xff), Err(DecodeError::BadString { .. })));
    assert!(matches!(changed(13152..13153, 254), Err(DecodeError::TooLarge { .. })));
    assert_eq!(changed(13152..13153, 253).unwrap().fd_count, 253);
    assert_eq!(changed(4..258, b'n').unwrap().session_name.len(), 254);
}

#[test]
fn payloads_have_a_limit() {
    for (kind, offset) in [
        (CommandKind::EnableEvent, 256),
        (CommandKind::EnableChannel, 0),
        (CommandKind::RegisterTrigger, 0),
        (CommandKind::SetConsumerUri, 0),
        (CommandKind::TrackerAddValue, 16),
        (CommandKind::CreateSession, 2),
    ] {
        let mut request = bare(kind);
        patch(&mut request, offset, &[0xff; 8]);
        let error = request.payload_len().unwrap_err();
        assert!(matches!(error, DecodeError::TooLarge { .. }), "{kind:?}: {error}");
    }
    let mut request = bare(CommandKind::RegisterTrigger);
    patch(&mut request, 0, &u32::try_from(PAYLOAD_MAX_LEN).unwrap().to_ne_bytes());
    assert_eq!(request.payload_len(), Ok(PAYLOAD_MAX_LEN));
}

#[test]
fn text_in_the_union_must_end_and_be_utf8() {
    for (kind, size, expected) in [
        (CommandKind::DisableChannel, 256, ErrorCode::InvalidProtocol),
        (CommandKind::ListEvents, 256, ErrorCode::InvalidProtocol),
        (CommandKind::SetSessionShmPath, 4096, ErrorCode::InvalidProtocol),
        (CommandKind::SaveSession, 255, ErrorCode::InvalidProtocol),
        (CommandKind::SnapshotAddOutput, 300, ErrorCode::Invalid),
    ] {
        for text in [vec![b'x'; size], vec![0xfe; size - 1]] {
            let mut request = Request::decode(&bare(kind).encode(&[]), Dialect::V2_13).unwrap();
            patch(&mut request, 0, &text);
            assert_eq!(request.command(&[]), Err(expected), "{kind:?}");
        }
    }
}

#[test]
fn channels_are_checked() {
    let (_, good) = Request::new(&Command::EnableChannel(super::channel("chan")));
    assert!(with_payload(CommandKind::EnableChannel, &good).is_ok());
    let changed = |at: usize, bytes: &[u8]| {
        let mut payload = good.clone();
        payload[at..at + bytes.len()].copy_from_slice(bytes);
        with_payload(CommandKind::EnableChannel, &payload)
    };
    assert_eq!(changed(0, &[0]), Err(ErrorCode::Invalid), "no name");
    assert_eq!(changed(0, &[4]), Err(ErrorCode::Invalid), "name without NUL");
    assert_eq!(changed(84, &[0]), Err(ErrorCode::Invalid), "NUL inside");
    assert_eq!(changed(84, &[0xff]), Err(ErrorCode::Invalid), "not UTF-8");
    assert_eq!(changed(5, &[2]), Err(ErrorCode::Invalid), "overwrite");
    assert_eq!(changed(30, &[2]), Err(ErrorCode::NotSupported), "output");
    let name = |len| {
        let (_, payload) = Request::new(&Command::EnableChannel(super::channel(&"n".repeat(len))));
        with_payload(CommandKind::EnableChannel, &payload)
    };
    assert!(name(254).is_ok());
    assert_eq!(name(255), Err(ErrorCode::Invalid));
}

#[test]
fn contexts_of_unknown_type_reach_the_command() {
    let unknown = with_payload(CommandKind::AddContext, &99_u32.to_ne_bytes()).unwrap();
    let Command::AddContext { context, .. } = unknown else { panic!("{unknown:?}") };
    assert_eq!((context.raw_type, context.context), (99, None));
    let error = with_payload(CommandKind::AddContext, &[99, 0, 0, 0, 0]);
    assert_eq!(error, Err(ErrorCode::InvalidProtocol));
    let mut app = Writer::default();
    app.u32(ContextKind::AppContext as u32).u32(0).u32(2).string("c");
    let error = with_payload(CommandKind::AddContext, &app.into_bytes());
    assert_eq!(error, Err(ErrorCode::InvalidProtocol));
}

#[test]
fn uris_must_be_there_and_have_a_meaning() {
    let request = bare(CommandKind::SetConsumerUri);
    assert_eq!(request.command(&[]), Err(ErrorCode::Invalid));
    let uri = |at: usize, value: u8| {
        let mut request = bare(CommandKind::SetConsumerUri);
        patch(&mut request, 0, &1_u32.to_ne_bytes());
        let mut uri = vec![0; 8210];
        uri[0] = 1;
        uri[12] = 1;
        uri[at] = value;
        request.command(&uri)
    };
    assert!(uri(0, 1).is_ok() && uri(0, 2).is_ok() && uri(0, 3).is_ok());
    for (at, value) in [(0, 0), (0, 4), (8, 2), (12, 2), (18, 0xff), (4114, 0xff)] {
        assert_eq!(uri(at, value), Err(ErrorCode::Invalid), "{at} {value}");
    }
}

fn live(output: DescriptorOutput) -> SessionDescriptor {
    SessionDescriptor {
        kind: SessionKind::Live { timer_interval_us: 1 },
        name: Some("live".to_owned()),
        output,
    }
}

#[test]
fn descriptors_are_checked() {
    let good = descriptor::encode_descriptor(&live(DescriptorOutput::None), Dialect::V2_13);
    let create = |bytes: &[u8]| with_payload(CommandKind::CreateSession, bytes);
    assert!(create(&good).is_ok());
    let mut wrong =
        vec![descriptor::encode_descriptor(&live(DescriptorOutput::Local(None)), Dialect::V2_13)];
    for (at, byte) in [(0, 0), (0, 4), (1, 3), (2, 1), (2, 4), (6, 1), (7, 0), (11, 1), (16, 0)] {
        let mut bytes = good.clone();
        bytes[at] = byte;
        wrong.push(bytes);
    }
    for bytes in wrong {
        assert_eq!(create(&bytes), Err(ErrorCode::Invalid), "{bytes:?}");
    }
    assert_eq!(create(&[]), Err(ErrorCode::SessionFail));
    assert_eq!(create(&vec![1; 65537]), Err(ErrorCode::Invalid));
}

#[test]
fn both_sides_of_a_network_output_are_needed_in_order() {
    let uri = |side: u8| {
        let mut uri = vec![0; 8210];
        uri[0] = 1;
        uri[8] = side;
        uri[12] = 1;
        uri
    };
    let decode = |sides: &[u8]| {
        let mut bytes = vec![1, 2, 0, 0, 0, 0, u8::try_from(sides.len()).unwrap()];
        sides.iter().for_each(|side| bytes.extend(uri(*side)));
        with_payload(CommandKind::CreateSession, &bytes)
    };
    assert!(decode(&[]).is_ok());
    assert!(decode(&[0, 1]).is_ok());
    for sides in [&[0][..], &[1, 0], &[0, 0], &[0, 1, 1]] {
        assert_eq!(decode(sides), Err(ErrorCode::Invalid), "{sides:?}");
    }
}

#[test]
fn home_directories_have_a_limit() {
    let create = |home: &str| {
        through_old_wire(&Command::CreateSession {
            home: Some(home.to_owned()),
            descriptor: live(DescriptorOutput::None),
        })
    };
    assert!(create(&"h".repeat(4094)).is_ok());
    assert_eq!(create(&"h".repeat(4095)), Err(ErrorCode::Invalid));
}

/// Attribute, type and number of a tracker value.
type Raw = (i32, i32, i64);

fn track(domain: Domain, raw: Raw, name: &[u8]) -> Result<Command, ErrorCode> {
    let mut member = Writer::default();
    member.i32(raw.0).i32(raw.1).i64(raw.2);
    let mut request = bare(CommandKind::TrackerAddValue).in_domain(domain, BufferScheme::PerUid);
    patch(&mut request, 0, &member.into_bytes());
    announce(&mut request, name.len());
    request.command(name)
}

#[test]
fn tracker_values_are_checked_in_order() {
    use ErrorCode as E;
    let vpid = (1, 0, 5);
    assert!(track(Domain::Ust, vpid, &[]).is_ok());
    assert!(track(Domain::Kernel, (0, 0, 5), &[]).is_ok());
    assert!(track(Domain::Ust, (3, 2, 0), b"root\0").is_ok());
    let name = |len| [vec![b'n'; len], vec![0]].concat();
    assert!(track(Domain::Ust, (3, 2, 0), &name(255)).is_ok());
    for (domain, raw, name, expected) in [
        (Domain::Jul, vpid, &b""[..], E::UnsupportedDomain),
        (Domain::None, (3, 2, 0), b"", E::UnsupportedDomain),
        (Domain::Ust, (0, 0, 5), b"", E::UnsupportedDomain),
        (Domain::Ust, (9, 0, 5), b"", E::UnsupportedDomain),
        (Domain::Kernel, (9, 0, 5), b"", E::InvalidProtocol),
        (Domain::Ust, (1, 3, 5), b"", E::Invalid),
        (Domain::Ust, (1, 9, 5), b"", E::Invalid),
        (Domain::Ust, (1, 0, 1 << 40), b"", E::Invalid),
        (Domain::Ust, (3, 1, -1), b"", E::Invalid),
        (Domain::Jul, (3, 2, 0), b"root", E::Invalid),
        (Domain::Ust, (3, 2, 0), b"", E::InvalidProtocol),
        (Domain::Ust, (3, 2, 0), &name(256), E::Invalid),
        (Domain::Ust, vpid, b"root\0", E::InvalidProtocol),
        (Domain::Ust, (5, 2, 0), b"root\0", E::Invalid),
    ] {
        assert_eq!(track(domain, raw, name), Err(expected), "{domain:?} {raw:?} {name:?}");
    }
}

#[test]
fn tracker_policies_are_checked_in_order() {
    let ask = |kind, domain, attribute: i32, policy: u32| {
        let mut member = Writer::default();
        member.i32(attribute).u32(policy);
        let mut request = bare(kind).in_domain(domain, BufferScheme::PerUid);
        patch(&mut request, 0, &member.into_bytes());
        request.command(&[]).map(|command| command.to_raw(Dialect::V2_13))
    };
    use CommandKind as K;
    assert_eq!(ask(K::TrackerSetPolicy, Domain::Ust, 3, 2), Ok(35));
    assert_eq!(ask(K::TrackerSetPolicy, Domain::Jul, 3, 3), Err(ErrorCode::Invalid));
    assert_eq!(ask(K::TrackerSetPolicy, Domain::Jul, 3, 1), Err(ErrorCode::UnsupportedDomain));
    for kind in [K::TrackerGetPolicy, K::TrackerGetInclusionSet, K::TrackerSetPolicy] {
        assert_eq!(ask(kind, Domain::None, 3, 0), Err(ErrorCode::UnsupportedDomain));
        assert_eq!(ask(kind, Domain::Ust, 2, 0), Err(ErrorCode::Invalid));
        assert_eq!(ask(kind, Domain::Ust, 6, 0), Err(ErrorCode::Invalid));
        assert!(ask(kind, Domain::Kernel, 2, 0).is_ok());
    }
}

#[test]
fn schedules_of_unknown_type_are_refused() {
    let (mut request, _) = Request::new(&Command::RotationSetSchedule {
        set: true,
        schedule: RotationSchedule::SizeThreshold { bytes: 1 },
    });
    patch(&mut request, 0, &[2]);
    assert_eq!(request.command(&[]), Err(ErrorCode::Invalid));
}

#[test]
fn long_text_is_cut_where_the_wire_has_no_room() {
    let output = SnapshotOutput { name: "n".repeat(300), ..SnapshotOutput::default() };
    let read = through_old_wire(&Command::SnapshotAddOutput(output)).unwrap();
    let Command::SnapshotAddOutput(output) = read else { panic!("{read:?}") };
    assert_eq!(output.name, "n".repeat(254));
}

#[test]
fn offsets_on_the_wire_are_those_of_the_c_structure() {
    let (request, payload) = Request::new(&Command::RotationGetInfo { rotation_id: 0x0102 });
    let bytes =
        request.in_session("s").in_domain(Domain::Ust, BufferScheme::PerUid).encode(&payload);
    assert_eq!(bytes.len(), REQUEST_LEN);
    assert_eq!((bytes[0], bytes[4], bytes[4380], bytes[4384]), (46, b's', 2, 1));
    let id = Reader::new(&bytes[4688..]).u64("id");
    assert_eq!(id, Ok(0x0102));
}
