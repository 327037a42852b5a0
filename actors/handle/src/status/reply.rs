//! What is answered: plain values that `serde` writes. docs/status.schema.json describes them for whoever reads
//! their JSON; what it says of them holds for all of this version.

use serde::{Deserialize, Serialize};

/// What goes on in a daemon, as far as whoever asked may see it.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Status {
    /// The daemon itself.
    pub daemon: DaemonStatus,
    /// Its sessions, the newest first.
    pub sessions: Vec<SessionStatus>,
    /// The applications that are registered.
    pub applications: Vec<AppStatus>,
    /// The logging agents that are.
    pub agents: Vec<AgentStatus>,
    /// The consumer daemons.
    pub consumers: Vec<ConsumerStatus>,
    /// Connections to relay daemons.
    pub relays: Vec<RelayStatus>,
    /// The worker that acts for users.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runas: Option<RunasStatus>,
    /// Who holds how much of what there is only so much of, and who was refused; where it was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub users: Option<Vec<UserStatus>>,
    /// How commands of clients and programs were answered since the daemon began, by their names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub answers: Vec<AnswerStatus>,
}

/// The daemon itself.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct DaemonStatus {
    /// Its process.
    pub pid: u32,
    /// Whose it is.
    pub uid: u32,
    /// Its version.
    pub version: String,
    /// For how long it runs, in seconds.
    pub uptime_s: u64,
    /// What of its memory is resident, in bytes; `None` where the system does not tell.
    pub resident_bytes: Option<u64>,
    /// What all users hold of memory for buffers, in bytes; where what users hold was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub buffer_bytes: Option<u64>,
    /// How much of the processors' time it has had, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub processor_time_ms: Option<u64>,
    /// How many descriptors it may have open.
    pub descriptors_max: u64,
    /// What those are taken for that are counted.
    pub descriptors: DescriptorStatus,
}

/// What descriptors are taken for.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct DescriptorStatus {
    /// Connections of applications and agents.
    pub applications: usize,
    /// Channels.
    pub channels: usize,
    /// Clients.
    pub clients: usize,
    /// The daemon's own work.
    pub control: usize,
}

/// A session.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct SessionStatus {
    /// Its name.
    pub name: String,
    /// Its owner.
    pub uid: u32,
    /// Where it stands.
    pub state: SessionState,
    /// Where it records, as a listing has it.
    pub output: String,
    /// When it was made, in seconds since the Epoch.
    pub created_s: u64,
    /// Whether it keeps what it records in memory for snapshots.
    pub is_snapshot: bool,
    /// The period of its live timer in microseconds, 0 for a session that is not live.
    pub live_timer_us: u32,
    /// Its channels of the kernel; `None` without that domain.
    pub kernel_channels: Option<usize>,
    /// Its channels of user space; `None` without that domain.
    pub user_space_channels: Option<usize>,
    /// How many domains of agents it records.
    pub agent_domains: usize,
    /// What consumer daemons have written of it, in bytes, as they told last. They tell once a second, unless its
    /// channels' monitor timers say something else.
    pub recorded_bytes: u64,
    /// The same in packets; `None` while they told nothing, and when one of them tells no packets, as the stock one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recorded_packets: Option<u64>,
    /// How much that is in a second now; `None` when nothing was told lately.
    pub bytes_per_s: Option<u64>,
    /// What it lost, when that was looked at last; `None` when it was not, since nothing was written yet.
    pub losses: Option<LossStatus>,
    /// Its commands, if one is not answered.
    pub commands: Option<CommandStatus>,
}

/// Where a session stands.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SessionState {
    /// It is tracing.
    Active,
    /// It is not.
    Inactive,
    /// A consumer daemon died with buffers of it: it can be listed and destroyed.
    ConsumerLost,
    /// It failed, by a fault of the daemon: it can be listed and destroyed.
    Failed,
}

/// What a session lost since it began.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct LossStatus {
    /// How long ago it was looked at, in milliseconds.
    pub age_ms: u64,
    /// Events that found no room in full buffers.
    pub discarded_events: u64,
    /// Packets that were overwritten before they were read.
    pub lost_packets: u64,
    /// Its channels.
    pub channels: Vec<ChannelLossStatus>,
}

/// What a channel lost since its session began.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct ChannelLossStatus {
    /// Its domain.
    pub domain: lttngd_model::Domain,
    /// Its name.
    pub channel: String,
    /// Events that found no room in full buffers.
    pub discarded_events: u64,
    /// Packets that were overwritten before they were read.
    pub lost_packets: u64,
}

/// The commands of a session that are not answered.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct CommandStatus {
    /// How many wait for their turn, or for what they need of others in it.
    pub waiting: usize,
    /// For how long the oldest of those has, in milliseconds.
    pub oldest_waits_ms: Option<u64>,
    /// The one whose turn it is.
    pub running: Option<String>,
    /// For how long it has run, in milliseconds.
    pub runs_for_ms: Option<u64>,
}

