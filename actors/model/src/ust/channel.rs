//! A channel of the user-space domain and its event rules.

use crate::{
    BufferMode, ChannelAttributes, ChannelListing, Context, Domain, EventKind, EventListing,
    Filter, LogLevelRule,
};

/// A recording event rule. Name, filter bytecode, log levels and exclusions are its identity.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct EventRule {
    /// Kind: tracepoint, or one of the probe kinds, which no application can match.
    pub kind: EventKind,
    /// Tracepoint name or pattern.
    pub name: String,
    /// Log levels.
    pub loglevel: LogLevelRule,
    /// Filter.
    pub filter: Option<Filter>,
    /// Names or patterns that do not match, in the order the client gave; none twice.
    pub exclusions: Vec<String>,
    /// Whether it records.
    pub enabled: bool,
    /// Whether it records the events of agents: it is made with their first rule and is in no listing.
    pub internal: bool,
}

impl EventRule {
    /// Whether both select the same events: equal name, log levels and filter bytecode, and the same
    /// exclusions in any order.
    #[must_use]
    pub fn is_same_rule(&self, other: &Self) -> bool {
        fn code(rule: &EventRule) -> Option<&[u8]> {
            rule.filter.as_ref().map(|filter| filter.bytecode.data.as_slice())
        }
        self.name == other.name
            && self.loglevel == other.loglevel
            && code(self) == code(other)
            && self.exclusions.len() == other.exclusions.len()
            && self.exclusions.iter().all(|name| other.exclusions.contains(name))
    }

    pub(super) fn listing(&self) -> EventListing {
        let (loglevel_type, loglevel) = self.loglevel.to_raw();
        EventListing {
            kind: self.kind,
            name: self.name.clone(),
            loglevel_type,
            loglevel,
            enabled: i8::from(self.enabled),
            pid: 0,
            flags: 0,
            filter_expression: self.filter.as_ref().map(|filter| filter.expression.clone()),
            exclusions: self.exclusions.clone(),
            probe: None,
            userspace_probe: None,
        }
    }
}

/// A channel of the user-space domain.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Channel {
    /// Identity among the channels of the session, in the order of creation from 0. Never reused.
    pub index: u32,
    /// Name.
    pub name: String,
    /// The domain it serves: user space, or an agent whose events pass through user space.
    pub domain: Domain,
    /// Whether it records.
    pub enabled: bool,
    /// Attributes, resolved: the mode is never [`BufferMode::Default`].
    pub attributes: ChannelAttributes,
    /// Contexts in the order they were added.
    pub contexts: Vec<Context>,
    /// Event rules in the order they were enabled.
    pub events: Vec<EventRule>,
}

impl Channel {
    /// Whether a full buffer overwrites its oldest sub-buffer.
    #[must_use]
    pub fn overwrites(&self) -> bool {
        self.attributes.mode == BufferMode::Overwrite
    }

    /// As a listing shows it. The live timer is the session's and not shown; the counters are the
    /// caller's to fill.
    pub(super) fn listing(&self) -> ChannelListing {
        ChannelListing {
            name: self.name.clone(),
            enabled: self.enabled,
            attributes: ChannelAttributes { live_timer_interval_us: 0, ..self.attributes },
            discarded_events: 0,
            lost_packets: 0,
        }
    }
}
