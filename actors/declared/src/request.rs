//! The typed request of each command.

use lttngd_document::{
    Attributes, BufferMode as Mode, Command, Document, Mode as Kind, Output, ReadBy, Schedule,
};
use lttngd_handle::AnyRequest;
use lttngd_model::{
    BufferMode, BufferScheme, ChannelAttributes, ChannelListing, ChannelOutput, Credentials,
    DescriptorOutput, Domain, ErrorCode, EventDescription, NetworkUri, PlaceUrl, SessionDescriptor,
    SessionKind, Uri,
};
use lttngd_registry::{CreateSession, DestroySession};
use lttngd_relayd::{DEFAULT_DEADLINE, look_up};
use lttngd_session::{
    AddContext, AddSnapshotOutput, AddTrackerValue, DeleteSnapshotOutput, DisableChannel,
    DisableEvent, EnableChannel, EnableEvent, RemoveTrackerValue, RotationSchedule, SessionRequest,
    SetRotationSchedule, SetShmPath, SetTrackingPolicy, Start, Stop,
};

use lttngd_document::{RelayUrls, SnapshotOutput};

/// Who asks is put in by the way to the daemon.
const NOBODY: Credentials = Credentials { uid: u32::MAX, gid: u32::MAX };

/// The request of one command about the session of `document`.
///
/// # Errors
/// What would be answered to one that cannot be made.
pub(crate) fn request(
    command: &Command,
    document: &Document,
    home: Option<&str>,
) -> Result<AnyRequest, ErrorCode> {
    let session = document.session.as_str();
    Ok(match command.clone() {
        Command::Destroy => DestroySession { requester: NOBODY, name: session.to_owned() }.into(),
        Command::Create => {
            let (requester, home) = (NOBODY, home.map(str::to_owned));
            CreateSession { requester, home, descriptor: descriptor(document)? }.into()
        }
        Command::SetShmPath(path) => SetShmPath { path: path.into() }.in_session(session).into(),
        Command::AddSnapshotOutput(output) => {
            let (control_url, data_url) = urls(&output.output);
            let SnapshotOutput { name, max_size_bytes, .. } = output;
            let add = AddSnapshotOutput { name, max_size_bytes, control_url, data_url };
            add.in_session(session).into()
        }
        Command::DeleteSnapshotOutput(name) => {
            DeleteSnapshotOutput { id: 0, name }.in_session(session).into()
        }
        Command::EnableChannel { domain, scheme, channel, attributes } => {
            let attributes = of_channel(&attributes, scheme, document.mode);
            let channel = ChannelListing::new(channel, attributes);
            let buffer_type = scheme as u32;
            EnableChannel { domain, buffer_type, channel }.in_session(session).into()
        }
        Command::DisableChannel { domain, channel } => {
            DisableChannel { domain, channel }.in_session(session).into()
        }
        Command::EnableEvent { domain, scheme, channel, rule } => {
            let event = rule.description(domain).map_err(|error| error.code())?;
            let buffer_type = scheme as u32;
            EnableEvent { domain, buffer_type, channel, event }.in_session(session).into()
        }
        Command::DisableEvent { domain, channel, name, kind } => {
            let mut event = EventDescription::of_any_kind(name);
            if let Some(kind) = kind {
                event.kind = kind.event_kind() as i8;
            }
            DisableEvent { domain, channel, event }.in_session(session).into()
        }
        Command::AddContext { domain, channel, context } => {
            let context = context.in_domain(domain).ok_or(ErrorCode::UstContextInval)?;
            // What Python's agents hand over takes the contexts of user space alone.
            let domain = if domain == Domain::Python { Domain::Ust } else { domain };
            let raw_type = context.kind() as u32;
            let context = Some(context);
            AddContext { domain, channel, raw_type, context }.in_session(session).into()
        }
        Command::SetTracker { domain, attribute, policy } => {
            SetTrackingPolicy { domain, attribute, policy }.in_session(session).into()
        }
        Command::Track { domain, attribute, value } => {
            AddTrackerValue { domain, attribute, value }.in_session(session).into()
        }
        Command::Untrack { domain, attribute, value } => {
            RemoveTrackerValue { domain, attribute, value }.in_session(session).into()
        }
        Command::AddSchedule(schedule) => set_schedule(true, schedule, session),
        Command::RemoveSchedule(schedule) => set_schedule(false, schedule, session),
        Command::Start => Start.in_session(session).into(),
        Command::Stop => Stop.in_session(session).into(),
    })
}

fn set_schedule(add: bool, schedule: Schedule, session: &str) -> AnyRequest {
    let schedule = match schedule {
        Schedule::PeriodUs(period_us) => RotationSchedule::Periodic { period_us },
        Schedule::SizeBytes(bytes) => RotationSchedule::SizeThreshold { bytes },
    };
    SetRotationSchedule { add, schedule }.in_session(session).into()
}

