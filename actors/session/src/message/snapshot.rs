//! What is asked about snapshots.

use std::path::PathBuf;

use actix::Message;
use lttngd_model::ErrorCode;
use serde::{Deserialize, Serialize};

use crate::{NetworkOutput, Output};

/// Where snapshots are recorded to.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum SnapshotPlace {
    /// Into a directory of this machine.
    Directory(PathBuf),
    /// To a relay daemon, both of whose places are named.
    Relayd(Box<NetworkOutput>),
}

impl SnapshotPlace {
    /// How it looks in listings: the directory and nothing, or the URLs of the relay daemon's control
    /// and data connections.
    #[must_use]
    pub fn urls(&self) -> (String, String) {
        match self {
            Self::Directory(path) => (path.to_string_lossy().into_owned(), String::new()),
            Self::Relayd(network) => network.urls().unwrap_or_default(),
        }
    }
}

impl TryFrom<Output> for SnapshotPlace {
    type Error = ErrorCode;

    /// # Errors
    /// `Invalid` for no place, and for a relay daemon of which one place is not named.
    fn try_from(output: Output) -> Result<Self, ErrorCode> {
        match output {
            Output::Local(path) => Ok(Self::Directory(path)),
            Output::Network(network) if network.uris().is_some() => Ok(Self::Relayd(network)),
            Output::None | Output::Network(_) => Err(ErrorCode::Invalid),
        }
    }
}

/// A place for snapshots (`struct lttng_snapshot_output`).
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct SnapshotOutput {
    /// Its id, from 1.
    pub id: u32,
    /// Its name, which begins the names of its snapshots' directories.
    pub name: String,
    /// Most bytes of one snapshot, 0 for no limit.
    pub max_size_bytes: u64,
    /// Where it leads.
    pub place: SnapshotPlace,
}

/// SNAPSHOT_ADD_OUTPUT. Replies with the output's id. The names of machines are looked up now.
///
/// Errors: `NotSnapshotSession`, `SnapshotOutputExist`, `Invalid`.
#[derive(Clone, Debug, Deserialize, Message, Serialize)]
#[rtype(result = "Result<u32, ErrorCode>")]
pub struct AddSnapshotOutput {
    /// Name; empty for `snapshot-<id>`.
    pub name: String,
    /// Most bytes of one snapshot; 0 or all ones for no limit.
    pub max_size_bytes: u64,
    /// Where, see [`lttngd_model::PlaceUrl::parse`].
    pub control_url: String,
    /// Where data goes when the first URL does not tell; else empty.
    pub data_url: String,
}

/// SNAPSHOT_DEL_OUTPUT.
///
/// Errors: `NotSnapshotSession`, `Invalid`.
#[derive(Clone, Debug, Deserialize, Message, Serialize)]
#[rtype(result = "Result<(), ErrorCode>")]
pub struct DeleteSnapshotOutput {
    /// Its id; 0 to go by the name.
    pub id: u32,
    /// Its name.
    pub name: String,
}

/// SNAPSHOT_LIST_OUTPUT.
///
/// Errors: `NotSnapshotSession`.
#[derive(Clone, Copy, Debug, Deserialize, Message, Serialize)]
#[rtype(result = "Result<Vec<SnapshotOutput>, ErrorCode>")]
pub struct ListSnapshotOutputs;

/// SNAPSHOT_RECORD: to the session's outputs, or to a temporary one. The reply comes when it is
/// recorded: when everything is in files, those of a relay daemon too.
///
/// Errors: `NotSnapshotSession`, `StartSessionOnce`, `SnapshotFail`, `MaxSizeInvalid`,
/// `CreateDirFail`, `CreateTraceChunkFailConsumer`, `CloseTraceChunkFailConsumer`, those of
/// [`AddSnapshotOutput`] for a temporary output, and for a relay daemon `RelaydConnectFail`,
/// `RelaydVersionFail`, `EnableConsumerFail`.
#[derive(Clone, Debug, Deserialize, Message, Serialize)]
#[rtype(result = "Result<(), ErrorCode>")]
pub struct RecordSnapshot {
    /// Name instead of the output's; empty to keep that.
    pub name: String,
    /// Place of a temporary output; empty for the session's own.
    pub control_url: String,
    /// Where the data of a temporary output goes when the first URL does not tell; else empty.
    pub data_url: String,
    /// Most bytes; 0 for no limit, all ones for the output's own limit.
    pub max_size_bytes: u64,
}
