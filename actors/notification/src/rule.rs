//! What a condition asks of tracers.

use std::sync::Arc;

use lttngd_model::{
    AppContext, Bytecode, Domain, ErrorCode, Filter, LogLevelRule, ProbeAttributes, TracerToken,
    kernel::{KernelEvents, KernelNotifier},
    trigger::{Capture, Condition, EventRule, KernelProbe, LogRule, TracepointRule},
    ust::{NotifierEvents, NotifierRule, TracepointEvents},
};

/// An event rule that has its token and its error counter.
#[derive(Clone, Debug)]
pub(crate) enum Rule {
    /// For applications and agents.
    User(Arc<NotifierRule>),
    /// For the kernel.
    Kernel(Arc<KernelNotifier>),
}

impl Rule {
    pub(crate) fn error_counter_index(&self) -> u64 {
        match self {
            Self::User(rule) => rule.error_counter_index,
            Self::Kernel(notifier) => notifier.error_counter_index,
        }
    }
}

/// An event rule with its captures, compiled.
#[derive(Debug)]
pub(crate) struct Compiled {
    events: Events,
    captures: Vec<Bytecode>,
    app_contexts: Vec<AppContext>,
}

#[derive(Debug)]
enum Events {
    User(NotifierEvents),
    Kernel { name: String, events: KernelEvents, filter: Option<Filter> },
}

impl Compiled {
    pub(crate) fn is_of_kernel(&self) -> bool {
        matches!(self.events, Events::Kernel { .. })
    }

    pub(crate) fn into_rule(self, token: TracerToken, error_counter_index: u64) -> Rule {
        let Self { events, captures, app_contexts } = self;
        match events {
            Events::User(events) => {
                let rule =
                    NotifierRule { token, error_counter_index, events, captures, app_contexts };
                Rule::User(Arc::new(rule))
            }
            Events::Kernel { name, events, filter } => {
                let notifier =
                    KernelNotifier { token, error_counter_index, name, events, filter, captures };
                Rule::Kernel(Arc::new(notifier))
            }
        }
    }
}

/// Compiles the event rule of a condition; `None` for a condition without one.
pub(crate) fn compile(condition: &Condition) -> Result<Option<Compiled>, ErrorCode> {
    let Condition::EventRuleMatches { rule, captures } = condition else { return Ok(None) };
    let filter = rule.compile()?;
    let compiled = captures.iter().zip(0..).map(|(capture, place)| capture.compile(place));
    let compiled = compiled.collect::<Result<Vec<_>, _>>()?;
    let app_contexts = captures.iter().filter_map(Capture::app_context).cloned().collect();
    Ok(Some(Compiled { events: events(rule, filter), captures: compiled, app_contexts }))
}

fn events(rule: &EventRule, filter: Option<Filter>) -> Events {
    let level = |level: Option<LogLevelRule>| level.unwrap_or(LogLevelRule::All);
    let loggers = |domain, rule: &LogRule, filter| {
        Events::User(NotifierEvents::loggers(domain, &rule.pattern, level(rule.log_level), filter))
    };
    let kernel =
        |name: &String, events, filter| Events::Kernel { name: name.clone(), events, filter };
    match rule {
        EventRule::UserTracepoint(TracepointRule { pattern, log_level, exclusions, .. }) => {
            Events::User(NotifierEvents::Tracepoints(TracepointEvents {
                name: pattern.clone(),
                loglevel: level(*log_level),
                filter,
                exclusions: exclusions.clone(),
            }))
        }
        EventRule::Jul(rule) => loggers(Domain::Jul, rule, filter),
        EventRule::Log4j(rule) => loggers(Domain::Log4j, rule, filter),
        EventRule::Python(rule) => loggers(Domain::Python, rule, filter),
        EventRule::KernelTracepoint { pattern, .. } => {
            kernel(pattern, KernelEvents::Tracepoints, filter)
        }
        EventRule::Syscall { emission_site, pattern, .. } => {
            kernel(pattern, KernelEvents::Syscalls(*emission_site), filter)
        }
        EventRule::Kprobe { name, location } => {
            kernel(name, KernelEvents::Kprobe(place(location)), filter)
        }
        EventRule::Uprobe { name, location } => {
            kernel(name, KernelEvents::Uprobe(location.clone()), filter)
        }
    }
}

fn place(location: &KernelProbe) -> ProbeAttributes {
    match location {
        KernelProbe::Symbol { symbol, offset } => {
            ProbeAttributes { address: 0, offset: *offset, symbol: symbol.clone() }
        }
        KernelProbe::Address(address) => {
            ProbeAttributes { address: *address, offset: 0, symbol: String::new() }
        }
    }
}
