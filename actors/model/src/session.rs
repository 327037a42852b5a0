//! Sessions as clients describe them and as listings show them.

use serde::{Deserialize, Serialize};

use crate::Uri;

/// What a session is for.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
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
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum DescriptorOutput {
    /// None.
    None,
    /// A local directory; `None` asks for the default one.
    Local(Option<Uri>),
    /// A relay daemon, control then data; `None` asks for the default one.
    Network(Option<Box<(Uri, Uri)>>),
}

/// A request for a new session (`struct lttng_session_descriptor`).
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct SessionDescriptor {
    /// What for.
    pub kind: SessionKind,
    /// Name; `None` asks for an automatic one.
    pub name: Option<String>,
    /// Where to.
    pub output: DescriptorOutput,
}

/// A session in a listing (`struct lttng_session`).
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
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
    /// Directory for shared memory, empty for the default one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub shm_path: String,
}
