//! Sockets between the daemons of one user, which are nobody else's business.

use std::{
    io,
    os::{fd::AsFd, unix::net::UnixListener},
    path::Path,
};

use rustix::{
    fs::Mode,
    net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType},
};

use crate::peer_credentials;

/// Connections that may wait to be accepted.
const BACKLOG: i32 = 64;

/// A non-blocking listener at `path` to which the own user alone can connect, from its first moment on and
/// whatever the umask is.
///
/// # Errors
/// When something is at the path, or a socket cannot be made there.
pub fn private_listener(path: &Path) -> io::Result<UnixListener> {
    let address = SocketAddrUnix::new(path)?;
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    rustix::net::bind(&socket, &address)?;
    // Nobody can connect yet, because it does not listen.
    rustix::fs::chmod(path, Mode::from_raw_mode(0o600))?;
    rustix::net::listen(&socket, BACKLOG)?;
    Ok(socket.into())
}

/// Checks that a process of the own user is at the other end: the one that connected, or that listens.
///
/// # Errors
/// `PermissionDenied` when it is not, with who is; when the system does not tell.
pub fn check_is_own(socket: &impl AsFd) -> io::Result<()> {
    let peer = peer_credentials(socket)?;
    if peer.uid == rustix::process::geteuid().as_raw() {
        return Ok(());
    }
    let text = format!("process {} of user {} is at the other end", peer.pid, peer.uid);
    Err(io::Error::new(io::ErrorKind::PermissionDenied, text))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::os::unix::{fs::PermissionsExt, net::UnixStream};

    use super::*;

    #[test]
    fn only_the_own_user_can_connect() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("socket");
        let before = rustix::process::umask(Mode::empty());
        let listener = private_listener(&path).unwrap();
        rustix::process::umask(before);
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
        let client = UnixStream::connect(&path).unwrap();
        let (server, _) = listener.accept().unwrap();
        check_is_own(&client).unwrap();
        check_is_own(&server).unwrap();
        assert!(private_listener(&path).is_err());
    }
}
