//! Receiving what has come in one go, and sending what is to go in one.

use std::{
    io::{self, IoSlice, Read},
    mem::MaybeUninit,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    task::{Context, Poll, ready},
};

use rustix::{
    io::Errno,
    net::{RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags},
};
use tokio::io::{Interest, unix::AsyncFd};

use super::{DESCRIPTORS_MAX, Peer, PeerError, SENT_PAUSES, ended};

/// Most bytes that are received before they are asked for.
pub(super) const AHEAD_LEN: usize = 4096;

/// What came of an attempt to send.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Sent {
    /// So many of the bytes went, and the descriptors with the first of them.
    Some(usize),
    /// The peer has to read before anything goes.
    Full,
    /// As many descriptors as the system allows a user are sent and not received.
    TooManyDescriptors,
}

impl Peer {
    /// Hands what has come to `take`, or what comes next: how much that is, 0 when the peer has closed. For a
    /// peer that sends no descriptors.
    ///
    /// # Errors
    /// [`PeerError::Io`] of the system.
    pub fn poll_receive(
        &self,
        context: &mut Context<'_>,
        mut take: impl FnMut(&[u8]),
    ) -> Poll<Result<usize, PeerError>> {
        let mut kept = std::mem::take(&mut *self.received.borrow_mut());
        if !kept.is_empty() {
            take(kept.make_contiguous());
            return Poll::Ready(Ok(kept.len()));
        }
        let watched = match (self.watched.get(), &self.early) {
            (Some(watched), _) => watched,
            (None, Some(early)) => self.watch(early)?,
            (None, None) => return Poll::Ready(Ok(0)),
        };
        loop {
            drop(ready!(watched.poll_read_ready(context))?);
            match try_receive(watched, &mut take) {
                Some(Err(PeerError::Closed)) => return Poll::Ready(Ok(0)),
                Some(received) => return Poll::Ready(received),
                None => {}
            }
        }
    }

    /// Fills `buffer` with what has come, if that is enough, without waiting for the system to say that
    /// something has. Of a peer that was just accepted and has sent no descriptors. Whether it is filled; what
    /// is not enough is read next.
    pub fn read_if_there(&self, buffer: &mut [u8]) -> bool {
        let mut received = self.received.borrow_mut();
        if !received.is_empty() {
            return false;
        }
        match rustix::net::recv(self, &mut *buffer, RecvFlags::DONTWAIT) {
            Ok((len, _)) if len == buffer.len() => true,
            Ok((len, _)) => {
                received.extend(&buffer[..len]);
                false
            }
            // Whoever reads next finds it again.
            Err(_) => false,
        }
    }

