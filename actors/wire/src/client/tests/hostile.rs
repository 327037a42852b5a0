//! Bytes that no client sends do not bring the decoders down.

use proptest::collection::vec;
use proptest::prelude::*;

use super::arbitrary::{command, dialect, event_field, listed_event, tracked};
use super::{announce, patch};
use crate::client::{self, Asked, Command, Dialect, Reply, ReplyHeader, Request, RotationState};

/// Bytes of which most are zero, so that lengths stay small enough to mean something.
fn sparse(len: usize) -> impl Strategy<Value = Vec<u8>> {
    vec((0..len, any::<u8>()), 0..24).prop_map(move |set| {
        let mut bytes = vec![0; len];
        for (at, byte) in set {
            bytes[at] = byte;
        }
        bytes
    })
}

fn decode_as_everything(count: u32, data: &[u8]) {
    for dialect in Dialect::ALL {
        decode_in(dialect, count, data);
    }
}

fn decode_in(dialect: Dialect, count: u32, data: &[u8]) {
    let _ = client::decode_channels(count, data, dialect);
    let _ = client::decode_events(count, data);
    let _ = client::decode_event_fields(count, data);
    let _ = client::decode_sessions(data, dialect);
    let _ = client::decode_domains(data);
    let _ = client::decode_descriptor(data, dialect);
    let _ = client::decode_snapshot_outputs(data);
    let _ = client::decode_tracker_values(data);
    let _ = client::decode_rotation_info(data);
    let _ = client::decode_rotation_schedules(data);
    let _ = ReplyHeader::decode(data, dialect);
    let reply = Reply::ok(&Request::new(&Command::DestroySession).0)
        .with_header(client::encode_destroyed_header(RotationState::Completed))
        .with_data(data.to_vec());
    let _ = client::decode_destroyed(&reply);
    if let Ok(reply) = Reply::decode(data, dialect) {
        // One without data is encoded for all.
        let is_for_all = reply.encode().len() > dialect.reply_header_len();
        assert!(is_for_all || reply.encode() == data);
    }
}

proptest! {
    #[test]
    fn requests_of_any_bytes(bytes in sparse(client::REQUEST_LEN), payload in vec(any::<u8>(), 0..400), dialect in dialect()) {
        if let Ok(asked) = Asked::decode(&bytes) {
            let _ = asked.dialects();
            let _ = asked.in_dialect(dialect).command(&payload);
        }
    }

    #[test]
    fn bodies_of_any_bytes(number in 0_u32..54, union in sparse(600), payload in sparse(400), dialect in dialect()) {
        let (mut request, _) = Request::new_in(dialect, &Command::Undefined(number));
        request.domain = 2;
        patch(&mut request, 0, &union);
        announce(&mut request, payload.len());
        if let Ok(len) = request.payload_len() {
            prop_assert!(len <= client::PAYLOAD_MAX_LEN);
        }
        let _ = request.command(&payload);
    }

    #[test]
    fn commands_with_a_byte_changed(command in command(), at in any::<prop::sample::Index>(), byte in any::<u8>(), dialect in dialect()) {
        let (request, payload) = Request::new_in(dialect, &command);
        let mut bytes = request.encode(&payload);
        // The payload or the union's beginning, where every length is.
        let union = 4688;
        let at = match at.index(600 + payload.len()) {
            at @ 0..600 => union + at,
            at => client::REQUEST_LEN + at - 600,
        };
        bytes[at] = byte;
        let (head, payload) = bytes.split_at(client::REQUEST_LEN);
        let request = Request::decode(head, dialect).unwrap();
        if let Ok(command) = request.command(payload) {
            let (_, encoded) = Request::new(&command);
            prop_assert!(encoded.len() <= client::PAYLOAD_MAX_LEN);
        }
    }

    #[test]
    fn replies_of_any_bytes(count in 0_u32..5, data in sparse(500)) {
        decode_as_everything(count, &data);
    }

    #[test]
    fn listings_with_a_byte_changed(
        fields in vec(event_field(), 1..3),
        events in vec(listed_event(), 1..3),
        tracked in vec(tracked(), 1..4),
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let values: Vec<_> = tracked.into_iter().map(|(_, value)| value).collect();
        for (count, mut data) in [
            (fields.len(), client::encode_event_fields(&fields).unwrap()),
            (events.len(), client::encode_events(&events).unwrap()),
            (0, client::encode_tracker_values(&values)),
        ] {
            let at = at.index(data.len());
            data[at] = byte;
            decode_as_everything(u32::try_from(count).unwrap(), &data);
        }
    }
}
