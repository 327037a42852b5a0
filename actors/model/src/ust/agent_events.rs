//! ENABLE_EVENT and DISABLE_EVENT of agent domains.

use std::sync::Arc;

use super::{
    AgentDomain, EventRule, SessionFacts, UstDomain,
    agent::{AgentRule, agent_tracepoints},
    agent_channel_name,
};
use crate::{Domain, ErrorCode, EventDescription, EventKind, EventListing, Filter, LogLevelRule};

impl UstDomain {
    /// Adds an event rule to an agent domain, or lets a disabled one record again (ENABLE_EVENT). It
    /// comes with an internal event rule of the same filter in the domain's channel, which is made with
    /// default attributes and `raw_buffer_type` as its scheme when it is missing. Exclusions and kind of
    /// the description are not looked at.
    ///
    /// # Errors
    ///
    /// In this order: [`ErrorCode::UnknownDomain`] for a domain without agents,
    /// [`ErrorCode::Invalid`] for a log level type that is unknown or a name that is too long, the
    /// errors of [`Self::enable_channel`] for a missing channel, [`ErrorCode::UstEventEnabled`] when a
    /// rule of the same filter records already.
    pub fn enable_agent_event(
        &mut self,
        domain: Domain,
        event: &EventDescription,
        raw_buffer_type: u32,
        session: SessionFacts,
    ) -> Result<(), ErrorCode> {
        let channel = agent_channel_name(domain).ok_or(ErrorCode::UnknownDomain)?;
        let rule = AgentRule::described(event)?;
        let internal = internal_rule(domain, rule.filter.clone());
        match self.position(channel) {
            Some(at) => {
                let rules = &mut self.channels[at].events;
                match rules.iter_mut().find(|known| known.is_same_rule(&internal)) {
                    Some(known) if known.enabled => return Err(ErrorCode::UstEventEnabled),
                    Some(known) => known.enabled = true,
                    None => rules.push(internal),
                }
            }
            None => {
                let attributes = self.default_attributes();
                let mut draft =
                    self.draft_channel(channel, attributes, raw_buffer_type, session)?;
                draft.channel.events.push(internal);
                self.adopt(draft);
            }
        }
        self.agents_mut(domain).enable(rule);
        Ok(())
    }

    /// Stops every rule of this very name in an agent domain, or every rule for an empty name
    /// (DISABLE_EVENT). Filter and exclusions of the description are not looked at.
    ///
    /// # Errors
    ///
    /// In this order: [`ErrorCode::Unk`] for a description that selects by more than the name or for
    /// any kind but all, [`ErrorCode::UstEventNotFound`], also for every rule of a domain that never
    /// had one.
    pub fn disable_agent_event(
        &mut self,
        domain: Domain,
        event: &EventDescription,
    ) -> Result<(), ErrorCode> {
        if !event.selects_by_name() || EventKind::from_raw(event.kind) != Some(EventKind::All) {
            return Err(ErrorCode::Unk);
        }
        let agents = self.agents.get_mut(&domain).ok_or(ErrorCode::UstEventNotFound)?;
        let all = event.name.is_empty();
        let mut filters = Vec::new();
        let mut found = all;
        for known in &mut Arc::make_mut(agents).events {
            if all || known.rule.name == event.name {
                found = true;
                if std::mem::take(&mut known.enabled) {
                    filters.push(known.rule.filter.clone());
                }
            }
        }
        if !found {
            return Err(ErrorCode::UstEventNotFound);
        }
        let at = agent_channel_name(domain).and_then(|channel| self.position(channel));
        let rules = at.map(|at| self.channels[at].events.iter_mut());
        let internals: Vec<_> =
            filters.into_iter().map(|filter| internal_rule(domain, filter)).collect();
        for rule in rules.into_iter().flatten() {
            if internals.iter().any(|internal| internal.is_same_rule(rule)) {
                rule.enabled = false;
            }
        }
        Ok(())
    }

    /// The event rules of an agent domain in the order they were enabled (LIST_EVENTS).
    #[must_use]
    pub fn list_agent_events(&self, domain: Domain) -> Vec<EventListing> {
        self.agents.get(&domain).map(|agents| agents.list_events()).unwrap_or_default()
    }

    /// The domains that listings show: user space, and those of agents that were given a rule
    /// (LIST_DOMAINS).
    #[must_use]
    pub fn list_domains(&self) -> Vec<Domain> {
        let agents = self.agents.iter().filter(|(_, agents)| !agents.events.is_empty());
        std::iter::once(Domain::Ust).chain(agents.map(|(domain, _)| *domain)).collect()
    }

    /// What is asked of the agents of a domain.
    pub(super) fn agents_mut(&mut self, domain: Domain) -> &mut AgentDomain {
        Arc::make_mut(self.agents.entry(domain).or_default())
    }
}

/// The rule through which the events of one agent rule are recorded. The log levels of agents are no
/// tracepoint's: the filter knows them.
fn internal_rule(domain: Domain, filter: Option<Filter>) -> EventRule {
    EventRule {
        kind: EventKind::Tracepoint,
        name: agent_tracepoints(domain).unwrap_or_default().to_owned(),
        loglevel: LogLevelRule::All,
        filter,
        exclusions: Vec::new(),
        enabled: true,
        internal: true,
    }
}
