//! From a decoded command to the request it means, and from that reply to bytes.

use lttngd_handle::Handle;
use lttngd_model::{Domain, ErrorCode};
use lttngd_session::{
    AddContext, AddSnapshotOutput, AddTrackerValue, Clear, DataPending, DeleteSnapshotOutput,
    DisableChannel, DisableEvent, EnableChannel, EnableEvent, GetInclusionSet, GetRotationInfo,
    GetTrackingPolicy, ListChannels, ListDomains, ListEvents, ListSnapshotOutputs, Needs,
    RecordSnapshot, RegenerateMetadata, RegenerateStatedump, RemoveTrackerValue, Rotate,
    SessionRequest, SetConsumerUri, SetRotationSchedule, SetShmPath, SetTrackingPolicy, Start,
    Stop, TraceArchive,
};
use lttngd_wire::client::{
    ArchiveLocation, Command, ContextRequest, DomainListing, Reply, Request, RotationInfo,
    RotationState, SaveSession, SnapshotOutput, encode_channels, encode_data_pending,
    encode_descriptor, encode_destroyed_data, encode_destroyed_header, encode_domains,
    encode_event_fields, encode_events, encode_rotation_id, encode_rotation_info,
    encode_rotation_schedules, encode_sessions, encode_snapshot_output_id, encode_snapshot_outputs,
    encode_tracker_values, encode_tracking_policy,
};

/// Does what a request asks, and makes its reply.
pub(crate) async fn dispatch(handle: &Handle, request: &Request, payload: &[u8]) -> Reply {
    let reply = match request.command(payload) {
        Ok(command) => run(handle, request, command).await,
        // A session that is not there is told before what is wrong with the rest.
        Err(malformed) => check(handle, request).await.and(Err(malformed)),
    };
    reply.unwrap_or_else(|code| Reply::error(request, code))
}

/// The checks that every command makes before its own.
async fn check(handle: &Handle, request: &Request) -> Result<(), ErrorCode> {
    let domain = request.needs_domain().then(|| Domain::from_raw(request.domain)).flatten();
    if request.needs_session() { handle.check(&request.session_name, domain).await } else { Ok(()) }
}

