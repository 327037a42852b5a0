//! What is encoded decodes to the same, and nothing shorter or longer does.

use lttngd_model::{BufferScheme, Domain};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::arbitrary::{
    channel, command, command_with_payload, descriptor, dialect, event_field, listed_event,
    location, policy, session, snapshot_output, tracked,
};
use super::{announce, through_the_wire};
use crate::DecodeError;
use crate::client::{
    self, Asked, Command, Dialect, DomainListing, Reply, Request, RotationInfo, RotationState,
};

/// Asserts that `decode` takes `bytes` and nothing longer, and of what is shorter nothing unless
/// `whole` says that its length is that of a whole message.
fn only_whole<T>(
    bytes: &[u8],
    expected: &T,
    decode: impl Fn(&[u8]) -> Result<T, DecodeError>,
    whole: impl Fn(usize) -> bool,
) where
    T: PartialEq + std::fmt::Debug,
{
    assert_eq!(decode(bytes).as_ref(), Ok(expected));
    for len in (0..bytes.len()).filter(|len| !whole(*len)) {
        assert!(decode(&bytes[..len]).is_err(), "{len} of {} bytes", bytes.len());
    }
    assert!(decode(&[bytes, &[0]].concat()).is_err(), "a byte too many");
}

fn state() -> impl Strategy<Value = RotationState> {
    use RotationState as S;
    prop::sample::select(vec![S::NoRotation, S::Ongoing, S::Expired, S::Error])
}

