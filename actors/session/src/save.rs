//! Saving: what the session is, as a file that `lttng load` takes.

mod kernel;

use std::{io, path::PathBuf, rc::Rc, sync::Arc};

use lttngd_model::{
    BufferMode, BufferScheme, ChannelAttributes, ChannelOutput, Context, Domain, ErrorCode,
    EventKind, LogLevelRule, ProcessAttribute, SessionKind, TrackerValue, TrackingPolicy,
    ust::{AgentEvent, Channel, EventRule, UstDomain},
};
use lttngd_runas::{Below, Opening, Owner};
use lttngd_runtime::outside::blocking;
use lttngd_sessionfile::{
    SavedAttributes, SavedBufferType, SavedChannel, SavedConsumerOutput, SavedContext,
    SavedDestination, SavedDomain, SavedDomainType, SavedEvent, SavedEventType, SavedLogLevelType,
    SavedNetOutput, SavedOutput, SavedOutputType, SavedOverwriteMode, SavedRotationSchedules,
    SavedSession, SavedSnapshotOutput, SavedTracker, SavedTrackers, TrackedValue, write,
};

use crate::{
    DescribeSession, Output, Save, SessionDescription, SnapshotOutput, SnapshotPlace, actor::Inner,
    complain::complain,
};

/// Where sessions are saved, below a home directory.
const HOME_SUBDIR: &str = ".lttng/sessions";
/// What the name of a file ends in, after the session's.
const EXTENSION: &str = ".lttng";
/// Most bytes of a path, with its NUL.
const PATH_MAX: usize = 4096;
/// Mode of a new file.
const FILE_MODE: u32 = 0o660;

impl Inner {
    pub(crate) async fn save(self: Rc<Self>, request: Save) -> Result<(), ErrorCode> {
        self.life().admit()?;
        let text = write(&[self.saved()?]);
        let Save { requester, directory, overwrite } = request;
        let directory = match directory {
            Some(directory) => Some(directory),
            None => default_directory(requester.uid).await,
        };
        let path = saved_path(directory, &self.config.name)?;
        let owner = self.config.runas.owner(requester).await.map_err(|error| {
            complain!(self, "the session cannot be saved", %error);
            ErrorCode::Eperm
        })?;
        self.save_to(&owner, &path, &text, overwrite).await
    }

    async fn save_to(
        &self,
        owner: &Owner,
        path: &SavedPath,
        text: &str,
        overwrite: bool,
    ) -> Result<(), ErrorCode> {
        let SavedPath { directory, name } = path;
        let opened = owner.make_root_directory(directory).await.map_err(|error| {
            complain!(self, "sessions cannot be saved there", path = ?directory, %error);
            ErrorCode::SetUrl
        })?;
        let place = Below::new(&Arc::new(opened), name);
        write_file(owner, &place, text.as_bytes(), overwrite).await.map_err(|error| {
            complain!(self, "the session is not saved", path = ?directory, name, %error);
            match rustix::io::Errno::from_io_error(&error) {
                Some(rustix::io::Errno::EXIST) => ErrorCode::SaveFileExist,
                Some(rustix::io::Errno::ACCESS) => ErrorCode::Eperm,
                _ => ErrorCode::SaveIoFail,
            }
        })
    }

    pub(crate) fn describe(&self, _: DescribeSession) -> Result<SessionDescription, ErrorCode> {
        self.life().admit()?;
        let (saved, was_started) = (write(&[self.saved()?]), self.life().was_started);
        Ok(SessionDescription { saved, was_started })
    }

    /// What the session is.
    pub(crate) fn saved(&self) -> Result<SavedSession, ErrorCode> {
        let kind = self.config.kind;
        let schedules = self.state().schedules.set;
        Ok(SavedSession {
            name: self.config.name.clone(),
            shared_memory_path: self
                .state()
                .shm_path
                .as_ref()
                .map(|path| path.display().to_string()),
            domains: {
                let domains = &self.state().domains;
                let kernel = domains.kernel.as_ref().map(|kernel| kernel::saved(&kernel.rules));
                let ust = domains.ust.as_ref().map(saved_domains).unwrap_or_default();
                kernel.into_iter().chain(ust).collect()
            },
            started: Some(self.life().active),
            attributes: SavedAttributes {
                snapshot_mode: kind == SessionKind::Snapshot,
                live_timer_interval_us: match kind {
                    SessionKind::Live { timer_interval_us } => timer_interval_us,
                    SessionKind::Regular | SessionKind::Snapshot => 0,
                },
                rotation_schedules: SavedRotationSchedules {
                    period_us: schedules.period_us.unwrap_or(0),
                    size_threshold_bytes: schedules.size_bytes.unwrap_or(0),
                },
            },
            output: saved_output(kind, &self.state().output, self.state().snapshots.outputs())?,
        })
    }
}

