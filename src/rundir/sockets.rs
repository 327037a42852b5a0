//! The listening sockets of a run directory: those that a daemon before has left, else new ones.

use std::{io, os::unix::net::UnixListener, path::Path};

use super::{give_to_group, leftovers::Leftovers, listener, set_mode};
use crate::{
    error::StartError,
    handover::{CLIENTS, Handover, METRICS},
};

/// What sockets are made with.
pub(super) struct Sockets<'a> {
    pub(super) leftovers: &'a mut Leftovers,
    pub(super) handover: &'a mut Handover,
    /// The tracing group, for root's daemon.
    pub(super) group: Option<u32>,
}

impl Sockets<'_> {
    /// A listener of this name for all who may do what `mode` says.
    pub(super) fn listen(
        &mut self,
        name: &'static str,
        path: &Path,
        (mode, backlog): (u32, i32),
    ) -> Result<UnixListener, StartError> {
        if let Some(left) = self.adopt(name, path, backlog) {
            set_mode(path, mode)?;
            return Ok(left);
        }
        listener::bind(path, mode, self.leftovers)?.listen(backlog)
    }

    /// The same for root and the tracing group, where it is root's daemon.
    pub(super) fn listen_for_group(
        &mut self,
        name: &'static str,
        path: &Path,
        (mode, backlog): (u32, i32),
    ) -> Result<UnixListener, StartError> {
        let left = self.adopt(name, path, backlog);
        let bound = match &left {
            Some(_) => {
                set_mode(path, mode)?;
                None
            }
            // One that was left may be of no use because another daemon came since.
            None if name == CLIENTS && listener::is_alive(path)? => {
                return Err(StartError::AlreadyRunning);
            }
            // It may be in a place that is somebody else's.
            None if name == METRICS && listener::is_alive(path)? => {
                return Err(StartError::path("listen at", path)(io::ErrorKind::AddrInUse.into()));
            }
            None => Some(listener::bind(path, mode, self.leftovers)?),
        };
        if let Some(gid) = self.group
            && !give_to_group(path, gid)
        {
            set_mode(path, 0o600)?;
        }
        match (left, bound) {
            (Some(left), _) => Ok(left),
            (None, Some(bound)) => bound.listen(backlog),
            (None, None) => unreachable!("what is not left is bound"),
        }
    }

    fn adopt(&mut self, name: &'static str, path: &Path, backlog: i32) -> Option<UnixListener> {
        self.handover.take(name, |socket| listener::adopt(socket, path, backlog))
    }
}
