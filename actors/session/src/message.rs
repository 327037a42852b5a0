//! What a session is asked and what it tells.

use std::{path::PathBuf, time::Duration};

use actix::{Addr, Message};
use lttngd_agent::Agents;
use lttngd_app::Apps;
use lttngd_buffers::ChannelKeys;
use lttngd_clock::TraceClock;
use lttngd_consumer::Consumer;
use lttngd_kernel::Tracer;
use lttngd_model::{
    BufferScheme, ChannelListing, ConsumerKind, Context, Credentials, Domain, ErrorCode,
    EventDescription, EventListing, SessionId, SessionKind, Timestamp, Uri,
    trigger::ArchiveLocation,
};
use lttngd_relayd::Relayds;
use lttngd_runas::Runas;
use lttngd_runtime::Outlet;
use serde::{Deserialize, Serialize};

use crate::{Output, RotationSchedule, RotationSchedules, SessionFailed, SessionListings};

mod consumers;
mod describe;
mod events;
mod kept;
mod queue;
mod snapshot;
mod trackers;

pub use consumers::Consumers;
pub use describe::{DescribeSession, SessionDescription};
pub use events::{Observation, SessionChanged, SessionEvent, SessionObserved, WatchUse};
pub use kept::{DestroyAtEnd, KeptSession};
pub use queue::{CommandQueue, GetQueueReport, RunningCommand};
pub use snapshot::{
    AddSnapshotOutput, DeleteSnapshotOutput, ListSnapshotOutputs, RecordSnapshot, SnapshotOutput,
    SnapshotPlace,
};
pub use trackers::{
    AddTrackerValue, GetInclusionSet, GetTrackingPolicy, RemoveTrackerValue, SetTrackingPolicy,
};

/// All that a session is told when it is made.
#[derive(Clone, Debug)]
pub struct SessionConfig {
    /// Its id.
    pub id: SessionId,
    /// Its name.
    pub name: String,
    /// Whether the daemon chose the name.
    pub auto_named: bool,
    /// Its owner.
    pub owner: Credentials,
    /// What it is for.
    pub kind: SessionKind,
    /// When it was made.
    pub created_at: Timestamp,
    /// Name of this machine.
    pub hostname: String,
    /// What applications stamp events with.
    pub clock: TraceClock,
    /// Where its traces go.
    pub output: Output,
    /// Who opens connections to relay daemons.
    pub relayds: Addr<Relayds>,
    /// Where its snapshots go.
    pub snapshot_output: Option<SnapshotPlace>,
    /// Size of a page in bytes.
    pub page_size: u64,
    /// The consumer daemons.
    pub consumers: Consumers,
    /// The kernel tracer, where the kernel's domain is served.
    pub tracer: Option<Addr<Tracer>>,
    /// Keys for channels.
    pub keys: ChannelKeys,
    /// Longest wait for one reply of a consumer daemon.
    pub consumer_deadline: Duration,
    /// Makes its files with the rights of their owner.
    pub runas: Runas,
    /// Where it shows how it looks.
    pub listings: SessionListings,
    /// Who knows which applications are registered.
    pub apps: Addr<Apps>,
    /// Who knows which agents are registered.
    pub agents: Addr<Agents>,
    /// Where it tells what happens to it.
    pub changes: Outlet<SessionChanged>,
    /// Where it tells what triggers look at.
    pub observed: Outlet<SessionObserved>,
    /// Whether these are told how buffers are used, until [`WatchUse`] says something else.
    pub watches_use: bool,
    /// Where it is told that its actor failed.
    pub failed: Outlet<SessionFailed>,
}

impl SessionConfig {
    /// The period of a live session's timer, 0 for another.
    pub(crate) fn live_timer_interval_us(&self) -> u32 {
        match self.kind {
            SessionKind::Live { timer_interval_us } => timer_interval_us,
            SessionKind::Regular | SessionKind::Snapshot => 0,
        }
    }
}

