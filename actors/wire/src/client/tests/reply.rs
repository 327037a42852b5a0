//! Replies and what they may not hold.

use lttngd_model::{ErrorCode, EventKind, EventListing};

use crate::DecodeError;
use crate::client::{self, Command, Dialect, Reply, ReplyHeader, Request, RotationState};

fn request() -> Request {
    let (mut request, _) = Request::new(&Command::ListEvents { channel: "c".to_owned() });
    request.pid = 77;
    request
}

#[test]
fn a_reply_repeats_command_and_pid() {
    let bytes = Reply::ok(&request()).with_list(3, vec![1, 2]).encode();
    let header = ReplyHeader::decode(&bytes[..24], Dialect::V2_13).unwrap();
    assert_eq!((header.command, header.code, header.pid), (12, 10, 77));
    assert_eq!((header.header_len, header.data_len, header.fd_count), (4, 2, 0));
    assert_eq!(Reply::decode(&bytes, Dialect::V2_13).unwrap().count(), Ok(3));
}

#[test]
fn a_deferred_reply_has_no_pid() {
    let bytes = Reply::ok(&request()).deferred().encode();
    assert_eq!(bytes[8..12], [0xff; 4]);
}

#[test]
fn a_failed_reply_has_an_error_and_nothing_else() {
    let reply = Reply::error(&request(), ErrorCode::UstChanNotFound);
    assert_eq!(reply.failure(), Some(ErrorCode::UstChanNotFound));
    assert_eq!(reply.encode().len(), 24);
    assert_eq!(Reply::ok(&request()).failure(), None);
    assert_eq!(Reply { code: 5000, ..reply }.failure(), Some(ErrorCode::Unk));
}

#[test]
fn a_reply_has_limits() {
    let too_large = |at: usize, value: u32| {
        let mut bytes = Reply::ok(&request()).encode();
        bytes[at..at + 4].copy_from_slice(&value.to_ne_bytes());
        matches!(ReplyHeader::decode(&bytes, Dialect::V2_13), Err(DecodeError::TooLarge { .. }))
    };
    assert!(too_large(12, 65));
    assert!(too_large(16, u32::try_from(client::REPLY_DATA_MAX_LEN).unwrap() + 1));
    assert!(too_large(20, 254));
    assert!(!too_large(20, 253));
}

#[test]
fn a_listing_without_count_is_refused() {
    assert!(Reply::ok(&request()).count().is_err());
    assert!(Reply::ok(&request()).with_header(vec![0; 5]).count().is_err());
}

#[test]
fn a_count_beyond_the_data_is_refused_at_once() {
    let error = client::decode_events(u32::MAX, &[0; 86]).unwrap_err();
    let DecodeError::TooLarge { limit, .. } = error else { panic!("{error}") };
    assert_eq!(limit, 2);
}

#[test]
fn probes_are_listed_without_attributes_and_user_space_probes_not_at_all() {
    let event = |kind| EventListing {
        kind,
        name: "p".to_owned(),
        loglevel_type: 0,
        loglevel: 0,
        enabled: 1,
        pid: 0,
        flags: 0,
        filter_expression: None,
        exclusions: Vec::new(),
        probe: None,
        userspace_probe: None,
    };
    for kind in [EventKind::Probe, EventKind::Function, EventKind::FunctionEntry] {
        let data = client::encode_events(&[event(kind)]).unwrap();
        assert_eq!(client::decode_events(1, &data).unwrap(), [event(kind)]);
    }
    let listed = client::encode_events(&[event(EventKind::UserspaceProbe)]);
    assert_eq!(listed, Err(ErrorCode::KernListFail));
}

#[test]
fn values_without_meaning_are_refused() {
    assert!(client::decode_data_pending(&[2]).is_err());
    assert!(client::decode_tracking_policy(&3_u32.to_ne_bytes()).is_err());
    let mut domain = vec![0; 308];
    assert!(client::decode_domains(&domain).is_ok());
    domain[0] = 6;
    assert!(client::decode_domains(&domain).is_err());
    domain[0] = 0;
    domain[4] = 3;
    assert!(client::decode_domains(&domain).is_err());
    let mut info = vec![0; 4362];
    for (state, location, accepted) in [(4, 0, false), (2, 0, false), (2, 3, false), (2, 1, true)] {
        info[0] = state;
        info[4] = location;
        assert_eq!(client::decode_rotation_info(&info).is_ok(), accepted, "{state} {location}");
    }
    let destroyed = Reply::ok(&request()).with_header(4_i32.to_ne_bytes().to_vec());
    assert!(client::decode_destroyed(&destroyed).is_err());
    let unexpected = Reply::ok(&request())
        .with_header(client::encode_destroyed_header(RotationState::NoRotation))
        .with_data(vec![1]);
    assert!(client::decode_destroyed(&unexpected).is_err());
}
