//! A Unix stream socket to a peer, with descriptors.
//!
//! Every descriptor is received close-on-exec. Descriptors that a peer attaches where none is
//! expected are closed by the kernel before they reach this process.

mod ahead;
mod end;
mod room;

use std::{
    cell::{OnceCell, RefCell},
    collections::VecDeque,
    io::{self, IoSlice, IoSliceMut},
    mem::MaybeUninit,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::Path,
    time::Duration,
};

use nix::sys::socket::sockopt::PeerCredentials as PeerCredentialsOption;
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags,
    SendAncillaryBuffer, SendFlags, SocketAddrUnix, SocketFlags, SocketType,
};
use thiserror::Error;
use tokio::io::{Interest, unix::AsyncFd};

use self::ahead::AHEAD_LEN;
pub use self::ahead::Sent;
use crate::Held;

/// Most descriptors in one message (`SCM_MAX_FD`).
pub const DESCRIPTORS_MAX: usize = 253;

/// First and longest pause while too many descriptors are sent and not received, of all peers together.
const SENT_PAUSES: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(50));

/// What went wrong with a peer.
#[derive(Debug, Error)]
pub enum PeerError {
    /// It closed its end.
    #[error("the peer closed the connection")]
    Closed,
    /// It sent something else than descriptors, or not the right count.
    #[error("{expected} descriptors were expected and {got} came")]
    Descriptors {
        /// How many were due.
        expected: usize,
        /// How many came.
        got: usize,
    },
    /// This process has no room for the descriptors that came, which says nothing of the peer. What came
    /// is closed, and the bytes are in step.
    #[error("no descriptors are left here (ulimit -n): {expected} were to be received, {got} were")]
    NoneLeft {
        /// How many were due.
        expected: usize,
        /// How many there was room for.
        got: usize,
    },
    /// It sent what it was not asked for.
    #[error("the peer sent data that nothing asked for")]
    Unsolicited,
    /// The system call failed.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Who is at the other end of a socket.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PeerCredentials {
    /// Process id; 0 for a process that cannot be seen from here, in another pid namespace.
    pub pid: u32,
    /// Effective user.
    pub uid: u32,
    /// Effective group.
    pub gid: u32,
}

/// Who is at the other end of a connected Unix socket, as the kernel saw them at connect time.
///
/// # Errors
/// When the system call fails.
pub fn peer_credentials(socket: &impl AsFd) -> io::Result<PeerCredentials> {
    let credentials = nix::sys::socket::getsockopt(socket, PeerCredentialsOption)?;
    Ok(PeerCredentials {
        pid: u32::try_from(credentials.pid()).unwrap_or(0),
        uid: credentials.uid(),
        gid: credentials.gid(),
    })
}

/// A connected stream socket.
#[derive(Debug)]
pub struct Peer {
    /// The socket of a peer that is not waited for before it must be: most clients have said all
    /// and take all at once, and need no place among the sockets that are watched.
    early: Option<OwnedFd>,
    /// The socket, watched for what comes.
    watched: OnceCell<AsyncFd<OwnedFd>>,
    /// What was received and is still to be read: before this took over, or ahead.
    received: RefCell<VecDeque<u8>>,
    /// Whether more may be received than is asked for.
    reads_ahead: bool,
    /// Its place in the budget of descriptors, given back with the socket.
    held: Option<Held>,
    /// Who it is, once that was asked: it stays so.
    credentials: OnceCell<PeerCredentials>,
}

impl Peer {
    /// Takes over a connected socket. Needs the context of an actor (a tokio runtime with I/O).
    ///
    /// # Errors
    /// When the socket cannot be made non-blocking or registered.
    pub fn new(socket: OwnedFd) -> io::Result<Self> {
        rustix::io::ioctl_fionbio(&socket, true)?;
        Self::accepted(socket)
    }

    /// Takes over a socket that is non-blocking already, as accepted ones are.
    ///
    /// # Errors
    /// When the socket cannot be registered.
    pub fn accepted(socket: OwnedFd) -> io::Result<Self> {
        Ok(Self {
            early: None,
            watched: OnceCell::from(watched(socket, Interest::READABLE)?),
            received: RefCell::default(),
            reads_ahead: false,
            held: None,
            credentials: OnceCell::new(),
        })
    }

    /// The same, with the place that it has in the budget of descriptors.
    #[must_use]
    pub fn with_place(self, held: Held) -> Self {
        Self { held: Some(held), ..self }
    }

    /// The same, for a peer that sends no descriptors: receives what is there in one go, whatever is asked
    /// for, and knows by that when nothing is left. That the peer has closed is then seen when the system says
    /// so next, and not at once.
    #[must_use]
    pub fn reading_ahead(self) -> Self {
        Self { reads_ahead: true, ..self }
    }

    /// Ends the connection so that the peer finds its end: where something was left unread it would find
    /// a reset instead, at which applications of LTTng-UST connect again at once, and for ever.
    pub fn turn_away(self) {
        // Both fail only when the peer is gone.
        let _ = rustix::net::shutdown(&self, rustix::net::Shutdown::Both);
        let mut bytes = [0; 4096];
        while let Ok((1.., _)) = rustix::net::recv(&self, &mut bytes, RecvFlags::DONTWAIT) {}
    }

