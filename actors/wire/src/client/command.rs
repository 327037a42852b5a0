//! The commands with their parameters.

use lttngd_model::{
    ChannelListing, EventDescription, ProcessAttribute, SessionDescriptor, TrackerValue,
    TrackingPolicy, Uri,
    trigger::{ErrorQuery, Trigger},
};

use super::{CommandKind, ContextRequest, Dialect, RotationSchedule, SaveSession, SnapshotOutput};

/// A command and its parameters. The session and the domain it is about stand in the
/// [`super::Request`]. An empty channel name asks for the domain's default channel or, where the
/// command says so, for all channels.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs, reason = "the parameters are named as in liblttng-ctl")]
pub enum Command {
    /// Adds a context to a channel, or to all channels.
    AddContext { channel: String, context: ContextRequest },
    /// Disables a channel.
    DisableChannel { channel: String },
    /// Disables the events of a name, or all events.
    DisableEvent { channel: String, event: EventDescription },
    /// Lists the system calls that can be traced.
    ListSyscalls,
    /// Creates a channel or enables it again.
    EnableChannel(ChannelListing),
    /// Creates an event rule or enables it again.
    EnableEvent { channel: String, event: EventDescription },
    /// Destroys a session.
    DestroySession,
    /// Lists the channels of a domain.
    ListChannels,
    /// Lists the domains of a session.
    ListDomains,
    /// Lists the event rules of a channel.
    ListEvents { channel: String },
    /// Lists the sessions of the client's user.
    ListSessions,
    /// Lists the tracepoints of a domain.
    ListTracepoints,
    /// Announces a foreign consumer daemon by its socket.
    RegisterConsumer { path: String },
    /// Starts tracing.
    StartTrace,
    /// Stops tracing.
    StopTrace,
    /// Lists the fields of the tracepoints.
    ListTracepointFields,
    /// Sets the output of a session; never empty.
    SetConsumerUri(Vec<Uri>),
    /// Asks whether data of a stopped session is still on its way.
    DataPending,
    /// Adds a snapshot output.
    SnapshotAddOutput(SnapshotOutput),
    /// Removes a snapshot output, by its id unless that is 0, else by its name.
    SnapshotDelOutput(SnapshotOutput),
    /// Lists the snapshot outputs.
    SnapshotListOutput,
    /// Records a snapshot to `output`, or to the session's own outputs when its URL is empty.
    SnapshotRecord { wait: bool, output: SnapshotOutput },
    /// Writes session files.
    SaveSession(SaveSession),
    /// Adds a value to a tracker's set.
    TrackerAddValue { attribute: ProcessAttribute, value: TrackerValue },
    /// Takes a value out of a tracker's set.
    TrackerRemoveValue { attribute: ProcessAttribute, value: TrackerValue },
    /// Asks for a tracker's policy.
    TrackerGetPolicy { attribute: ProcessAttribute },
    /// Sets a tracker's policy.
    TrackerSetPolicy { attribute: ProcessAttribute, policy: TrackingPolicy },
    /// Asks for the values of a tracker's set.
    TrackerGetInclusionSet { attribute: ProcessAttribute },
    /// Sets the directory for shared memory; empty for the default one.
    SetSessionShmPath { path: String },
    /// Writes the metadata anew.
    RegenerateMetadata,
    /// Writes the state dump anew.
    RegenerateStatedump,
    /// Registers a serialized trigger. `anonymous` asks that no name be made for a nameless one.
    RegisterTrigger { anonymous: bool, trigger: Box<Trigger> },
    /// Unregisters a serialized trigger.
    UnregisterTrigger { trigger: Box<Trigger> },
    /// Starts a rotation.
    RotateSession,
    /// Asks for the state of a rotation.
    RotationGetInfo { rotation_id: u64 },
    /// Adds a rotation schedule (`set`) or removes it.
    RotationSetSchedule { set: bool, schedule: RotationSchedule },
    /// Lists the rotation schedules.
    SessionListRotationSchedules,
    /// Creates a session. `home` is the client's home directory, sent when the daemon has to make
    /// up the output's path.
    CreateSession { home: Option<String>, descriptor: SessionDescriptor },
    /// Removes what a session has recorded.
    ClearSession,
    /// Lists the triggers.
    ListTriggers,
    /// Asks for the error counters of a trigger; serialized query.
    ExecuteErrorQuery { query: Box<ErrorQuery> },
    /// Asks how the kernel tracer does.
    KernelTracerStatus,
    /// Gives back the memory of sub-buffers that nobody has used for `age_us`; of all that are free when that is
    /// `None`.
    ReclaimChannelMemory { channel: String, age_us: Option<u64> },
    /// Asks how much memory the streams of a channel use.
    GetStreamInfoSets { channel: String },
    /// Something about maps, which are in no domain.
    Map(CommandKind),
    /// A number that no command has.
    Undefined(u32),
}

