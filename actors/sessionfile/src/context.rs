//! The words for context types.

use lttngd_model::{Context, ContextKind, PerfContext};

use super::{SavedAppContext, SavedContext, SavedPerfContext};

/// Every type that has a word. The schema of LTTng 2.13 knows only some of them, so that the stock
/// loader refuses files with the others, which its own daemon wrote.
const WORDS: [(&str, ContextKind); 38] = [
    ("PID", ContextKind::Pid),
    ("PROCNAME", ContextKind::Procname),
    ("PRIO", ContextKind::Prio),
    ("NICE", ContextKind::Nice),
    ("VPID", ContextKind::Vpid),
    ("TID", ContextKind::Tid),
    ("VTID", ContextKind::Vtid),
    ("PPID", ContextKind::Ppid),
    ("VPPID", ContextKind::Vppid),
    ("PTHREAD_ID", ContextKind::PthreadId),
    ("HOSTNAME", ContextKind::Hostname),
    ("IP", ContextKind::Ip),
    ("INTERRUPTIBLE", ContextKind::Interruptible),
    ("PREEMPTIBLE", ContextKind::Preemptible),
    ("NEED_RESCHEDULE", ContextKind::NeedResched),
    ("MIGRATABLE", ContextKind::Migratable),
    ("CALLSTACK_KERNEL", ContextKind::CallstackKernel),
    ("CALLSTACK_USER", ContextKind::CallstackUser),
    ("CGROUP_NS", ContextKind::CgroupNs),
    ("IPC_NS", ContextKind::IpcNs),
    ("MNT_NS", ContextKind::MntNs),
    ("NET_NS", ContextKind::NetNs),
    ("PID_NS", ContextKind::PidNs),
    ("TIME_NS", ContextKind::TimeNs),
    ("USER_NS", ContextKind::UserNs),
    ("UTS_NS", ContextKind::UtsNs),
    ("UID", ContextKind::Uid),
    ("EUID", ContextKind::Euid),
    ("SUID", ContextKind::Suid),
    ("GID", ContextKind::Gid),
    ("EGID", ContextKind::Egid),
    ("SGID", ContextKind::Sgid),
    ("VUID", ContextKind::Vuid),
    ("VEUID", ContextKind::Veuid),
    ("VSUID", ContextKind::Vsuid),
    ("VGID", ContextKind::Vgid),
    ("VEGID", ContextKind::Vegid),
    ("VSGID", ContextKind::Vsgid),
];

impl From<&Context> for SavedContext {
    fn from(context: &Context) -> Self {
        let word = |kind: &ContextKind| {
            WORDS.iter().find(|(_, known)| known == kind).map(|(word, _)| (*word).to_owned())
        };
        match context {
            Context::Plain(kind) => Self { plain: word(kind), ..Self::default() },
            Context::Perf(_, perf) => Self {
                perf: Some(SavedPerfContext {
                    perf_type: perf.perf_type,
                    config: perf.config,
                    name: perf.name.clone(),
                }),
                ..Self::default()
            },
            Context::App(app) => Self {
                app: Some(SavedAppContext {
                    provider_name: app.provider.clone(),
                    ctx_name: app.name.clone(),
                }),
                ..Self::default()
            },
        }
    }
}

impl SavedContext {
    /// The context that is meant, of the kernel's domain; `None` for a word that no type has.
    #[must_use]
    pub fn in_kernel(&self) -> Option<Context> {
        match self.in_user_space()? {
            Context::Perf(_, perf) => Some(Context::Perf(ContextKind::PerfCpuCounter, perf)),
            other => Some(other),
        }
    }

    /// The context that is meant, in the user-space domain; `None` for a word that no type has.
    #[must_use]
    pub fn in_user_space(&self) -> Option<Context> {
        if let Some(perf) = &self.perf {
            let perf = PerfContext {
                perf_type: perf.perf_type,
                config: perf.config,
                name: perf.name.clone(),
            };
            return Some(Context::Perf(ContextKind::PerfThreadCounter, perf));
        }
        if let Some(app) = &self.app {
            return Some(Context::App(lttngd_model::AppContext {
                provider: app.provider_name.clone(),
                name: app.ctx_name.clone(),
            }));
        }
        let plain = self.plain.as_deref()?;
        WORDS.iter().find(|(word, _)| *word == plain).map(|(_, kind)| Context::Plain(*kind))
    }
}
