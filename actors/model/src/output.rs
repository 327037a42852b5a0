//! Where traces go.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Address family of a relay daemon.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum AddressFamily {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

/// Which of a relay daemon's two connections (`enum lttng_stream_type`).
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum StreamKind {
    /// Control.
    Control,
    /// Data.
    Data,
}

/// The address of a relay daemon.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct NetworkUri {
    /// Address family.
    pub family: AddressFamily,
    /// Address as text.
    pub address: String,
    /// TCP port, 0 for the default one.
    pub port: u16,
    /// Which connection.
    pub stream: StreamKind,
    /// Directory below the relay's own, no leading slash; may be empty.
    pub subdir: String,
}

/// A place for traces (`struct lttng_uri`).
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum Uri {
    /// A directory of this machine.
    Path(PathBuf),
    /// A relay daemon.
    Network(NetworkUri),
}
