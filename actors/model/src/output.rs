//! Where traces go.

use std::path::PathBuf;

/// Address family of a relay daemon.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum AddressFamily {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

/// Which of a relay daemon's two connections (`enum lttng_stream_type`).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum StreamKind {
    /// Control.
    Control,
    /// Data.
    Data,
}

/// The address of a relay daemon.
#[derive(Clone, Debug, Eq, PartialEq)]
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
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Uri {
    /// A directory of this machine.
    Path(PathBuf),
    /// A relay daemon.
    Network(NetworkUri),
}
