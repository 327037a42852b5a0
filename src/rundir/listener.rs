//! Listening Unix sockets at paths.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind as bind_socket, connect,
    getsockname, listen, socket_with, sockopt,
};

use super::leftovers::{Leftovers, remove_socket};
use super::set_mode;
use crate::error::StartError;

/// A socket that has its name and its rights but cannot be connected to yet.
#[derive(Debug)]
pub(super) struct Bound {
    socket: OwnedFd,
    path: PathBuf,
}

impl Bound {
    /// Lets peers connect; up to `backlog` may wait.
    pub(super) fn listen(self, backlog: i32) -> Result<UnixListener, StartError> {
        listen(&self.socket, backlog)
            .map_err(|errno| StartError::path("listen on", &self.path)(errno.into()))?;
        Ok(UnixListener::from(self.socket))
    }
}

/// Puts a socket at `path`, in place of one that a killed daemon left there. Nobody can connect
/// before it has its rights, because it does not listen yet.
pub(super) fn bind(path: &Path, mode: u32, leftovers: &mut Leftovers) -> Result<Bound, StartError> {
    match remove_socket(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(StartError::path("replace", path)(error));
        }
        _ => {}
    }
    let socket = stream_socket(path)?;
    bind_socket(&socket, &address(path)?)
        .map_err(|errno| StartError::path("create the socket", path)(errno.into()))?;
    leftovers.socket(path);
    set_mode(path, mode)?;
    Ok(Bound { socket, path: path.to_path_buf() })
}

/// Takes over a socket that listens at `path` already, and whose listener is this process from now on.
///
/// # Errors
///
/// When it is none, or does not listen, or whoever connects to `path` comes to somebody else or to nobody.
pub(super) fn adopt(socket: OwnedFd, path: &Path, backlog: i32) -> io::Result<UnixListener> {
    let is_stream = sockopt::socket_domain(&socket)? == AddressFamily::UNIX
        && sockopt::socket_type(&socket)? == SocketType::STREAM;
    if !is_stream || !sockopt::socket_acceptconn(&socket)? {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no listening Unix socket"));
    }
    fcntl_setfl(&socket, fcntl_getfl(&socket)? | OFlags::NONBLOCK)?;
    listen(&socket, backlog)?;
    let client = stream_socket(path).map_err(io::Error::other)?;
    match connect(&client, &SocketAddrUnix::new(path)?) {
        // Who connects is told which process began to listen.
        Ok(()) if sockopt::socket_peercred(&client)?.pid == rustix::process::getpid() => {}
        // So many wait that nobody can be asked: its name has to do.
        Err(Errno::AGAIN) if is_named(&socket, path) => {}
        Ok(()) | Err(Errno::AGAIN) => {
            return Err(io::Error::new(io::ErrorKind::AddrInUse, "another one listens there"));
        }
        Err(errno) => return Err(errno.into()),
    }
    Ok(UnixListener::from(socket))
}

fn is_named(socket: &OwnedFd, path: &Path) -> bool {
    let name = getsockname(socket).and_then(SocketAddrUnix::try_from);
    name.is_ok_and(|name| name.path_bytes() == Some(path.as_os_str().as_bytes()))
}

/// Whether somebody listens at `path`, even if too busy to accept.
pub(super) fn is_alive(path: &Path) -> Result<bool, StartError> {
    match connect(stream_socket(path)?, &address(path)?) {
        // With a non-blocking socket AGAIN means that the backlog of a listener is full.
        Ok(()) | Err(Errno::AGAIN) => Ok(true),
        // Nothing is there; or a socket without a listener, or no socket at all.
        Err(Errno::NOENT | Errno::CONNREFUSED) => Ok(false),
        Err(errno) => Err(StartError::path("connect to", path)(errno.into())),
    }
}

fn stream_socket(path: &Path) -> Result<OwnedFd, StartError> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)
        .map_err(|errno| StartError::path("open a socket for", path)(errno.into()))
}

fn address(path: &Path) -> Result<SocketAddrUnix, StartError> {
    SocketAddrUnix::new(path)
        .map_err(|errno| StartError::path("use as a socket's path", path)(errno.into()))
}
