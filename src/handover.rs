//! Listening sockets that outlive a daemon: those that the one before has left, and who keeps them for the next one.
//! Whoever connects while no daemon is there waits in the socket's backlog instead of being refused.

use std::{
    fmt, io, mem,
    os::fd::{BorrowedFd, OwnedFd},
};

/// Of clients of liblttng-ctl.
pub(crate) const CLIENTS: &str = "clients";
/// By which applications register.
pub(crate) const APPLICATIONS: &str = "applications";
/// By which those of LTTng-UST 2.15 and newer do.
pub(crate) const NEWER_APPLICATIONS: &str = "applications-11";
/// By which logging agents do, of TCP.
pub(crate) const AGENTS: &str = "agents";
/// Of those who subscribe to notifications.
pub(crate) const NOTIFICATIONS: &str = "notifications";
/// Of health checks.
pub(crate) const HEALTH: &str = "health";
/// Of those who look at the daemon.
pub(crate) const STATUS: &str = "status";
/// Of those who declare sessions.
pub(crate) const DECLARE: &str = "declare";
/// Of those who scrape metrics, of Unix or TCP.
pub(crate) const METRICS: &str = "metrics";

/// Keeps listening sockets open while there is no daemon, each by its name: `clients`, `applications`, `applications-11`, `agents`,
/// `notifications`, `health`, `status`, `declare`, `metrics`.
pub trait SocketKeeper: Send {
    /// Keeps this one, beside others of the same name; the same socket once.
    ///
    /// # Errors
    /// When it is not kept.
    fn keep(&self, name: &str, socket: BorrowedFd<'_>) -> io::Result<()>;

    /// Lets go of all of this name.
    ///
    /// # Errors
    /// When they may be kept still.
    fn let_go(&self, name: &str) -> io::Result<()>;
}

/// What a daemon takes over, and hands on.
#[derive(Default)]
pub struct Handover {
    left: Vec<(String, OwnedFd)>,
    /// Names of those that were taken over, whose entries in the file system are whoever's left them.
    taken: Vec<&'static str>,
    keeper: Option<Box<dyn SocketKeeper>>,
}

impl fmt::Debug for Handover {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Handover").field("left", &self.left).finish_non_exhaustive()
    }
}

impl Handover {
    /// Sockets that are left, by their names.
    #[must_use]
    pub fn of(left: Vec<(String, OwnedFd)>) -> Self {
        Self { left, ..Self::default() }
    }

    /// Has `keeper` keep the sockets of the daemon, which stay in the file system at its end.
    #[must_use]
    pub fn with_keeper(mut self, keeper: impl SocketKeeper + 'static) -> Self {
        self.keeper = Some(Box::new(keeper));
        self
    }

    /// Whether there is one of this name.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.left.iter().any(|(it, _)| it == name)
    }

    /// The first socket of this name of which `adopt` makes a listener. Those of which it makes none are closed and
    /// kept no longer.
    pub(crate) fn take<T>(
        &mut self,
        name: &'static str,
        adopt: impl Fn(OwnedFd) -> io::Result<T>,
    ) -> Option<T> {
        let (named, others) = mem::take(&mut self.left).into_iter().partition(|(it, _)| it == name);
        self.left = others;
        let named: Vec<(String, OwnedFd)> = named;
        for (_, socket) in named {
            match adopt(socket) {
                Ok(listener) => {
                    self.taken.push(name);
                    return Some(listener);
                }
                Err(error) => {
                    tracing::warn!(name, %error, "the socket that a daemon left is of no use");
                    self.let_go(name);
                }
            }
        }
        None
    }

    /// Hands `socket` on. Whether its entry in the file system is to stay at the end of the daemon.
    pub(crate) fn hand_on(&self, name: &'static str, socket: BorrowedFd<'_>) -> bool {
        let kept = self.keeper.as_ref().map(|keeper| keeper.keep(name, socket));
        if let Some(Err(error)) = &kept {
            tracing::warn!(name, %error, "nobody keeps the socket: it is closed when the daemon ends");
        }
        self.taken.contains(&name) || matches!(kept, Some(Ok(())))
    }

    /// Lets go of what nobody has taken.
    pub(crate) fn let_go_of_the_rest(&mut self) {
        for (name, _) in mem::take(&mut self.left) {
            tracing::warn!(?name, "a socket was left that this daemon does not serve");
            self.let_go(&name);
        }
    }

    fn let_go(&self, name: &str) {
        if let Some(Err(error)) = self.keeper.as_ref().map(|keeper| keeper.let_go(name)) {
            tracing::warn!(?name, %error, "a socket that is of no use may be kept still");
        }
    }
}
