//! The agent domains of a session: what is asked of JUL, log4j and Python logging agents.
//!
//! An agent hands what a program logs to LTTng-UST, as events of one tracepoint. What of it is recorded
//! is decided twice: by the agent, which hands over nothing that no rule asks for, and by an internal
//! event rule of the user-space domain, whose filter is that of the agent's rule.

use std::sync::Arc;

use super::AGENT_CHANNELS;
use crate::{
    AppContext, Domain, ErrorCode, EventDescription, EventKind, EventListing, Filter, LogLevelRule,
    SYMBOL_NAME_LEN,
};

/// What an agent event rule selects. Name, log levels and the filter's text are its identity.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct AgentRule {
    /// Logger name or pattern.
    pub name: String,
    /// Log levels. A larger number is more severe.
    pub loglevel: LogLevelRule,
    /// The log level as the client gave it: that of the rule, or anything for every level.
    pub loglevel_value: i32,
    /// Filter, of which name and log levels are a part when the client made it as `liblttng-ctl` does.
    pub filter: Option<Filter>,
}

impl AgentRule {
    /// The rule that a client describes. Its exclusions and kind are not looked at.
    pub(super) fn described(event: &EventDescription) -> Result<Self, ErrorCode> {
        let name = crate::star_glob::normalize(&event.name);
        let loglevel = LogLevelRule::from_raw(event.loglevel_type, event.loglevel);
        if name.len() >= SYMBOL_NAME_LEN {
            return Err(ErrorCode::Invalid);
        }
        Ok(Self {
            name,
            loglevel: loglevel.ok_or(ErrorCode::Invalid)?,
            loglevel_value: event.loglevel,
            filter: event.filter.clone(),
        })
    }

    fn is_same_rule(&self, other: &Self) -> bool {
        fn text(rule: &AgentRule) -> Option<&str> {
            rule.filter.as_ref().map(|filter| filter.expression.as_str())
        }
        self.name == other.name && self.loglevel == other.loglevel && text(self) == text(other)
    }
}

/// An event rule of an agent domain.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AgentEvent {
    /// What it selects.
    pub rule: Arc<AgentRule>,
    /// Whether it records.
    pub enabled: bool,
}

impl AgentEvent {
    fn listing(&self) -> EventListing {
        let (loglevel_type, _) = self.rule.loglevel.to_raw();
        EventListing {
            kind: EventKind::Tracepoint,
            name: self.rule.name.clone(),
            loglevel_type,
            loglevel: self.rule.loglevel_value,
            enabled: i8::from(self.enabled),
            pid: 0,
            flags: 0,
            filter_expression: self.rule.filter.as_ref().map(|filter| filter.expression.clone()),
            exclusions: Vec::new(),
            probe: None,
            userspace_probe: None,
        }
    }
}

/// What a session asks of the agents of one domain.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct AgentDomain {
    /// Event rules in the order they were enabled.
    pub events: Vec<AgentEvent>,
    /// The contexts that agents attach to what they hand over; none twice.
    pub contexts: Vec<AppContext>,
}

impl AgentDomain {
    /// The event rules in the order they were enabled (LIST_EVENTS).
    #[must_use]
    pub fn list_events(&self) -> Vec<EventListing> {
        self.events.iter().map(AgentEvent::listing).collect()
    }

    /// Adds a rule, with the contexts that its filter needs, or lets a disabled one record again.
    pub(super) fn enable(&mut self, rule: AgentRule) {
        if let Some(known) = self.events.iter_mut().find(|known| known.rule.is_same_rule(&rule)) {
            known.enabled = true;
            return;
        }
        let needed = rule.filter.iter().flat_map(|filter| filter.bytecode.app_contexts());
        needed.for_each(|context| self.add_context(context));
        self.events.push(AgentEvent { rule: Arc::new(rule), enabled: true });
    }

    pub(super) fn add_context(&mut self, context: AppContext) {
        if !self.contexts.contains(&context) {
            self.contexts.push(context);
        }
    }
}

/// The tracepoints through which the events of an agent domain pass.
pub(crate) fn agent_tracepoints(domain: Domain) -> Option<&'static str> {
    AGENT_CHANNELS.iter().find(|(agent, ..)| *agent == domain).map(|(_, _, name)| *name)
}
