//! Which events a condition is about.

mod place;

use serde::{Deserialize, Serialize};

use super::bounds::{RULE_EXCLUSIONS_MAX, check_name};
use crate::{
    Domain, ErrorCode, EventDescription, FILTER_MAX_LEN, Filter, LogLevelRule, SYMBOL_NAME_LEN,
    UserspaceProbe, star_glob, ust,
};

/// Severest and least severe log level of LTTng-UST.
const UST_LOG_LEVELS: std::ops::RangeInclusive<i32> = 0..=14;

/// A rule that events match or do not.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum EventRule {
    /// System calls.
    Syscall {
        /// Where in one.
        emission_site: EmissionSite,
        /// Name, in which `*` stands for any text.
        pattern: String,
        /// Filter's text.
        filter: Option<String>,
    },
    /// A place in the kernel.
    Kprobe {
        /// Name of the event.
        name: String,
        /// Where.
        location: KernelProbe,
    },
    /// Tracepoints of the kernel.
    KernelTracepoint {
        /// Name, in which `*` stands for any text.
        pattern: String,
        /// Filter's text.
        filter: Option<String>,
    },
    /// A place in a program.
    Uprobe {
        /// Name of the event.
        name: String,
        /// Where. The program is needed to place it, not to compare rules.
        #[serde(with = "place")]
        location: UserspaceProbe,
    },
    /// Tracepoints of applications.
    UserTracepoint(TracepointRule),
    /// What Java programs log by `java.util.logging`.
    Jul(LogRule),
    /// What Java programs log by log4j.
    Log4j(LogRule),
    /// What Python programs log.
    Python(LogRule),
}

/// Where in a system call (`enum lttng_event_rule_kernel_syscall_emission_site`).
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[repr(u32)]
pub enum EmissionSite {
    /// At its entry and at its exit.
    EntryExit = 0,
    /// At its entry.
    Entry = 1,
    /// At its exit.
    Exit = 2,
}

impl EmissionSite {
    /// The site of a wire value, `None` when none has it.
    #[must_use]
    pub fn from_raw(raw: u32) -> Option<Self> {
        Some(match raw {
            0 => Self::EntryExit,
            1 => Self::Entry,
            2 => Self::Exit,
            _ => return None,
        })
    }
}

/// A place in the kernel.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum KernelProbe {
    /// Behind a symbol.
    Symbol {
        /// Its name.
        symbol: String,
        /// How far, in bytes.
        offset: u64,
    },
    /// An address.
    Address(u64),
}

/// Which tracepoints of applications.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct TracepointRule {
    /// Name, in which `*` stands for any text.
    pub pattern: String,
    /// Filter's text.
    pub filter: Option<String>,
    /// Which log levels, `None` for all.
    pub log_level: Option<LogLevelRule>,
    /// Names or patterns that do not match.
    pub exclusions: Vec<String>,
}

/// Which events of a logging agent's domain.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct LogRule {
    /// Logger name, or `*` for every one.
    pub pattern: String,
    /// Filter's text.
    pub filter: Option<String>,
    /// Which log levels, `None` for all.
    pub log_level: Option<LogLevelRule>,
}

impl TracepointRule {
    /// Tracepoints whose name is, or matches, `pattern`.
    #[must_use]
    pub fn new(pattern: impl Into<String>) -> Self {
        Self { pattern: pattern.into(), filter: None, log_level: None, exclusions: Vec::new() }
    }

    /// The same for the events only for which `expression` is true, see lttng-enable-event(1).
    #[must_use]
    pub fn filtered_by(self, expression: impl Into<String>) -> Self {
        Self { filter: Some(expression.into()), ..self }
    }
}

impl EventRule {
    /// The domain of its events.
    #[must_use]
    pub fn domain(&self) -> Domain {
        match self {
            Self::Syscall { .. }
            | Self::Kprobe { .. }
            | Self::KernelTracepoint { .. }
            | Self::Uprobe { .. } => Domain::Kernel,
            Self::UserTracepoint(_) => Domain::Ust,
            Self::Jul(_) => Domain::Jul,
            Self::Log4j(_) => Domain::Log4j,
            Self::Python(_) => Domain::Python,
        }
    }

