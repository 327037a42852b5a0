//! What made a condition true.

use serde::{Deserialize, Serialize};

use super::Trigger;
use crate::TracerToken;

/// What made a condition true.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum Evaluation {
    /// So much was written.
    SessionConsumedSize {
        /// In bytes.
        consumed_bytes: u64,
    },
    /// A buffer is full, or fuller than it was to be.
    BufferUsageHigh {
        /// What the fullest one holds, in bytes.
        usage_bytes: u64,
        /// What each can hold, in bytes.
        capacity_bytes: u64,
    },
    /// No buffer is that full.
    BufferUsageLow {
        /// What the fullest one holds, in bytes.
        usage_bytes: u64,
        /// What each can hold, in bytes.
        capacity_bytes: u64,
    },
    /// A rotation began.
    RotationOngoing {
        /// Its id.
        rotation_id: u64,
    },
    /// A rotation is over.
    RotationCompleted {
        /// Its id.
        rotation_id: u64,
        /// Where the archived trace chunk is.
        location: Option<ArchiveLocation>,
    },
    /// An event happened.
    EventRuleMatches {
        /// What was captured of it: msgpack as the tracer made it, an array of as many values as the
        /// condition has captures. Empty when it has none.
        captures: Vec<u8>,
    },
}

/// The place of an archived trace chunk.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum ArchiveLocation {
    /// A directory of this machine.
    Local {
        /// Absolute path.
        path: String,
    },
    /// A directory of a relay daemon, reached by TCP.
    Relay {
        /// Host name or address.
        host: String,
        /// Port of the control connection.
        control_port: u16,
        /// Port of the data connection.
        data_port: u16,
        /// Path below the relay daemon's output directory.
        relative_path: String,
    },
}

/// What a subscriber is told.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Notification {
    /// The trigger whose condition became true.
    pub trigger: Trigger,
    /// What made it true.
    pub evaluation: Evaluation,
}

/// An event that matched the rule of an event notifier.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct EventNotified {
    /// The notifier's.
    pub token: TracerToken,
    /// The captured values, as MessagePack that readers of LTTng take: one array with a value for each capture.
    /// Nothing for a notifier without captures.
    pub captures: Box<[u8]>,
}