async fn run(handle: &Handle, request: &Request, command: Command) -> Result<Reply, ErrorCode> {
    let session = request.session_name.as_str();
    let domain = Domain::from_raw(request.domain);
    // The domain of a command that knows none but the five.
    let known = || domain.ok_or(ErrorCode::UnknownDomain);
    let ok = || Reply::ok(request);
    match command {
        Command::CreateSession { home, descriptor } => {
            let complete = handle.create_session(home, descriptor).await?;
            Ok(ok().with_data(encode_descriptor(&complete)))
        }
        Command::ListSessions => {
            Ok(ok().with_data(encode_sessions(&handle.list_sessions().await?)))
        }
        Command::DestroySession => {
            let archive = handle.destroy_session(session).await?.archive.map(archive_location);
            let state = match archive {
                Some(_) => RotationState::Completed,
                None => RotationState::NoRotation,
            };
            Ok(ok()
                .with_header(encode_destroyed_header(state))
                .with_data(encode_destroyed_data(archive.as_ref()))
                .deferred())
        }
        Command::EnableChannel(channel) => {
            let buffer_type = request.buffer_type;
            let domain = checked(handle, session, known()).await?;
            let message = EnableChannel { domain, buffer_type, channel };
            handle.ask(message.in_session(session)).await.map(|()| ok())
        }
        Command::DisableChannel { channel } => {
            let known = known().and_then(some_domain(ErrorCode::UnknownDomain));
            let domain = checked(handle, session, known).await?;
            let message = DisableChannel { domain, channel };
            // Whether the session has the domain is looked at before all else.
            let needs = Needs::Present(domain);
            handle.ask_session(session, needs, message).await.map(|()| ok())
        }
        Command::EnableEvent { channel, event } => {
            let buffer_type = request.buffer_type;
            let known = known().and_then(some_domain(ErrorCode::UnknownDomain));
            let domain = checked(handle, session, known).await?;
            let message = EnableEvent { domain, buffer_type, channel, event };
            handle.ask(message.in_session(session)).await.map(|()| ok())
        }
        Command::DisableEvent { channel, event } => {
            let known = known().and_then(some_domain(ErrorCode::UnknownDomain));
            let domain = checked(handle, session, known).await?;
            let message = DisableEvent { domain, channel, event };
            // Whether the session has the domain is looked at before all else.
            let needs = Needs::Present(domain);
            handle.ask_session(session, needs, message).await.map(|()| ok())
        }
        Command::AddContext { channel, context } => {
            let known = domain.ok_or(ErrorCode::Und).and_then(some_domain(ErrorCode::Und));
            let domain = checked(handle, session, known).await?;
            let ContextRequest { raw_type, context } = context;
            let message = AddContext { domain, channel, raw_type, context };
            handle.ask(message.in_session(session)).await.map(|()| ok())
        }
        Command::ListChannels => match domain {
            Some(Domain::None) | None => {
                handle.check(session, None).await?;
                Ok(ok().with_list(0, Vec::new()))
            }
            Some(domain) => {
                let channels = handle.ask(ListChannels { domain }.in_session(session)).await?;
                Ok(ok().with_list(channels.len(), encode_channels(&channels)))
            }
        },
        Command::ListEvents { channel } => {
            let known = domain.ok_or(ErrorCode::Und).and_then(some_domain(ErrorCode::Und));
            let domain = checked(handle, session, known).await?;
            let message = ListEvents { domain, channel };
            let events = handle.ask(message.in_session(session)).await?;
            Ok(ok().with_list(events.len(), encode_events(&events)?))
        }
        Command::ListDomains => {
            let domains = handle.ask(ListDomains.in_session(session)).await?;
            let domains: Vec<_> = domains
                .into_iter()
                .map(|(domain, scheme)| DomainListing { domain, scheme })
                .collect();
            Ok(ok().with_data(encode_domains(&domains)))
        }
        Command::StartTrace => handle.ask(Start.in_session(session)).await.map(|()| ok()),
        Command::StopTrace => handle.ask(Stop.in_session(session)).await.map(|()| ok()),
        Command::DataPending => {
            let pending = handle.ask(DataPending.in_session(session)).await?;
            Ok(ok().with_data(encode_data_pending(pending)))
        }
        Command::SetConsumerUri(uris) => {
            handle.ask(SetConsumerUri { domain, uris }.in_session(session)).await.map(|()| ok())
        }
        Command::ListTracepoints => {
            let events = handle.list_tracepoints(domain).await?;
            Ok(ok().with_list(events.len(), encode_events(&events)?))
        }
        Command::ListTracepointFields => {
            let fields = handle.list_tracepoint_fields(domain).await?;
            Ok(ok().with_list(fields.len(), encode_event_fields(&fields)?))
        }
        Command::ListSyscalls => {
            let events = handle.list_syscalls().await?;
            Ok(ok().with_list(events.len(), encode_events(&events)?))
        }
        Command::TrackerGetPolicy { attribute } => {
            let domain = tracked(handle, request).await?;
            let message = GetTrackingPolicy { domain, attribute };
            let policy = handle.ask(message.in_session(session)).await?;
            Ok(ok().with_data(encode_tracking_policy(policy)))
        }
        Command::TrackerSetPolicy { attribute, policy } => {
            let domain = tracked(handle, request).await?;
            let message = SetTrackingPolicy { domain, attribute, policy };
            handle.ask(message.in_session(session)).await.map(|()| ok())
        }
        Command::TrackerAddValue { attribute, value } => {
            let domain = tracked(handle, request).await?;
            let message = AddTrackerValue { domain, attribute, value };
            handle.ask(message.in_session(session)).await.map(|()| ok())
        }
        Command::TrackerRemoveValue { attribute, value } => {
            let domain = tracked(handle, request).await?;
            let message = RemoveTrackerValue { domain, attribute, value };
            handle.ask(message.in_session(session)).await.map(|()| ok())
        }
        Command::TrackerGetInclusionSet { attribute } => {
            let domain = tracked(handle, request).await?;
            let message = GetInclusionSet { domain, attribute };
            let values = handle.ask(message.in_session(session)).await?;
            Ok(ok().with_data(encode_tracker_values(&values)))
        }
        Command::RotateSession => {
            let id = handle.ask(Rotate.in_session(session)).await?;
            Ok(ok().with_data(encode_rotation_id(id)))
        }
        Command::RotationGetInfo { rotation_id } => {
            let info = handle.ask(GetRotationInfo { rotation_id }.in_session(session)).await?;
            Ok(ok().with_data(encode_rotation_info(&rotation_info(info))))
        }
        Command::ClearSession => {
            handle.ask(Clear.in_session(session)).await?;
            Ok(ok().deferred())
        }
        Command::SetSessionShmPath { path } => {
            handle.ask(SetShmPath { path: path.into() }.in_session(session)).await.map(|()| ok())
        }
        Command::RegenerateMetadata => {
            handle.ask(RegenerateMetadata.in_session(session)).await.map(|()| ok())
        }
        Command::RegenerateStatedump => {
            handle.ask(RegenerateStatedump.in_session(session)).await.map(|()| ok())
        }
        Command::SnapshotAddOutput(output) => {
            let message = AddSnapshotOutput {
                name: output.name,
                max_size_bytes: output.max_size_bytes,
                control_url: output.control_url,
                data_url: output.data_url,
            };
            let id = handle.ask(message.in_session(session)).await?;
            Ok(ok().with_data(encode_snapshot_output_id(id)))
        }
        Command::SnapshotDelOutput(SnapshotOutput { id, name, .. }) => {
            handle.ask(DeleteSnapshotOutput { id, name }.in_session(session)).await.map(|()| ok())
        }
        Command::SnapshotListOutput => {
            let outputs = handle.ask(ListSnapshotOutputs.in_session(session)).await?;
            let outputs: Vec<_> = outputs.into_iter().map(snapshot_output).collect();
            Ok(ok().with_data(encode_snapshot_outputs(&outputs)))
        }
        // A snapshot is always waited for, as the stock daemon does.
        Command::SnapshotRecord { output, wait: _ } => {
            let message = RecordSnapshot {
                name: output.name,
                control_url: output.control_url,
                data_url: output.data_url,
                max_size_bytes: output.max_size_bytes,
            };
            handle.ask(message.in_session(session)).await.map(|()| ok())
        }
        Command::SessionListRotationSchedules => {
            let schedules = handle.list_rotation_schedules(session).await?;
            Ok(ok().with_data(encode_rotation_schedules(&schedules)))
        }
        Command::RotationSetSchedule { set, schedule } => {
            let message = SetRotationSchedule { add: set, schedule };
            handle.ask(message.in_session(session)).await.map(|()| ok())
        }
        Command::SaveSession(SaveSession {
            session_name, configuration_url, overwrite, ..
        }) => {
            let directory = Some(configuration_url).filter(|url| !url.is_empty()).map(Into::into);
            if session_name.is_empty() {
                handle.save_all_sessions(directory, overwrite).await?;
            } else {
                handle.save_session(&session_name, directory, overwrite).await?;
            }
            Ok(ok())
        }
        Command::RegisterConsumer { .. } => {
            handle.register_consumer(session, domain).await.map(|()| ok())
        }
        Command::Undefined(_) => {
            if request.command <= LAST_COMMAND {
                check(handle, request).await?;
            }
            Err(ErrorCode::Und)
        }
        Command::ListTriggers
        | Command::RegisterTrigger { .. }
        | Command::UnregisterTrigger { .. }
        | Command::ExecuteErrorQuery { .. } => {
            check(handle, request).await?;
            Err(ErrorCode::NotSupported)
        }
    }
}

