//! The worker's process, as the daemon sees it.

use std::{
    io,
    os::{fd::OwnedFd, unix::process::CommandExt},
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use rustix::{
    io::Errno,
    net::{
        AddressFamily, RecvFlags, SocketFlags, SocketType, socketpair,
        sockopt::{Timeout, set_socket_timeout},
    },
};

use crate::{
    packet,
    protocol::{HELLO, HELLO_MAX_LEN},
};

/// The worker's only argument, if any: its threads come first, as those do that wait for it.
pub(crate) const URGENT: &str = "--urgent";
/// What a program is called that is to be a worker.
pub const PROGRAM: &str = "lttngd-runas";
/// Longest wait for a worker to be ready.
const START_DEADLINE: Duration = Duration::from_secs(10);

/// A process that ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Process(Child);

impl Process {
    /// Executes `program` as a worker, and waits until it is ready.
    ///
    /// # Errors
    /// When it cannot be executed, is no worker, or cannot give its rights up.
    pub(crate) fn start(program: &Path, urgent: bool) -> io::Result<(Self, OwnedFd)> {
        let flags = SocketFlags::CLOEXEC;
        let (socket, theirs) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?;
        let child = Command::new(program)
            .arg0(PROGRAM)
            .args(urgent.then_some(URGENT))
            .env_clear()
            .stdin(Stdio::from(theirs))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // A signal for our terminal's foreground group must not end it before us.
            .process_group(0)
            .spawn()?;
        let process = Self(child);
        greet(&socket)?;
        Ok((process, socket))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // One that hangs in a file system does not see the end of the socket. Both calls fail only
        // when the process is gone and waited for.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Waits for the worker's first packet.
fn greet(socket: &OwnedFd) -> io::Result<()> {
    set_socket_timeout(socket, Timeout::Recv, Some(START_DEADLINE))?;
    let mut buffer = [0; HELLO_MAX_LEN];
    let received = packet::receive(socket, &mut buffer, RecvFlags::empty());
    let (len, _) = received.map_err(|errno| match errno {
        Errno::AGAIN => io::Error::from(Errno::TIMEDOUT),
        other => other.into(),
    })?;
    match buffer[..len].strip_prefix(HELLO) {
        Some([]) => Ok(()),
        Some(reason) => Err(io::Error::other(String::from_utf8_lossy(reason).into_owned())),
        None => Err(io::Error::other("it is another program than this")),
    }
}
