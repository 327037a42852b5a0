//! Applications of processes of their own, the connections of which this process keeps.

use std::os::fd::{AsFd, OwnedFd};

use lttngd_wire::ust::registration::{REGISTRATION_LEN, Registration, SocketKind};
use nix::{
    sys::wait::{WaitStatus, waitpid},
    unistd::{ForkResult, fork},
};
use rustix::net::{SocketAddrUnix, connect};

/// Connects and registers the sockets, command and notify, in a process of its own: whose a connection is the daemon
/// asks the socket. Whether it could.
///
/// # Panics
/// There can be no more processes.
#[must_use]
pub fn connect_in_a_child(
    address: &SocketAddrUnix,
    sockets: &[OwnedFd; 2],
    registration: &Registration,
) -> bool {
    const OFFSET_OF_PID: usize = 12;

    let messages = [SocketKind::Command, SocketKind::Notify]
        .map(|socket| Registration { socket, ..registration.clone() }.encode());
    let connect_all = |pid: u32| {
        sockets.iter().zip(&messages).all(|(socket, message)| {
            let mut bytes = [0; REGISTRATION_LEN];
            bytes.copy_from_slice(message);
            bytes[OFFSET_OF_PID..][..size_of::<u32>()].copy_from_slice(&pid.to_ne_bytes());
            connect(socket.as_fd(), address).is_ok() && rustix::io::write(socket, &bytes).is_ok()
        })
    };
    // SAFETY: the child makes system calls and nothing else, no allocation among them.
    match unsafe { fork() }.unwrap() {
        ForkResult::Child => {
            let code = i32::from(!connect_all(std::process::id()));
            // SAFETY: it ends the process at once, and runs nothing that the parent has registered.
            unsafe { nix::libc::_exit(code) }
        }
        ForkResult::Parent { child } => {
            matches!(waitpid(child, None), Ok(WaitStatus::Exited(_, 0)))
        }
    }
}
