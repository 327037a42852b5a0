//! Which versions a request may come from.

use lttngd_model::{BufferScheme, Domain};
use proptest::prelude::*;

use super::arbitrary::{command, dialect};
use super::patch;
use crate::client::{Asked, Command, CommandKind, Dialect, Dialects, Request};

/// Whether a client names a session with it.
fn names_session(command: &Command) -> bool {
    !matches!(
        command,
        Command::SaveSession(_)
            | Command::CreateSession { .. }
            | Command::RegisterTrigger { .. }
            | Command::UnregisterTrigger { .. }
            | Command::ExecuteErrorQuery { .. }
            | Command::ListSyscalls
            | Command::ListSessions
            | Command::ListTracepoints
            | Command::ListTracepointFields
            | Command::ListTriggers
            | Command::KernelTracerStatus
    )
}

/// Whether a client names a domain with it.
fn names_domain(command: &Command) -> bool {
    matches!(
        command,
        Command::AddContext { .. }
            | Command::DisableChannel { .. }
            | Command::DisableEvent { .. }
            | Command::ListSyscalls
            | Command::EnableChannel(_)
            | Command::EnableEvent { .. }
            | Command::ListChannels
            | Command::ListEvents { .. }
            | Command::ListTracepoints
            | Command::ListTracepointFields
            | Command::RegisterConsumer { .. }
            | Command::SetConsumerUri(_)
            | Command::TrackerAddValue { .. }
            | Command::TrackerRemoveValue { .. }
            | Command::TrackerGetPolicy { .. }
            | Command::TrackerSetPolicy { .. }
            | Command::TrackerGetInclusionSet { .. }
            | Command::ReclaimChannelMemory { .. }
            | Command::GetStreamInfoSets { .. }
            | Command::Map(_)
    )
}

/// As a client of this version asks it.
fn asked(dialect: Dialect, command: &Command) -> Asked {
    let (mut request, payload) = Request::new_in(dialect, command);
    if names_session(command) {
        request = request.in_session("s");
    }
    if names_domain(command) {
        request = request.in_domain(Domain::Ust, BufferScheme::PerUid);
    }
    Asked::decode(&request.encode(&payload)[..super::super::REQUEST_LEN]).unwrap()
}

proptest! {
    /// Whatever a client asks, the form of it leaves the client's own version among those that may have.
    #[test]
    fn a_version_is_never_denied(command in command(), dialect in dialect()) {
        let has = command.to_raw(dialect) != u32::MAX;
        let is_sent = !matches!(&command, Command::Undefined(_) | Command::RegisterConsumer { .. });
        prop_assume!(has && is_sent);
        // A snapshot output that is added has a place, and one that is removed an id or a name.
        let is_meant = match &command {
            Command::SnapshotAddOutput(output) => output.id == 0 && !output.control_url.is_empty(),
            Command::SnapshotDelOutput(output) => {
                output.control_url.is_empty() && (output.id != 0 || !output.name.is_empty())
            }
            Command::SetConsumerUri(uris) => !uris.is_empty(),
            Command::ListEvents { channel } => !channel.is_empty(),
            Command::SetSessionShmPath { path } => !path.is_empty(),
            Command::RotationGetInfo { rotation_id } => (1..1 << 16).contains(rotation_id),
            // A limit of its size is always set.
            Command::SnapshotRecord { output, .. } => output.max_size_bytes != 0,
            _ => true,
        };
        prop_assume!(is_meant);
        prop_assert!(asked(dialect, &command).dialects().has(dialect), "{:?}", command);
    }
}

/// The commands that make, end, start, stop or remove something.
const CHANGES: [Command; 6] = [
    Command::DestroySession,
    Command::StartTrace,
    Command::StopTrace,
    Command::ClearSession,
    Command::RegenerateMetadata,
    Command::RotateSession,
];

#[test]
fn one_form_of_two_commands_is_never_taken_for_one_of_them() {
    for dialect in Dialect::ALL {
        for command in CHANGES {
            let asked = asked(dialect, &command);
            for other in asked.dialects().iter() {
                let kind = CommandKind::from_raw(asked.command(), other);
                assert!(kind.is_some(), "{command:?} of {dialect} in {other}");
            }
            // Those of several versions with one number are left to whoever knows the client.
            if asked.dialects().one().is_some() {
                assert_eq!(asked.dialects().one(), Some(dialect), "{command:?}");
            }
        }
    }
    let destroy = asked(Dialect::V2_13, &Command::DestroySession);
    let domains = asked(Dialect::V2_14, &Command::ListDomains);
    assert_eq!(destroy, domains);
    assert_eq!(destroy.dialects(), Dialects::ALL);
    let start = asked(Dialect::V2_14, &Command::StartTrace);
    assert_eq!(start, asked(Dialect::V2_16, &Command::StopTrace));
    assert!(start.dialects().one().is_none());
    let clear = asked(Dialect::V2_14, &Command::ClearSession);
    assert_eq!(clear, asked(Dialect::V2_13, &Command::RegenerateMetadata));
    assert!(clear.dialects().one().is_none());
}

#[test]
fn most_forms_are_of_one_version_or_of_2_14_and_2_15() {
    let is = |dialect, command: &Command, expected: &[Dialect]| {
        let dialects = asked(dialect, command).dialects();
        assert_eq!(dialects, Dialects::of(expected.iter().copied()), "{command:?} of {dialect}");
    };
    use Dialect::{V2_13, V2_14, V2_15, V2_16};
    is(V2_13, &Command::ListSessions, &[V2_13]);
    is(V2_14, &Command::ListSessions, &[V2_14, V2_15, V2_16]);
    is(V2_13, &Command::StartTrace, &[V2_13]);
    is(V2_16, &Command::StartTrace, &[V2_16]);
    is(V2_14, &Command::StopTrace, &[V2_14, V2_15]);
    is(V2_13, &Command::ListDomains, &[V2_13]);
    is(V2_13, &Command::SetConsumerUri(Vec::new()), &[V2_13]);
    is(V2_16, &Command::ListTriggers, &[V2_16]);
    is(V2_14, &Command::ListTriggers, &[V2_14, V2_15]);
    is(V2_16, &Command::ClearSession, &[V2_13, V2_16]);
    is(V2_14, &Command::KernelTracerStatus, &[V2_14, V2_15]);
    let channel = "c".to_owned();
    let reclaimed = Command::ReclaimChannelMemory { channel, age_us: Some(1) };
    is(V2_15, &reclaimed, &[V2_15]);
}

#[test]
fn a_number_that_no_version_has_is_of_none() {
    for number in [19, 53, u32::MAX] {
        let (mut request, _) = Request::new(&Command::Undefined(number));
        patch(&mut request, 0, &[0]);
        let asked = Asked::decode(&request.encode(&[])).unwrap();
        assert_eq!(asked.dialects().is_empty(), number != 19, "{number}");
    }
}
