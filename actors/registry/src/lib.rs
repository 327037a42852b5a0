//! The names and numbers of sessions, and the way from a name to a session.
//!
//! [`Registry`] is the actor that owns them: it makes and unmakes sessions, lists, and tells subscribers what
//! happens. Who asks it is `lttngd-handle`.
//!
//! The registry asks sessions and applications; it is told of dead consumer daemons by `lttngd-consumer`,
//! and for its subscribers of applications and agents by [`Apps`](lttngd_app::Apps) and
//! [`Agents`](lttngd_agent::Agents). Sessions show how they look in
//! [`SessionListings`](lttngd_session::SessionListings).

mod actor;
mod agents;
mod events;
mod message;
mod naming;
mod reports;
mod tracepoints;

pub use actor::{Registry, RegistryConfig, SESSIONS_MAX};
pub use events::{AppDescription, EVENTS_MAX, Event, SUBSCRIPTIONS_MAX, Subscribe, Subscription};
pub use message::{
    Calibrate, CreateSession, DestroySession, Ended, ListSessions, ListTracepointFields,
    ListTracepoints, RegisterConsumer, SaveAllSessions, Shutdown,
};
pub use reports::{Report, Reports};