/// Makes the session ready for commands of a domain: what every command that names one does first, and nothing else.
/// The domain comes to be, that of the kernel in the tracer too, and its consumer daemons are started. LTTng has no
/// such command of its own.
///
/// A relay daemon to which the session streams is connected.
///
/// Errors: `NoUstconsumerd`, `NoKernconsumerd`, `KernSessFail`, `KernConsumerFail`, `UstConsumer64Fail`, `UstConsumer32Fail`, `RelaydConnectFail`, `RelaydVersionFail`, `EnableConsumerFail`, `Invalid`.
#[derive(Clone, Copy, Debug, Deserialize, Message, Serialize)]
#[rtype(result = "Result<(), ErrorCode>")]
pub struct PrepareDomain {
    /// The domain.
    pub domain: Domain,
}

/// ENABLE_CHANNEL: creates a channel, or enables it again.
///
/// Errors: those of [`lttngd_model::ust::UstDomain::enable_channel`].
#[derive(Clone, Debug, Deserialize, Message, Serialize)]
#[rtype(result = "Result<(), ErrorCode>")]
pub struct EnableChannel {
    /// The domain.
    pub domain: Domain,
    /// Raw buffering scheme, see [`BufferScheme::from_raw`].
    pub buffer_type: u32,
    /// The channel.
    pub channel: ChannelListing,
}

/// DISABLE_CHANNEL.
///
/// Errors: `NoChannel` without the domain, `UstChanNotFound`.
#[derive(Clone, Debug, Deserialize, Message, Serialize)]
#[rtype(result = "Result<(), ErrorCode>")]
pub struct DisableChannel {
    /// The domain.
    pub domain: Domain,
    /// Its name; empty for the default one.
    pub channel: String,
}

/// ENABLE_EVENT: adds an event rule, or enables it again; makes the channel when it is missing.
///
/// Errors: those of [`lttngd_model::ust::UstDomain::enable_event`], in agent domains those of
/// [`lttngd_model::ust::UstDomain::enable_agent_event`] and, when an agent refuses the rule,
/// `UstEventNotFound` or `Unk`: then nothing is changed. For a probe in a program `ProbeLocationInval` when that is
/// not open, as in a request that was written down: whoever reads that opens the program and puts it in
/// ([`lttngd_model::UserspaceProbe`]).
#[derive(Clone, Debug, Deserialize, Message, Serialize)]
#[rtype(result = "Result<(), ErrorCode>")]
pub struct EnableEvent {
    /// The domain.
    pub domain: Domain,
    /// Raw buffering scheme of a channel that must be made, see [`BufferScheme::from_raw`].
    pub buffer_type: u32,
    /// Channel name; empty for the default one. Agent domains have one that needs no name.
    pub channel: String,
    /// The rule.
    pub event: EventDescription,
}

/// DISABLE_EVENT: by name, or all of a channel with an empty name.
///
/// Errors: `NoChannel` without the domain, else those of
/// [`lttngd_model::ust::UstDomain::disable_event`], in agent domains those of
/// [`lttngd_model::ust::UstDomain::disable_agent_event`] and, when an agent refuses, `UstEventNotFound`
/// or `Unk`: the rule does not record any more all the same.
#[derive(Clone, Debug, Deserialize, Message, Serialize)]
#[rtype(result = "Result<(), ErrorCode>")]
pub struct DisableEvent {
    /// The domain.
    pub domain: Domain,
    /// Channel name; empty for the default one. Agent domains have one that needs no name.
    pub channel: String,
    /// Which.
    pub event: EventDescription,
}

/// ADD_CONTEXT: to one channel or to all.
///
/// Errors: those of [`lttngd_model::ust::UstDomain::add_context`], `Unk` when an agent refuses the context.
#[derive(Clone, Debug, Deserialize, Message, Serialize)]
#[rtype(result = "Result<(), ErrorCode>")]
pub struct AddContext {
    /// The domain.
    pub domain: Domain,
    /// Channel name; empty for all channels.
    pub channel: String,
    /// Raw context type, see [`lttngd_model::ContextKind::from_raw`].
    pub raw_type: u32,
    /// The context, if the type is known.
    pub context: Option<Context>,
}

/// LIST_CHANNELS, with what each channel lost so far.
///
/// Errors: `Unk` when the consumer daemon does not tell.
#[derive(Clone, Debug, Deserialize, Message, Serialize)]
#[rtype(result = "Result<Vec<ChannelListing>, ErrorCode>")]
pub struct ListChannels {
    /// The domain. What agents hand over goes through channels of user space: theirs have none.
    pub domain: Domain,
}

