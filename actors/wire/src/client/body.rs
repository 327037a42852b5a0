//! What differs from command to command: the union in the request and the payload behind it.

use lttngd_model::ErrorCode;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::mirror::{chars, read, text, wire_len};
use super::{
    Command, CommandKind, Dialect, Request, channel, context, descriptor, event, rotation, save,
    snapshot, tracker, trigger, uri,
};
use crate::{DecodeError, Reader, Writer};

/// The members `enable`, `disable` and `context`; `list` is the first half of it.
#[derive(FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned)]
#[repr(C, packed)]
struct ChannelMember {
    channel_name: [u8; 256],
    length: u32,
}

const _: () = assert!(size_of::<ChannelMember>() == 260);

/// The member `trigger`.
#[derive(FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned)]
#[repr(C, packed)]
struct TriggerMember {
    length: u32,
    is_trigger_anonymous: u8,
}

const _: () = assert!(size_of::<TriggerMember>() == 5);

/// Count of payload bytes that a request announces.
pub(super) fn payload_len(kind: CommandKind, union: &[u8]) -> Result<u64, DecodeError> {
    use CommandKind as K;
    let mut reader = Reader::new(union);
    Ok(match kind {
        K::AddContext | K::DisableEvent | K::EnableEvent => {
            read::<ChannelMember>(&mut reader, "request length")?.length.into()
        }
        K::EnableChannel | K::RegisterTrigger | K::UnregisterTrigger | K::ExecuteErrorQuery => {
            reader.u32("request length")?.into()
        }
        K::SetConsumerUri => u64::from(reader.u32("uri size")?) * uri::URI_LEN as u64,
        K::TrackerAddValue | K::TrackerRemoveValue => tracker::payload_len(&mut reader)?,
        K::CreateSession => descriptor::payload_len(&mut reader)?,
        _ => 0,
    })
}

/// Decodes the body of a command. Commands whose errors depend on more than the bytes' form answer
/// for themselves, the others answer [`CommandKind::malformed`].
pub(super) fn decode(
    kind: CommandKind,
    request: &Request,
    payload: &[u8],
) -> Result<Command, ErrorCode> {
    match kind {
        CommandKind::TrackerAddValue => {
            let (attribute, value) = tracker::decode_value(request, payload)?;
            Ok(Command::TrackerAddValue { attribute, value })
        }
        CommandKind::TrackerRemoveValue => {
            let (attribute, value) = tracker::decode_value(request, payload)?;
            Ok(Command::TrackerRemoveValue { attribute, value })
        }
        CommandKind::TrackerGetPolicy => {
            Ok(Command::TrackerGetPolicy { attribute: tracker::decode_attribute(request)? })
        }
        CommandKind::TrackerSetPolicy => {
            let (attribute, policy) = tracker::decode_policy(request)?;
            Ok(Command::TrackerSetPolicy { attribute, policy })
        }
        CommandKind::TrackerGetInclusionSet => {
            Ok(Command::TrackerGetInclusionSet { attribute: tracker::decode_attribute(request)? })
        }
        CommandKind::CreateSession => {
            let (home, descriptor) =
                descriptor::decode_request(&request.union(), payload, request.dialect)?;
            Ok(Command::CreateSession { home, descriptor })
        }
        CommandKind::EnableChannel => {
            channel::decode_request(payload, request.dialect).map(Command::EnableChannel)
        }
        _ => decode_plain((kind, request.dialect), &request.union(), payload)
            .map_err(|_| kind.malformed()),
    }
}

