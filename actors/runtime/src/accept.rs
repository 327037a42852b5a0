//! Accepting connections for ever, whatever happens to one of them.

use std::{
    convert::Infallible,
    future::Future,
    io,
    os::{fd::OwnedFd, unix::net::UnixListener},
    time::Duration,
};

use rustix::{io::Errno, net::SocketFlags};
use tokio::{
    io::{Interest, unix::AsyncFd},
    net::{TcpListener, TcpStream},
    time::Instant,
};

use crate::{Backoff, Pace, fail_point};

/// First and longest pause after a connection that could not be accepted, for want of descriptors most of
/// the time.
const PAUSES: (Duration, Duration) = (Duration::from_millis(10), Duration::from_secs(1));

/// How many are accepted before whatever else the thread has to do has its turn: also whoever comes as fast as he can,
/// and is let in, is not to be all that it does.
const ACCEPTED_EACH_PASS: u32 = 8;

/// Where connections come from.
pub trait Listen {
    /// One of them.
    type Connection;

    /// Waits for the next one. An error is one of this connection, or of this moment.
    fn accept(&mut self) -> impl Future<Output = io::Result<Self::Connection>>;
}

/// A listening Unix socket, whose connections are non-blocking and not watched yet.
#[derive(Debug)]
pub struct Sockets(AsyncFd<UnixListener>);

impl Sockets {
    /// Watches a socket. Needs the context of an actor (a tokio runtime with I/O).
    ///
    /// # Errors
    /// When the socket cannot be made non-blocking or registered.
    pub fn new(listener: UnixListener) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        // SAFETY: the socket is owned by what is registered, and nothing closes it before.
        Ok(Self(unsafe { AsyncFd::register_with_interest(listener, Interest::READABLE) }?))
    }

    /// The socket, which is not watched any more.
    #[must_use]
    pub fn into_listener(self) -> UnixListener {
        self.0.into_inner()
    }

    /// Waits for the next connection. Safe to abandon.
    ///
    /// # Errors
    /// Of this connection, or of this moment.
    pub async fn next(&self) -> io::Result<OwnedFd> {
        loop {
            self.arrived().await?;
            if let Some(socket) = self.accept_now()? {
                return Ok(socket);
            }
        }
    }

    /// Waits until there may be a connection. Safe to abandon.
    ///
    /// # Errors
    /// Of the system.
    pub async fn arrived(&self) -> io::Result<()> {
        drop(self.0.readable().await?);
        Ok(())
    }

    /// The connection that waits, if one does.
    ///
    /// # Errors
    /// Of this connection, or of this moment.
    pub fn accept_now(&self) -> io::Result<Option<OwnedFd>> {
        loop {
            let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
            let accept = |listener: &UnixListener| Ok(rustix::net::accept_with(listener, flags)?);
            match self.0.try_io(Interest::READABLE, accept) {
                Ok(socket) => return Ok(Some(socket)),
                Err(error) => match Errno::from_io_error(&error) {
                    // Who connected went away before.
                    Some(Errno::CONNABORTED | Errno::INTR) => {}
                    _ if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
                    _ => return Err(error),
                },
            }
        }
    }
}

impl Listen for Sockets {
    type Connection = OwnedFd;

    async fn accept(&mut self) -> io::Result<OwnedFd> {
        self.next().await
    }
}

impl Listen for TcpListener {
    type Connection = (TcpStream, std::net::SocketAddr);

    async fn accept(&mut self) -> io::Result<Self::Connection> {
        TcpListener::accept(self).await
    }
}

/// Accepts connections on `listener` for ever and hands each to `admit`, which has it served beside the others
/// (see [`Count`](crate::Count) for how many these are), or has no room for it. After an error of either it
/// pauses, longer each time in a row, and logs that no `who` is accepted meanwhile. It pauses as well when `pace` was
/// told of too many that came in vain.
pub async fn accept_all<L: Listen>(
    who: &'static str,
    listener: L,
    pace: &Pace,
    mut admit: impl FnMut(L::Connection) -> io::Result<()>,
) -> Infallible {
    let mut accepting = Accepting::new(who, listener);
    let mut accepted: u32 = 0;
    loop {
        let connection = accepting.next().await;
        accepting.admitted(admit(connection));
        accepted = accepted.wrapping_add(1);
        if let Some(pause) = pace.pause(Instant::now()) {
            tokio::time::sleep(pause).await;
        } else if accepted.is_multiple_of(ACCEPTED_EACH_PASS) {
            tokio::task::yield_now().await;
        }
    }
}

/// The same for one who has something else to do between two connections.
#[derive(Debug)]
pub struct Accepting<L> {
    who: &'static str,
    listener: L,
    backoff: Backoff,
    /// When the next one is accepted, after an error.
    pauses_until: Option<Instant>,
}

impl<L: Listen> Accepting<L> {
    /// Of `listener`, for `who`.
    pub fn new(who: &'static str, listener: L) -> Self {
        let backoff = Backoff::new(PAUSES.0, PAUSES.1);
        Self { who, listener, backoff, pauses_until: None }
    }

    /// The next connection. To be told what became of it, see [`Accepting::admitted`]. Safe to abandon if
    /// [`Listen::accept`] is.
    pub async fn next(&mut self) -> L::Connection {
        loop {
            if let Some(until) = self.pauses_until {
                tokio::time::sleep_until(until).await;
                self.pauses_until = None;
            }
            let accepted = self.listener.accept().await;
            fail_point::reached(format_args!("{} accepted", self.who));
            match accepted {
                Ok(connection) => return connection,
                Err(error) => self.admitted(Err(error)),
            }
        }
    }

    /// Where they come from.
    pub fn into_listener(self) -> L {
        self.listener
    }

    /// A connection is served, or there was no room for it.
    pub fn admitted(&mut self, outcome: io::Result<()>) {
        match outcome {
            Ok(()) => self.backoff = Backoff::new(PAUSES.0, PAUSES.1),
            Err(error) => {
                tracing::warn!(%error, "no {} is accepted for a moment", self.who);
                self.pauses_until = Some(Instant::now() + self.backoff.step());
            }
        }
    }
}
