//! Where metrics are scraped: at a place that somebody chose, in the run directory or elsewhere.

use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use lttngd_status::MetricsListener;

use super::listener;
use crate::config::MetricsAddress;

/// Connections that may wait to be accepted.
const BACKLOG: i32 = 64;
/// What is told of a daemon that has no such place.
const NONE: &str = "no metrics can be scraped";

/// Listens there, if it can; a Unix socket is bound by `bind`, which is told what is missing when it cannot. Says why
/// when it cannot.
pub(super) fn listen(
    place: Option<&MetricsAddress>,
    mut bind: impl FnMut(Option<&PathBuf>, i32, &'static str) -> Option<UnixListener>,
) -> Option<MetricsListener> {
    match place? {
        MetricsAddress::Unix(path) if is_somebodys(path) => None,
        MetricsAddress::Unix(path) => bind(Some(path), BACKLOG, NONE).map(MetricsListener::Unix),
        MetricsAddress::Tcp(address) => TcpListener::bind(address)
            .inspect_err(|error| tracing::error!(%address, %error, "{NONE}"))
            .ok()
            .map(MetricsListener::Tcp),
    }
}

/// Whether somebody else listens there, who keeps it.
fn is_somebodys(path: &Path) -> bool {
    match listener::is_alive(path) {
        Ok(false) => return false,
        Ok(true) => tracing::error!(path = ?path, "another process listens there: {NONE}"),
        Err(error) => tracing::error!(%error, "{NONE}"),
    }
    true
}
