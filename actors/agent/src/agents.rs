//! Which agents are registered, and which sessions they concern.

use std::collections::BTreeSet;

use actix::{Actor, Addr, Context, Handler, Message, MessageResult, ResponseActFuture, WrapFuture};
use futures::future::join;
use lttngd_model::{Domain, SessionId};
use lttngd_runtime::{Directory, FailureNotice, Hold, Outlet, fail_point};

use crate::{
    Agent, AgentId, AgentInfo, AgentRegistered, AgentUnregistered, RegistrationDone,
    notifiers::NotifierWishes,
};

/// A registered agent, or one that waits for that, and its actor.
pub type RegisteredAgent = (AgentInfo, Addr<Agent>);

/// Follows the agents of these domains, from now on: replies with those that are registered. A second time
/// it replaces the domains.
#[derive(Debug, Message)]
#[rtype(result = "Vec<(AgentId, RegisteredAgent)>")]
pub struct FollowAgents {
    /// The session.
    pub session: SessionId,
    /// Of which it asks something.
    pub domains: BTreeSet<Domain>,
    /// Is told of those that come.
    pub arrived: Outlet<AgentArrived>,
    /// Is told of those that go.
    pub gone: Outlet<AgentExited>,
}

/// The session has ended: it is told of nothing.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct LeaveAgents {
    /// The session.
    pub session: SessionId,
}

/// Asks for all agents of a domain.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "Vec<RegisteredAgent>")]
pub struct ListAgents {
    /// The domain.
    pub domain: Domain,
}

/// An agent registered that a session follows.
#[derive(Clone, Debug, Message)]
#[rtype(result = "()")]
pub struct AgentArrived {
    /// What it is.
    pub info: AgentInfo,
    /// Its actor.
    pub agent: Addr<Agent>,
    /// Held until it has what the session wants, or has not answered in time: its program waits for that.
    pub hold: Hold,
}

/// An agent that concerned a session is gone.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct AgentExited {
    /// Which.
    pub id: AgentId,
}

/// An agent registered, or is gone.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct AgentsChanged {
    /// Which.
    pub info: AgentInfo,
    /// Whether it is registered now.
    pub is_registered: bool,
}

#[derive(Clone)]
struct Follower {
    arrived: Outlet<AgentArrived>,
    gone: Outlet<AgentExited>,
}

/// The actor that knows which agents are registered, and which sessions each of them concerns. Who does not
/// follow them is told of none.
pub struct Agents {
    directory: Directory<AgentId, RegisteredAgent, SessionId, Follower>,
    changed: Outlet<AgentsChanged>,
    notifiers: NotifierWishes,
    _failure: Option<FailureNotice>,
}

impl Agents {
    /// No agent is registered. `changed` is told of all that come and go.
    #[must_use]
    pub fn new(changed: Outlet<AgentsChanged>) -> Self {
        let notifiers = NotifierWishes::default();
        Self { directory: Directory::default(), changed, notifiers, _failure: None }
    }

    /// The same, whose owner is told when it fails.
    #[must_use]
    pub fn with_failure_notice(self, notice: FailureNotice) -> Self {
        Self { _failure: Some(notice), ..self }
    }

    /// What event notifiers ask of agents.
    pub(crate) fn notifiers(&self) -> &NotifierWishes {
        &self.notifiers
    }

    /// The same, to be changed.
    pub(crate) fn notifiers_mut(&mut self) -> &mut NotifierWishes {
        &mut self.notifiers
    }

    /// The agents that are registered.
    pub(crate) fn registered(&self) -> impl Iterator<Item = &RegisteredAgent> {
        self.directory.peers()
    }
}

impl Actor for Agents {
    type Context = Context<Self>;
}

impl Handler<AgentRegistered> for Agents {
    type Result = ResponseActFuture<Self, ()>;

    /// Over when its program goes on.
    fn handle(&mut self, registered: AgentRegistered, _: &mut Self::Context) -> Self::Result {
        let AgentRegistered { info, agent } = registered;
        fail_point::reached("Agents register");
        self.changed.tell(AgentsChanged { info, is_registered: true });
        let (hold, released) = Hold::new();
        for follower in self.directory.come(info.id, (info, agent.clone())) {
            let (agent, hold) = (agent.clone(), hold.clone());
            follower.arrived.tell(AgentArrived { info, agent, hold });
        }
        drop(hold);
        let notified = self.notify_arrived(info, &agent);
        let goes_on = async move {
            join(released, notified).await;
            // One that is gone or set aside has been logged.
            let _ = agent.send(RegistrationDone).await;
        };
        Box::pin(goes_on.into_actor(self))
    }
}

impl Handler<AgentUnregistered> for Agents {
    type Result = ();

    fn handle(&mut self, gone: AgentUnregistered, _: &mut Self::Context) {
        let Some(((info, _), followers)) = self.directory.go(gone.id) else { return };
        for follower in followers {
            follower.gone.tell(AgentExited { id: gone.id });
        }
        self.changed.tell(AgentsChanged { info, is_registered: false });
    }
}

impl Handler<FollowAgents> for Agents {
    type Result = MessageResult<FollowAgents>;

    fn handle(&mut self, request: FollowAgents, _: &mut Self::Context) -> Self::Result {
        let FollowAgents { session, domains, arrived, gone } = request;
        let fits = move |(info, _): &RegisteredAgent| domains.contains(&info.domain);
        MessageResult(self.directory.follow(session, Follower { arrived, gone }, Box::new(fits)))
    }
}

impl Handler<LeaveAgents> for Agents {
    type Result = ();

    fn handle(&mut self, request: LeaveAgents, _: &mut Self::Context) {
        self.directory.leave(request.session);
    }
}

impl Handler<ListAgents> for Agents {
    type Result = MessageResult<ListAgents>;

    fn handle(&mut self, request: ListAgents, _: &mut Self::Context) -> Self::Result {
        let agents = self.directory.peers().filter(|(info, _)| info.domain == request.domain);
        MessageResult(agents.cloned().collect())
    }
}
