//! Listening sockets that the service manager keeps: those of the daemon before come with the environment
//! (`sd_listen_fds(3)`), those of this one are handed over with their names (`FDSTORE=1`).

use std::{
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd, RawFd},
};

use lttngd::{Handover, SocketKeeper};
use rustix::net::SendFlags;

use super::ServiceManager;
use crate::{
    inherited::{self, FIRST_OTHER_FD},
    options::{Options, Surroundings},
};

/// Whose descriptors they are, how many there are, and their names between colons.
const PID_VARIABLE: &str = "LISTEN_PID";
/// See [`PID_VARIABLE`].
const COUNT_VARIABLE: &str = "LISTEN_FDS";
/// See [`PID_VARIABLE`].
const NAMES_VARIABLE: &str = "LISTEN_FDNAMES";
/// Most sockets that are left: a keeper may have several of one name.
const SOCKETS_MAX: RawFd = 256;

/// What the service manager has kept of the daemon before.
pub fn left(options: &Options, around: &dyn Surroundings) -> Handover {
    if options.detach.is_some() || around.is_setuid() {
        return Handover::default();
    }
    let taken = named(around, std::process::id()).into_iter().filter_map(|(number, name)| {
        let taken = inherited::descriptor(number).inspect_err(|error| {
            tracing::warn!(number, ?name, %error, "a socket that was to be left is not there");
        });
        Some((name, taken.ok()?))
    });
    Handover::of(taken.collect())
}

/// The numbers and names of the descriptors that `process` was given.
pub(super) fn named(around: &dyn Surroundings, process: u32) -> Vec<(RawFd, String)> {
    let text = |name| around.variable(name)?.into_string().ok();
    let is_ours = text(PID_VARIABLE).is_some_and(|pid| pid == process.to_string());
    let count = text(COUNT_VARIABLE).filter(|_| is_ours).and_then(|count| count.parse().ok());
    let count = count.unwrap_or(0).clamp(0, SOCKETS_MAX);
    let names = text(NAMES_VARIABLE).unwrap_or_default();
    let names = names.split(':').map(str::to_owned).chain(std::iter::repeat(String::new()));
    (FIRST_OTHER_FD..FIRST_OTHER_FD + count).zip(names).collect()
}

/// The service manager as one who keeps sockets.
struct Keeper(ServiceManager);

impl ServiceManager {
    /// The same, to keep sockets.
    ///
    /// # Errors
    ///
    /// When there is no other descriptor for it.
    pub fn as_keeper(&self) -> io::Result<impl SocketKeeper + use<>> {
        let socket: OwnedFd = self.socket.try_clone()?;
        Ok(Keeper(Self { socket, address: self.address.clone(), watchdog: self.watchdog }))
    }
}

impl SocketKeeper for Keeper {
    fn keep(&self, name: &str, socket: BorrowedFd<'_>) -> io::Result<()> {
        let text = format!("FDSTORE=1\nFDNAME={name}\n");
        self.0.send(&text, Some(socket.as_fd()), SendFlags::empty())
    }

    fn let_go(&self, name: &str) -> io::Result<()> {
        self.0.send(&format!("FDSTOREREMOVE=1\nFDNAME={name}\n"), None, SendFlags::empty())
    }
}
