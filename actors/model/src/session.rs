//! Sessions as clients describe them and as listings show them.

use crate::Uri;

/// What a session is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SessionKind {
    /// Records continuously.
    Regular,
    /// Keeps the newest events in memory until a snapshot is recorded.
    Snapshot,
    /// Streams to a relay daemon that viewers read from while tracing.
    Live {
        /// Period of the live timer in microseconds, never 0.
        timer_interval_us: u32,
    },
}

/// The output part of a session descriptor.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum DescriptorOutput {
    /// None.
    None,
    /// A local directory; `None` asks for the default one.
    Local(Option<Uri>),
    /// A relay daemon, control then data; `None` asks for the default one.
    Network(Option<Box<(Uri, Uri)>>),
}

/// A request for a new session (`struct lttng_session_descriptor`).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SessionDescriptor {
    /// What for.
    pub kind: SessionKind,
    /// Name; `None` asks for an automatic one.
    pub name: Option<String>,
    /// Where to.
    pub output: DescriptorOutput,
}

/// A session in a listing (`struct lttng_session`).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SessionListing {
    /// Name.
    pub name: String,
    /// Output as text: a directory or a URL, empty for none.
    pub path: String,
    /// Whether it is tracing now.
    pub active: bool,
    /// Whether it is a snapshot session.
    pub snapshot_mode: bool,
    /// Live timer in microseconds, 0 for a session that is not live.
    pub live_timer_interval_us: u32,
    /// When it was made, seconds since the Epoch.
    pub creation_time_s: u64,
}

/// A process attribute that a tracker selects by (`enum lttng_process_attr`).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[repr(i32)]
#[allow(missing_docs, reason = "the names are LTTng's own")]
pub enum ProcessAttribute {
    ProcessId = 0,
    VirtualProcessId = 1,
    UserId = 2,
    VirtualUserId = 3,
    GroupId = 4,
    VirtualGroupId = 5,
}

impl ProcessAttribute {
    /// The attribute of a wire value, `None` when no attribute has it.
    #[must_use]
    pub fn from_raw(raw: i32) -> Option<Self> {
        Some(match raw {
            0 => Self::ProcessId,
            1 => Self::VirtualProcessId,
            2 => Self::UserId,
            3 => Self::VirtualUserId,
            4 => Self::GroupId,
            5 => Self::VirtualGroupId,
            _ => return None,
        })
    }

    /// Whether the user-space domain can track by it.
    #[must_use]
    pub fn is_virtual(self) -> bool {
        matches!(self, Self::VirtualProcessId | Self::VirtualUserId | Self::VirtualGroupId)
    }
}

/// What a tracker lets through (`enum lttng_tracking_policy`).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u32)]
pub enum TrackingPolicy {
    /// Every process.
    IncludeAll = 0,
    /// No process.
    ExcludeAll = 1,
    /// The processes of its set.
    IncludeSet = 2,
}