/// The last number that a command has; those above are not even checked for a session.
const LAST_COMMAND: u32 = 52;

/// What was found out about the domain, after the session was.
async fn checked(
    handle: &Handle,
    session: &str,
    domain: Result<Domain, ErrorCode>,
) -> Result<Domain, ErrorCode> {
    match domain {
        Ok(domain) => Ok(domain),
        Err(code) => handle.check(session, None).await.and(Err(code)),
    }
}

/// Refuses the number that stands for no domain.
fn some_domain(code: ErrorCode) -> impl FnOnce(Domain) -> Result<Domain, ErrorCode> {
    move |domain| if domain == Domain::None { Err(code) } else { Ok(domain) }
}

/// The domain of a command on trackers: agents have none of their own.
async fn tracked(handle: &Handle, request: &Request) -> Result<Domain, ErrorCode> {
    match Domain::from_raw(request.domain) {
        Some(domain @ (Domain::Kernel | Domain::Ust)) => Ok(domain),
        _ => check(handle, request).await.and(Err(ErrorCode::UnsupportedDomain)),
    }
}

fn archive_location(archive: TraceArchive) -> ArchiveLocation {
    match archive {
        TraceArchive::Local(path) => {
            ArchiveLocation::Local { path: path.to_string_lossy().into_owned() }
        }
        TraceArchive::Relayd { host, control_port, data_port, relative_path } => {
            ArchiveLocation::Relay { host, control_port, data_port, relative_path }
        }
    }
}

fn rotation_info(info: lttngd_session::RotationInfo) -> RotationInfo {
    use lttngd_session::RotationState as State;
    RotationInfo {
        state: match info.state {
            State::Ongoing => RotationState::Ongoing,
            State::Completed => RotationState::Completed,
            State::Expired => RotationState::Expired,
            State::Error => RotationState::Error,
        },
        location: info.archive.map(archive_location),
    }
}

fn snapshot_output(output: lttngd_session::SnapshotOutput) -> SnapshotOutput {
    let (control_url, data_url) = output.place.urls();
    SnapshotOutput {
        id: output.id,
        max_size_bytes: output.max_size_bytes,
        name: output.name,
        control_url,
        data_url,
    }
}