fn descriptor(document: &Document) -> Result<SessionDescriptor, ErrorCode> {
    let kind = match document.mode {
        Kind::Regular => SessionKind::Regular,
        Kind::Snapshot => SessionKind::Snapshot,
        Kind::Live { timer_interval_us } => SessionKind::Live { timer_interval_us },
    };
    let output = match (&document.output, document.mode) {
        // Those that are named are added when the session is there.
        (_, Kind::Snapshot) if document.snapshot_outputs.is_some() => DescriptorOutput::None,
        (Some(output), Kind::Regular | Kind::Live { .. }) => of_session(output)?,
        (_, Kind::Live { .. }) => DescriptorOutput::Network(None),
        _ => DescriptorOutput::Local(None),
    };
    Ok(SessionDescriptor { kind, name: Some(document.session.clone()), output })
}

fn of_session(output: &Output) -> Result<DescriptorOutput, ErrorCode> {
    match output.place() {
        None => Ok(DescriptorOutput::None),
        Some(PlaceUrl::Path(path)) => Ok(DescriptorOutput::Local(Some(Uri::Path(path)))),
        Some(PlaceUrl::Relayd { control, data }) => {
            let uri = |url: lttngd_model::HostUrl, stream| {
                Uri::Network(NetworkUri {
                    family: url.family,
                    address: url.host,
                    port: url.port,
                    stream,
                    subdir: url.subdir,
                })
            };
            let control = uri(control, lttngd_model::StreamKind::Control);
            let data = uri(data, lttngd_model::StreamKind::Data);
            Ok(DescriptorOutput::Network(Some(Box::new((control, data)))))
        }
    }
}

/// The URLs of a place for snapshots, as clients send them.
fn urls(output: &Output) -> (String, String) {
    match output {
        Output::None => (String::new(), String::new()),
        Output::Path(path) => (path.clone(), String::new()),
        Output::Url(url) => (url.clone(), String::new()),
        Output::Urls(RelayUrls { control, data }) => (control.clone(), data.clone()),
    }
}

/// What the document says, and for the rest what the daemon gives a channel of its own making.
fn of_channel(attributes: &Attributes, scheme: BufferScheme, kind: Kind) -> ChannelAttributes {
    let is_kernel = scheme == BufferScheme::Global;
    let default = match is_kernel {
        true => ChannelAttributes::kernel(),
        false => ChannelAttributes::user_space(scheme, rustix::param::page_size() as u64),
    };
    ChannelAttributes {
        mode: match attributes.mode {
            None => default.mode,
            Some(Mode::Discard) => BufferMode::Discard,
            Some(Mode::Overwrite) => BufferMode::Overwrite,
        },
        subbuf_size_bytes: attributes.subbuf_size_bytes.unwrap_or(default.subbuf_size_bytes),
        num_subbuf: attributes.num_subbuf.unwrap_or(default.num_subbuf),
        switch_timer_interval_us: attributes
            .switch_timer_interval_us
            .unwrap_or(default.switch_timer_interval_us),
        read_timer_interval_us: attributes
            .read_timer_interval_us
            .unwrap_or(default.read_timer_interval_us),
        monitor_timer_interval_us: attributes
            .monitor_timer_interval_us
            .unwrap_or(default.monitor_timer_interval_us),
        live_timer_interval_us: default.live_timer_interval_us,
        blocking_timeout_us: attributes.blocking_timeout_us.unwrap_or(default.blocking_timeout_us),
        output: match attributes.output {
            Some(ReadBy::Splice) => ChannelOutput::Splice,
            Some(ReadBy::Mmap) => ChannelOutput::Mmap,
            // Snapshots cannot be spliced.
            None if is_kernel && kind == Kind::Snapshot => ChannelOutput::Mmap,
            None => default.output,
        },
        tracefile_size_bytes: attributes
            .tracefile_size_bytes
            .unwrap_or(default.tracefile_size_bytes),
        tracefile_count: attributes.tracefile_count.unwrap_or(default.tracefile_count),
    }
}

/// The document with the addresses of the machines that it names: sessions have these.
///
/// # Errors
/// Which machine is not found, in plain words.
pub(crate) async fn with_addresses(mut document: Document) -> Result<Document, String> {
    if let Some(output) = &mut document.output {
        resolve(output).await?;
    }
    for output in document.snapshot_outputs.iter_mut().flatten() {
        resolve(&mut output.output).await?;
    }
    Ok(document)
}

async fn resolve(output: &mut Output) -> Result<(), String> {
    let Some(PlaceUrl::Relayd { control, data }) = output.place() else { return Ok(()) };
    let host = control.host.clone();
    let found = look_up(control, data, DEFAULT_DEADLINE).await;
    let (control, data) = found.map_err(|error| format!("{host}: {error}"))?;
    *output = Output::Urls(RelayUrls { control: url(&control), data: url(&data) });
    Ok(())
}

fn url(uri: &NetworkUri) -> String {
    let NetworkUri { family, address, port, subdir, .. } = uri;
    match family {
        lttngd_model::AddressFamily::V4 => format!("tcp4://{address}:{port}/{subdir}"),
        lttngd_model::AddressFamily::V6 => format!("tcp6://[{address}]:{port}/{subdir}"),
    }
}