    /// Takes over a socket that is non-blocking already, and registers it only when it must be waited
    /// for. That costs a second descriptor, so it is for peers that are soon gone.
    #[must_use]
    pub fn brief(socket: OwnedFd) -> Self {
        Self::brief_after(socket, &[])
    }

    /// The same, when `received` was received from it already: it is read before all else.
    #[must_use]
    pub fn brief_after(socket: OwnedFd, received: &[u8]) -> Self {
        Self {
            early: Some(socket),
            watched: OnceCell::new(),
            received: RefCell::new(received.to_vec().into()),
            reads_ahead: false,
            held: None,
            credentials: OnceCell::new(),
        }
    }

    /// Connects to the listening socket at `path`. A local connect does not wait for the listener
    /// unless its backlog is full, so callers give it a deadline.
    ///
    /// # Errors
    /// When the socket cannot be made or connected.
    pub async fn connect(path: &Path) -> io::Result<Self> {
        let address = SocketAddrUnix::new(path)?;
        let socket = rustix::net::socket_with(
            AddressFamily::UNIX,
            SocketType::STREAM,
            SocketFlags::CLOEXEC | SocketFlags::NONBLOCK,
            None,
        )?;
        let mut pause = crate::Backoff::new(Duration::from_millis(1), Duration::from_millis(50));
        loop {
            match rustix::net::connect(&socket, &address) {
                Ok(()) => return Self::accepted(socket),
                Err(Errno::AGAIN) => tokio::time::sleep(pause.step()).await,
                Err(errno) => return Err(errno.into()),
            }
        }
    }

    /// The user, group and process at the other end, as the kernel saw them at connect time.
    ///
    /// # Errors
    /// When the system call fails.
    pub fn credentials(&self) -> io::Result<PeerCredentials> {
        match self.credentials.get() {
            Some(credentials) => Ok(*credentials),
            None => {
                let credentials = peer_credentials(self)?;
                Ok(*self.credentials.get_or_init(|| credentials))
            }
        }
    }

    /// Fills `buffer`.
    ///
    /// # Errors
    /// [`PeerError::Closed`] when the peer closed before or while sending it.
    pub async fn read_exact(&self, buffer: &mut [u8]) -> Result<(), PeerError> {
        if self.read_up_to(buffer).await? < buffer.len() {
            return Err(PeerError::Closed);
        }
        Ok(())
    }

    /// Fills `buffer`, or returns `false` when the peer closed before its first byte.
    ///
    /// # Errors
    /// [`PeerError::Closed`] when the peer closed in the middle.
    pub async fn read_exact_or_end(&self, buffer: &mut [u8]) -> Result<bool, PeerError> {
        match self.read_up_to(buffer).await? {
            0 => Ok(buffer.is_empty()),
            got if got < buffer.len() => Err(PeerError::Closed),
            _ => Ok(true),
        }
    }

