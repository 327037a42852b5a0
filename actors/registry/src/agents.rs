//! The logging agents that are registered.

use std::collections::BTreeMap;

use actix::{Addr, Handler, ResponseFuture};
use futures::future::join_all;
use lttngd_agent::{
    Agent, AgentId, AgentInfo, AgentRegistered, AgentUnregistered, RegistrationDone,
};
use lttngd_model::{Domain, EventListing, SYMBOL_NAME_LEN};
use lttngd_session::{AgentArrived, AgentGone};

use crate::{
    Registry,
    actor::tracepoint_listing,
    events::{Audience, Event},
};

/// The agents that are registered, or wait for that.
pub(crate) type Agents = BTreeMap<AgentId, (AgentInfo, Addr<Agent>)>;

impl Handler<AgentRegistered> for Registry {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, registered: AgentRegistered, _: &mut Self::Context) -> Self::Result {
        let AgentRegistered { info, agent } = registered;
        tracing::info!(pid = info.pid, domain = ?info.domain, "agent registered");
        self.agents.insert(info.id, (info, agent.clone()));
        let AgentInfo { pid, domain, .. } = info;
        self.subscribers.publish(Audience::Root, || Event::AgentRegistered { pid, domain });
        let synchronised = self.ask_sessions(&AgentArrived { info, agent: agent.clone() });
        Box::pin(async move {
            synchronised.await;
            if let Ok(Err(error)) = agent.send(RegistrationDone).await {
                tracing::debug!(pid = info.pid, domain = ?info.domain, %error, "registration not done");
            }
        })
    }
}

impl Handler<AgentUnregistered> for Registry {
    type Result = ();

    fn handle(&mut self, gone: AgentUnregistered, _: &mut Self::Context) {
        if let Some((info, _)) = self.agents.remove(&gone.id) {
            tracing::info!(pid = info.pid, domain = ?info.domain, "agent gone");
            let AgentInfo { pid, domain, .. } = info;
            self.subscribers.publish(Audience::Root, || Event::AgentUnregistered { pid, domain });
        }
        self.tell_sessions(&AgentGone { id: gone.id });
    }
}

impl Registry {
    /// The loggers of all agents of a domain.
    pub(crate) fn list_loggers(
        &self,
        domain: Domain,
    ) -> impl Future<Output = Vec<EventListing>> + use<> {
        let agents = self.agents.values().filter(|(info, _)| info.domain == domain);
        let agents: Vec<_> = agents.cloned().collect();
        async move {
            let listings = agents.iter().map(async |(info, agent)| {
                let loggers = agent.send(lttngd_agent::ListLoggers).await;
                let loggers = loggers.ok().and_then(Result::ok).unwrap_or_default();
                let fitting = loggers.into_iter().filter(|name| name.len() < SYMBOL_NAME_LEN);
                fitting.map(|name| tracepoint_listing(info.pid, name, 0)).collect::<Vec<_>>()
            });
            join_all(listings).await.concat()
        }
    }
}
