//! The embedded interface has a typed request for each command of the client protocol.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;

use lttngd::{AnyRequest, Request, Versioned};
use lttngd_wire::client::{CommandKind, Dialect};

/// One of each request at least.
const RECORDED: &str = include_str!("../actors/handle/src/tests/recorded/requests.jsonl");

/// Where the methods of `Handle` stand: of user space or of no domain, of the kernel's, and of agents'.
const SOURCES: [&str; 7] = [
    include_str!("../actors/handle/src/handle.rs"),
    include_str!("../actors/handle/src/requests.rs"),
    include_str!("../actors/handle/src/triggers.rs"),
    include_str!("../actors/handle/src/refusals.rs"),
    include_str!("../actors/handle/src/status.rs"),
    KERNEL,
    AGENTS,
];
const KERNEL: &str = include_str!("../actors/handle/src/kernel_requests.rs");
const AGENTS: &str = include_str!("../actors/handle/src/agent_requests.rs");

/// What is asked about a domain, with whether agents' have it: they have neither channels nor trackers.
const OF_DOMAINS: [(CommandKind, bool); 12] = [
    (CommandKind::EnableChannel, false),
    (CommandKind::DisableChannel, false),
    (CommandKind::EnableEvent, true),
    (CommandKind::DisableEvent, true),
    (CommandKind::AddContext, true),
    (CommandKind::ListChannels, false),
    (CommandKind::ListEvents, true),
    (CommandKind::TrackerGetPolicy, false),
    (CommandKind::TrackerSetPolicy, false),
    (CommandKind::TrackerAddValue, false),
    (CommandKind::TrackerRemoveValue, false),
    (CommandKind::TrackerGetInclusionSet, false),
];

/// Methods that are no command of the client protocol, and what they are.
const OTHERS: [(&str, &str); 12] = [
    ("ask", "sends any request"),
    ("subscribe_to", "subscribes to anything"),
    ("subscribe", "LTTng's clients are told nothing"),
    ("subscribe_without_losses", "the same"),
    ("notifications", "clients have a socket of its own for them"),
    ("queue_report", "LTTng has no queue"),
    ("describe_session", "LTTng writes it to a file"),
    ("status", "LTTng tells nothing of itself"),
    ("pulse", "LTTng has checks of health for it"),
    ("list_refusals", "LTTng refuses nobody for others' sake"),
    ("check", "the part that commands have in common"),
    ("check_served", "the same without a session"),
];

/// The commands, but for those that newer versions have of things that there are not here: maps, and memory that is given back.
/// How the kernel tracer does is told by whoever asks for anything of its domain.
fn commands() -> impl Iterator<Item = CommandKind> {
    CommandKind::ALL.iter().copied().filter(|kind| {
        *kind == CommandKind::GetStreamInfoSets || kind.to_raw(Dialect::V2_13).is_some()
    })
}

/// The name of a command in the protocol and the method of `Handle` that makes its request.
fn method(kind: CommandKind) -> (&'static str, &'static str) {
    use CommandKind as K;
    match kind {
        K::AddContext => ("ADD_CONTEXT", "add_context"),
        K::DisableChannel => ("DISABLE_CHANNEL", "disable_channel"),
        K::DisableEvent => ("DISABLE_EVENT", "disable_event"),
        K::ListSyscalls => ("LIST_SYSCALLS", "list_syscalls"),
        K::EnableChannel => ("ENABLE_CHANNEL", "enable_channel"),
        K::EnableEvent => ("ENABLE_EVENT", "enable_event"),
        K::DestroySession => ("DESTROY_SESSION", "destroy_session"),
        K::ListChannels => ("LIST_CHANNELS", "list_channels"),
        K::ListDomains => ("LIST_DOMAINS", "list_domains"),
        K::ListEvents => ("LIST_EVENTS", "list_events"),
        K::ListSessions => ("LIST_SESSIONS", "list_sessions"),
        K::ListTracepoints => ("LIST_TRACEPOINTS", "list_tracepoints"),
        K::RegisterConsumer => ("REGISTER_CONSUMER", "register_consumer"),
        K::StartTrace => ("START_TRACE", "start"),
        K::StopTrace => ("STOP_TRACE", "stop"),
        K::ListTracepointFields => ("LIST_TRACEPOINT_FIELDS", "list_tracepoint_fields"),
        K::SetConsumerUri => ("SET_CONSUMER_URI", "set_consumer_uri"),
        K::DataPending => ("DATA_PENDING", "data_pending"),
        K::SnapshotAddOutput => ("SNAPSHOT_ADD_OUTPUT", "add_snapshot_output"),
        K::SnapshotDelOutput => ("SNAPSHOT_DEL_OUTPUT", "delete_snapshot_output"),
        K::SnapshotListOutput => ("SNAPSHOT_LIST_OUTPUT", "list_snapshot_outputs"),
        K::SnapshotRecord => ("SNAPSHOT_RECORD", "record_snapshot"),
        K::SaveSession => ("SAVE_SESSION", "save_session"),
        K::TrackerAddValue => ("TRACKER_ADD_VALUE", "add_tracker_value"),
        K::TrackerRemoveValue => ("TRACKER_REMOVE_VALUE", "remove_tracker_value"),
        K::TrackerGetPolicy => ("TRACKER_GET_POLICY", "tracking_policy"),
        K::TrackerSetPolicy => ("TRACKER_SET_POLICY", "set_tracking_policy"),
        K::TrackerGetInclusionSet => ("TRACKER_GET_INCLUSION_SET", "inclusion_set"),
        K::SetSessionShmPath => ("SET_SESSION_SHM_PATH", "set_shm_path"),
        K::RegenerateMetadata => ("REGENERATE_METADATA", "regenerate_metadata"),
        K::RegenerateStatedump => ("REGENERATE_STATEDUMP", "regenerate_statedump"),
        K::RotateSession => ("ROTATE_SESSION", "rotate"),
        K::RotationGetInfo => ("ROTATION_GET_INFO", "rotation_info"),
        K::RotationSetSchedule => ("ROTATION_SET_SCHEDULE", "add_rotation_schedule"),
        K::SessionListRotationSchedules => {
            ("SESSION_LIST_ROTATION_SCHEDULES", "list_rotation_schedules")
        }
        K::CreateSession => ("CREATE_SESSION_EXT", "create_session"),
        K::ClearSession => ("CLEAR_SESSION", "clear"),
        K::RegisterTrigger => ("REGISTER_TRIGGER", "register_trigger"),
        K::UnregisterTrigger => ("UNREGISTER_TRIGGER", "unregister_trigger"),
        K::ListTriggers => ("LIST_TRIGGERS", "list_triggers"),
        K::ExecuteErrorQuery => ("EXECUTE_ERROR_QUERY", "query_errors"),
        K::GetStreamInfoSets => ("GET_CHANNEL_DATA_STREAM_INFO_SETS", "list_streams"),
        K::KernelTracerStatus
        | K::ReclaimChannelMemory
        | K::AddMapChannel
        | K::ListMapChannels
        | K::GetMapChannelByName
        | K::ListMapGroups
        | K::SampleMapGroup
        | K::ListMapKeys => unreachable!("{} has no method", kind.name()),
    }
}