/// LIST_EVENTS.
///
/// Errors: `UstChanNotFound`, not in agent domains.
#[derive(Clone, Debug, Deserialize, Message, Serialize)]
#[rtype(result = "Result<Vec<EventListing>, ErrorCode>")]
pub struct ListEvents {
    /// The domain.
    pub domain: Domain,
    /// Channel name. Agent domains have one that needs no name.
    pub channel: String,
}

/// LIST_DOMAINS.
///
/// Errors: none of its own.
#[derive(Clone, Debug, Deserialize, Message, Serialize)]
#[rtype(result = "Result<Vec<(Domain, BufferScheme)>, ErrorCode>")]
pub struct ListDomains;

/// START_TRACE.
///
/// Errors: `TraceAlreadyStarted`, `NoChannel`, `NoUstconsumerd`, `CreateDirFail`,
/// `CreateTraceChunkFailConsumer`, `UstStartFail`.
#[derive(Clone, Debug, Deserialize, Message, Serialize)]
#[rtype(result = "Result<(), ErrorCode>")]
pub struct Start;

/// STOP_TRACE. When the reply comes no event is recorded any more and every packet is closed; the
/// consumer may still be writing, see [`DataPending`].
///
/// Errors: `TraceAlreadyStopped`, `UstStopFail`.
#[derive(Clone, Debug, Deserialize, Message, Serialize)]
#[rtype(result = "Result<(), ErrorCode>")]
pub struct Stop;

/// DATA_PENDING: whether packets of a stopped session are not written yet.
///
/// Errors: `SessionStarted` while it is active.
#[derive(Clone, Debug, Deserialize, Message, Serialize)]
#[rtype(result = "Result<bool, ErrorCode>")]
pub struct DataPending;

/// SET_CONSUMER_URI.
///
/// Errors: `Invalid`, `TraceAlreadyStarted`, `UrlExist` for a relay daemon's place that is set.
#[derive(Clone, Debug, Deserialize, Message, Serialize)]
#[rtype(result = "Result<(), ErrorCode>")]
pub struct SetConsumerUri {
    /// The domain that is made ready first, as [`PrepareDomain`] does, if it is a domain.
    pub domain: Option<Domain>,
    /// The places.
    pub uris: Vec<Uri>,
}

/// Ends the session: stops it, lets the consumer finish, takes it out of every application. The
/// registry has forgotten its name before.
///
/// Errors: the last one met on the way; the session is gone all the same.
#[derive(Clone, Debug, Message)]
#[rtype(result = "Result<Destroyed, ErrorCode>")]
pub struct Destroy;

/// ROTATE_SESSION: archives what was recorded so far, and goes on in a new trace chunk. Replies with
/// the rotation's id; most rotations are over by then, see [`GetRotationInfo`].
///
/// Errors: `StartSessionOnce`, `RotationNotAvailable`, `RotationNotAvailableRelay`, `RotationPending`,
/// `RotationMultipleAfterStop`, `RotationAfterStopClear`, `CreateDirFail`,
/// `CreateTraceChunkFailConsumer`, `RotationFailConsumer`, `CloseTraceChunkFailConsumer`.
#[derive(Clone, Copy, Debug, Deserialize, Message, Serialize)]
#[rtype(result = "Result<u64, ErrorCode>")]
pub struct Rotate;

/// ROTATION_GET_INFO. A rotation that is not the last one is [`RotationState::Expired`].
///
/// Errors: none of its own.
#[derive(Clone, Copy, Debug, Deserialize, Message, Serialize)]
#[rtype(result = "Result<RotationInfo, ErrorCode>")]
pub struct GetRotationInfo {
    /// The rotation's id.
    pub rotation_id: u64,
}

/// CLEAR_SESSION: throws away what was recorded so far, in the buffers and in the current trace
/// chunk; the reply comes when it is gone.
///
/// Errors: those of [`Rotate`], `ClearNotAvailableRelay`, `ClearFailConsumer`.
#[derive(Clone, Copy, Debug, Deserialize, Message, Serialize)]
#[rtype(result = "Result<(), ErrorCode>")]
pub struct Clear;

/// ROTATION_SET_SCHEDULE: rotates the session of its own accord, or does so no longer.
///
/// Errors: `RotationNotAvailable`, `Invalid`, `RotationScheduleSet`, `RotationScheduleNotSet`.
#[derive(Clone, Copy, Debug, Deserialize, Message, Serialize)]
#[rtype(result = "Result<(), ErrorCode>")]
pub struct SetRotationSchedule {
    /// Whether the schedule is added, else taken away.
    pub add: bool,
    /// The schedule.
    pub schedule: RotationSchedule,
}