impl Command {
    /// The number on the wire; of a command that this version does not have, one that none has.
    #[must_use]
    pub fn to_raw(&self, dialect: Dialect) -> u32 {
        use CommandKind as K;
        let kind = match self {
            Self::AddContext { .. } => K::AddContext,
            Self::DisableChannel { .. } => K::DisableChannel,
            Self::DisableEvent { .. } => K::DisableEvent,
            Self::ListSyscalls => K::ListSyscalls,
            Self::EnableChannel(_) => K::EnableChannel,
            Self::EnableEvent { .. } => K::EnableEvent,
            Self::DestroySession => K::DestroySession,
            Self::ListChannels => K::ListChannels,
            Self::ListDomains => K::ListDomains,
            Self::ListEvents { .. } => K::ListEvents,
            Self::ListSessions => K::ListSessions,
            Self::ListTracepoints => K::ListTracepoints,
            Self::RegisterConsumer { .. } => K::RegisterConsumer,
            Self::StartTrace => K::StartTrace,
            Self::StopTrace => K::StopTrace,
            Self::ListTracepointFields => K::ListTracepointFields,
            Self::SetConsumerUri(_) => K::SetConsumerUri,
            Self::DataPending => K::DataPending,
            Self::SnapshotAddOutput(_) => K::SnapshotAddOutput,
            Self::SnapshotDelOutput(_) => K::SnapshotDelOutput,
            Self::SnapshotListOutput => K::SnapshotListOutput,
            Self::SnapshotRecord { .. } => K::SnapshotRecord,
            Self::SaveSession(_) => K::SaveSession,
            Self::TrackerAddValue { .. } => K::TrackerAddValue,
            Self::TrackerRemoveValue { .. } => K::TrackerRemoveValue,
            Self::TrackerGetPolicy { .. } => K::TrackerGetPolicy,
            Self::TrackerSetPolicy { .. } => K::TrackerSetPolicy,
            Self::TrackerGetInclusionSet { .. } => K::TrackerGetInclusionSet,
            Self::SetSessionShmPath { .. } => K::SetSessionShmPath,
            Self::RegenerateMetadata => K::RegenerateMetadata,
            Self::RegenerateStatedump => K::RegenerateStatedump,
            Self::RegisterTrigger { .. } => K::RegisterTrigger,
            Self::UnregisterTrigger { .. } => K::UnregisterTrigger,
            Self::RotateSession => K::RotateSession,
            Self::RotationGetInfo { .. } => K::RotationGetInfo,
            Self::RotationSetSchedule { .. } => K::RotationSetSchedule,
            Self::SessionListRotationSchedules => K::SessionListRotationSchedules,
            Self::CreateSession { .. } => K::CreateSession,
            Self::ClearSession => K::ClearSession,
            Self::ListTriggers => K::ListTriggers,
            Self::ExecuteErrorQuery { .. } => K::ExecuteErrorQuery,
            Self::KernelTracerStatus => K::KernelTracerStatus,
            Self::ReclaimChannelMemory { .. } => K::ReclaimChannelMemory,
            Self::GetStreamInfoSets { .. } => K::GetStreamInfoSets,
            Self::Map(kind) => *kind,
            Self::Undefined(raw) => return *raw,
        };
        kind.to_raw(dialect).unwrap_or(u32::MAX)
    }
}
