//! Event rules as clients describe them and as listings show them.

use serde::{Deserialize, Serialize};

use crate::{Filter, FilterError, UserspaceProbe};

/// The kind of instrumentation (`enum lttng_event_type`).
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[repr(i8)]
pub enum EventKind {
    /// Every kind.
    All = -1,
    /// Tracepoint.
    Tracepoint = 0,
    /// Kernel probe.
    Probe = 1,
    /// Kernel return probe.
    Function = 2,
    /// Kernel function entry.
    FunctionEntry = 3,
    /// Nothing.
    Noop = 4,
    /// System call.
    Syscall = 5,
    /// Probe in user space.
    UserspaceProbe = 6,
}

impl EventKind {
    /// The kind of a wire value, `None` when no kind has it.
    #[must_use]
    pub fn from_raw(raw: i8) -> Option<Self> {
        Some(match raw {
            -1 => Self::All,
            0 => Self::Tracepoint,
            1 => Self::Probe,
            2 => Self::Function,
            3 => Self::FunctionEntry,
            4 => Self::Noop,
            5 => Self::Syscall,
            6 => Self::UserspaceProbe,
            _ => return None,
        })
    }
}

/// Which log levels a rule matches. In user space a smaller number is more severe, in agent domains a
/// larger one.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub enum LogLevelRule {
    /// Every level.
    All,
    /// This level and everything more severe.
    Range(i32),
    /// This level alone.
    Single(i32),
}

impl LogLevelRule {
    /// From `loglevel_type` and `loglevel` of the wire; `None` for an unknown type.
    #[must_use]
    pub fn from_raw(kind: i8, level: i32) -> Option<Self> {
        Some(match kind {
            0 => Self::All,
            1 => Self::Range(level),
            2 => Self::Single(level),
            _ => return None,
        })
    }

    /// `loglevel_type` and `loglevel` of the wire; the level of [`LogLevelRule::All`] is -1.
    #[must_use]
    pub fn to_raw(self) -> (i8, i32) {
        match self {
            Self::All => (0, -1),
            Self::Range(level) => (1, level),
            Self::Single(level) => (2, level),
        }
    }
}

/// Attributes of a kernel probe or function (`struct lttng_event_probe_attr`).
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct ProbeAttributes {
    /// Address, 0 when a symbol is meant.
    pub address: u64,
    /// Offset from the symbol.
    pub offset: u64,
    /// Symbol name.
    pub symbol: String,
}

/// An event as a client describes it in ENABLE_EVENT and DISABLE_EVENT: not yet checked, so that
/// each command can answer its own error.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct EventDescription {
    /// Raw kind, see [`EventKind::from_raw`].
    pub kind: i8,
    /// Raw log level type, see [`LogLevelRule::from_raw`].
    pub loglevel_type: i8,
    /// Raw log level.
    pub loglevel: i32,
    /// Raw `enabled` member.
    pub enabled: i8,
    /// Raw `pid` member.
    pub pid: i32,
    /// Raw `flags` member.
    pub flags: u32,
    /// Name or pattern.
    pub name: String,
    /// Names or patterns that do not match.
    pub exclusions: Vec<String>,
    /// Filter.
    pub filter: Option<Filter>,
    /// Kernel probe or function attributes (kinds 1, 2 and 3).
    pub probe: Option<ProbeAttributes>,
    /// User space probe location (kind 6).
    pub userspace_probe: Option<UserspaceProbe>,
}

impl EventDescription {
    /// A rule for tracepoints whose name is, or matches, `pattern` (`*` stands for any text), of every
    /// log level and without filter and exclusions.
    #[must_use]
    pub fn tracepoint(pattern: impl Into<String>) -> Self {
        Self::of_kind(EventKind::Tracepoint, pattern.into())
    }

    /// What DISABLE_EVENT takes: the rules of this very name, or all rules for an empty name.
    #[must_use]
    pub fn of_any_kind(name: impl Into<String>) -> Self {
        Self::of_kind(EventKind::All, name.into())
    }

    /// A rule for a place in a program, recorded by the kernel. `name` is what its events are called.
    #[must_use]
    pub fn userspace_probe(name: impl Into<String>, probe: UserspaceProbe) -> Self {
        let userspace_probe = Some(probe);
        Self { userspace_probe, ..Self::of_kind(EventKind::UserspaceProbe, name.into()) }
    }

    /// The same rule for these log levels only.
    #[must_use]
    pub fn at_log_level(mut self, rule: LogLevelRule) -> Self {
        (self.loglevel_type, self.loglevel) = rule.to_raw();
        self
    }

    /// The same rule without the tracepoints whose names are, or match, `patterns`.
    #[must_use]
    pub fn excluding<P: Into<String>>(mut self, patterns: impl IntoIterator<Item = P>) -> Self {
        self.exclusions.extend(patterns.into_iter().map(Into::into));
        self
    }

    /// The same rule for the events only for which `expression` is true, see lttng-enable-event(1).
    ///
    /// # Errors
    /// What is wrong with the expression.
    pub fn filtered_by(mut self, expression: impl Into<String>) -> Result<Self, FilterError> {
        self.filter = Some(Filter::compile(expression)?);
        Ok(self)
    }