    /// Sends what goes of `bytes` at once, the first of which carries `descriptors`, if there are any.
    ///
    /// # Errors
    /// [`PeerError::Closed`] when the peer is gone.
    pub fn try_send(
        &self,
        bytes: &[u8],
        descriptors: &[BorrowedFd<'_>],
    ) -> Result<Sent, PeerError> {
        match send(self.as_fd(), bytes, descriptors) {
            Ok(sent) => Ok(Sent::Some(sent)),
            Err(Errno::TOOMANYREFS) => Ok(Sent::TooManyDescriptors),
            Err(Errno::INTR) => Ok(Sent::Some(0)),
            Err(Errno::AGAIN) => Ok(Sent::Full),
            Err(errno) => Err(ended(errno)),
        }
    }

    /// Waits until [`Self::try_send`] may go on, after it has said [`Sent::Full`].
    ///
    /// # Errors
    /// [`PeerError::Io`] of the system.
    pub async fn has_room(&self) -> Result<(), PeerError> {
        self.room().await
    }

    /// The pauses while [`Self::try_send`] says [`Sent::TooManyDescriptors`].
    #[must_use]
    pub fn pauses() -> crate::Backoff {
        crate::Backoff::new(SENT_PAUSES.0, SENT_PAUSES.1)
    }

    /// Fills `buffer` with what was received already; how much of it.
    pub(super) fn take_received(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut received = self.received.borrow_mut();
        let mut filled = 0;
        // It may be in two parts.
        while filled < buffer.len() && !received.is_empty() {
            filled += Read::read(&mut *received, &mut buffer[filled..])?;
        }
        if received.is_empty() && received.capacity() > 0 {
            // One that is at rest holds no memory for it.
            *received = std::collections::VecDeque::new();
        }
        Ok(filled)
    }

    /// Receives what is there, fills `rest` with the first of it and keeps the others; how much of `rest` is
    /// filled.
    pub(super) async fn receive_ahead(
        &self,
        watched: &AsyncFd<OwnedFd>,
        rest: &mut [u8],
    ) -> Result<usize, PeerError> {
        let mut filled = 0;
        receive_all(watched, |bytes| {
            filled = bytes.len().min(rest.len());
            rest[..filled].copy_from_slice(&bytes[..filled]);
            self.received.borrow_mut().extend(&bytes[filled..]);
        })
        .await?;
        Ok(filled)
    }

    /// Sends all of `bytes`, of which the first one carries `descriptors`. While as many as the system allows
    /// a user are sent and not received, waits until some are.
    ///
    /// # Errors
    /// [`PeerError::Closed`] when the peer is gone.
    pub async fn write_with_descriptors(
        &self,
        bytes: &[u8],
        descriptors: &[BorrowedFd<'_>],
    ) -> Result<(), PeerError> {
        let mut pause = Self::pauses();
        loop {
            match self.send_with_descriptors(bytes, descriptors).await {
                Err(PeerError::Io(error))
                    if Errno::from_io_error(&error) == Some(Errno::TOOMANYREFS) =>
                {
                    tokio::time::sleep(pause.step()).await;
                }
                sent => return self.write_all(&bytes[sent?..]).await,
            }
        }
    }

    async fn send_with_descriptors(
        &self,
        bytes: &[u8],
        descriptors: &[BorrowedFd<'_>],
    ) -> Result<usize, PeerError> {
        self.when_there_is_room(|fd| send(fd, bytes, descriptors)).await
    }
}

fn send(
    fd: BorrowedFd<'_>,
    bytes: &[u8],
    descriptors: &[BorrowedFd<'_>],
) -> rustix::io::Result<usize> {
    const FLAGS: SendFlags = SendFlags::DONTWAIT.union(SendFlags::NOSIGNAL);

    if descriptors.is_empty() {
        return rustix::net::send(fd, bytes, FLAGS);
    }
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS_MAX))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !control.push(SendAncillaryMessage::ScmRights(descriptors)) {
        return Err(Errno::INVAL);
    }
    rustix::net::sendmsg(fd, &[IoSlice::new(bytes)], &mut control, FLAGS)
}

/// Hands what has come to `take`, at most [`AHEAD_LEN`] bytes; how much that is, 0 when the peer has closed.
async fn receive_all(
    watched: &AsyncFd<OwnedFd>,
    mut take: impl FnMut(&[u8]),
) -> Result<usize, PeerError> {
    loop {
        drop(watched.readable().await?);
        if let Some(received) = try_receive(watched, &mut take) {
            return received;
        }
    }
}

/// The same for what has come already; `None` when that is nothing.
fn try_receive(
    watched: &AsyncFd<OwnedFd>,
    take: &mut impl FnMut(&[u8]),
) -> Option<Result<usize, PeerError>> {
    let mut received = None;
    let more = watched.try_io(Interest::READABLE, |socket| {
        let mut space = [MaybeUninit::uninit(); AHEAD_LEN];
        let (bytes, _) = rustix::net::recv(socket, &mut space, RecvFlags::DONTWAIT)?.0;
        take(bytes);
        received = Some(bytes.len());
        // A stream gives all that is there: less than there was room for says that nothing is left,
        // and the next call waits without a look.
        match bytes.len() {
            1..AHEAD_LEN => Err(io::ErrorKind::WouldBlock.into()),
            _ => Ok(()),
        }
    });
    match (received, more) {
        (Some(received), _) => Some(Ok(received)),
        (None, Err(error)) => match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted => None,
            io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => {
                Some(Err(PeerError::Closed))
            }
            _ => Some(Err(error.into())),
        },
        (None, Ok(())) => None,
    }
}
