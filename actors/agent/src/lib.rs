//! The actor of one logging agent: the part of a Java or Python program that hands what is logged
//! (`java.util.logging`, log4j, Python's `logging`) to LTTng-UST, which records it as any other event.
//!
//! An agent connects over TCP, since Java knows nothing else, says its domain and its process id, and
//! answers commands from then on, one in flight. A session does not send it commands: it tells it what
//! the session wants ([`AgentDomain`](lttngd_model::ust::AgentDomain)), and the actor works out the
//! difference to what the agent has. An agent counts how often it was told to enable something, so each
//! session's wish is kept apart, and each rule is enabled and disabled once. A newer wish replaces an
//! older one that waits. An agent that does not answer delays only those who wait for it, and all of them
//! together give up when it has owed an answer for the deadline. It is set aside then, and nobody waits for
//! it any more; when it answers the work goes on, towards the newest wish, and it is waited for again.
//!
//! ```text
//!   connected -> registration read -> AgentRegistered told -> (sessions synchronise it)
//!      -> RegistrationDone -> ... -> connection closed -> AgentUnregistered told
//! ```
//!
//! It asks nobody; it is asked by sessions and by the registry. [`Agents`] knows which agents are registered;
//! sessions follow those of the domains of which they ask something. Whoever can connect to the port is
//! served: TCP does not tell whose process the agent is, nor does the stock daemon ask.

mod actor;
mod agents;
mod connection;
mod driver;
mod error;
mod link;
mod listener;
mod message;
mod notifiers;
mod plan;
#[cfg(test)]
mod tests;

pub use actor::Agent;
pub use agents::{
    AgentArrived, AgentExited, Agents, AgentsChanged, FollowAgents, LeaveAgents, ListAgents,
    RegisteredAgent,
};
pub use error::AgentError;
pub use listener::{AGENTS_MAX, AgentSettings, REGISTRATION_DEADLINE, listen};
pub use lttngd_wire::agent::Refusal;
pub use message::{
    AgentId, AgentInfo, AgentRegistered, AgentUnregistered, Forget, ListLoggers, RegistrationDone,
    Synchronise,
};
pub use notifiers::SetNotifiers;
