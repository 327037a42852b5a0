//! When a trigger does something.

use serde::{Deserialize, Serialize};

use super::{
    Capture, EventRule,
    bounds::{CAPTURES_MAX, check_name},
};
use crate::{Domain, ErrorCode, NAME_MAX, UserspaceProbe};

/// What must become true.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub enum Condition {
    /// The channels of a session have written this much.
    SessionConsumedSize {
        /// Name of the session.
        session: String,
        /// How much, in bytes.
        threshold_bytes: u64,
    },
    /// The fullest buffer of a channel holds so much, or more.
    BufferUsageHigh(BufferUsage),
    /// The fullest buffer of a channel holds so much, or less.
    BufferUsageLow(BufferUsage),
    /// A rotation begins.
    RotationOngoing {
        /// Name of the session.
        session: String,
    },
    /// A rotation is over.
    RotationCompleted {
        /// Name of the session.
        session: String,
    },
    /// An event happens that a rule matches.
    EventRuleMatches {
        /// The rule.
        rule: EventRule,
        /// What of the event is given with a notification, in this order.
        captures: Vec<Capture>,
    },
}

/// How full the buffers of a channel are.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct BufferUsage {
    /// Name of the session.
    pub session: String,
    /// Domain of the channel.
    pub domain: Domain,
    /// Name of the channel.
    pub channel: String,
    /// How full.
    pub threshold: Threshold,
}

/// How full a buffer is.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
pub enum Threshold {
    /// In bytes.
    Bytes(u64),
    /// As a part of what it can hold, from 0 to 1.
    Ratio(f64),
}

impl Threshold {
    /// In bytes, in a buffer that can hold so many.
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        clippy::cast_sign_loss,
        reason = "the stock daemon calculates the same"
    )]
    pub fn bytes_of(self, capacity_bytes: u64) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::Ratio(ratio) => (ratio * capacity_bytes as f64) as u64,
        }
    }
}

impl BufferUsage {
    fn check(&self) -> Result<(), ErrorCode> {
        check_name(&self.session, NAME_MAX)?;
        check_name(&self.channel, NAME_MAX)?;
        let is_possible = match self.threshold {
            Threshold::Bytes(_) => true,
            Threshold::Ratio(ratio) => (0.0..=1.0).contains(&ratio),
        };
        if !is_possible || self.domain == Domain::None {
            return Err(ErrorCode::InvalidTrigger);
        }
        Ok(())
    }
}

impl Condition {
    /// Events that a rule matches, of which nothing is captured.
    #[must_use]
    pub fn event_rule_matches(rule: EventRule) -> Self {
        Self::EventRuleMatches { rule, captures: Vec::new() }
    }

    /// The place in a program that it is about, if it is about one. Its program goes with it wherever that is
    /// sent.
    #[must_use]
    pub fn userspace_probe(&self) -> Option<&UserspaceProbe> {
        match self {
            Self::EventRuleMatches { rule: EventRule::Uprobe { location, .. }, .. } => {
                Some(location)
            }
            _ => None,
        }
    }

    /// The same, to be told its program.
    pub fn userspace_probe_mut(&mut self) -> Option<&mut UserspaceProbe> {
        match self {
            Self::EventRuleMatches { rule: EventRule::Uprobe { location, .. }, .. } => {
                Some(location)
            }
            _ => None,
        }
    }

    /// The session that it is about, if it is about one.
    #[must_use]
    pub fn session(&self) -> Option<&str> {
        match self {
            Self::SessionConsumedSize { session, .. }
            | Self::RotationOngoing { session }
            | Self::RotationCompleted { session } => Some(session),
            Self::BufferUsageHigh(usage) | Self::BufferUsageLow(usage) => Some(&usage.session),
            Self::EventRuleMatches { .. } => None,
        }
    }

    /// Whether it is about how the buffers of a session are used.
    #[must_use]
    pub fn is_about_use(&self) -> bool {
        match self {
            Self::SessionConsumedSize { .. }
            | Self::BufferUsageHigh(_)
            | Self::BufferUsageLow(_) => true,
            Self::RotationOngoing { .. }
            | Self::RotationCompleted { .. }
            | Self::EventRuleMatches { .. } => false,
        }
    }

    /// The domain whose tracer it needs.
    #[must_use]
    pub fn domain(&self) -> Option<Domain> {
        match self {
            Self::BufferUsageHigh(usage) | Self::BufferUsageLow(usage) => Some(usage.domain),
            Self::EventRuleMatches { rule, .. } => Some(rule.domain()),
            Self::SessionConsumedSize { .. }
            | Self::RotationOngoing { .. }
            | Self::RotationCompleted { .. } => None,
        }
    }

    /// Refuses what no condition is, as [`Trigger::check`](super::Trigger::check) does.
    ///
    /// # Errors
    /// `InvalidTrigger`.
    pub fn check(&self) -> Result<(), ErrorCode> {
        match self {
            Self::SessionConsumedSize { session, .. }
            | Self::RotationOngoing { session }
            | Self::RotationCompleted { session } => check_name(session, NAME_MAX),
            Self::BufferUsageHigh(usage) | Self::BufferUsageLow(usage) => usage.check(),
            Self::EventRuleMatches { rule, captures } => {
                if captures.len() > CAPTURES_MAX {
                    return Err(ErrorCode::InvalidTrigger);
                }
                rule.check()?;
                captures.iter().try_for_each(Capture::check)
            }
        }
    }
}
