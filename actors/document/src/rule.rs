//! What a document says of event rules.

use lttngd_model::{
    Domain, EventDescription, EventKind, FilterError, FunctionLookup, LogLevelRule,
    ProbeAttributes, ProbeLocation,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    LogLevel,
    document::{is_yes, yes},
    level,
};

/// An event rule.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct EventRule {
    /// Name or pattern of events, or of loggers.
    #[serde(default = "everything")]
    pub name: String,
    /// What is recorded.
    #[serde(default, skip_serializing_if = "RuleKind::is_tracepoint")]
    pub kind: RuleKind,
    /// Which log levels; all when it is left out. The kernel has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loglevel: Option<LogLevel>,
    /// A filter expression.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<String>,
    /// Names or patterns that are not recorded, in user space alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exclusions: Vec<String>,
    /// Where a kernel probe, or the function of a rule of functions, is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probe: Option<Probe>,
    /// Where a probe in a program is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub userspace_probe: Option<UserProbe>,
    /// Whether it records.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub enabled: bool,
}

impl Default for EventRule {
    fn default() -> Self {
        Self {
            name: everything(),
            kind: RuleKind::default(),
            loglevel: None,
            filter: None,
            exclusions: Vec::new(),
            probe: None,
            userspace_probe: None,
            enabled: true,
        }
    }
}

impl EventRule {
    /// How a client describes it in a domain. The program of a probe in it is not opened.
    ///
    /// # Errors
    /// That of the filter.
    pub fn description(&self, domain: Domain) -> Result<EventDescription, FilterError> {
        let level = level::rule(self.loglevel.as_ref(), domain).unwrap_or(LogLevelRule::All);
        let mut event = EventDescription {
            kind: self.kind.event_kind() as i8,
            probe: self.probe.as_ref().map(ProbeAttributes::from),
            ..EventDescription::tracepoint(self.name.as_str())
                .at_log_level(level)
                .excluding(self.exclusions.iter().map(String::as_str))
        };
        if let Some(filter) = &self.filter {
            event = event.filtered_by(filter.as_str())?;
        }
        if domain.is_agent() { event.for_agents() } else { Ok(event) }
    }
}

fn everything() -> String {
    "*".to_owned()
}

/// What an event rule records.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RuleKind {
    /// Tracepoints, or what loggers log.
    #[default]
    Tracepoint,
    /// System calls, of the kernel's domain.
    Syscall,
    /// A kernel probe.
    Probe,
    /// Entry and exit of a kernel function.
    Function,
    /// Entry of a kernel function.
    FunctionEntry,
    /// A probe in a program, which the kernel sets.
    UserspaceProbe,
}

impl RuleKind {
    pub(crate) fn is_tracepoint(&self) -> bool {
        *self == Self::Tracepoint
    }

    /// LTTng's kind.
    #[must_use]
    pub fn event_kind(self) -> EventKind {
        match self {
            Self::Tracepoint => EventKind::Tracepoint,
            Self::Syscall => EventKind::Syscall,
            Self::Probe => EventKind::Probe,
            Self::Function => EventKind::Function,
            Self::FunctionEntry => EventKind::FunctionEntry,
            Self::UserspaceProbe => EventKind::UserspaceProbe,
        }
    }
}

/// A place in the kernel: a symbol with an offset, or an address.
#[derive(Clone, Debug, Default, Deserialize, Eq, Hash, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Probe {
    /// The symbol.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub symbol: String,
    /// Offset from it in bytes.
    #[serde(default)]
    pub offset: u64,
    /// The address, 0 where a symbol is meant.
    #[serde(default)]
    pub address: u64,
}

impl From<&Probe> for ProbeAttributes {
    fn from(probe: &Probe) -> Self {
        let Probe { symbol, offset, address } = probe.clone();
        Self { address, offset, symbol }
    }
}

impl From<ProbeAttributes> for Probe {
    fn from(probe: ProbeAttributes) -> Self {
        let ProbeAttributes { address, offset, symbol } = probe;
        Self { symbol, offset, address }
    }
}

/// A place in a program.
#[derive(Clone, Debug, Deserialize, Eq, Hash, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum UserProbe {
    /// A function.
    Function(ProbedFunction),
    /// A tracepoint of SystemTap.
    Tracepoint(ProbedTracepoint),
}

/// A function of a program.
#[derive(Clone, Debug, Deserialize, Eq, Hash, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ProbedFunction {
    /// The program or library, absolute.
    pub path: String,
    /// Name of the function.
    pub name: String,
    /// How it is found.
    #[serde(default)]
    pub lookup: Lookup,
}

/// How a function is found.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Lookup {
    /// In whatever way there is.
    #[default]
    Default,
    /// By a symbol of the ELF file.
    Elf,
}

/// A tracepoint of SystemTap in a program.
#[derive(Clone, Debug, Deserialize, Eq, Hash, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ProbedTracepoint {
    /// The program or library, absolute.
    pub path: String,
    /// Name of the provider.
    pub provider: String,
    /// Name of the tracepoint.
    pub name: String,
}

impl UserProbe {
    /// The program.
    #[must_use]
    pub fn path(&self) -> &str {
        match self {
            Self::Function(function) => &function.path,
            Self::Tracepoint(tracepoint) => &tracepoint.path,
        }
    }
}

impl From<&UserProbe> for ProbeLocation {
    fn from(probe: &UserProbe) -> Self {
        match probe.clone() {
            UserProbe::Function(ProbedFunction { path, name, lookup }) => {
                let lookup = match lookup {
                    Lookup::Default => FunctionLookup::Default,
                    Lookup::Elf => FunctionLookup::Elf,
                };
                Self::Function { name, binary_path: path, lookup }
            }
            UserProbe::Tracepoint(ProbedTracepoint { path, provider, name }) => {
                Self::Tracepoint { provider, name, binary_path: path }
            }
        }
    }
}

impl From<ProbeLocation> for UserProbe {
    fn from(location: ProbeLocation) -> Self {
        match location {
            ProbeLocation::Function { name, binary_path: path, lookup } => {
                let lookup = match lookup {
                    FunctionLookup::Default => Lookup::Default,
                    FunctionLookup::Elf => Lookup::Elf,
                };
                Self::Function(ProbedFunction { path, name, lookup })
            }
            ProbeLocation::Tracepoint { provider, name, binary_path: path } => {
                Self::Tracepoint(ProbedTracepoint { path, provider, name })
            }
        }
    }
}
