//! A Unix stream socket to a peer, with descriptors.
//!
//! Every descriptor is received close-on-exec. Descriptors that a peer attaches where none is
//! expected are closed by the kernel before they reach this process.

use std::{
    io::{self, IoSlice, IoSliceMut},
    mem::MaybeUninit,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::Path,
};

use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags,
    SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketAddrUnix, SocketFlags, SocketType,
};
use thiserror::Error;
use tokio::{
    io::Interest,
    net::{UnixStream, unix::UCred},
};

/// Most descriptors in one message (`SCM_MAX_FD`).
pub const DESCRIPTORS_MAX: usize = 253;

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
    /// It sent what it was not asked for.
    #[error("the peer sent data that nothing asked for")]
    Unsolicited,
    /// The system call failed.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// A connected stream socket.
#[derive(Debug)]
pub struct Peer {
    socket: UnixStream,
}

impl Peer {
    /// Takes over a connected socket. Needs the context of an actor (a tokio runtime with I/O).
    ///
    /// # Errors
    /// When the socket cannot be made non-blocking or registered.
    pub fn new(socket: OwnedFd) -> io::Result<Self> {
        let socket = std::os::unix::net::UnixStream::from(socket);
        socket.set_nonblocking(true)?;
        Ok(Self { socket: UnixStream::from_std(socket)? })
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
        let mut pause = crate::Backoff::new(
            std::time::Duration::from_millis(1),
            std::time::Duration::from_millis(50),
        );
        loop {
            match rustix::net::connect(&socket, &address) {
                Ok(()) => return Self::new(socket),
                Err(rustix::io::Errno::AGAIN) => tokio::time::sleep(pause.step()).await,
                Err(errno) => return Err(errno.into()),
            }
        }
    }

    /// The user, group and process at the other end, as the kernel saw them at connect time. A
    /// process that cannot be seen from here, in another pid namespace, has the id 0.
    ///
    /// # Errors
    /// When the system call fails.
    pub fn credentials(&self) -> io::Result<UCred> {
        self.socket.peer_cred()
    }

    /// Fills `buffer`.
    ///
    /// # Errors
    /// [`PeerError::Closed`] when the peer closed before or while sending it.
    pub async fn read_exact(&self, buffer: &mut [u8]) -> Result<(), PeerError> {
        let mut filled = 0;
        while filled < buffer.len() {
            let rest = &mut buffer[filled..];
            let got = self
                .io(Interest::READABLE, |fd| {
                    Ok(rustix::net::recv(fd, &mut *rest, RecvFlags::DONTWAIT)?.0)
                })
                .await?;
            if got == 0 {
                return Err(PeerError::Closed);
            }
            filled += got;
        }
        Ok(())
    }

    /// Fills `buffer`, or returns `false` when the peer closed before its first byte.
    ///
    /// # Errors
    /// [`PeerError::Closed`] when the peer closed in the middle.
    pub async fn read_exact_or_end(&self, buffer: &mut [u8]) -> Result<bool, PeerError> {
        let Some((first, rest)) = buffer.split_first_mut() else { return Ok(true) };
        match self.read_exact(std::slice::from_mut(first)).await {
            Ok(()) => {}
            Err(PeerError::Closed) => return Ok(false),
            Err(error) => return Err(error),
        }
        self.read_exact(rest).await?;
        Ok(true)
    }

    /// Receives the one byte that carries exactly `count` descriptors.
    ///
    /// # Errors
    /// [`PeerError::Descriptors`] for another count; what came is closed.
    pub async fn read_descriptors(&self, count: usize) -> Result<Vec<OwnedFd>, PeerError> {
        let mut byte = [0];
        let mut space = vec![
            MaybeUninit::uninit();
            rustix::cmsg_space!(ScmRights(DESCRIPTORS_MAX), ScmCredentials(1))
        ];
        let (len, descriptors, cut) = self
            .io(Interest::READABLE, |fd| {
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
        if cut || descriptors.len() != count {
            return Err(PeerError::Descriptors { expected: count, got: descriptors.len() });
        }
        Ok(descriptors)
    }

    /// Sends all of `bytes`.
    ///
    /// # Errors
    /// [`PeerError::Closed`] when the peer is gone.
    pub async fn write_all(&self, mut bytes: &[u8]) -> Result<(), PeerError> {
        while !bytes.is_empty() {
            let sent = self
                .io(Interest::WRITABLE, |fd| {
                    rustix::net::send(fd, bytes, SendFlags::DONTWAIT | SendFlags::NOSIGNAL)
                })
                .await?;
            bytes = &bytes[sent..];
        }
        Ok(())
    }

    /// Sends one byte (0) that carries `descriptors`.
    ///
    /// # Errors
    /// [`PeerError::Closed`] when the peer is gone.
    pub async fn write_descriptors(&self, descriptors: &[BorrowedFd<'_>]) -> Result<(), PeerError> {
        let mut space =
            vec![MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS_MAX))];
        self.io(Interest::WRITABLE, |fd| {
            let mut control = SendAncillaryBuffer::new(&mut space);
            if !control.push(SendAncillaryMessage::ScmRights(descriptors)) {
                return Err(rustix::io::Errno::INVAL);
            }
            rustix::net::sendmsg(
                fd,
                &[IoSlice::new(&[0])],
                &mut control,
                SendFlags::DONTWAIT | SendFlags::NOSIGNAL,
            )
        })
        .await?;
        Ok(())
    }

    /// Waits until the peer closes, on a socket on which it has nothing to say. Safe to abandon.
    ///
    /// # Errors
    /// [`PeerError::Unsolicited`] when it says something.
    pub async fn closed(&self) -> Result<(), PeerError> {
        let mut byte = [0];
        let got = self
            .io(Interest::READABLE, |fd| {
                Ok(rustix::net::recv(fd, &mut byte, RecvFlags::DONTWAIT | RecvFlags::PEEK)?.0)
            })
            .await;
        match got {
            Ok(0) | Err(PeerError::Closed) => Ok(()),
            Ok(_) => Err(PeerError::Unsolicited),
            Err(error) => Err(error),
        }
    }

    /// Makes the call whenever the socket is ready for it, until it does not ask to wait.
    async fn io<T>(
        &self,
        interest: Interest,
        mut call: impl FnMut(BorrowedFd<'_>) -> rustix::io::Result<T>,
    ) -> Result<T, PeerError> {
        loop {
            let done = self.socket.async_io(interest, || Ok(call(self.socket.as_fd())?)).await;
            match done {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error)
                    if matches!(
                        error.kind(),
                        io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset
                    ) =>
                {
                    return Err(PeerError::Closed);
                }
                done => return Ok(done?),
            }
        }
    }
}

impl AsFd for Peer {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
