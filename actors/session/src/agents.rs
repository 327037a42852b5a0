//! The logging agents of a session, and bringing them to what the session wants.

use std::{rc::Rc, sync::Arc};

use actix::Addr;
use futures::future::join_all;
use lttngd_agent::{
    Agent, AgentArrived, AgentError, AgentExited, FollowAgents, Refusal, Synchronise,
};
use lttngd_model::{
    Domain, ErrorCode,
    ust::{AgentDomain, UstDomain},
};

use crate::actor::Inner;

impl Inner {
    /// It is known at once. What is begun is over when it does what the session wants.
    pub(crate) fn agent_arrived(
        self: Rc<Self>,
        arrived: AgentArrived,
    ) -> impl Future<Output = ()> + 'static {
        let AgentArrived { info, agent, hold } = arrived;
        let wish = {
            let mut state = self.state_mut();
            let is_wanted = !state.life.destroyed;
            if is_wanted {
                state.agents.come(info.id, (info, agent.clone()));
            }
            state.agent_wishes.get(&info.domain).filter(|_| is_wanted).cloned()
        };
        async move {
            if let Some(want) = wish {
                // Nobody asked for this very agent: what it refuses is logged.
                let _ = self.synchronise_agent(&agent, want).await;
            }
            drop(hold);
        }
    }

    pub(crate) fn agent_gone(&self, gone: AgentExited) {
        self.state_mut().agents.go(gone.id);
    }

    /// Adds to an agent domain. The agents are asked first, and when one refuses, nothing is changed;
    /// only then is what they hand over recorded.
    pub(crate) async fn extend_agents(
        self: &Rc<Self>,
        of: Domain,
        change: impl FnOnce(&mut UstDomain) -> Result<(), ErrorCode>,
    ) -> Result<(), ErrorCode> {
        let mut after = self.state().domains.ust.clone().ok_or(ErrorCode::UnknownDomain)?;
        let before = asked_of(&after, of);
        let changed = change(&mut after);
        if changed.is_ok()
            && let Err(refusal) = self.synchronise_agents(of, asked_of(&after, of)).await
        {
            // They have done this much before, and are not asked to do more.
            let _ = self.synchronise_agents(of, before).await;
            return Err(code(refusal));
        }
        // A failed attempt leaves its trace as well.
        *self.state_mut().change_ust() = Some(after);
        changed?;
        if self.life().active {
            self.synchronise_while_asked().await;
        }
        Ok(())
    }

    /// Takes away from an agent domain, whatever its agents say to that.
    pub(crate) async fn reduce_agents(
        self: &Rc<Self>,
        of: Domain,
        change: impl FnOnce(&mut UstDomain) -> Result<(), ErrorCode>,
    ) -> Result<(), ErrorCode> {
        let after = {
            let mut state = self.state_mut();
            let domain = state.change_ust().as_mut().ok_or(ErrorCode::NoChannel)?;
            change(domain)?;
            asked_of(domain, of)
        };
        if self.life().active {
            self.synchronise_while_asked().await;
        }
        let this = Rc::clone(self);
        let asked = async move { this.synchronise_agents(of, after).await };
        self.while_asked(asked).await.unwrap_or(Ok(())).map_err(code)
    }

    /// Follows the agents of a domain as well, if it does not yet: those that are registered are known then,
    /// and of others it is told when they come.
    async fn follow_agents(&self, of: Domain) {
        let domains = {
            let mut state = self.state_mut();
            if !state.agent_domains.insert(of) {
                return;
            }
            state.agents.ask();
            state.agent_domains.clone()
        };
        let (arrived, gone) = (self.outlet(), self.outlet());
        let request = FollowAgents { session: self.config.id, domains, arrived, gone };
        let given = self.config.agents.send(request).await.unwrap_or_default();
        self.state_mut().agents.learn(given);
    }

    /// Brings the agents of a domain to what is wanted of them, side by side: the first refusal.
    async fn synchronise_agents(&self, of: Domain, want: Arc<AgentDomain>) -> Result<(), Refusal> {
        let old = self.state_mut().agent_wishes.insert(of, Arc::clone(&want)).unwrap_or_default();
        if want == old {
            return Ok(());
        }
        self.follow_agents(of).await;
        let agents: Vec<_> = {
            let state = self.state();
            state.agents.all().filter(|(info, _)| info.domain == of).cloned().collect()
        };
        let asked =
            agents.iter().map(|(_, agent)| self.synchronise_agent(agent, Arc::clone(&want)));
        join_all(asked).await.into_iter().collect()
    }

    /// An agent that is gone or does not answer is no reason to refuse a client: it does what the
    /// session wants when it comes or answers.
    async fn synchronise_agent(
        &self,
        agent: &Addr<Agent>,
        want: Arc<AgentDomain>,
    ) -> Result<(), Refusal> {
        let request = Synchronise { session: self.config.id, want };
        // The agent keeps its own deadline.
        match agent.send(request).await.unwrap_or(Err(AgentError::Gone)) {
            // Of one that does not answer its actor says so, once; none is asked for a listing here.
            Ok(()) | Err(AgentError::Gone | AgentError::TimedOut | AgentError::TooMuch(_)) => {
                Ok(())
            }
            Err(AgentError::Refused(refusal)) => Err(refusal),
        }
    }
}

/// What agents of a domain are asked for.
fn asked_of(ust: &UstDomain, of: Domain) -> Arc<AgentDomain> {
    ust.agents.get(&of).cloned().unwrap_or_default()
}

/// What clients are told of an agent's refusal.
fn code(refusal: Refusal) -> ErrorCode {
    match refusal {
        Refusal::UnknownName => ErrorCode::UstEventNotFound,
        Refusal::Invalid | Refusal::Unknown(_) => ErrorCode::Unk,
    }
}