/// SESSION_LIST_ROTATION_SCHEDULES.
///
/// Errors: none of its own.
#[derive(Clone, Copy, Debug, Deserialize, Message, Serialize)]
#[rtype(result = "Result<RotationSchedules, ErrorCode>")]
pub struct ListRotationSchedules;

/// SAVE_SESSION: writes what the session is to a file that `lttng load` takes.
///
/// Errors: `SetUrl` for a directory that cannot be, `SaveFileExist`, `Eperm`, `SaveIoFail`.
#[derive(Clone, Debug, Deserialize, Message, Serialize)]
#[rtype(result = "Result<(), ErrorCode>")]
pub struct Save {
    /// Who asks, with whose rights the file is written.
    pub requester: Credentials,
    /// The directory of the file, absolute; `None` for `.lttng/sessions` in the home that the user
    /// database has for the requester.
    pub directory: Option<PathBuf>,
    /// Whether a file that is there is written anew.
    pub overwrite: bool,
}

/// SET_SESSION_SHM_PATH: the buffers will be in files below this directory, where `lttng-crash` finds
/// them. They are removed at the session's end, but not when their consumer daemon dies.
///
/// Errors: `SessionStarted` once it was started, `Invalid` for a path that is not absolute.
#[derive(Clone, Debug, Deserialize, Message, Serialize)]
#[rtype(result = "Result<(), ErrorCode>")]
pub struct SetShmPath {
    /// The directory, made when the first buffers are; empty for memory that has no name.
    pub path: PathBuf,
}

/// REGENERATE_METADATA: writes the metadata of an active session anew, for clocks that were set
/// meanwhile.
///
/// Errors: `LiveSession`, `SessionNotStarted`, `PerPidSession`, `NoUstconsumerd`, `UstMetaFail`.
#[derive(Clone, Copy, Debug, Deserialize, Message, Serialize)]
#[rtype(result = "Result<(), ErrorCode>")]
pub struct RegenerateMetadata;

/// REGENERATE_STATEDUMP: every application that has the active session records its state dump
/// again. One that does not is only logged.
///
/// Errors: `SessionNotStarted`.
#[derive(Clone, Copy, Debug, Deserialize, Message, Serialize)]
#[rtype(result = "Result<(), ErrorCode>")]
pub struct RegenerateStatedump;

/// Where a rotation stands (`enum lttng_rotation_state`).
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum RotationState {
    /// On its way.
    Ongoing,
    /// Done.
    Completed,
    /// Not the last one, or none of this session's.
    Expired,
    /// Failed; what was recorded stays in the session's directory.
    Error,
}

/// Where an archived trace chunk is.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum TraceArchive {
    /// A directory of this machine.
    Local(PathBuf),
    /// A directory of a relay daemon.
    Relayd {
        /// Its address.
        host: String,
        /// Its port for control connections.
        control_port: u16,
        /// Its port for data connections.
        data_port: u16,
        /// The directory below its output directory.
        relative_path: String,
    },
}

impl From<TraceArchive> for ArchiveLocation {
    fn from(archive: TraceArchive) -> Self {
        match archive {
            TraceArchive::Local(path) => Self::Local { path: path.to_string_lossy().into_owned() },
            TraceArchive::Relayd { host, control_port, data_port, relative_path } => {
                Self::Relay { host, control_port, data_port, relative_path }
            }
        }
    }
}

/// What is known of a rotation.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct RotationInfo {
    /// Where it stands.
    pub state: RotationState,
    /// Where the archived chunk is, once it is completed.
    pub archive: Option<TraceArchive>,
}

/// How a destroyed session ended.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Destroyed {
    /// Where the last trace chunk of a session that was rotated before went.
    pub archive: Option<TraceArchive>,
}

/// A consumer daemon died.
#[derive(Clone, Debug, Message)]
#[rtype(result = "()")]
pub struct ConsumerLost {
    /// Which.
    pub kind: ConsumerKind,
    /// Whom to ask for the next one, when the actor failed that was asked until then.
    pub successor: Option<Addr<Consumer>>,
}