proptest! {
    #[test]
    fn commands(command in command(), dialect in dialect()) {
        // What is undefined in one version is a command in another.
        let is_any = matches!(command, Command::Undefined(_)) && dialect != Dialect::V2_13;
        prop_assume!(!is_any && command.to_raw(dialect) != u32::MAX);
        prop_assert_eq!(through_the_wire(&command, dialect), Ok(command));
    }

    #[test]
    fn requests(name in "[a-z]{0,254}", domain in any::<u32>(), fd_count in 0_u32..=253, pid in any::<i32>(), dialect in dialect()) {
        let (mut request, payload) = Request::new_in(dialect, &Command::StartTrace);
        request.session_name = name;
        request.domain = domain;
        request.buffer_type = domain.rotate_left(7);
        request.pid = pid;
        request.fd_count = fd_count;
        let bytes = request.encode(&payload);
        prop_assert_eq!(Request::decode(&bytes, dialect), Ok(request.clone()));
        prop_assert_eq!(Asked::decode(&bytes).map(|asked| asked.in_dialect(dialect)), Ok(request));
    }

    #[test]
    fn payloads_cut_anywhere(command in command_with_payload(), at in any::<prop::sample::Index>()) {
        let (request, payload) = Request::new(&command);
        let mut request = request.in_domain(Domain::Kernel, BufferScheme::Global);
        if payload.is_empty() {
            return Ok(());
        }
        let cut = &payload[..at.index(payload.len())];
        prop_assert!(request.command(cut).is_err(), "less than announced");
        prop_assume!(announce(&mut request, cut.len()));
        prop_assert_eq!(request.payload_len(), Ok(cut.len()));
        prop_assert!(request.command(cut).is_err(), "{} of {} bytes", cut.len(), payload.len());
    }

    #[test]
    fn payloads_with_a_byte_too_many(command in command_with_payload()) {
        let (request, payload) = Request::new(&command);
        let mut request = request.in_domain(Domain::Kernel, BufferScheme::Global);
        let longer = [payload.as_slice(), &[0]].concat();
        prop_assert!(request.command(&longer).is_err(), "more than announced");
        prop_assert!(announce(&mut request, longer.len()));
        // LTTng's own daemon does not look behind a session descriptor.
        let accepted = matches!(command, Command::CreateSession { .. });
        prop_assert_eq!(request.command(&longer).is_ok(), accepted);
    }

    #[test]
    fn lists_of_channels(channels in vec(channel(), 0..4), dialect in dialect()) {
        let count = u32::try_from(channels.len()).unwrap();
        let data = client::encode_channels(&channels, dialect);
        only_whole(&data, &channels, |data| client::decode_channels(count, data, dialect), |_| false);
    }

    #[test]
    fn lists_of_events(events in vec(listed_event(), 0..4)) {
        let count = u32::try_from(events.len()).unwrap();
        let data = client::encode_events(&events).unwrap();
        only_whole(&data, &events, |data| client::decode_events(count, data), |_| false);
    }

    #[test]
    fn lists_of_event_fields(fields in vec(event_field(), 0..4)) {
        let count = u32::try_from(fields.len()).unwrap();
        let data = client::encode_event_fields(&fields).unwrap();
        only_whole(&data, &fields, |data| client::decode_event_fields(count, data), |_| false);
    }

    #[test]
    fn lists_of_sessions(sessions in vec(session(), 0..4), dialect in dialect()) {
        let each = 4376 + [9, 4105, 4106, 4106][dialect as usize];
        let data = client::encode_sessions(&sessions, dialect).to_vec();
        prop_assert_eq!(data.len(), sessions.len() * each);
        let decode = |data: &[u8]| client::decode_sessions(data, dialect);
        only_whole(&data, &sessions, decode, |len| len % each == 0);
    }

    #[test]
    fn lists_of_domains(raw in vec((0_u32..6, 0_u32..3), 0..6)) {
        let domains: Vec<_> = raw
            .into_iter()
            .map(|(domain, scheme)| DomainListing {
                domain: Domain::from_raw(domain).unwrap(),
                scheme: BufferScheme::from_raw(scheme).unwrap(),
            })
            .collect();
        let data = client::encode_domains(&domains);
        only_whole(&data, &domains, client::decode_domains, |len| len % 308 == 0);
    }

    #[test]
    fn lists_of_snapshot_outputs(outputs in vec(snapshot_output(), 0..3)) {
        let data = client::encode_snapshot_outputs(&outputs);
        only_whole(&data, &outputs, client::decode_snapshot_outputs, |len| len % 8459 == 0);
    }

    #[test]
    fn descriptors(descriptor in descriptor(), dialect in dialect()) {
        let data = client::encode_descriptor(&descriptor, dialect);
        prop_assert_eq!(client::decode_descriptor(&data, dialect), Ok(descriptor));
        for len in 0..data.len() {
            prop_assert!(client::decode_descriptor(&data[..len], dialect).is_err());
        }
    }

    #[test]
    fn tracker_values(tracked in vec(tracked(), 0..6)) {
        let values: Vec<_> = tracked.into_iter().map(|(_, value)| value).collect();
        let data = client::encode_tracker_values(&values);
        only_whole(&data, &values, client::decode_tracker_values, |_| false);
    }

    #[test]
    fn tracking_policies(policy in policy()) {
        let data = client::encode_tracking_policy(policy);
        only_whole(&data, &policy, client::decode_tracking_policy, |_| false);
    }

    #[test]
    fn rotation_infos(location in option::of(location()), state in state()) {
        let state = if location.is_some() { RotationState::Completed } else { state };
        let info = RotationInfo { state, location };
        let data = client::encode_rotation_info(&info);
        prop_assert_eq!(data.len(), 4362);
        only_whole(&data, &info, client::decode_rotation_info, |_| false);
    }

    #[test]
    fn rotation_schedules(period_us in option::of(any::<u64>()), size_bytes in option::of(any::<u64>())) {
        let schedules = client::RotationSchedules { period_us, size_bytes };
        let data = client::encode_rotation_schedules(&schedules);
        prop_assert_eq!(data.len(), 18);
        only_whole(&data, &schedules, client::decode_rotation_schedules, |_| false);
    }

    #[test]
    fn destroyed_sessions(location in option::of(location()), state in state()) {
        let state = if location.is_some() { RotationState::Completed } else { state };
        let reply = Reply::ok(&Request::new(&Command::DestroySession).0)
            .with_header(client::encode_destroyed_header(state))
            .deferred();
        let data = client::encode_destroyed_data(location.as_ref());
        let decode = |data: &[u8]| client::decode_destroyed(&reply.clone().with_data(data.to_vec()));
        only_whole(&data, &(state, location), decode, |_| false);
    }

    #[test]
    fn numbers(id in any::<u32>(), rotation in any::<u64>(), pending in any::<bool>()) {
        let data = client::encode_snapshot_output_id(id);
        only_whole(&data, &id, client::decode_snapshot_output_id, |_| false);
        let data = client::encode_rotation_id(rotation);
        only_whole(&data, &rotation, client::decode_rotation_id, |_| false);
        let data = client::encode_data_pending(pending);
        only_whole(&data, &pending, client::decode_data_pending, |_| false);
    }

    #[test]
    fn replies(code in any::<u32>(), pid in any::<i32>(), header in vec(any::<u8>(), 0..8), data in vec(any::<u8>(), 0..100), dialect in dialect()) {
        let (request, _) = Request::new_in(dialect, &Command::ListChannels);
        let pid = if dialect.reply_header_len() == 24 { pid } else { 0 };
        let reply = Reply { code, pid, header, data, fd_count: 2, ..Reply::ok(&request) };
        only_whole(&reply.encode(), &reply, |data| Reply::decode(data, dialect), |_| false);
    }
}

#[test]
fn a_request_of_any_other_size_is_refused() {
    let bytes = Request::new(&Command::ListSessions).0.encode(&[]);
    let expected = Asked::decode(&bytes).unwrap();
    only_whole(&bytes, &expected, Asked::decode, |_| false);
}