    /// The same rule with patterns as stock daemons keep them: one `*` for several in a row.
    #[must_use]
    pub fn normalized(mut self) -> Self {
        match &mut self {
            Self::Syscall { pattern, .. }
            | Self::KernelTracepoint { pattern, .. }
            | Self::UserTracepoint(TracepointRule { pattern, .. })
            | Self::Jul(LogRule { pattern, .. })
            | Self::Log4j(LogRule { pattern, .. })
            | Self::Python(LogRule { pattern, .. }) => *pattern = star_glob::normalize(pattern),
            Self::Kprobe { .. } | Self::Uprobe { .. } => {}
        }
        if let Self::UserTracepoint(rule) = &mut self {
            rule.exclusions.iter_mut().for_each(|it| *it = star_glob::normalize(it));
        }
        self
    }

    fn filter(&self) -> Option<&str> {
        match self {
            Self::Syscall { filter, .. }
            | Self::KernelTracepoint { filter, .. }
            | Self::UserTracepoint(TracepointRule { filter, .. })
            | Self::Jul(LogRule { filter, .. })
            | Self::Log4j(LogRule { filter, .. })
            | Self::Python(LogRule { filter, .. }) => filter.as_deref(),
            Self::Kprobe { .. } | Self::Uprobe { .. } => None,
        }
    }

    pub(super) fn check(&self) -> Result<(), ErrorCode> {
        if let Some(filter) = self.filter() {
            check_name(filter, FILTER_MAX_LEN)?;
        }
        match self {
            Self::Syscall { pattern, .. } | Self::KernelTracepoint { pattern, .. } => {
                check_name(pattern, FILTER_MAX_LEN)
            }
            Self::UserTracepoint(rule) => rule.check(),
            Self::Jul(rule) | Self::Log4j(rule) | Self::Python(rule) => {
                check_name(&rule.pattern, FILTER_MAX_LEN)
            }
            Self::Kprobe { name, location } => {
                check_name(name, SYMBOL_NAME_LEN)?;
                match location {
                    KernelProbe::Symbol { symbol, .. } => check_name(symbol, SYMBOL_NAME_LEN),
                    KernelProbe::Address(_) => Ok(()),
                }
            }
            Self::Uprobe { name, location } => {
                check_name(name, SYMBOL_NAME_LEN)?;
                location.location().map(drop).ok_or(ErrorCode::InvalidTrigger)
            }
        }
    }

    /// What an application's tracer, or the kernel's, is to filter by: for agent domains name and log level
    /// become a part of it.
    ///
    /// # Errors
    /// `FilterInval` for a text that is no filter.
    pub fn compile(&self) -> Result<Option<Filter>, ErrorCode> {
        let agent = match self {
            Self::Jul(rule) | Self::Log4j(rule) | Self::Python(rule) => rule,
            Self::Syscall { .. }
            | Self::Kprobe { .. }
            | Self::KernelTracepoint { .. }
            | Self::Uprobe { .. }
            | Self::UserTracepoint(_) => {
                return self.filter().map(compile).transpose();
            }
        };
        // What is wrong in the user's own text is not to be mended by what is put around it.
        let filter = agent.filter.as_deref().map(compile).transpose()?;
        let description =
            EventDescription { filter, ..EventDescription::tracepoint(&agent.pattern) }
                .at_log_level(agent.log_level.unwrap_or(LogLevelRule::All));
        let combined = description.for_agents().map_err(|_| ErrorCode::FilterInval)?;
        Ok(combined.filter)
    }

    /// The tracepoints of applications through which its events come, `None` for the kernel's rules.
    #[must_use]
    pub fn ust_pattern(&self) -> Option<&str> {
        match self {
            Self::UserTracepoint(rule) => Some(&rule.pattern),
            agent => ust::agent_tracepoints(agent.domain()),
        }
    }
}

fn compile(text: &str) -> Result<Filter, ErrorCode> {
    Filter::compile(text).map_err(|_| ErrorCode::FilterInval)
}

impl TracepointRule {
    fn check(&self) -> Result<(), ErrorCode> {
        check_name(&self.pattern, SYMBOL_NAME_LEN)?;
        let is_level = match self.log_level {
            None => true,
            Some(LogLevelRule::Single(level) | LogLevelRule::Range(level)) => {
                UST_LOG_LEVELS.contains(&level)
            }
            Some(LogLevelRule::All) => false,
        };
        if !is_level || self.exclusions.len() > RULE_EXCLUSIONS_MAX {
            return Err(ErrorCode::InvalidTrigger);
        }
        self.exclusions.iter().try_for_each(|name| check_name(name, SYMBOL_NAME_LEN))
    }
}
