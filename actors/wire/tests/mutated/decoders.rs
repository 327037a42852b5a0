//! Every decoder of the crate, by its path, and how it is given a message.

use lttngd_model::{Bitness, ProbeLocation};
use lttngd_wire::consumer::ChunkReplyHead;
use lttngd_wire::relay::{ClosedChunkHead, ReplyKind, SessionHead};
use lttngd_wire::ust::Abi;
use lttngd_wire::ust::notification::EventNotification;
use lttngd_wire::ust::notify::{Head, Kind};
use lttngd_wire::{agent, client, consumer, kernel, notification, relay, ust};

use super::Fed;

/// Reads a message; whether it is one.
type Decoder = fn(&Fed) -> bool;

/// All of them.
pub const DECODERS: &[(&str, Decoder)] = &[
    // Logging agents.
    ("agent::Registration::decode", |it| agent::Registration::decode(&it.bytes).is_ok()),
    ("agent::Header::decode", |it| agent::Header::decode(&it.bytes).is_ok()),
    ("agent::Command::decode", |it| agent::Command::decode(it.number, &it.bytes).is_ok()),
    ("agent::Reply::decode", |it| {
        let head = it.bytes.first_chunk().copied();
        head.is_some_and(|head| agent::Reply::decode(head) == agent::Reply(Ok(())))
    }),
    ("agent::ListHead::decode", |it| agent::ListHead::decode(&it.bytes).is_ok()),
    ("agent::Loggers::take", |it| {
        let mut loggers = agent::Loggers::new(it.number);
        // As they come: in pieces.
        let taken = it.bytes.chunks(7).all(|bytes| loggers.take(bytes).is_ok());
        taken && loggers.finish().is_ok()
    }),
    // Clients.
    ("client::Asked::decode", |it| {
        client::Asked::decode(&it.bytes).is_ok_and(|asked| {
            let _ = asked.dialects();
            let request = asked.in_dialect(it.dialect);
            let _ = (request.payload_len(), request.command(&[]));
            true
        })
    }),
    ("client::Request::decode", |it| request(it).is_some()),
    ("client::Request::command", |it| {
        let payload = it.bytes.get(client::REQUEST_LEN..).unwrap_or_default();
        request(it).is_some_and(|request| request.command(payload).is_ok())
    }),
    ("client::Request::lists_sessions", |it| client::Request::lists_sessions(&it.bytes).is_some()),
    ("client::ReplyHeader::decode", |it| {
        let head = it.bytes.get(..it.dialect.reply_header_len()).unwrap_or(&it.bytes);
        client::ReplyHeader::decode(head, it.dialect).is_ok()
    }),
    ("client::Reply::decode", |it| {
        client::Reply::decode(&it.bytes, it.dialect).is_ok_and(|reply| {
            let _ = (client::decode_destroyed(&reply), reply.count());
            true
        })
    }),
    ("client::decode_channels", |it| {
        client::decode_channels(it.number, &it.bytes, it.dialect).is_ok()
    }),
    ("client::decode_descriptor", |it| client::decode_descriptor(&it.bytes, it.dialect).is_ok()),
    ("client::decode_domains", |it| client::decode_domains(&it.bytes).is_ok()),
    ("client::decode_events", |it| client::decode_events(it.number, &it.bytes).is_ok()),
    ("client::decode_event_fields", |it| client::decode_event_fields(it.number, &it.bytes).is_ok()),
    ("client::decode_kernel_tracer_status", |it| {
        client::decode_kernel_tracer_status(&it.bytes).is_ok()
    }),
    ("client::decode_rotation_id", |it| client::decode_rotation_id(&it.bytes).is_ok()),
    ("client::decode_rotation_info", |it| client::decode_rotation_info(&it.bytes).is_ok()),
    ("client::decode_rotation_schedules", |it| {
        client::decode_rotation_schedules(&it.bytes).is_ok()
    }),
    ("client::decode_sessions", |it| client::decode_sessions(&it.bytes, it.dialect).is_ok()),
    ("client::decode_data_pending", |it| client::decode_data_pending(&it.bytes).is_ok()),
    ("client::decode_snapshot_outputs", |it| client::decode_snapshot_outputs(&it.bytes).is_ok()),
    ("client::decode_snapshot_output_id", |it| {
        client::decode_snapshot_output_id(&it.bytes).is_ok()
    }),
    ("client::decode_tracking_policy", |it| client::decode_tracking_policy(&it.bytes).is_ok()),
    ("client::decode_tracker_values", |it| client::decode_tracker_values(&it.bytes).is_ok()),
    ("client::decode_trigger", |it| client::decode_trigger(&it.bytes, it.dialect).is_ok()),
    ("client::decode_triggers", |it| client::decode_triggers(&it.bytes, it.dialect).is_ok()),
    ("client::decode_condition", |it| client::decode_condition(&it.bytes, it.dialect).is_ok()),
    ("client::decode_error_counters", |it| client::decode_error_counters(&it.bytes).is_ok()),
    // A place for a probe, which stands in a client's request and is read when its session is.
    ("model::ProbeLocation::from_bytes", |it| ProbeLocation::from_bytes(&it.bytes).is_some()),
    // Consumer daemons.
    ("consumer::ChunkReplyHead::decode", |it| chunk_reply(it).is_some()),
    ("consumer::ChunkReplyHead::decode_path", |it| {
        chunk_reply(it).is_some_and(|(head, rest)| head.decode_path(rest).is_ok())
    }),
    ("consumer::TraceChunkPresence::decode", |it| {
        consumer::TraceChunkPresence::decode(&it.bytes).is_ok()
    }),
    ("consumer::Message::decode", |it| consumer::Message::decode(&it.bytes).is_ok()),
    ("consumer::MetadataRequest::decode", |it| {
        consumer::MetadataRequest::decode(&it.bytes).is_ok()
    }),
    ("consumer::MonitorSample::decode", |it| consumer::MonitorSample::decode(&it.bytes).is_ok()),
    ("consumer::ChannelHead::decode", |it| consumer::ChannelHead::decode(&it.bytes).is_ok()),
    ("consumer::StreamHead::decode_size", |it| {
        consumer::StreamHead::decode_size(&it.bytes).is_ok()
    }),
    ("consumer::StreamHead::decode_number", |it| {
        consumer::StreamHead::decode_number(u64::from(it.number) << 12, &it.bytes).is_ok()
    }),
    ("consumer::decode_status", |it| consumer::decode_status(&it.bytes).is_ok()),
    ("consumer::check_status", |it| consumer::check_status(&it.bytes).is_ok()),
    ("consumer::ChannelStatus::decode", |it| {
        consumer::ChannelStatus::decode(&it.bytes).is_ok_and(|status| status.check().is_ok())
    }),
    ("consumer::decode_data_pending", |it| consumer::decode_data_pending(&it.bytes).is_ok()),
    ("consumer::decode_counter", |it| consumer::decode_counter(&it.bytes).is_ok()),
    // The kernel's tracer.
    ("kernel::parse_tracepoints", |it| !kernel::parse_tracepoints(&text(it)).is_empty()),
    ("kernel::parse_syscalls", |it| !kernel::parse_syscalls(&text(it)).is_empty()),
    ("kernel::decode_tracer_version", |it| kernel::decode_tracer_version(&it.bytes).is_ok()),
    ("kernel::decode_abi_version", |it| kernel::decode_abi_version(&it.bytes).is_ok()),
    ("kernel::decode_error_count", |it| kernel::decode_error_count(&it.bytes).is_ok()),
    // Subscribers to notifications.
    ("notification::Header::of_client", |it| {
        let head = it.bytes.first_chunk();
        head.is_some_and(|head| notification::Header::of_client(head).is_ok())
    }),
    ("notification::Header::of_daemon", |it| {
        let head = it.bytes.first_chunk();
        head.is_some_and(|head| notification::Header::of_daemon(head).is_ok())
    }),
    ("notification::decode_handshake", |it| notification::decode_handshake(&it.bytes).is_ok()),
    ("notification::decode_status", |it| notification::decode_status(&it.bytes).is_ok()),
    ("notification::decode_notification", |it| {
        notification::decode_notification(&it.bytes).is_ok()
    }),
    ("notification::decode_captures", |it| notification::decode_captures(&it.bytes).is_ok()),
    // Relay daemons.
    ("relay::Version::decode", |it| relay::Version::decode(&it.bytes).is_ok()),
    ("relay::Header::decode", |it| relay::Header::decode(&it.bytes).is_ok()),
    ("relay::Command::decode", |it| {
        relay::Command::decode(it.number, &it.bytes, it.minor).is_ok_and(|it| it.is_some())
    }),
    ("relay::ConsumerCommand::decode", |it| {
        relay::ConsumerCommand::decode(it.number, &it.bytes, it.minor).is_ok()
    }),
    ("relay::ClosedChunkHead::decode", |it| closed_chunk(it).is_some()),
    ("relay::ClosedChunkHead::decode_path", |it| {
        closed_chunk(it).is_some_and(|(head, rest)| head.decode_path(rest).is_ok())
    }),
    ("relay::ReplyKind::rest_len", |it| {
        REPLY_KINDS.iter().all(|kind| kind.rest_len(&it.bytes).is_ok())
    }),
    ("relay::ReplyKind::decode", |it| {
        REPLY_KINDS.iter().filter(|kind| kind.decode(&it.bytes).is_ok()).count() > 0
    }),
    ("relay::DataHeader::decode", |it| relay::DataHeader::decode(&it.bytes).is_ok()),
    ("relay::Configuration::decode", |it| relay::Configuration::decode(&it.bytes).is_ok()),
    ("relay::SessionHead::decode", |it| session_head(it).is_some()),
    ("relay::SessionHead::decode_path", |it| {
        session_head(it).is_some_and(|(head, rest)| head.decode_path(rest).is_ok())
    }),
    // Applications.
    ("ust::registration::Registration::decode", |it| {
        ust::registration::Registration::decode(&it.bytes).is_ok()
    }),
    ("ust::image_layout", |it| {
        let of = |bitness| ust::image_layout(&it.bytes, bitness);
        of(Bitness::Bits32).or(of(Bitness::Bits64)).is_some()
    }),
    ("ust::command::FieldEntry::decode", |it| {
        in_any_abi(|abi| ust::command::FieldEntry::decode(&it.bytes, abi).is_ok())
    }),
    ("ust::command::decode_exclusions", |it| ust::command::decode_exclusions(&it.bytes).is_ok()),
    ("ust::command::EventNotifier::decode", |it| {
        ust::command::EventNotifier::decode(&it.bytes).is_ok()
    }),
    ("ust::command::CounterConfiguration::decode", |it| {
        ust::command::CounterConfiguration::decode(&it.bytes).is_ok()
    }),
    ("ust::command::Reply::decode", |it| {
        in_any_abi(|abi| ust::command::Reply::decode(&it.bytes, abi).is_ok())
    }),
    ("ust::command::ReplyHead::decode", |it| {
        in_any_abi(|abi| ust::command::ReplyHead::decode(&it.bytes, abi).is_ok())
    }),
    ("ust::command::Command::decode", |it| ust::command::Command::decode(&it.bytes).is_ok()),
    ("ust::notification::EventNotification::split_off", |it| {
        in_any_abi(|abi| {
            let (mut rest, mut count) = (it.bytes.as_slice(), 0);
            while let Ok(Some((_, next))) = EventNotification::split_off(rest, abi) {
                assert!(next.len() < rest.len(), "it comes to an end");
                (rest, count) = (next, count + 1);
            }
            count > 0
        })
    }),
    ("ust::notification::check_captures", |it| {
        ust::notification::check_captures(&it.bytes, it.number as usize % 64).is_ok()
    }),
    ("ust::notify::Head::decode", |it| in_any_abi(|abi| !heads(it, abi).is_empty())),
    ("ust::notify::Head::decode_variable", |it| {
        in_any_abi(|abi| {
            let is_one = |(head, rest): &(Head, &[u8])| {
                // Never more than there may be.
                let _ = head.variable_len();
                head.clone().decode_variable(rest, abi).is_ok()
            };
            heads(it, abi).iter().filter(|it| is_one(it)).count() > 0
        })
    }),
    ("ust::notify::Answer::decode", |it| {
        in_any_abi(|abi| ust::notify::Answer::decode(&it.bytes, abi).is_ok())
    }),
];

