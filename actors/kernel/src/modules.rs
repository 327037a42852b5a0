//! Which modules the tracer consists of. No input or output.

/// Modules without which there is no tracer, then those that it can do without.
const CONTROL: [&str; 6] = [
    "lttng-ring-buffer-client-discard",
    "lttng-ring-buffer-client-overwrite",
    "lttng-ring-buffer-metadata-client",
    "lttng-ring-buffer-client-mmap-discard",
    "lttng-ring-buffer-client-mmap-overwrite",
    "lttng-ring-buffer-metadata-mmap-client",
];
const OPTIONAL: [&str; 3] = [
    "lttng-ring-buffer-event_notifier-client",
    "lttng-counter-client-percpu-64-modular",
    "lttng-counter-client-percpu-32-modular",
];

/// What the names of modules with tracepoints begin with.
const PROBE_PREFIX: &str = "lttng-probe-";

/// The modules with tracepoints that are loaded unless others are named, without their prefix.
pub const PROBES: [&str; 42] = [
    "asoc",
    "block",
    "btrfs",
    "compaction",
    "ext3",
    "ext4",
    "gpio",
    "i2c",
    "irq",
    "jbd",
    "jbd2",
    "kmem",
    "kvm",
    "kvm-x86",
    "kvm-x86-mmu",
    "lock",
    "module",
    "napi",
    "net",
    "power",
    "preemptirq",
    "printk",
    "random",
    "rcu",
    "regmap",
    "regulator",
    "rpm",
    "sched",
    "scsi",
    "signal",
    "skb",
    "sock",
    "statedump",
    "sunrpc",
    "timer",
    "udp",
    "vmscan",
    "v4l2",
    "workqueue",
    "writeback",
    "x86-irq-vectors",
    "x86-exceptions",
];

/// Which modules are loaded.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ModuleLists {
    /// Those of the tracer itself, the first of which there must be.
    pub(crate) required: Vec<String>,
    pub(crate) optional: Vec<String>,
    /// Those with tracepoints, any of which may be missing.
    pub(crate) probes: Vec<String>,
}

impl Default for ModuleLists {
    fn default() -> Self {
        Self::with_probes(None, None)
    }
}

impl ModuleLists {
    /// With the probes of a list, which is separated by commas, instead of [`PROBES`], and with those of
    /// another besides.
    #[must_use]
    pub fn with_probes(instead: Option<&str>, besides: Option<&str>) -> Self {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let listed = |list: &str| -> Vec<String> {
            let names = list.split(',').map(str::trim_start).filter(|name| !name.is_empty());
            names.map(str::to_owned).collect()
        };
        let mut probes = instead.map_or_else(|| owned(&PROBES), listed);
        probes.extend(besides.map(listed).unwrap_or_default());
        Self {
            required: owned(&CONTROL),
            optional: owned(&OPTIONAL),
            probes: probes.into_iter().map(|name| format!("{PROBE_PREFIX}{name}")).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probes_are_named_without_their_prefix() {
        let stock = ModuleLists::default();
        assert_eq!((stock.probes.len(), stock.required.len()), (PROBES.len(), 6));
        assert_eq!(stock.probes[0], "lttng-probe-asoc");
        let named = ModuleLists::with_probes(Some("sched, irq,,"), Some(" mine"));
        assert_eq!(named.probes, ["lttng-probe-sched", "lttng-probe-irq", "lttng-probe-mine"]);
        let more = ModuleLists::with_probes(None, Some("mine"));
        assert_eq!(
            (more.probes.len(), more.probes.last()),
            (43, Some(&"lttng-probe-mine".to_owned()))
        );
    }
}