/// Where a user's sessions are saved. The user database may be slow.
async fn default_directory(uid: u32) -> Option<PathBuf> {
    let user = blocking(move || nix::unistd::User::from_uid(uid.into()));
    let user = user.await.ok()?.ok()??;
    (!user.dir.as_os_str().is_empty()).then(|| user.dir.join(HOME_SUBDIR))
}

/// A file in a directory.
struct SavedPath {
    directory: PathBuf,
    name: String,
}

/// The file `<directory>/<name>.lttng`.
fn saved_path(directory: Option<PathBuf>, name: &str) -> Result<SavedPath, ErrorCode> {
    let directory = directory.ok_or(ErrorCode::SetUrl)?;
    // The stock daemon counts a slash and two bytes more.
    if directory.as_os_str().len() + name.len() + EXTENSION.len() + 3 > PATH_MAX {
        return Err(ErrorCode::SetUrl);
    }
    Ok(SavedPath { directory, name: format!("{name}{EXTENSION}") })
}

/// Whoever owns it writes it, in the run-as worker: its file system may not answer, and nothing ends that.
async fn write_file(owner: &Owner, place: &Below, text: &[u8], overwrite: bool) -> io::Result<()> {
    match owner.write_file(place.clone(), Opening::New, FILE_MODE, text).await {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && overwrite => {
            owner.write_file(place.clone(), Opening::Followed, FILE_MODE, text).await
        }
        written => written,
    }
}

/// The events of agents are saved as the rules that made them, not as those that record them.
fn saved_domains(ust: &UstDomain) -> Vec<SavedDomain> {
    let buffer_type = match ust.scheme {
        BufferScheme::PerPid => SavedBufferType::PerPid,
        BufferScheme::PerUid => SavedBufferType::PerUid,
        BufferScheme::Global => SavedBufferType::Global,
    };
    // The agents' domains come with that of user space.
    let domains = [
        (SavedDomainType::Ust, Domain::Ust),
        (SavedDomainType::Jul, Domain::Jul),
        (SavedDomainType::Log4j, Domain::Log4j),
        (SavedDomainType::Python, Domain::Python),
    ];
    let saved = |(kind, domain): (SavedDomainType, Domain)| SavedDomain {
        kind,
        buffer_type,
        channels: ust
            .channels
            .iter()
            .filter(|channel| channel.domain == domain)
            .map(|channel| {
                let events = match ust.agents.get(&domain) {
                    Some(agents) => agents.events.iter().map(saved_agent_event).collect(),
                    None => channel.events.iter().map(saved_event).collect(),
                };
                saved_channel(channel, events)
            })
            .collect(),
        process_attr_trackers: (domain == Domain::Ust).then(|| saved_trackers(ust)),
    };
    domains.into_iter().map(saved).collect()
}

/// The trackers that do not include every process.
fn saved_trackers(ust: &UstDomain) -> SavedTrackers {
    let attributes = [
        ProcessAttribute::VirtualProcessId,
        ProcessAttribute::VirtualUserId,
        ProcessAttribute::VirtualGroupId,
    ];
    let saved = attributes.into_iter().filter_map(|attribute| {
        let policy = ust.tracking_policy(attribute).ok()?;
        saved_tracker(attribute, policy, || ust.inclusion_set(attribute).ok())
    });
    SavedTrackers(saved.collect())
}

/// A tracker, unless it includes every process.
fn saved_tracker(
    attribute: ProcessAttribute,
    policy: TrackingPolicy,
    set: impl FnOnce() -> Option<Vec<TrackerValue>>,
) -> Option<SavedTracker> {
    let values = match policy {
        TrackingPolicy::IncludeAll => return None,
        TrackingPolicy::ExcludeAll => Vec::new(),
        TrackingPolicy::IncludeSet => set()?,
    };
    let values = values.into_iter().map(saved_value).collect();
    Some(SavedTracker { attribute, values })
}

fn saved_value(value: TrackerValue) -> TrackedValue {
    match value {
        TrackerValue::Pid(pid) => TrackedValue::Id(pid.into()),
        TrackerValue::Uid(id) | TrackerValue::Gid(id) => TrackedValue::Id(id.into()),
        TrackerValue::UserName(name) | TrackerValue::GroupName(name) => TrackedValue::Name(name),
    }
}

fn saved_channel(channel: &Channel, events: Vec<SavedEvent>) -> SavedChannel {
    let contexts = &channel.contexts;
    with_attributes(&channel.name, channel.enabled, &channel.attributes, (events, contexts))
}