/// The lines of the comment above the method `name`, the last one first.
fn comment(name: &str) -> Option<Vec<&'static str>> {
    let declarations = ["async fn", "fn"]
        .into_iter()
        .flat_map(|kind| ["(", "<"].map(|end| format!("pub {kind} {name}{end}")))
        .collect::<Vec<_>>();
    let above = SOURCES.iter().find_map(|source| {
        let declaration = declarations.iter().find(|text| source.contains(*text))?;
        source.split(declaration.as_str()).next()
    })?;
    let lines = above.lines().rev().skip_while(|line| line.trim().is_empty());
    Some(lines.map(str::trim).take_while(|line| line.starts_with("///")).collect())
}

#[test]
fn each_command_has_a_method_that_names_it_and_its_errors() {
    for (command, name) in commands().map(method) {
        let comment = comment(name).unwrap_or_else(|| panic!("no method {name}"));
        let begins = comment.last().is_some_and(|line| line.starts_with(&format!("/// {command}")));
        assert!(begins, "{name} is to begin with {command}: {comment:?}");
        assert!(comment.contains(&"/// # Errors"), "{name}: {comment:?}");
    }
}

/// The names of the methods in a source that ask something.
fn methods(source: &str) -> impl Iterator<Item = &str> {
    source.split("pub async fn ").skip(1).filter_map(|text| text.split(['(', '<']).next())
}

/// The command that the comment of a method begins with.
fn named(method: &str) -> Option<&'static str> {
    let comment = comment(method)?;
    let first = comment.last()?.trim_start_matches("/// ");
    first.split(|it: char| !(it.is_ascii_uppercase() || it == '_')).next()
}

#[test]
fn each_method_is_a_command_or_says_what_else_it_is() {
    let commands: BTreeSet<_> = commands().map(method).map(|(command, _)| command).collect();
    for name in SOURCES.into_iter().flat_map(methods) {
        let is_other = OTHERS.iter().any(|(other, _)| *other == name);
        let command = named(name);
        assert!(
            is_other || command.is_some_and(|command| commands.contains(command)),
            "{name}: {command:?}"
        );
        let comment = comment(name).unwrap_or_else(|| panic!("{name} has no comment"));
        assert!(comment.contains(&"/// # Errors"), "{name}: {comment:?}");
    }
}

#[test]
fn what_is_asked_about_a_domain_has_a_method_for_each() {
    let named_in = |source| methods(source).filter_map(named).collect::<BTreeSet<_>>();
    let asked = |meant: fn(bool) -> bool| {
        let of = OF_DOMAINS.iter().filter(|(_, agents)| meant(*agents));
        of.map(|(kind, _)| method(*kind).0).collect::<BTreeSet<_>>()
    };
    assert_eq!(named_in(KERNEL), asked(|_| true));
    assert_eq!(named_in(AGENTS), asked(|of_agents| of_agents));
}

#[test]
fn each_command_is_a_request_that_can_be_written_down() {
    let command = |line: &str| {
        let request: Versioned<AnyRequest> = serde_json::from_str(line).unwrap();
        request.content.command()
    };
    let requests: BTreeSet<_> = RECORDED.lines().map(command).collect();
    let commands: BTreeSet<_> = commands().map(method).map(|(command, _)| command).collect();
    assert_eq!(commands.difference(&requests).next(), None);
}
