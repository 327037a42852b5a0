//! The service manager that runs the daemon, as systemd does. It is told how the daemon does (`sd_notify(3)`), and
//! keeps its listening sockets for the daemon that it starts next ([`sockets`]).
//!
//! Each message is a datagram of lines to the socket that the environment names.

pub mod sockets;
#[cfg(test)]
mod tests;

use std::{
    convert::Infallible,
    ffi::OsStr,
    io::{self, IoSlice},
    mem::MaybeUninit,
    os::{
        fd::{BorrowedFd, OwnedFd},
        unix::ffi::OsStrExt,
    },
    time::Duration,
};

use lttngd::{AppState, Handle, SessionState, Status};
use rustix::net::{
    AddressFamily, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketAddrUnix,
    SocketFlags, SocketType, sendmsg_addr, socket_with,
};
use tokio::time::sleep;

use crate::options::Surroundings;

/// Names the socket for messages; an abstract one begins with `@`.
const SOCKET_VARIABLE: &str = "NOTIFY_SOCKET";
/// How long the daemon may be silent before it counts as hung, in microseconds, and whose environment says so.
const WATCHDOG_VARIABLES: [&str; 2] = ["WATCHDOG_USEC", "WATCHDOG_PID"];
/// How often it is looked at how the daemon does, unless its watchdog has to be told more often.
const STATUS_PERIOD: Duration = Duration::from_secs(10);

/// Who runs this process and wants to be told of it.
#[derive(Debug)]
pub struct ServiceManager {
    socket: OwnedFd,
    address: SocketAddrUnix,
    /// How long after a word of the daemon the next one has to come.
    watchdog: Option<Duration>,
}

impl ServiceManager {
    /// The one of this process; `None` where nobody wants to be told. A process whose rights come from its file
    /// tells nobody: its caller would choose who gets what it hands over.
    ///
    /// # Errors
    ///
    /// When the socket's name is none of the Unix domain, or no socket can be made.
    pub fn find(around: &dyn Surroundings) -> io::Result<Option<Self>> {
        let named = around.variable(SOCKET_VARIABLE).filter(|name| !name.is_empty());
        let Some(name) = named.filter(|_| !around.is_setuid()) else { return Ok(None) };
        let address = address(&name)?;
        let socket =
            socket_with(AddressFamily::UNIX, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
        Ok(Some(Self { socket, address, watchdog: watchdog(around) }))
    }

    /// Tells that the daemon serves everybody.
    pub fn ready(&self) {
        self.tell("READY=1\nSTATUS=It is ready.\n");
    }

    /// Tells that the daemon ends.
    pub fn stopping(&self) {
        self.tell("STOPPING=1\nSTATUS=It ends all sessions.\n");
    }

    /// Tells how the daemon does, as long as there is one, and its watchdog that it does something: each time when
    /// every thread of its actors has. Of one that hangs nothing more is told.
    pub async fn attend(&self, handle: &Handle) -> Infallible {
        let mut shown = String::new();
        loop {
            // Without an answer the daemon has ended, which is told otherwise.
            if let Ok(status) = handle.status(false).await
                && handle.pulse().await.is_ok()
            {
                let line = line(&status);
                if let Some(news) = news(&line, line == shown, self.watchdog.is_some()) {
                    match self.send(&news, None, SendFlags::DONTWAIT) {
                        Ok(()) => shown = line,
                        // It is told the next time.
                        Err(error) => tracing::debug!(%error, "the service manager is not told"),
                    }
                }
            }
            sleep(period(self.watchdog)).await;
        }
    }

    fn tell(&self, text: &str) {
        if let Err(error) = self.send(text, None, SendFlags::empty()) {
            tracing::warn!(%error, "the service manager cannot be told");
        }
    }

    fn send(
        &self,
        text: &str,
        attached: Option<BorrowedFd<'_>>,
        flags: SendFlags,
    ) -> io::Result<()> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        let attached = attached.as_slice();
        if !attached.is_empty() {
            // There is room for one.
            control.push(SendAncillaryMessage::ScmRights(attached));
        }
        let text = [IoSlice::new(text.as_bytes())];
        let flags = flags | SendFlags::NOSIGNAL;
        sendmsg_addr(&self.socket, &self.address, &text, &mut control, flags)?;
        Ok(())
    }
}

fn address(name: &OsStr) -> io::Result<SocketAddrUnix> {
    match name.as_bytes() {
        [b'@', rest @ ..] => Ok(SocketAddrUnix::new_abstract_name(rest)?),
        [b'/', ..] => Ok(SocketAddrUnix::new(name)?),
        _ => Err(io::Error::new(io::ErrorKind::Unsupported, "it is no Unix socket")),
    }
}

/// How long the daemon may be silent; `None` where nobody minds.
fn watchdog(around: &dyn Surroundings) -> Option<Duration> {
    let [limit, whose] = WATCHDOG_VARIABLES.map(|name| around.variable(name));
    let is_ours = whose.is_none_or(|pid| pid == *std::process::id().to_string());
    let limit = limit.filter(|_| is_ours)?.to_str()?.parse().ok()?;
    (limit > 0).then(|| Duration::from_micros(limit))
}

/// How often the daemon says a word: twice in the time in which one has to come.
fn period(watchdog: Option<Duration>) -> Duration {
    watchdog.map_or(STATUS_PERIOD, |limit| STATUS_PERIOD.min(limit / 2))
}

/// What there is to tell, if anything.
fn news(line: &str, is_known: bool, watches: bool) -> Option<String> {
    let alive = if watches { "WATCHDOG=1\n" } else { "" };
    let status = if is_known { String::new() } else { format!("STATUS={line}\n") };
    let news = format!("{alive}{status}");
    (!news.is_empty()).then_some(news)
}

/// How the daemon does, in a line.
fn line(status: &Status) -> String {
    let count = |number: usize, what: &str| {
        format!("{number} {what}{}", if number == 1 { "" } else { "s" })
    };
    let active = status.sessions.iter().filter(|it| it.state == SessionState::Active).count();
    let apps = status.applications.len();
    let aside = status.applications.iter().filter(|it| it.state == AppState::SetAside).count();
    let silent = if aside == 0 { String::new() } else { format!(", {aside} of which set aside") };
    format!(
        "{} ({active} active), {}{silent}, {}",
        count(status.sessions.len(), "session"),
        count(apps, "application"),
        count(status.agents.len(), "agent"),
    )
}