fn decode_plain(
    (kind, dialect): (CommandKind, Dialect),
    union: &[u8],
    payload: &[u8],
) -> Result<Command, DecodeError> {
    use CommandKind as K;
    let mut reader = Reader::new(union);
    let channel = |reader: &mut Reader<'_>| text(reader.bytes(256, CHANNEL)?, CHANNEL);
    let path = |reader: &mut Reader<'_>, what| text(reader.bytes(4096, what)?, what);
    Ok(match kind {
        K::AddContext => Command::AddContext {
            channel: channel(&mut reader)?,
            context: context::decode(payload)?,
        },
        K::DisableChannel => Command::DisableChannel { channel: channel(&mut reader)? },
        K::DisableEvent => Command::DisableEvent {
            channel: channel(&mut reader)?,
            event: event::decode_description(payload, dialect)?,
        },
        K::ListSyscalls => Command::ListSyscalls,
        K::EnableEvent => Command::EnableEvent {
            channel: channel(&mut reader)?,
            event: event::decode_description(payload, dialect)?,
        },
        K::DestroySession => Command::DestroySession,
        K::ListChannels => Command::ListChannels,
        K::ListDomains => Command::ListDomains,
        K::ListEvents => Command::ListEvents { channel: channel(&mut reader)? },
        K::ListSessions => Command::ListSessions,
        K::ListTracepoints => Command::ListTracepoints,
        K::RegisterConsumer => Command::RegisterConsumer { path: path(&mut reader, "reg.path")? },
        K::StartTrace => Command::StartTrace,
        K::StopTrace => Command::StopTrace,
        K::ListTracepointFields => Command::ListTracepointFields,
        K::SetConsumerUri => Command::SetConsumerUri(uri::decode_list(payload)?),
        K::DataPending => Command::DataPending,
        K::SnapshotAddOutput => Command::SnapshotAddOutput(snapshot::decode(&mut reader)?),
        K::SnapshotDelOutput => Command::SnapshotDelOutput(snapshot::decode(&mut reader)?),
        K::SnapshotListOutput => Command::SnapshotListOutput,
        K::SnapshotRecord => Command::SnapshotRecord {
            wait: reader.u32("snapshot_record.wait")? != 0,
            output: snapshot::decode(&mut reader)?,
        },
        K::SaveSession => Command::SaveSession(save::decode(&mut reader)?),
        K::SetSessionShmPath => {
            Command::SetSessionShmPath { path: path(&mut reader, "set_shm_path.shm_path")? }
        }
        K::RegenerateMetadata => Command::RegenerateMetadata,
        K::RegenerateStatedump => Command::RegenerateStatedump,
        K::RegisterTrigger => Command::RegisterTrigger {
            anonymous: read::<TriggerMember>(&mut reader, "trigger")?.is_trigger_anonymous != 0,
            trigger: Box::new(trigger::decode_trigger(payload, dialect)?),
        },
        K::UnregisterTrigger => Command::UnregisterTrigger {
            trigger: Box::new(trigger::decode_trigger(payload, dialect)?),
        },
        K::RotateSession => Command::RotateSession,
        K::RotationGetInfo => Command::RotationGetInfo { rotation_id: reader.u64("rotation_id")? },
        K::RotationSetSchedule => {
            let (set, schedule) = rotation::decode_schedule(&mut reader)?;
            Command::RotationSetSchedule { set, schedule }
        }
        K::SessionListRotationSchedules => Command::SessionListRotationSchedules,
        K::ClearSession => Command::ClearSession,
        K::ListTriggers => Command::ListTriggers,
        K::ExecuteErrorQuery => Command::ExecuteErrorQuery {
            query: Box::new(trigger::decode_error_query(payload, dialect)?),
        },
        K::KernelTracerStatus => Command::KernelTracerStatus,
        K::ReclaimChannelMemory => Command::ReclaimChannelMemory {
            channel: channel(&mut reader)?,
            age_us: Some(reader.u64("reclaim age")?).filter(|age| *age != 0),
        },
        K::GetStreamInfoSets => Command::GetStreamInfoSets { channel: channel(&mut reader)? },
        K::AddMapChannel
        | K::ListMapChannels
        | K::GetMapChannelByName
        | K::ListMapGroups
        | K::SampleMapGroup
        | K::ListMapKeys => Command::Map(kind),
        K::EnableChannel
        | K::CreateSession
        | K::TrackerAddValue
        | K::TrackerRemoveValue
        | K::TrackerGetPolicy
        | K::TrackerSetPolicy
        | K::TrackerGetInclusionSet => {
            return Err(DecodeError::BadValue {
                what: "command with errors of its own",
                value: kind as i64,
            });
        }
    })
}

const CHANNEL: &str = "channel_name";

