//! What a condition asks of applications and agents.

use lttngd_model::{
    AppContext, Bytecode, Domain, ErrorCode, LogLevelRule, TracerToken,
    trigger::{Capture, Condition, EventRule, TracepointRule},
    ust::{NotifierEvents, NotifierRule, TracepointEvents},
};

/// An event rule with its captures, compiled.
#[derive(Debug)]
pub(crate) struct Compiled {
    events: NotifierEvents,
    captures: Vec<Bytecode>,
    app_contexts: Vec<AppContext>,
}

impl Compiled {
    pub(crate) fn into_rule(self, token: TracerToken, error_counter_index: u64) -> NotifierRule {
        let Self { events, captures, app_contexts } = self;
        NotifierRule { token, error_counter_index, events, captures, app_contexts }
    }
}

/// Compiles the event rule of a condition; `None` for a condition without one, and for one of the kernel, of
/// which filter and captures are looked at all the same.
pub(crate) fn compile(condition: &Condition) -> Result<Option<Compiled>, ErrorCode> {
    let Condition::EventRuleMatches { rule, captures } = condition else { return Ok(None) };
    let filter = rule.compile()?;
    let compiled = captures.iter().zip(0..).map(|(capture, place)| capture.compile(place));
    let compiled = compiled.collect::<Result<Vec<_>, _>>()?;
    let level = |level: Option<LogLevelRule>| level.unwrap_or(LogLevelRule::All);
    let events = match rule {
        EventRule::UserTracepoint(TracepointRule { pattern, log_level, exclusions, .. }) => {
            NotifierEvents::Tracepoints(TracepointEvents {
                name: pattern.clone(),
                loglevel: level(*log_level),
                filter,
                exclusions: exclusions.clone(),
            })
        }
        EventRule::Jul(rule) => {
            NotifierEvents::loggers(Domain::Jul, &rule.pattern, level(rule.log_level), filter)
        }
        EventRule::Log4j(rule) => {
            NotifierEvents::loggers(Domain::Log4j, &rule.pattern, level(rule.log_level), filter)
        }
        EventRule::Python(rule) => {
            NotifierEvents::loggers(Domain::Python, &rule.pattern, level(rule.log_level), filter)
        }
        EventRule::Syscall { .. }
        | EventRule::Kprobe { .. }
        | EventRule::KernelTracepoint { .. }
        | EventRule::Uprobe { .. } => return Ok(None),
    };
    let app_contexts = captures.iter().filter_map(Capture::app_context).cloned().collect();
    Ok(Some(Compiled { events, captures: compiled, app_contexts }))
}