/// How a command was answered since the daemon began.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct AnswerStatus {
    /// LTTng's name of it; `UNDEFINED` for what is no command.
    pub command: String,
    /// How often.
    pub answered: u64,
    /// How long all answers together took to be made, in microseconds.
    pub took_us: u64,
    /// How many answers took up to [`LATENCIES_US`](crate::LATENCIES_US) and more than the time before, and last how many
    /// took longer than all of these.
    pub latencies: Vec<u64>,
    /// Those that were errors, by LTTng's names of these.
    pub errors: Vec<Quantity>,
}

/// An application.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct AppStatus {
    /// Process id.
    pub pid: u32,
    /// Effective user.
    pub uid: u32,
    /// Process name, as it says.
    pub name: String,
    /// Word size in bits.
    pub bits: u32,
    /// Major version of its ABI.
    pub abi_major: u32,
    /// Version of its LTTng-UST.
    pub tracer_version: String,
    /// How it does.
    pub state: AppState,
    /// For how long it has been set aside, in milliseconds, if it is.
    pub set_aside_ms: Option<u64>,
    /// How much it was asked and has not done.
    #[serde(default, skip_serializing_if = "is_none")]
    pub requests: usize,
    /// For how long it has owed anything, in milliseconds, if it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owes_ms: Option<u64>,
}

/// How an application does.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AppState {
    /// It is registered, and answers.
    Registered,
    /// It did not answer in time: nobody waits for it until it does.
    SetAside,
}

/// A logging agent.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct AgentStatus {
    /// Process id, as it says.
    pub pid: u32,
    /// Its domain.
    pub domain: lttngd_model::Domain,
}

/// A consumer daemon.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct ConsumerStatus {
    /// Whose buffers it has.
    pub kind: String,
    /// Where its process is in its life.
    pub state: ConsumerState,
    /// The process, while there is one that runs.
    pub pid: Option<u32>,
    /// Requests that it has not answered.
    pub requests: usize,
    /// For how long it has owed an answer, in milliseconds; 0 when it owes none.
    pub owes_ms: u64,
    /// Channels that it tells of.
    pub channels: usize,
    /// Its connections on which it owes answers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sockets: Vec<SocketStatus>,
}

/// What a consumer daemon owes on a connection.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct SocketStatus {
    /// The session whose connection it is; `None` for the one that all share.
    pub session: Option<String>,
    /// Requests that are not answered, the one under way among them.
    pub requests: usize,
    /// For how long it has answered nothing there, in milliseconds.
    pub owes_ms: u64,
    /// Whether nobody waits for it there until it answers.
    pub is_silent: bool,
}

/// The worker that acts for users.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct RunasStatus {
    /// Where it stands.
    pub state: RunasState,
    /// Requests that it was not sent yet.
    pub waiting: usize,
    /// Requests that it has.
    pub in_flight: usize,
    /// How long the oldest request has waited that somebody waits for, in milliseconds.
    pub oldest_waits_ms: Option<u64>,
}

/// Where the worker that acts for users stands.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RunasState {
    /// There is none: nothing needed it yet.
    Idle,
    /// It is being started.
    Starting,
    /// It runs.
    Running,
    /// It has been silent with something to do, and was asked whether it runs.
    Silent,
    /// It is gone: the next request has another one started.
    Gone,
}

/// Where a consumer daemon's process is in its life.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ConsumerState {
    /// There is none: nothing needed it yet.
    Idle,
    /// It is being started.
    Starting,
    /// It runs.
    Running,
    /// It runs and did not answer in time: nobody waits for it until it does.
    Silent,
    /// It is to be gone.
    Ending,
}

/// A connection to a relay daemon.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct RelayStatus {
    /// The relay daemon's address and port for control connections.
    pub address: String,
    /// Whose traces it takes.
    pub session: String,
    /// How it stands.
    pub state: RelayState,
    /// Commands that wait for it.
    #[serde(default, skip_serializing_if = "is_none")]
    pub waiting: usize,
    /// How long the oldest of those has, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oldest_waits_ms: Option<u64>,
}

fn is_none(count: &usize) -> bool {
    *count == 0
}

/// How a connection to a relay daemon stands.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RelayState {
    /// It is being made, or is to be.
    Connecting,
    /// Consumer daemons have it.
    Connected,
    /// The relay daemon did not answer in time: nobody waits for it until it does.
    Silent,
    /// Consumer daemons let go of it.
    GivenUp,
}

/// What a user has and was refused.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct UserStatus {
    /// Who; the highest number is of those whom nobody knows.
    pub uid: u32,
    /// What he holds of what there is only so much of.
    pub holds: Vec<Quantity>,
    /// What he was refused since the daemon began, and how often.
    pub refused: Vec<Quantity>,
}

/// So many of something.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Quantity {
    /// What it is, a plural.
    pub what: String,
    /// How many.
    pub count: u64,
}
