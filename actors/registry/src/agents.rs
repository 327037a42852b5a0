//! The logging agents that are registered.

use actix::Handler;
use futures::future::try_join_all;
use lttngd_agent::{AgentError, AgentInfo, AgentsChanged, ListAgents};
use lttngd_model::{Domain, ErrorCode, EventListing};

use crate::{
    Registry,
    events::{Audience, Event},
    tracepoints::{Room, tracepoint_listing},
};

impl Handler<AgentsChanged> for Registry {
    type Result = ();

    fn handle(&mut self, changed: AgentsChanged, _: &mut Self::Context) {
        let AgentInfo { pid, domain, .. } = changed.info;
        self.subscribers.publish(Audience::Root, || match changed.is_registered {
            true => Event::AgentRegistered { pid, domain },
            false => Event::AgentUnregistered { pid, domain },
        });
    }
}

impl Registry {
    /// The loggers of all agents of a domain.
    pub(crate) fn list_loggers(
        &self,
        domain: Domain,
    ) -> impl Future<Output = Result<Vec<EventListing>, ErrorCode>> + use<> {
        let agents = self.config.agents.send(ListAgents { domain });
        async move {
            let (agents, room) = (agents.await.unwrap_or_default(), Room::default());
            let listings = agents.iter().map(async |(info, agent)| {
                let listed = agent.send(lttngd_agent::ListLoggers).await;
                if let Ok(Err(AgentError::TooMuch(_))) = &listed {
                    return Err(room.exceeded());
                }
                // One that is gone or silent lists nothing.
                let loggers = listed.ok().and_then(Result::ok).unwrap_or_default();
                room.take(loggers).map(|listed| (info.pid, listed))
            });
            let all = try_join_all(listings).await?;
            room.gather(all, |pid, name, ()| tracepoint_listing(pid, name, 0)).await
        }
    }
}