fn with_attributes(
    name: &str,
    enabled: bool,
    attributes: &ChannelAttributes,
    (events, contexts): (Vec<SavedEvent>, &[Context]),
) -> SavedChannel {
    SavedChannel {
        name: name.to_owned(),
        enabled,
        overwrite_mode: Some(match attributes.mode {
            BufferMode::Overwrite => SavedOverwriteMode::Overwrite,
            BufferMode::Discard | BufferMode::Default => SavedOverwriteMode::Discard,
        }),
        subbuffer_size_bytes: Some(attributes.subbuf_size_bytes),
        subbuffer_count: Some(attributes.num_subbuf),
        switch_timer_interval_us: Some(attributes.switch_timer_interval_us),
        read_timer_interval_us: attributes.read_timer_interval_us,
        output_type: match attributes.output {
            ChannelOutput::Splice => SavedOutputType::Splice,
            ChannelOutput::Mmap => SavedOutputType::Mmap,
        },
        blocking_timeout_us: Some(attributes.blocking_timeout_us),
        monitor_timer_interval_us: Some(attributes.monitor_timer_interval_us),
        tracefile_size_bytes: attributes.tracefile_size_bytes,
        tracefile_count: attributes.tracefile_count,
        live_timer_interval_us: Some(attributes.live_timer_interval_us),
        events,
        contexts: contexts.iter().map(SavedContext::from).collect(),
    }
}

fn saved_event(rule: &EventRule) -> SavedEvent {
    let (loglevel_type, loglevel) = match rule.loglevel {
        LogLevelRule::All => (SavedLogLevelType::All, None),
        LogLevelRule::Range(level) => (SavedLogLevelType::Range, Some(level)),
        LogLevelRule::Single(level) => (SavedLogLevelType::Single, Some(level)),
    };
    SavedEvent {
        name: Some(rule.name.clone()).filter(|name| !name.is_empty()),
        enabled: rule.enabled,
        kind: saved_kind(rule.kind),
        loglevel_type,
        loglevel,
        filter: rule.filter.as_ref().map(|filter| filter.expression.clone()),
        exclusions: rule.exclusions.clone(),
        // User space has none.
        attributes: None,
    }
}

fn saved_kind(kind: EventKind) -> SavedEventType {
    match kind {
        EventKind::All => SavedEventType::All,
        EventKind::Tracepoint => SavedEventType::Tracepoint,
        EventKind::Probe => SavedEventType::Probe,
        EventKind::Function => SavedEventType::Function,
        EventKind::FunctionEntry => SavedEventType::FunctionEntry,
        EventKind::Noop => SavedEventType::Noop,
        EventKind::Syscall => SavedEventType::Syscall,
        EventKind::UserspaceProbe => SavedEventType::UserspaceProbe,
    }
}

fn saved_agent_event(event: &AgentEvent) -> SavedEvent {
    let rule = &event.rule;
    saved_event(&EventRule {
        kind: EventKind::Tracepoint,
        name: rule.name.clone(),
        loglevel: rule.loglevel,
        filter: rule.filter.clone(),
        exclusions: Vec::new(),
        enabled: event.enabled,
        internal: false,
    })
}

fn saved_output(
    kind: SessionKind,
    output: &Output,
    snapshot_outputs: &[SnapshotOutput],
) -> Result<Option<SavedOutput>, ErrorCode> {
    let local = |path: String| SavedConsumerOutput {
        enabled: true,
        destination: SavedDestination { path: Some(path), net_output: None },
    };
    let relayd = |(control_uri, data_uri)| SavedConsumerOutput {
        enabled: true,
        destination: SavedDestination {
            path: None,
            net_output: Some(SavedNetOutput { control_uri, data_uri }),
        },
    };
    if kind == SessionKind::Snapshot {
        let saved = |output: &SnapshotOutput| SavedSnapshotOutput {
            name: output.name.clone(),
            max_size_bytes: output.max_size_bytes,
            consumer_output: match (&output.place, output.place.urls()) {
                (SnapshotPlace::Directory(_), (path, _)) => local(path),
                (SnapshotPlace::Relayd(_), urls) => relayd(urls),
            },
        };
        return Ok((!snapshot_outputs.is_empty()).then(|| SavedOutput {
            snapshot_outputs: snapshot_outputs.iter().map(saved).collect(),
            consumer_output: None,
        }));
    }
    let output = match output {
        Output::Network(network) => relayd(network.urls()?),
        // A session without output is saved with one that has no place.
        Output::Local(_) | Output::None => local(output.path()),
    };
    Ok(Some(SavedOutput { snapshot_outputs: Vec::new(), consumer_output: Some(output) }))
}