/// Every kind of reply of relay daemons.
const REPLY_KINDS: [ReplyKind; 5] = [
    ReplyKind::Code,
    ReplyKind::Stream,
    ReplyKind::Pending,
    ReplyKind::ChunkExists,
    ReplyKind::ChunkClosed,
];

fn text(fed: &Fed) -> String {
    String::from_utf8_lossy(&fed.bytes).into_owned()
}

fn request(fed: &Fed) -> Option<client::Request> {
    let head = fed.bytes.get(..client::REQUEST_LEN).unwrap_or(&fed.bytes);
    client::Request::decode(head, fed.dialect).ok()
}

fn chunk_reply(fed: &Fed) -> Option<(ChunkReplyHead, &[u8])> {
    let (head, rest) = fed.bytes.split_at_checked(ChunkReplyHead::LEN)?;
    Some((ChunkReplyHead::decode(head).ok()?, rest))
}

fn closed_chunk(fed: &Fed) -> Option<(ClosedChunkHead, &[u8])> {
    let (head, rest) = fed.bytes.split_at_checked(ClosedChunkHead::LEN)?;
    Some((ClosedChunkHead::decode(head).ok()?, rest))
}

fn session_head(fed: &Fed) -> Option<(SessionHead, &[u8])> {
    let (head, rest) = fed.bytes.split_at_checked(SessionHead::len(fed.minor))?;
    Some((SessionHead::decode(head, fed.minor).ok()?, rest))
}

/// Whether it is a message of some ABI. It is read as one of each.
fn in_any_abi(decode: impl Fn(Abi) -> bool) -> bool {
    Abi::ALL.into_iter().filter(|abi| decode(*abi)).count() > 0
}

/// What it is as the request of each kind.
fn heads(fed: &Fed, abi: Abi) -> Vec<(Head, &[u8])> {
    let head = |kind: Kind| {
        let (head, rest) = fed.bytes.split_at_checked(kind.fixed_len(abi))?;
        Some((Head::decode(kind, head, abi).ok()?, rest))
    };
    [Kind::Event, Kind::Channel, Kind::Enumeration].into_iter().filter_map(head).collect()
}
