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

    /// The number by which the kernel tracer knows this context (`enum lttng_kernel_abi_context_type`),
    /// `None` when it does not have it. Its performance counters are those of processors, whichever of
    /// the two names a client has for them.
    #[must_use]
    pub fn kernel_context(self) -> Option<u32> {
        let at = if self == Self::PerfCounter { Self::PerfCpuCounter } else { self };
        let number = KERNEL_CONTEXTS.iter().position(|kind| *kind == Some(at))?;
        u32::try_from(number).ok()
    }

    /// The type of a number of the kernel tracer's, `None` when no type has it.
    #[must_use]
    pub fn from_kernel(number: u32) -> Option<Self> {
        *KERNEL_CONTEXTS.get(usize::try_from(number).ok()?)?
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

/// The contexts of the kernel tracer by its numbers.
const KERNEL_CONTEXTS: [Option<ContextKind>; 38] = {
    use ContextKind as K;
    [
        Some(K::Pid),
        Some(K::PerfCpuCounter),
        Some(K::Procname),
        Some(K::Prio),
        Some(K::Nice),
        Some(K::Vpid),
        Some(K::Tid),
        Some(K::Vtid),
        Some(K::Ppid),
        Some(K::Vppid),
        Some(K::Hostname),
        // The processor, which clients have no name for: every packet tells it.
        None,
        Some(K::Interruptible),
        Some(K::Preemptible),
        Some(K::NeedResched),
        Some(K::Migratable),
        Some(K::CallstackKernel),
        Some(K::CallstackUser),
        Some(K::CgroupNs),
        Some(K::IpcNs),
        Some(K::MntNs),
        Some(K::NetNs),
        Some(K::PidNs),
        Some(K::UserNs),
        Some(K::UtsNs),
        Some(K::Uid),
        Some(K::Euid),
        Some(K::Suid),
        Some(K::Gid),
        Some(K::Egid),
        Some(K::Sgid),
        Some(K::Vuid),
        Some(K::Veuid),
        Some(K::Vsuid),
        Some(K::Vgid),
        Some(K::Vegid),
        Some(K::Vsgid),
        Some(K::TimeNs),
    ]
};

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