/// The union (as many bytes of it as are used) and the payload of a command.
pub(super) fn encode(command: &Command, dialect: Dialect) -> (Vec<u8>, Vec<u8>) {
    let mut union = Writer::default();
    let mut payload = Writer::default();
    match command {
        Command::AddContext { channel, context } => {
            context::encode(context, &mut payload);
            put_channel(&mut union, channel, payload.len());
        }
        Command::DisableEvent { channel, event } | Command::EnableEvent { channel, event } => {
            event::encode_description(event, dialect, &mut payload);
            put_channel(&mut union, channel, payload.len());
        }
        Command::DisableChannel { channel } | Command::ListEvents { channel } => {
            put_channel(&mut union, channel, 0);
        }
        Command::EnableChannel(channel) => {
            channel::encode(channel, dialect, &mut payload);
            union.u32(wire_len(payload.len()));
        }
        Command::RegisterConsumer { path } | Command::SetSessionShmPath { path } => {
            union.padded_string(path, 4096);
        }
        Command::SetConsumerUri(uris) => {
            payload.bytes(&uri::encode_list(uris));
            union.u32(wire_len(uris.len()));
        }
        Command::SnapshotAddOutput(output) | Command::SnapshotDelOutput(output) => {
            snapshot::encode(output, &mut union);
        }
        Command::SnapshotRecord { wait, output } => {
            union.u32((*wait).into());
            snapshot::encode(output, &mut union);
        }
        Command::SaveSession(attributes) => save::encode(attributes, &mut union),
        Command::TrackerAddValue { attribute, value }
        | Command::TrackerRemoveValue { attribute, value } => {
            tracker::encode_value(*attribute, value, &mut union, &mut payload);
        }
        Command::TrackerGetPolicy { attribute } | Command::TrackerGetInclusionSet { attribute } => {
            union.i32(*attribute as i32);
        }
        Command::TrackerSetPolicy { attribute, policy } => {
            union.i32(*attribute as i32).u32(*policy as u32);
        }
        Command::RegisterTrigger { anonymous, trigger } => {
            payload.bytes(&trigger::encode_trigger(trigger, dialect));
            put_trigger(&mut union, payload.len(), *anonymous);
        }
        Command::UnregisterTrigger { trigger } => {
            payload.bytes(&trigger::encode_trigger(trigger, dialect));
            put_trigger(&mut union, payload.len(), false);
        }
        Command::RotationGetInfo { rotation_id } => {
            union.u64(*rotation_id);
        }
        Command::RotationSetSchedule { set, schedule } => {
            rotation::encode_schedule(*set, *schedule, &mut union);
        }
        Command::CreateSession { home, descriptor } => {
            descriptor::encode_request(
                (home.as_deref(), descriptor, dialect),
                &mut union,
                &mut payload,
            );
        }
        Command::ExecuteErrorQuery { query } => {
            payload.bytes(&trigger::encode_error_query(query, dialect));
            union.u32(wire_len(payload.len()));
        }
        Command::ReclaimChannelMemory { channel, age_us } => {
            union.padded_string(channel, 256).u64(age_us.unwrap_or(0));
        }
        Command::GetStreamInfoSets { channel } => {
            union.padded_string(channel, 256);
        }
        Command::KernelTracerStatus
        | Command::Map(_)
        | Command::ListSyscalls
        | Command::DestroySession
        | Command::ListChannels
        | Command::ListDomains
        | Command::ListSessions
        | Command::ListTracepoints
        | Command::StartTrace
        | Command::StopTrace
        | Command::ListTracepointFields
        | Command::DataPending
        | Command::SnapshotListOutput
        | Command::RegenerateMetadata
        | Command::RegenerateStatedump
        | Command::RotateSession
        | Command::SessionListRotationSchedules
        | Command::ClearSession
        | Command::ListTriggers
        | Command::Undefined(_) => {}
    }
    (union.into_bytes(), payload.into_bytes())
}

fn put_channel(union: &mut Writer, channel: &str, payload_len: usize) {
    let member =
        ChannelMember { channel_name: chars(channel.as_bytes()), length: wire_len(payload_len) };
    union.bytes(member.as_bytes());
}

fn put_trigger(union: &mut Writer, payload_len: usize, anonymous: bool) {
    let member =
        TriggerMember { length: wire_len(payload_len), is_trigger_anonymous: anonymous.into() };
    union.bytes(member.as_bytes());
}
