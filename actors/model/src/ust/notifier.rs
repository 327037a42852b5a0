//! Event notifiers: which events of applications and agents are told when they happen, instead of being
//! recorded, and what of them is told.
//!
//! A notifier is no part of a session, and goes to every application and agent, whoever owns it: who may
//! command the daemon may trace all of them.

use std::sync::Arc;

use super::{
    AgentDomain,
    agent::{AgentEvent, AgentRule, agent_tracepoints},
};
use crate::{AppContext, Bytecode, Domain, Filter, LogLevelRule, TracerToken};

/// The rule of one event notifier.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct NotifierRule {
    /// Comes back with each event that matches.
    pub token: TracerToken,
    /// Which counter counts the events that applications could not tell, from 0.
    pub error_counter_index: u64,
    /// Which events.
    pub events: NotifierEvents,
    /// What is taken of an event, compiled, in the order in which the values are told.
    pub captures: Vec<Bytecode>,
    /// The application contexts among the captures, which agents attach only when they are told to.
    pub app_contexts: Vec<AppContext>,
}

/// Which events are told.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum NotifierEvents {
    /// Those of tracepoints.
    Tracepoints(TracepointEvents),
    /// What is logged by a domain's loggers.
    Loggers {
        /// [`Domain::Jul`], [`Domain::Log4j`] or [`Domain::Python`].
        domain: Domain,
        /// Which loggers and log levels. Its filter is what makes the choice among the events that all
        /// loggers' messages become: it must say name and log level as well
        /// ([`EventDescription::for_agents`](crate::EventDescription::for_agents)).
        rule: Arc<AgentRule>,
    },
}

/// Events of tracepoints.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TracepointEvents {
    /// Tracepoint name or pattern.
    pub name: String,
    /// Log levels.
    pub loglevel: LogLevelRule,
    /// Filter.
    pub filter: Option<Filter>,
    /// Names or patterns that do not match.
    pub exclusions: Vec<String>,
}

impl NotifierEvents {
    /// What loggers of an agent domain log. `filter` says name and log level as well.
    #[must_use]
    pub fn loggers(
        domain: Domain,
        name: impl Into<String>,
        loglevel: LogLevelRule,
        filter: Option<Filter>,
    ) -> Self {
        let loglevel_value = match loglevel {
            LogLevelRule::All => 0,
            LogLevelRule::Range(level) | LogLevelRule::Single(level) => level,
        };
        let rule = AgentRule { name: name.into(), loglevel, loglevel_value, filter };
        Self::Loggers { domain, rule: Arc::new(rule) }
    }

    /// Name or pattern of the tracepoints in applications: those of the domain's agents for loggers.
    #[must_use]
    pub fn tracepoint_name(&self) -> &str {
        match self {
            Self::Tracepoints(events) => &events.name,
            Self::Loggers { domain, .. } => agent_tracepoints(*domain).unwrap_or_default(),
        }
    }

    /// Log levels of the tracepoints. Those of loggers are no tracepoint's: the filter knows them.
    #[must_use]
    pub fn tracepoint_loglevel(&self) -> LogLevelRule {
        match self {
            Self::Tracepoints(events) => events.loglevel,
            Self::Loggers { .. } => LogLevelRule::All,
        }
    }

    /// The filter that applications apply.
    #[must_use]
    pub fn filter(&self) -> Option<&Filter> {
        match self {
            Self::Tracepoints(events) => events.filter.as_ref(),
            Self::Loggers { rule, .. } => rule.filter.as_ref(),
        }
    }

    /// The tracepoints that do not match.
    #[must_use]
    pub fn exclusions(&self) -> &[String] {
        match self {
            Self::Tracepoints(events) => &events.exclusions,
            Self::Loggers { .. } => &[],
        }
    }
}

/// All event notifiers of applications and agents, by token. It does not change: who changes it makes another
/// one, which shares the rules.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct NotifierSet {
    /// In the order of their tokens.
    rules: Vec<(TracerToken, Arc<NotifierRule>)>,
}

impl NotifierSet {
    /// The notifiers of these rules. Of two with one token the last counts.
    #[must_use]
    pub fn new(rules: impl IntoIterator<Item = Arc<NotifierRule>>) -> Self {
        let mut set = Self::default();
        for rule in rules {
            set.insert(rule);
        }
        set
    }

    fn insert(&mut self, rule: Arc<NotifierRule>) {
        match self.position(rule.token) {
            Ok(at) => self.rules[at].1 = rule,
            Err(at) => self.rules.insert(at, (rule.token, rule)),
        }
    }

    fn position(&self, token: TracerToken) -> Result<usize, usize> {
        self.rules.binary_search_by_key(&token, |(token, _)| *token)
    }

    /// The same notifiers and this one.
    #[must_use]
    pub fn with(&self, rule: Arc<NotifierRule>) -> Self {
        let mut set = self.clone();
        set.insert(rule);
        set
    }

    /// The same notifiers without the one of this token.
    #[must_use]
    pub fn without(&self, token: TracerToken) -> Self {
        let mut set = self.clone();
        if let Ok(at) = set.position(token) {
            set.rules.remove(at);
        }
        set
    }

    /// The rule of a token.
    #[must_use]
    pub fn get(&self, token: TracerToken) -> Option<&Arc<NotifierRule>> {
        self.position(token).ok().map(|at| &self.rules[at].1)
    }

    /// All tokens with their rules, in the order of the tokens.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (TracerToken, &Arc<NotifierRule>)> {
        self.rules.iter().map(|(token, rule)| (*token, rule))
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rules.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// What is asked of the agents of a domain for the notifiers, each thing once.
    #[must_use]
    pub fn agent_domain(&self, asked: Domain) -> AgentDomain {
        let mut agents = AgentDomain::default();
        for (_, notifier) in &self.rules {
            let NotifierEvents::Loggers { domain, rule } = &notifier.events else { continue };
            if *domain != asked {
                continue;
            }
            let needed = rule.filter.iter().flat_map(|filter| filter.bytecode.app_contexts());
            needed.for_each(|context| agents.add_context(context));
            notifier.app_contexts.iter().for_each(|context| agents.add_context(context.clone()));
            if !agents.events.iter().any(|known| known.rule == *rule) {
                agents.events.push(AgentEvent { rule: Arc::clone(rule), enabled: true });
            }
        }
        agents
    }
}
