//! What a document says of domains, channels, contexts and trackers.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    EventRule,
    document::{is_yes, yes},
};

/// How ring buffers are shared among applications.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Scheme {
    /// Each application has its own.
    PerPid,
    /// All applications of one user and word size share.
    #[default]
    PerUid,
}

/// What a session records of applications with LTTng-UST.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct UstDomain {
    /// How buffers are shared, those of logging agents too.
    #[serde(default)]
    pub scheme: Scheme,
    /// Its channels.
    #[serde(default)]
    pub channels: Vec<Channel>,
    /// Which processes are recorded: by `vpid`, `vuid` and `vgid`.
    #[serde(default, skip_serializing_if = "Trackers::is_everybody")]
    pub trackers: Trackers,
}

/// What a session records of the kernel.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct KernelDomain {
    /// Its channels.
    #[serde(default)]
    pub channels: Vec<Channel>,
    /// Which processes are recorded.
    #[serde(default, skip_serializing_if = "Trackers::is_everybody")]
    pub trackers: Trackers,
}

/// What a session records of what loggers log. It goes through one channel of user space.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct AgentDomain {
    /// What is not usual about the channel.
    #[serde(default, skip_serializing_if = "Attributes::are_left_out")]
    pub attributes: Attributes,
    /// Its event rules: names and patterns of loggers.
    #[serde(default)]
    pub rules: Vec<EventRule>,
    /// Its contexts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub contexts: Vec<ContextField>,
}

/// A channel.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Channel {
    /// Its name.
    pub name: String,
    /// Whether it records.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub enabled: bool,
    /// What is not usual about it. It cannot be changed once the channel is there.
    #[serde(default, skip_serializing_if = "Attributes::are_left_out")]
    pub attributes: Attributes,
    /// Its event rules.
    #[serde(default)]
    pub rules: Vec<EventRule>,
    /// Its contexts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub contexts: Vec<ContextField>,
}

/// The attributes of a channel. What is left out is the daemon's default for a channel that is made, and what it is for
/// one that is there.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Attributes {
    /// What a full buffer does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<BufferMode>,
    /// Size of a sub-buffer in bytes, a power of two.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subbuf_size_bytes: Option<u64>,
    /// Count of sub-buffers, a power of two.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub num_subbuf: Option<u64>,
    /// Period of the switch timer in microseconds, 0 for none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub switch_timer_interval_us: Option<u32>,
    /// Period of the read timer in microseconds, 0 for none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_timer_interval_us: Option<u32>,
    /// Period of the monitor timer in microseconds, 0 for none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub monitor_timer_interval_us: Option<u64>,
    /// How long an application waits for room in microseconds; 0 for not at all, -1 for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = -1))]
    pub blocking_timeout_us: Option<i64>,
    /// How the consumer daemon reads its buffers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<ReadBy>,
    /// Most bytes of a trace file, 0 for no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tracefile_size_bytes: Option<u64>,
    /// Most trace files of a stream, 0 for no limit: the oldest is written over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tracefile_count: Option<u64>,
}

impl Attributes {
    pub(crate) fn are_left_out(&self) -> bool {
        *self == Self::default()
    }
}

/// What a full buffer does.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum BufferMode {
    /// New events are dropped.
    Discard,
    /// The oldest sub-buffer is written over.
    Overwrite,
}

/// How a consumer daemon reads buffers.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ReadBy {
    /// By `splice`, the kernel's alone.
    Splice,
    /// Mapped into memory.
    Mmap,
}

/// A performance counter.
#[derive(Clone, Debug, Deserialize, Eq, Hash, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct PerfCounter {
    /// `perf_event_attr.type`.
    #[serde(rename = "type")]
    pub perf_type: u32,
    /// `perf_event_attr.config`.
    pub config: u64,
    /// Name of the field in traces.
    pub name: String,
}

/// A context that an application's own provider fills.
#[derive(Clone, Debug, Deserialize, Eq, Hash, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct AppContext {
    /// Name of the provider.
    pub provider: String,
    /// Name of the context.
    pub name: String,
}

