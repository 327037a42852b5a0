//! The TCP port for logging agents, and the file that tells them which it is.

use std::fs::{OpenOptions, Permissions};
use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use nix::libc;
use rustix::net::{SocketType, getsockname, sockopt};

use super::leftovers::Leftovers;
use crate::config::AgentPort;
use crate::handover::{AGENTS, Handover};

/// Where agents look for the port, in the run directory.
pub(super) const PORT_FILE: &str = "agent.port";
/// Anybody may know it.
const PORT_FILE_MODE: u32 = 0o644;

/// Listens for agents of this machine, if it can: a daemon without them is still of use. Says why when
/// it cannot.
pub(super) fn listen(
    port: AgentPort,
    run_dir: &Path,
    leftovers: &mut Leftovers,
    handover: &mut Handover,
) -> Option<TcpListener> {
    let left = handover.take(AGENTS, |socket| adopt(socket, port));
    let listener = match left.map_or_else(|| bind(port), |left| Ok(Some(left))) {
        Ok(listener) => listener?,
        Err(error) => {
            tracing::warn!(?port, %error, "no port for agents: JUL, log4j and Python are not traced");
            return None;
        }
    };
    let path = run_dir.join(PORT_FILE);
    match write_port(&listener, &path, leftovers) {
        Ok(()) => Some(listener),
        Err(error) => {
            let path = path.display();
            tracing::warn!(?path, %error, "agents cannot be told their port, and are not traced");
            None
        }
    }
}

/// Takes over a socket that listens already, at a port that may be used.
fn adopt(socket: OwnedFd, port: AgentPort) -> io::Result<TcpListener> {
    let listens = sockopt::socket_type(&socket)? == SocketType::STREAM
        && sockopt::socket_acceptconn(&socket)?;
    let name = SocketAddrV4::try_from(getsockname(&socket)?)?;
    let is_wanted = port.candidates().any(|it| [0, name.port()].contains(&it));
    if listens && is_wanted && *name.ip() == Ipv4Addr::LOCALHOST {
        Ok(TcpListener::from(socket))
    } else {
        Err(io::Error::new(io::ErrorKind::InvalidInput, "it does not listen at a port for agents"))
    }
}

fn bind(port: AgentPort) -> io::Result<Option<TcpListener>> {
    let mut last = None;
    for port in port.candidates() {
        match TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            Ok(listener) => return Ok(Some(listener)),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => last = Some(error),
            Err(error) => return Err(error),
        }
    }
    last.map_or(Ok(None), Err)
}

fn write_port(listener: &TcpListener, path: &Path, leftovers: &mut Leftovers) -> io::Result<()> {
    let port = listener.local_addr()?.port();
    let mut options = OpenOptions::new();
    options.create(true).write(true).truncate(true).mode(PORT_FILE_MODE);
    // Nobody is waited for to read it, if it is something else than a file.
    options.custom_flags(libc::O_NONBLOCK);
    let mut file = options.open(path)?;
    leftovers.file(path);
    // The process' umask had its say.
    file.set_permissions(Permissions::from_mode(PORT_FILE_MODE))?;
    writeln!(file, "{port}")
}
