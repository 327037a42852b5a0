//! What a document says of a session as a whole.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{AgentDomain, KernelDomain, UstDomain};

/// The version of documents that is read and written here.
pub const VERSION: u32 = 1;

/// The number of the version; reading another one fails.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct DocumentVersion;

impl TryFrom<u32> for DocumentVersion {
    type Error = String;

    fn try_from(version: u32) -> Result<Self, String> {
        match version {
            VERSION => Ok(Self),
            other => Err(format!(
                "a document of version {other}, and version {VERSION} alone can be read here"
            )),
        }
    }
}

impl From<DocumentVersion> for u32 {
    fn from(_: DocumentVersion) -> u32 {
        VERSION
    }
}

/// All that a session is to be.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Document {
    /// The version of documents.
    #[schemars(with = "u32", extend("const" = VERSION))]
    pub version: DocumentVersion,
    /// Name of the session.
    pub session: String,
    /// Whether it is to record.
    #[serde(default = "yes")]
    pub started: bool,
    /// What it is for.
    #[serde(default)]
    pub mode: Mode,
    /// Where its traces go; for a snapshot session see `snapshot_outputs`. The default is the daemon's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<Output>,
    /// Where snapshots go. The default is the daemon's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot_outputs: Option<Vec<SnapshotOutput>>,
    /// Directory of the files with its buffers, absolute; else they are in memory that has no name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shared_memory_path: Option<String>,
    /// When it is rotated of its own accord.
    #[serde(default, skip_serializing_if = "Rotation::is_never")]
    pub rotation: Rotation,
    /// What it records of the kernel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kernel: Option<KernelDomain>,
    /// What it records of applications with LTTng-UST.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ust: Option<UstDomain>,
    /// What it records of `java.util.logging`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jul: Option<AgentDomain>,
    /// What it records of Apache log4j.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log4j: Option<AgentDomain>,
    /// What it records of Python's logging.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub python: Option<AgentDomain>,
    /// When it is destroyed by itself; its traces stay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<End>,
}

impl Document {
    /// One with nothing in it yet, of a session that does not record.
    #[must_use]
    pub fn empty(session: impl Into<String>, mode: Mode) -> Self {
        Self {
            version: DocumentVersion,
            session: session.into(),
            started: false,
            mode,
            output: None,
            snapshot_outputs: None,
            shared_memory_path: None,
            rotation: Rotation::default(),
            kernel: None,
            ust: None,
            jul: None,
            log4j: None,
            python: None,
            end: None,
        }
    }
}

pub(crate) fn yes() -> bool {
    true
}

pub(crate) fn is_yes(value: &bool) -> bool {
    *value
}

/// What a session is for.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Mode {
    /// It records continuously.
    #[default]
    Regular,
    /// It keeps the newest events in memory until a snapshot is recorded.
    Snapshot,
    /// It streams to a relay daemon that viewers read from meanwhile.
    Live {
        /// Period of the live timer in microseconds, not 0.
        #[schemars(range(min = 1))]
        timer_interval_us: u32,
    },
}

/// A place for traces.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Output {
    /// Nowhere: what is recorded is dropped.
    None,
    /// A directory of this machine, absolute.
    Path(String),
    /// A relay daemon: `net[4|6]://HOST[:CONTROL PORT[:DATA PORT]][/DIRECTORY]`.
    Url(String),
    /// A relay daemon whose connections have a URL each.
    Urls(RelayUrls),
}

/// The URLs of a relay daemon: `tcp[4|6]://HOST[:PORT][/DIRECTORY]`.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RelayUrls {
    /// For control connections.
    pub control: String,
    /// For data connections.
    pub data: String,
}

/// A place for snapshots.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct SnapshotOutput {
    /// Its name, which begins the names of its snapshots' directories.
    pub name: String,
    /// Most bytes of one snapshot, 0 for no limit.
    #[serde(default)]
    pub max_size_bytes: u64,
    /// Where to.
    pub output: Output,
}

/// When a session is rotated of its own accord.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Rotation {
    /// Period in microseconds, not 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub period_us: Option<u64>,
    /// Size in bytes of what was recorded, not 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub size_bytes: Option<u64>,
}

impl Rotation {
    pub(crate) fn is_never(&self) -> bool {
        *self == Self::default()
    }
}

/// When a session ends by itself.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// So many seconds after the document with this end was applied first.
    AfterS(u64),
    /// At a moment, as RFC 3339 writes it: `2026-12-01T12:00:00Z`.
    At(String),
}
