//! Context fields.

use serde::{Deserialize, Serialize};

/// A context type (`enum lttng_event_context_type`).
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[repr(u32)]
#[allow(missing_docs, reason = "the names are LTTng's own; each is the type of that name")]
pub enum ContextKind {
    Pid = 0,
    PerfCounter = 1,
    Procname = 2,
    Prio = 3,
    Nice = 4,
    Vpid = 5,
    Tid = 6,
    Vtid = 7,
    Ppid = 8,
    Vppid = 9,
    PthreadId = 10,
    Hostname = 11,
    Ip = 12,
    PerfCpuCounter = 13,
    PerfThreadCounter = 14,
    AppContext = 15,
    Interruptible = 16,
    Preemptible = 17,
    NeedResched = 18,
    Migratable = 19,
    CallstackKernel = 20,
    CallstackUser = 21,
    CgroupNs = 22,
    IpcNs = 23,
    MntNs = 24,
    NetNs = 25,
    PidNs = 26,
    UserNs = 27,
    UtsNs = 28,
    Uid = 29,
    Euid = 30,
    Suid = 31,
    Gid = 32,
    Egid = 33,
    Sgid = 34,
    Vuid = 35,
    Veuid = 36,
    Vsuid = 37,
    Vgid = 38,
    Vegid = 39,
    Vsgid = 40,
    TimeNs = 41,
}

impl ContextKind {
    /// The type of a wire value, `None` when no type has it.
    #[must_use]
    pub fn from_raw(raw: u32) -> Option<Self> {
        use ContextKind as K;
        const ALL: [ContextKind; 42] = [
            K::Pid,
            K::PerfCounter,
            K::Procname,
            K::Prio,
            K::Nice,
            K::Vpid,
            K::Tid,
            K::Vtid,
            K::Ppid,
            K::Vppid,
            K::PthreadId,
            K::Hostname,
            K::Ip,
            K::PerfCpuCounter,
            K::PerfThreadCounter,
            K::AppContext,
            K::Interruptible,
            K::Preemptible,
            K::NeedResched,
            K::Migratable,
            K::CallstackKernel,
            K::CallstackUser,
            K::CgroupNs,
            K::IpcNs,
            K::MntNs,
            K::NetNs,
            K::PidNs,
            K::UserNs,
            K::UtsNs,
            K::Uid,
            K::Euid,
            K::Suid,
            K::Gid,
            K::Egid,
            K::Sgid,
            K::Vuid,
            K::Veuid,
            K::Vsuid,
            K::Vgid,
            K::Vegid,
            K::Vsgid,
            K::TimeNs,
        ];
        ALL.get(usize::try_from(raw).ok()?).copied()
    }

    /// The number by which LTTng-UST knows this context (`enum lttng_ust_abi_context_type`), `None`
    /// when applications do not have it.
    #[must_use]
    pub fn ust_context(self) -> Option<i32> {
        Some(match self {
            Self::Vtid => 0,
            Self::Vpid => 1,
            Self::PthreadId => 2,
            Self::Procname => 3,
            Self::Ip => 4,
            Self::PerfThreadCounter => 5,
            Self::AppContext => 7,
            Self::CgroupNs => 8,
            Self::IpcNs => 9,
            Self::MntNs => 10,
            Self::NetNs => 11,
            Self::PidNs => 12,
            Self::UserNs => 13,
            Self::UtsNs => 14,
            Self::Vuid => 15,
            Self::Veuid => 16,
            Self::Vsuid => 17,
            Self::Vgid => 18,
            Self::Vegid => 19,
            Self::Vsgid => 20,
            Self::TimeNs => 21,
            _ => return None,
        })
    }
}

/// A performance counter context.
#[derive(Clone, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub struct PerfContext {
    /// `perf_event_attr.type`.
    pub perf_type: u32,
    /// `perf_event_attr.config`.
    pub config: u64,
    /// Name of the field in traces.
    pub name: String,
}

/// A context that an application's own provider fills (`$app.provider:name`).
#[derive(Clone, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub struct AppContext {
    /// Provider name.
    pub provider: String,
    /// Context name.
    pub name: String,
}

/// A context field of a channel.
#[derive(Clone, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub enum Context {
    /// A type without parameters.
    Plain(ContextKind),
    /// A performance counter of the given type (one of the three perf types).
    Perf(ContextKind, PerfContext),
    /// An application context.
    App(AppContext),
}

impl Context {
    /// Its type.
    #[must_use]
    pub fn kind(&self) -> ContextKind {
        match self {
            Self::Plain(kind) | Self::Perf(kind, _) => *kind,
            Self::App(_) => ContextKind::AppContext,
        }
    }
}
