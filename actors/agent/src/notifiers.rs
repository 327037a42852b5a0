//! Event notifiers of agents' loggers: agents hand over what a notifier asks for, as for a session. That it is
//! told, and to whom, is decided in the application, by the notifier of the tracepoints that agents' events
//! become.

use std::{collections::BTreeMap, sync::Arc};

use actix::{Addr, Handler, Message, ResponseActFuture, WrapFuture};
use futures::{StreamExt, stream::FuturesUnordered};
use lttngd_model::{
    Domain,
    ust::{AgentDomain, NotifierSet},
};
use lttngd_runtime::Waiting;

use crate::{Agent, AgentError, AgentInfo, Agents, driver::Purpose};

/// The domains of agents.
const DOMAINS: [Domain; 3] = [Domain::Jul, Domain::Log4j, Domain::Python];

/// Has every agent, now and later, hand over what the notifiers of this set ask of its domain. The reply comes
/// when all that are registered do so; one that does not answer is not waited for beyond its deadline, one that
/// is set aside not at all: both catch up. An agent that registers does so before its program goes on.
///
/// What an agent refuses is logged; no error is told.
#[derive(Clone, Debug, Message)]
#[rtype(result = "()")]
pub struct SetNotifiers {
    /// All notifiers.
    pub set: Arc<NotifierSet>,
}

/// What the notifiers ask of the agents of each domain.
#[derive(Debug, Default)]
pub(crate) struct NotifierWishes(BTreeMap<Domain, Arc<AgentDomain>>);

impl NotifierWishes {
    /// What is asked of the agents of a domain, if anything is.
    fn of(&self, domain: Domain) -> Option<&Arc<AgentDomain>> {
        self.0.get(&domain)
    }

    /// Takes what a set asks: the domains of which something else was asked before, and what it is now.
    fn set(&mut self, set: &NotifierSet) -> Vec<(Domain, Arc<AgentDomain>)> {
        let mut changed = Vec::new();
        for domain in DOMAINS {
            let want = Arc::new(set.agent_domain(domain));
            let before = if want.events.is_empty() {
                self.0.remove(&domain)
            } else {
                self.0.insert(domain, Arc::clone(&want))
            };
            if before.unwrap_or_default() != want {
                changed.push((domain, want));
            }
        }
        changed
    }
}

/// Has an agent hand over what notifiers want. The reply comes when it is so.
#[derive(Debug, Message)]
#[rtype(result = "Result<(), AgentError>")]
pub(crate) struct SynchroniseNotifiers {
    pub(crate) want: Arc<AgentDomain>,
}

impl Handler<SynchroniseNotifiers> for Agent {
    type Result = Waiting<(), AgentError>;

    fn handle(&mut self, request: SynchroniseNotifiers, _: &mut Self::Context) -> Self::Result {
        self.agenda().wish(Purpose::Notifiers, Some(request.want))
    }
}

impl Agents {
    /// Has an agent that has just registered hand over what notifiers want; over when it does, or is not waited
    /// for.
    pub(crate) fn notify_arrived(
        &self,
        info: AgentInfo,
        agent: &Addr<Agent>,
    ) -> impl Future<Output = ()> + use<> {
        let want = self.notifiers().of(info.domain).cloned();
        let asked = want.map(|want| agent.send(SynchroniseNotifiers { want }));
        async move {
            if let Some(asked) = asked {
                // What it refuses has been logged.
                let _ = asked.await;
            }
        }
    }
}

impl Handler<SetNotifiers> for Agents {
    type Result = ResponseActFuture<Self, ()>;

    fn handle(&mut self, request: SetNotifiers, _: &mut Self::Context) -> Self::Result {
        let changed = self.notifiers_mut().set(&request.set);
        let asked = FuturesUnordered::new();
        for (info, agent) in self.registered() {
            if let Some((_, want)) = changed.iter().find(|(domain, _)| *domain == info.domain) {
                asked.push(agent.send(SynchroniseNotifiers { want: Arc::clone(want) }));
            }
        }
        // An agent that is gone, or refuses, or is not waited for, has been logged.
        Box::pin(asked.for_each(async |_| ()).into_actor(self))
    }
}
