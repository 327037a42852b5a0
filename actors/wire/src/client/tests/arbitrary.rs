//! Every kind of message by chance.

use lttngd_model::{
    AddressFamily, AppContext, BufferMode, Bytecode, ChannelAttributes, ChannelListing,
    ChannelOutput, Context, ContextKind, DescriptorOutput, EventDescription, EventField,
    EventFieldKind, EventKind, EventListing, Filter, FunctionLookup, NetworkUri, PerfContext,
    ProbeAttributes, ProbeLocation, ProcessAttribute, SessionDescriptor, SessionKind,
    SessionListing, StreamKind, TrackerValue, TrackingPolicy, Uri, UserspaceProbe,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use super::triggers::{error_query, trigger};
use crate::client::{
    ArchiveLocation, Command, ContextRequest, Dialect, RotationSchedule, SaveSession,
    SnapshotOutput,
};

fn text() -> BoxedStrategy<String> {
    prop_oneof![Just(String::new()), "[a-zA-Z0-9_:*é/.]{1,40}"].boxed()
}

fn name() -> BoxedStrategy<String> {
    "[a-zA-Z0-9_:*é]{1,80}".boxed()
}

fn network_uri(stream: StreamKind) -> impl Strategy<Value = Uri> {
    let family = select(vec![AddressFamily::V4, AddressFamily::V6]);
    (family, "[0-9a-f.:]{3,15}", any::<u16>(), text()).prop_map(
        move |(family, address, port, subdir)| {
            Uri::Network(NetworkUri { family, address, port, stream, subdir })
        },
    )
}

fn path_uri() -> impl Strategy<Value = Uri> {
    "/[a-z0-9/é]{0,40}".prop_map(|path| Uri::Path(path.into()))
}

fn uri() -> impl Strategy<Value = Uri> {
    prop_oneof![path_uri(), network_uri(StreamKind::Control), network_uri(StreamKind::Data)]
}

pub(super) fn channel() -> impl Strategy<Value = ChannelListing> {
    let mode = select(vec![BufferMode::Default, BufferMode::Discard, BufferMode::Overwrite]);
    let output = select(vec![ChannelOutput::Splice, ChannelOutput::Mmap]);
    let timers = (any::<u32>(), any::<u32>(), any::<u64>(), any::<u32>(), any::<i64>());
    let sizes = (any::<u64>(), any::<u64>(), any::<u64>(), any::<u64>());
    (text(), any::<bool>(), mode, output, timers, sizes, any::<(u64, u64)>()).prop_map(
        |(name, enabled, mode, output, timers, sizes, lost)| ChannelListing {
            name,
            enabled,
            attributes: ChannelAttributes {
                mode,
                subbuf_size_bytes: sizes.0,
                num_subbuf: sizes.1,
                switch_timer_interval_us: timers.0,
                read_timer_interval_us: timers.1,
                monitor_timer_interval_us: timers.2,
                live_timer_interval_us: timers.3,
                blocking_timeout_us: timers.4,
                output,
                tracefile_size_bytes: sizes.2,
                tracefile_count: sizes.3,
            },
            discarded_events: lost.0,
            lost_packets: lost.1,
        },
    )
}

fn filter() -> impl Strategy<Value = Filter> {
    (text(), any::<u64>(), vec(any::<u8>(), 0..200), any::<prop::sample::Index>()).prop_map(
        |(expression, seqnum, data, index)| {
            let reloc_table_offset = u32::try_from(index.index(data.len() + 1)).unwrap();
            Filter { expression, bytecode: Bytecode { reloc_table_offset, seqnum, data } }
        },
    )
}

/// Any event, with the attributes that its kind has and no others.
pub(super) fn event() -> impl Strategy<Value = EventDescription> {
    let numbers = (any::<i8>(), any::<i32>(), any::<i8>(), any::<i32>(), any::<u32>());
    let texts = (text(), vec(text(), 0..4), option::of(filter()));
    let attributes = (any::<u64>(), any::<u64>(), text(), probe_location());
    (-1..=6_i8, numbers, texts, attributes).prop_map(|(kind, numbers, texts, attributes)| {
        let (address, offset, symbol, location) = attributes;
        let probe = match kind {
            1 | 2 => Some(ProbeAttributes { address, offset, symbol }),
            3 => Some(ProbeAttributes { address: 0, offset: 0, symbol }),
            _ => None,
        };
        EventDescription {
            kind,
            loglevel_type: numbers.0,
            loglevel: numbers.1,
            enabled: numbers.2,
            pid: numbers.3,
            flags: numbers.4,
            name: texts.0,
            exclusions: texts.1,
            filter: texts.2,
            probe,
            userspace_probe: (kind == 6).then(|| UserspaceProbe::from(location.to_bytes())),
        }
    })
}

fn probe_location() -> impl Strategy<Value = ProbeLocation> {
    let lookup = select(vec![FunctionLookup::Default, FunctionLookup::Elf]);
    (any::<bool>(), name(), name(), name(), lookup).prop_map(
        |(is_function, provider, name, binary_path, lookup)| match is_function {
            true => ProbeLocation::Function { name, binary_path, lookup },
            false => ProbeLocation::Tracepoint { provider, name, binary_path },
        },
    )
}

pub(super) fn listed_event() -> impl Strategy<Value = EventListing> {
    let kind = select(vec![EventKind::Tracepoint, EventKind::Syscall, EventKind::Noop]);
    let numbers = (any::<i8>(), any::<i32>(), any::<i8>(), any::<i32>(), any::<u32>());
    (kind, text(), numbers, option::of(text()), vec(text(), 0..4)).prop_map(
        |(kind, name, numbers, filter_expression, exclusions)| EventListing {
            kind,
            name,
            loglevel_type: numbers.0,
            loglevel: numbers.1,
            enabled: numbers.2,
            pid: numbers.3,
            flags: numbers.4,
            filter_expression,
            exclusions,
            probe: None,
            userspace_probe: None,
        },
    )
}

pub(super) fn event_field() -> impl Strategy<Value = EventField> {
    let kind = (0..=4).prop_map(EventFieldKind::from_raw);
    (text(), kind, any::<bool>(), listed_event())
        .prop_map(|(name, kind, nowrite, event)| EventField { name, kind, nowrite, event })
}

fn context() -> impl Strategy<Value = ContextRequest> {
    let perf =
        (select(vec![1_u32, 13, 14]), any::<(u32, u64)>(), text()).prop_map(|(kind, of, name)| {
            let kind = ContextKind::from_raw(kind).unwrap();
            Context::Perf(kind, PerfContext { perf_type: of.0, config: of.1, name })
        });
    let plain = (0..42_u32)
        .prop_filter("has parameters", |kind| ![1, 13, 14, 15].contains(kind))
        .prop_map(|kind| Context::Plain(ContextKind::from_raw(kind).unwrap()));
    prop_oneof![
        perf.prop_map(ContextRequest::from),
        plain.prop_map(ContextRequest::from),
        (name(), name())
            .prop_map(|(provider, name)| Context::App(AppContext { provider, name }).into()),
        (42..u32::MAX).prop_map(|raw_type| ContextRequest { raw_type, context: None }),
    ]
}

pub(super) fn descriptor() -> impl Strategy<Value = SessionDescriptor> {
    let network = (network_uri(StreamKind::Control), network_uri(StreamKind::Data))
        .prop_map(|sides| DescriptorOutput::Network(Some(Box::new(sides))));
    let local = option::of(path_uri()).prop_map(DescriptorOutput::Local);
    let remote =
        prop_oneof![Just(DescriptorOutput::None), Just(DescriptorOutput::Network(None)), network]
            .boxed();
    let kind = select(vec![SessionKind::Regular, SessionKind::Snapshot]);
    let live = (1..=u32::MAX).prop_map(|timer_interval_us| SessionKind::Live { timer_interval_us });
    prop_oneof![
        (kind, option::of(name()), prop_oneof![local, remote.clone()]),
        (live, option::of(name()), remote)
    ]
    .prop_map(|(kind, name, output)| SessionDescriptor { kind, name, output })
}

pub(super) fn session() -> impl Strategy<Value = SessionListing> {
    (name(), text(), any::<(bool, bool, u32, u64)>()).prop_map(|(name, path, of)| SessionListing {
        shm_path: String::new(),
        name,
        path,
        active: of.0,
        snapshot_mode: of.1,
        live_timer_interval_us: of.2,
        creation_time_s: of.3,
    })
}

pub(super) fn snapshot_output() -> impl Strategy<Value = SnapshotOutput> {
    (any::<(u32, u64)>(), text(), text(), text()).prop_map(|(of, name, control_url, data_url)| {
        SnapshotOutput { id: of.0, max_size_bytes: of.1, name, control_url, data_url }
    })
}

fn save() -> impl Strategy<Value = SaveSession> {
    (text(), text(), any::<[bool; 3]>()).prop_map(|(session_name, configuration_url, flags)| {
        let [overwrite, omit_name, omit_output] = flags;
        SaveSession { session_name, configuration_url, overwrite, omit_name, omit_output }
    })
}

/// A value and an attribute that has values of its type.
pub(super) fn tracked() -> impl Strategy<Value = (ProcessAttribute, TrackerValue)> {
    use ProcessAttribute as A;
    let of = |attributes: [A; 2]| select(attributes.to_vec());
    let users = prop_oneof![
        any::<u32>().prop_map(TrackerValue::Uid),
        name().prop_map(TrackerValue::UserName)
    ];
    let groups = prop_oneof![
        any::<u32>().prop_map(TrackerValue::Gid),
        name().prop_map(TrackerValue::GroupName)
    ];
    prop_oneof![
        (of([A::ProcessId, A::VirtualProcessId]), any::<i32>().prop_map(TrackerValue::Pid)),
        (of([A::UserId, A::VirtualUserId]), users),
        (of([A::GroupId, A::VirtualGroupId]), groups),
    ]
}

fn attribute() -> impl Strategy<Value = ProcessAttribute> {
    (0..6).prop_map(|raw| ProcessAttribute::from_raw(raw).unwrap())
}

pub(super) fn policy() -> impl Strategy<Value = TrackingPolicy> {
    use TrackingPolicy as P;
    select(vec![P::IncludeAll, P::ExcludeAll, P::IncludeSet])
}

pub(super) fn location() -> impl Strategy<Value = ArchiveLocation> {
    prop_oneof![
        text().prop_map(|path| ArchiveLocation::Local { path }),
        (name(), any::<(u16, u16)>(), text()).prop_map(|(host, ports, relative_path)| {
            let (control_port, data_port) = ports;
            ArchiveLocation::Relay { host, control_port, data_port, relative_path }
        }),
    ]
}

fn schedule() -> impl Strategy<Value = RotationSchedule> {
    prop_oneof![
        any::<u64>().prop_map(|bytes| RotationSchedule::SizeThreshold { bytes }),
        any::<u64>().prop_map(|period_us| RotationSchedule::Periodic { period_us }),
    ]
}

/// Commands whose body is bytes of the payload.
pub(super) fn command_with_payload() -> impl Strategy<Value = Command> {
    prop_oneof![
        (text(), context()).prop_map(|(channel, context)| Command::AddContext { channel, context }),
        (text(), event()).prop_map(|(channel, event)| Command::DisableEvent { channel, event }),
        (text(), event()).prop_map(|(channel, event)| Command::EnableEvent { channel, event }),
        channel().prop_map(Command::EnableChannel),
        (option::of(text()), descriptor())
            .prop_map(|(home, descriptor)| Command::CreateSession { home, descriptor }),
        tracked().prop_map(|(attribute, value)| Command::TrackerAddValue { attribute, value }),
        tracked().prop_map(|(attribute, value)| Command::TrackerRemoveValue { attribute, value }),
    ]
}

/// Any command.
pub(super) fn command() -> impl Strategy<Value = Command> {
    let plain = select(vec![
        Command::ListSyscalls,
        Command::DestroySession,
        Command::ListChannels,
        Command::ListDomains,
        Command::ListSessions,
        Command::ListTracepoints,
        Command::StartTrace,
        Command::StopTrace,
        Command::ListTracepointFields,
        Command::DataPending,
        Command::SnapshotListOutput,
        Command::RegenerateMetadata,
        Command::RegenerateStatedump,
        Command::RotateSession,
        Command::SessionListRotationSchedules,
        Command::ClearSession,
        Command::ListTriggers,
        Command::Undefined(20),
        Command::Undefined(53),
    ]);
    let with_text = prop_oneof![
        text().prop_map(|channel| Command::DisableChannel { channel }),
        text().prop_map(|channel| Command::ListEvents { channel }),
        text().prop_map(|path| Command::RegisterConsumer { path }),
        text().prop_map(|path| Command::SetSessionShmPath { path }),
        save().prop_map(Command::SaveSession),
    ];
    let with_numbers = prop_oneof![
        attribute().prop_map(|attribute| Command::TrackerGetPolicy { attribute }),
        attribute().prop_map(|attribute| Command::TrackerGetInclusionSet { attribute }),
        (attribute(), policy())
            .prop_map(|(attribute, policy)| Command::TrackerSetPolicy { attribute, policy }),
        any::<u64>().prop_map(|rotation_id| Command::RotationGetInfo { rotation_id }),
        (any::<bool>(), schedule())
            .prop_map(|(set, schedule)| Command::RotationSetSchedule { set, schedule }),
    ];
    let with_output = prop_oneof![
        vec(uri(), 1..4).prop_map(Command::SetConsumerUri),
        snapshot_output().prop_map(Command::SnapshotAddOutput),
        snapshot_output().prop_map(Command::SnapshotDelOutput),
        (any::<bool>(), snapshot_output())
            .prop_map(|(wait, output)| Command::SnapshotRecord { wait, output }),
    ];
    let with_trigger = prop_oneof![
        (any::<bool>(), trigger().prop_map(Box::new))
            .prop_map(|(anonymous, trigger)| Command::RegisterTrigger { anonymous, trigger }),
        trigger().prop_map(|it| Command::UnregisterTrigger { trigger: Box::new(it) }),
        error_query().prop_map(|query| Command::ExecuteErrorQuery { query: Box::new(query) }),
    ];
    prop_oneof![
        2 => plain,
        1 => with_text,
        1 => with_numbers,
        1 => with_output,
        1 => with_trigger,
        3 => command_with_payload(),
    ]
}

pub(super) fn dialect() -> impl Strategy<Value = Dialect> {
    select(Dialect::ALL.to_vec())
}