    /// The rule as `liblttng-ctl` asks an agent domain for it: what is recorded of what agents hand over
    /// is what passes the filter, so that name and log levels become a part of that. An empty name means
    /// every logger.
    ///
    /// # Errors
    /// What is wrong with the filter's text, of which a name with a quote is a part then.
    pub fn for_agents(mut self) -> Result<Self, FilterError> {
        const EVERY_LOGGER: &str = "*";
        if self.name.is_empty() {
            EVERY_LOGGER.clone_into(&mut self.name);
        }
        let mut conditions = Vec::new();
        if self.name != EVERY_LOGGER {
            conditions.push(format!("logger_name == \"{}\"", self.name));
        }
        match LogLevelRule::from_raw(self.loglevel_type, self.loglevel) {
            Some(LogLevelRule::All) => {}
            Some(LogLevelRule::Range(level)) => conditions.push(format!("int_loglevel >= {level}")),
            // As there, an unknown type is one level.
            Some(LogLevelRule::Single(_)) | None => {
                conditions.push(format!("int_loglevel == {}", self.loglevel));
            }
        }
        let expression = self.filter.as_ref().map(|filter| filter.expression.clone());
        let combined = conditions.into_iter().fold(expression, |before, condition| {
            Some(
                before
                    .map_or_else(|| condition.clone(), |text| format!("({text}) && ({condition})")),
            )
        });
        match combined {
            Some(expression) => self.filtered_by(expression),
            None => Ok(self),
        }
    }

    /// Whether a description for DISABLE_EVENT says nothing but name and kind.
    pub(crate) fn selects_by_name(&self) -> bool {
        (self.loglevel_type, self.loglevel, self.enabled, self.pid) == (0, -1, 0, 0)
    }

    fn of_kind(kind: EventKind, name: String) -> Self {
        let (loglevel_type, loglevel) = LogLevelRule::All.to_raw();
        Self {
            kind: kind as i8,
            loglevel_type,
            loglevel,
            enabled: 0,
            pid: 0,
            flags: 0,
            name,
            exclusions: Vec::new(),
            filter: None,
            probe: None,
            userspace_probe: None,
        }
    }
}

/// An event in a listing (`struct lttng_event` with its extension).
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct EventListing {
    /// Kind.
    pub kind: EventKind,
    /// Name or pattern.
    pub name: String,
    /// Raw log level type.
    pub loglevel_type: i8,
    /// Raw log level.
    pub loglevel: i32,
    /// 1 enabled, 0 disabled, -1 where it has no meaning (tracepoints of applications).
    pub enabled: i8,
    /// Process id of the application that has the tracepoint, else 0.
    pub pid: i32,
    /// System call flags.
    pub flags: u32,
    /// Filter text.
    pub filter_expression: Option<String>,
    /// Exclusions.
    pub exclusions: Vec<String>,
    /// Where in the kernel, for its probes and functions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probe: Option<ProbeAttributes>,
    /// Where in a program, for probes in user space.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub userspace_probe: Option<UserspaceProbe>,
}

/// The type of a tracepoint's field in a listing (`enum lttng_event_field_type`).
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[repr(u8)]
pub enum EventFieldKind {
    /// Anything else.
    Other = 0,
    /// Integer.
    Integer = 1,
    /// Enumeration.
    Enum = 2,
    /// Floating point.
    Float = 3,
    /// Text.
    String = 4,
}

impl EventFieldKind {
    /// From an application's number; anything unknown is [`EventFieldKind::Other`].
    #[must_use]
    pub fn from_raw(raw: i32) -> Self {
        match raw {
            1 => Self::Integer,
            2 => Self::Enum,
            3 => Self::Float,
            4 => Self::String,
            _ => Self::Other,
        }
    }
}

/// A field of a tracepoint in a listing (`struct lttng_event_field`).
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct EventField {
    /// Name; empty for a tracepoint without fields.
    pub name: String,
    /// Type.
    pub kind: EventFieldKind,
    /// Whether the field is only there for filters.
    pub nowrite: bool,
    /// The tracepoint.
    pub event: EventListing,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::{
        BufferScheme, ErrorCode, SessionKind,
        ust::{SessionFacts, UstDomain},
    };

    const FACTS: SessionFacts = SessionFacts { kind: SessionKind::Regular, was_started: false };

    #[test]
    fn what_is_made_here_the_domain_takes() {
        let mut ust = UstDomain::new(4096);
        let rule = EventDescription::tracepoint("app:*")
            .at_log_level(LogLevelRule::Range(6))
            .excluding(["app:noise", "app:test*"]);
        ust.enable_event("", &rule, BufferScheme::PerUid as u32, FACTS).unwrap();
        let listed = ust.list_events("channel0").unwrap();
        assert_eq!(listed.len(), 1);
        assert_eq!((listed[0].kind, listed[0].name.as_str()), (EventKind::Tracepoint, "app:*"));
        assert_eq!((listed[0].loglevel_type, listed[0].loglevel), (1, 6));
        assert_eq!(listed[0].exclusions, ["app:noise", "app:test*"]);

        let disable = |ust: &mut UstDomain, name: &str| {
            ust.disable_event("channel0", &EventDescription::of_any_kind(name))
        };
        assert_eq!(disable(&mut ust, "other"), Err(ErrorCode::UstEventNotFound));
        disable(&mut ust, "app:*").unwrap();
        assert_eq!(ust.list_events("channel0").unwrap()[0].enabled, 0);
    }
}
