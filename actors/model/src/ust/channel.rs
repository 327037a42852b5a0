//! A channel of the user-space domain and its event rules.

use crate::{ChannelAttributes, Context, Domain, Filter, LogLevelRule};

/// A recording event rule. Name, filter bytecode, log level and exclusions are its identity.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct EventRule {
    /// Tracepoint name or pattern.
    pub name: String,
    /// Log levels.
    pub loglevel: LogLevelRule,
    /// Filter.
    pub filter: Option<Filter>,
    /// Names or patterns that do not match, in the order the client gave.
    pub exclusions: Vec<String>,
    /// Whether it records.
    pub enabled: bool,
}

/// A channel of the user-space domain.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Channel {
    /// Name.
    pub name: String,
    /// The domain it serves: user space, or an agent whose events pass through user space.
    pub domain: Domain,
    /// Whether it records.
    pub enabled: bool,
    /// Attributes, resolved: the mode is never [`crate::BufferMode::Default`].
    pub attributes: ChannelAttributes,
    /// Contexts in the order they were added.
    pub contexts: Vec<Context>,
    /// Event rules in the order they were enabled.
    pub events: Vec<EventRule>,
}
