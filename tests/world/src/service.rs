//! What stands in for the service manager: it is told how a daemon does, and keeps its sockets for the next one.

use std::io::IoSliceMut;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixDatagram;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use rustix::io::{Errno, fcntl_dupfd_cloexec};
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};

use super::{Arena, PATIENCE};

/// The number of the first descriptor that a service is given.
const FIRST_FD: RawFd = 3;
/// Above those that are given.
const FREE_FD: RawFd = 64;

/// A service manager.
pub struct Service {
    socket: UnixDatagram,
    path: PathBuf,
    watchdog: Option<Duration>,
    /// Sockets that it keeps, with their names.
    pub kept: Vec<(String, OwnedFd)>,
}

impl Service {
    /// One that keeps nothing yet. A service has to say a word within `watchdog`.
    pub fn new(arena: &Arena, watchdog: Option<Duration>) -> Service {
        let path = arena.file("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Service { socket, path, watchdog, kept: Vec::new() }
    }

    /// Has a command be a service, with the sockets that are kept; its `LISTEN_PID` is for itself to set.
    pub(super) fn pass_on(&self, command: &mut Command) {
        command.env("NOTIFY_SOCKET", &self.path);
        if let Some(watchdog) = self.watchdog {
            command.env("WATCHDOG_USEC", watchdog.as_micros().to_string());
        }
        if self.kept.is_empty() {
            return;
        }
        let names: Vec<_> = self.kept.iter().map(|(name, _)| name.as_str()).collect();
        command.env("LISTEN_FDS", names.len().to_string()).env("LISTEN_FDNAMES", names.join(":"));
        let sockets = self.kept.iter();
        let sockets: Vec<_> =
            sockets.map(|(_, it)| fcntl_dupfd_cloexec(it, FREE_FD).unwrap()).collect();
        let place = move || {
            for (number, socket) in (FIRST_FD..).zip(&sockets) {
                // SAFETY: the call takes two integers. What has that number in the child is of no use there.
                if unsafe { nix::libc::dup2(socket.as_raw_fd(), number) } < 0 {
                    return Err(std::io::Error::last_os_error());
                }
            }
            Ok(())
        };
        // SAFETY: between fork and exec it makes system calls alone.
        unsafe { command.pre_exec(place) };
    }

    /// The next message, of whose sockets those are kept that it asks to keep. `None` when none comes within `time`.
    pub fn next_within(&mut self, time: Duration) -> Option<String> {
        self.socket.set_read_timeout(Some(time)).unwrap();
        let mut text = [0; 4096];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(4))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let mut buffers = [IoSliceMut::new(&mut text)];
        let flags = RecvFlags::CMSG_CLOEXEC;
        let len = match recvmsg(&self.socket, &mut buffers, &mut control, flags) {
            Ok(received) => received.bytes,
            Err(Errno::AGAIN) => return None,
            Err(errno) => panic!("a message of the daemon: {errno}"),
        };
        let attached = control.drain().flat_map(|message| match message {
            RecvAncillaryMessage::ScmRights(sockets) => sockets.collect::<Vec<_>>(),
            _ => Vec::new(),
        });
        let attached: Vec<_> = attached.collect();
        let text = String::from_utf8(text[..len].to_vec()).unwrap();
        let name = text.lines().find_map(|line| line.strip_prefix("FDNAME=")).unwrap_or("stored");
        if text.lines().any(|line| line == "FDSTORE=1") {
            assert_eq!(attached.len(), 1, "{text}");
            self.kept.retain(|(it, _)| it != name);
            self.kept.extend(attached.into_iter().map(|socket| (name.to_owned(), socket)));
        } else if text.lines().any(|line| line == "FDSTOREREMOVE=1") {
            self.kept.retain(|(it, _)| it != name);
        }
        Some(text)
    }

    /// Waits for a message with a line that begins so, and gives the line.
    pub fn hears(&mut self, beginning: &str) -> String {
        loop {
            let message = self.next_within(PATIENCE);
            let message = message.unwrap_or_else(|| panic!("waited in vain: {beginning}"));
            if let Some(line) = message.lines().find(|line| line.starts_with(beginning)) {
                return line.to_owned();
            }
        }
    }
}