    /// Fills `buffer` unless the peer closes before; the count of bytes that came.
    async fn read_up_to(&self, buffer: &mut [u8]) -> Result<usize, PeerError> {
        let mut filled = self.take_received(buffer)?;
        while filled < buffer.len() {
            let rest = &mut buffer[filled..];
            let got = match self.watched.get() {
                Some(watched) if self.reads_ahead && rest.len() < AHEAD_LEN => {
                    self.receive_ahead(watched, rest).await
                }
                _ => {
                    let receive = |fd: BorrowedFd<'_>| {
                        Ok(rustix::net::recv(fd, &mut *rest, RecvFlags::DONTWAIT)?.0)
                    };
                    self.when_something_comes(receive).await
                }
            };
            match got {
                Ok(0) | Err(PeerError::Closed) => break,
                Ok(got) => filled += got,
                Err(error) => return Err(error),
            }
        }
        Ok(filled)
    }

    /// Receives the one byte that carries exactly `count` descriptors.
    ///
    /// # Errors
    /// [`PeerError::Descriptors`] for another count, [`PeerError::NoneLeft`] when this process has no
    /// room for them; what came is closed, and the byte is read.
    pub async fn read_descriptors(&self, count: usize) -> Result<Vec<OwnedFd>, PeerError> {
        let mut byte = [0];
        let (len, descriptors, cut) = self
            .when_something_comes(|fd| {
                let mut space = [MaybeUninit::uninit();
                    rustix::cmsg_space!(ScmRights(DESCRIPTORS_MAX), ScmCredentials(1))];
                let mut control = RecvAncillaryBuffer::new(&mut space);
                let message = rustix::net::recvmsg(
                    fd,
                    &mut [IoSliceMut::new(&mut byte)],
                    &mut control,
                    RecvFlags::DONTWAIT | RecvFlags::CMSG_CLOEXEC,
                )?;
                let mut descriptors = Vec::new();
                for part in control.drain() {
                    if let RecvAncillaryMessage::ScmRights(rights) = part {
                        descriptors.extend(rights);
                    }
                }
                Ok((message.bytes, descriptors, message.flags.contains(ReturnFlags::CTRUNC)))
            })
            .await?;
        if len == 0 {
            return Err(PeerError::Closed);
        }
        let got = descriptors.len();
        // There is space for more than a message can have, so it is cut only for want of descriptors.
        if cut {
            return Err(PeerError::NoneLeft { expected: count, got });
        }
        if got != count {
            return Err(PeerError::Descriptors { expected: count, got });
        }
        Ok(descriptors)
    }

    /// Sends all of `bytes`.
    ///
    /// # Errors
    /// [`PeerError::Closed`] when the peer is gone.
    pub async fn write_all(&self, mut bytes: &[u8]) -> Result<(), PeerError> {
        while !bytes.is_empty() {
            let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
            let sent = self.when_there_is_room(|fd| rustix::net::send(fd, bytes, flags)).await?;
            bytes = &bytes[sent..];
        }
        Ok(())
    }

    /// Sends of these pieces, one behind the other, as much as there is room for as soon as there is any, and says how
    /// much that was.
    ///
    /// # Errors
    /// [`PeerError::Closed`] when the peer is gone.
    pub async fn write_some(&self, pieces: &[IoSlice<'_>]) -> Result<usize, PeerError> {
        self.when_there_is_room(|fd| {
            let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
            rustix::net::sendmsg(fd, pieces, &mut SendAncillaryBuffer::default(), flags)
        })
        .await
    }

    /// Sends as much of `bytes` as there is room for now, and says how much that was.
    ///
    /// # Errors
    /// [`PeerError::Closed`] when the peer is gone.
    pub fn write_now(&self, bytes: &[u8]) -> Result<usize, PeerError> {
        loop {
            let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
            match rustix::net::send(self, bytes, flags) {
                Ok(sent) => return Ok(sent),
                Err(Errno::AGAIN) => return Ok(0),
                Err(Errno::INTR) => {}
                Err(errno) => return Err(ended(errno)),
            }
        }
    }

    /// Sends one byte (0) that carries `descriptors`, as [`Self::write_with_descriptors`].
    ///
    /// # Errors
    /// [`PeerError::Closed`] when the peer is gone.
    pub async fn write_descriptors(&self, descriptors: &[BorrowedFd<'_>]) -> Result<(), PeerError> {
        self.write_with_descriptors(&[0], descriptors).await
    }

    /// Has the socket watched from now on.
    fn watch(&self, early: &OwnedFd) -> io::Result<&AsyncFd<OwnedFd>> {
        let socket = watched(early.try_clone()?, Interest::READABLE)?;
        Ok(self.watched.get_or_init(|| socket))
    }

    /// Makes the call whenever something has come, or the peer has closed, until it does not ask to wait.
    async fn when_something_comes<T>(
        &self,
        mut call: impl FnMut(BorrowedFd<'_>) -> rustix::io::Result<T>,
    ) -> Result<T, PeerError> {
        loop {
            let watched = match (self.watched.get(), &self.early) {
                (Some(watched), _) => watched,
                (None, Some(early)) => match call(early.as_fd()) {
                    Err(Errno::AGAIN) => self.watch(early)?,
                    Err(Errno::INTR) => continue,
                    done => return done.map_err(ended),
                },
                (None, None) => return Err(PeerError::Closed),
            };
            let done = watched.async_io(Interest::READABLE, |fd| Ok(call(fd.as_fd())?)).await;
            match done.map_err(|error| Errno::from_io_error(&error).ok_or(error)) {
                Err(Ok(Errno::INTR)) => {}
                Err(Ok(errno)) => return Err(ended(errno)),
                Err(Err(error)) => return Err(error.into()),
                Ok(done) => return Ok(done),
            }
        }
    }

    /// Makes the call, and again whenever there may be room, until it does not ask to wait.
    async fn when_there_is_room<T>(
        &self,
        mut call: impl FnMut(BorrowedFd<'_>) -> rustix::io::Result<T>,
    ) -> Result<T, PeerError> {
        // One that takes without end does not keep others from being served.
        tokio::task::consume_budget().await;
        loop {
            match call(self.as_fd()) {
                Err(Errno::AGAIN) => self.room().await?,
                Err(Errno::INTR) => {}
                done => return done.map_err(ended),
            }
        }
    }
}

/// A socket that is watched.
fn watched(socket: OwnedFd, interest: Interest) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: the descriptor is owned by what is registered, and nothing closes it before.
    Ok(unsafe { AsyncFd::register_with_interest(socket, interest) }?)
}

/// What an error of a system call on the socket says of the peer.
fn ended(errno: Errno) -> PeerError {
    match errno {
        Errno::PIPE | Errno::CONNRESET => PeerError::Closed,
        errno => io::Error::from(errno).into(),
    }
}

impl AsFd for Peer {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match (&self.early, self.watched.get()) {
            (Some(early), _) => early.as_fd(),
            (None, Some(watched)) => watched.as_fd(),
            (None, None) => unreachable!("a peer has one of them from the start"),
        }
    }
}
