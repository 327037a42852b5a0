//! Where metrics are scraped: at a place that somebody chose, in the run directory or elsewhere.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use lttngd_status::MetricsListener;
use rustix::net::{SocketType, getsockname, sockopt};

use crate::config::MetricsAddress;
use crate::handover::{Handover, METRICS};

/// Connections that may wait to be accepted.
const BACKLOG: i32 = 64;
/// What is told of a daemon that has no such place.
const NONE: &str = "no metrics can be scraped";

/// The port that a daemon before has left, if it is the one that is wanted. A Unix socket that is left is for whoever
/// binds one.
pub(super) fn left_port(
    place: Option<&MetricsAddress>,
    handover: &mut Handover,
) -> Option<TcpListener> {
    let Some(MetricsAddress::Tcp(address)) = place else { return None };
    handover.take(METRICS, |socket| adopt(socket, *address))
}

/// Takes over a socket that listens already, at this address.
fn adopt(socket: OwnedFd, address: SocketAddr) -> io::Result<TcpListener> {
    let listens = sockopt::socket_type(&socket)? == SocketType::STREAM
        && sockopt::socket_acceptconn(&socket)?;
    let name = SocketAddr::try_from(getsockname(&socket)?)?;
    let is_wanted = name.ip() == address.ip() && [0, name.port()].contains(&address.port());
    if listens && is_wanted {
        Ok(TcpListener::from(socket))
    } else {
        Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "it does not listen where metrics are scraped",
        ))
    }
}

/// Listens there, if it can, where the port is not `left`; a Unix socket is bound by `bind`, which is told what is missing
/// when it cannot. Says why when it cannot.
pub(super) fn listen(
    place: Option<&MetricsAddress>,
    left: Option<TcpListener>,
    mut bind: impl FnMut(Option<&PathBuf>, i32, &'static str) -> Option<UnixListener>,
) -> Option<MetricsListener> {
    match place? {
        MetricsAddress::Unix(path) => bind(Some(path), BACKLOG, NONE).map(MetricsListener::Unix),
        MetricsAddress::Tcp(address) => left
            .map_or_else(|| TcpListener::bind(address), Ok)
            .inspect_err(|error| tracing::error!(%address, %error, "{NONE}"))
            .ok()
            .map(MetricsListener::Tcp),
    }
}

/// The socket, and what there is of it in the file system.
pub(super) fn parts<'a>(
    listener: &'a MetricsListener,
    place: Option<&'a MetricsAddress>,
) -> (BorrowedFd<'a>, Option<&'a Path>) {
    match (listener, place) {
        (MetricsListener::Unix(listener), Some(MetricsAddress::Unix(path))) => {
            (listener.as_fd(), Some(path))
        }
        (MetricsListener::Unix(listener), _) => (listener.as_fd(), None),
        (MetricsListener::Tcp(listener), _) => (listener.as_fd(), None),
    }
}
