//! The user-space domain of one session: its channels, event rules and contexts, and what a client
//! may do to them.

mod agent;
mod agent_events;
mod channel;
mod contexts;
mod domain;
mod enable_channel;
mod events;
mod notifier;
#[cfg(test)]
mod tests;
mod tracked;
mod tracker;

pub(crate) use agent::agent_tracepoints;
pub use agent::{AgentDomain, AgentEvent, AgentRule};
pub use channel::{Channel, EventRule};
pub use domain::{SessionFacts, UstDomain};
pub use notifier::{NotifierEvents, NotifierRule, NotifierSet, TracepointEvents};
pub(crate) use tracker::Tracker;
pub use tracker::{TRACKED_MAX, TrackedHeld, TrackedProcess, Trackers};

use crate::Domain;

/// The channel that a command without a channel name means.
pub const DEFAULT_CHANNEL_NAME: &str = "channel0";
/// A channel of this name is never one: it sets the attributes of the metadata channel.
pub const METADATA_CHANNEL_NAME: &str = "metadata";

/// The agent domains: their channels, and the tracepoints through which their events pass.
const AGENT_CHANNELS: [(Domain, &str, &str); 3] = [
    (Domain::Jul, "lttng_jul_channel", "lttng_jul:*"),
    (Domain::Log4j, "lttng_log4j_channel", "lttng_log4j:*"),
    (Domain::Python, "lttng_python_channel", "lttng_python:*"),
];

/// The one channel that an agent domain may have, `None` for the other domains.
#[must_use]
pub fn agent_channel_name(domain: Domain) -> Option<&'static str> {
    AGENT_CHANNELS.iter().find(|(agent, ..)| *agent == domain).map(|(_, name, _)| *name)
}

/// The domain that a channel of this name serves.
fn served_domain(channel_name: &str) -> Domain {
    AGENT_CHANNELS
        .iter()
        .find(|(_, name, _)| *name == channel_name)
        .map_or(Domain::Ust, |(domain, ..)| *domain)
}
