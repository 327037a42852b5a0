//! The names and numbers of sessions, and the way from a name to a session.
//!
//! [`Registry`] is the actor that owns them: it makes and unmakes sessions, and lists. [`Handle`] is what a
//! client connection and an embedding program hold: each of its methods is one request of the client
//! protocol, with that protocol's checks in their order.
//!
//! The registry asks sessions and applications; it is told of dead consumer daemons by `lttngd-consumer`,
//! and for its subscribers of applications and agents by [`Apps`](lttngd_app::Apps) and
//! [`Agents`](lttngd_agent::Agents). Sessions show how they look in
//! [`SessionListings`](lttngd_session::SessionListings).

mod actor;
mod agent_requests;
mod agents;
mod any;
mod events;
mod handle;
mod message;
mod naming;
mod request;
mod requests;
#[cfg(test)]
mod tests;
mod version;

pub use actor::{Registry, RegistryConfig, SESSIONS_MAX};
pub use any::{AnyReply, AnyRequest};
pub use events::{AppDescription, EVENTS_MAX, Event, SUBSCRIPTIONS_MAX, Subscribe, Subscription};
pub use handle::{Handle, Settings};
pub use lttngd_buffers::TraceClock;
pub use message::{
    CreateSession, DestroySession, FindSession, FoundSession, ListSessions, ListSyscalls,
    ListTracepointFields, ListTracepoints, RegisterConsumer, SaveAllSessions, Shutdown,
};
pub use request::Request;
pub use version::{VERSION, Versioned};