/// Declares the contexts without parameters with their words in documents and in saved sessions.
macro_rules! contexts {
    ($($variant:ident $word:literal $saved:literal,)*) => {
        /// A context: a word, or one of the two with parameters.
        #[derive(Clone, Debug, Deserialize, Eq, Hash, JsonSchema, PartialEq, Serialize)]
        #[allow(missing_docs, reason = "the names are LTTng's own")]
        pub enum ContextField {
            $(#[serde(rename = $word)] $variant,)*
            /// A performance counter.
            #[serde(rename = "perf")]
            Perf(PerfCounter),
            /// One of an application's own.
            #[serde(rename = "app")]
            App(AppContext),
        }

        impl ContextField {
            /// The word of one without parameters in a file of saved sessions.
            pub(crate) fn saved_word(&self) -> Option<&'static str> {
                match self {
                    $(Self::$variant => Some($saved),)*
                    Self::Perf(_) | Self::App(_) => None,
                }
            }

            /// The one of such a word.
            pub(crate) fn of_saved_word(word: &str) -> Option<Self> {
                Some(match word {
                    $($saved => Self::$variant,)*
                    _ => return None,
                })
            }
        }
    };
}

contexts! {
    Pid "pid" "PID",
    Procname "procname" "PROCNAME",
    Prio "prio" "PRIO",
    Nice "nice" "NICE",
    Vpid "vpid" "VPID",
    Tid "tid" "TID",
    Vtid "vtid" "VTID",
    Ppid "ppid" "PPID",
    Vppid "vppid" "VPPID",
    PthreadId "pthread_id" "PTHREAD_ID",
    Hostname "hostname" "HOSTNAME",
    Ip "ip" "IP",
    Interruptible "interruptible" "INTERRUPTIBLE",
    Preemptible "preemptible" "PREEMPTIBLE",
    NeedReschedule "need_reschedule" "NEED_RESCHEDULE",
    Migratable "migratable" "MIGRATABLE",
    CallstackKernel "callstack-kernel" "CALLSTACK_KERNEL",
    CallstackUser "callstack-user" "CALLSTACK_USER",
    CgroupNs "cgroup_ns" "CGROUP_NS",
    IpcNs "ipc_ns" "IPC_NS",
    MntNs "mnt_ns" "MNT_NS",
    NetNs "net_ns" "NET_NS",
    PidNs "pid_ns" "PID_NS",
    TimeNs "time_ns" "TIME_NS",
    UserNs "user_ns" "USER_NS",
    UtsNs "uts_ns" "UTS_NS",
    Uid "uid" "UID",
    Euid "euid" "EUID",
    Suid "suid" "SUID",
    Gid "gid" "GID",
    Egid "egid" "EGID",
    Sgid "sgid" "SGID",
    Vuid "vuid" "VUID",
    Veuid "veuid" "VEUID",
    Vsuid "vsuid" "VSUID",
    Vgid "vgid" "VGID",
    Vegid "vegid" "VEGID",
    Vsgid "vsgid" "VSGID",
}

/// Which processes are recorded. What is left out lets all through, an empty list none.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Trackers {
    /// Process ids, of the kernel's domain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<Vec<i32>>,
    /// Process ids as the process sees them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vpid: Option<Vec<i32>>,
    /// Users, of the kernel's domain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<Vec<NameOrId>>,
    /// Users as the process sees them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vuid: Option<Vec<NameOrId>>,
    /// Groups, of the kernel's domain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gid: Option<Vec<NameOrId>>,
    /// Groups as the process sees them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vgid: Option<Vec<NameOrId>>,
}

impl Trackers {
    pub(crate) fn is_everybody(&self) -> bool {
        *self == Self::default()
    }
}

/// A user or a group.
#[derive(Clone, Debug, Deserialize, Eq, Hash, JsonSchema, PartialEq, Serialize)]
#[serde(untagged, expecting = "a number or a name")]
pub enum NameOrId {
    /// By its number.
    Id(u32),
    /// By its name.
    Name(String),
}
