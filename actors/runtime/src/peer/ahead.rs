//! Receiving what has come in one go, and sending what is to go in one.

use std::{
    io::{self, IoSlice, Read},
    mem::MaybeUninit,
    os::fd::{AsFd, BorrowedFd},
};

use rustix::{
    io::Errno,
    net::{RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags},
};
use tokio::{io::Interest, net::UnixStream};

use super::{DESCRIPTORS_MAX, Peer, PeerError, SENT_PAUSES};

/// Most bytes that are received before they are asked for.
pub(super) const AHEAD_LEN: usize = 4096;

impl Peer {
    /// Appends what has come, or what comes next; how much that is, 0 when the peer has closed. For a peer that
    /// sends no descriptors.
    ///
    /// # Errors
    /// [`PeerError::Io`] of the system.
    pub async fn receive_more(&self, bytes: &mut Vec<u8>) -> Result<usize, PeerError> {
        let kept = std::mem::take(&mut *self.received.borrow_mut());
        if !kept.is_empty() {
            let len = kept.len();
            bytes.extend(kept);
            return Ok(len);
        }
        let watched = match (self.watched.get(), &self.early) {
            (Some(watched), _) => watched,
            (None, Some(early)) => self.watch(early)?,
            (None, None) => return Ok(0),
        };
        match receive_all(watched, |received| bytes.extend_from_slice(received)).await {
            Err(PeerError::Closed) => Ok(0),
            received => received,
        }
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
        watched: &UnixStream,
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
        let mut pause = crate::Backoff::new(SENT_PAUSES.0, SENT_PAUSES.1);
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
        self.io(Interest::WRITABLE, |fd| {
            let mut space =
                [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS_MAX))];
            let mut control = SendAncillaryBuffer::new(&mut space);
            if !control.push(SendAncillaryMessage::ScmRights(descriptors)) {
                return Err(Errno::INVAL);
            }
            rustix::net::sendmsg(
                fd,
                &[IoSlice::new(bytes)],
                &mut control,
                SendFlags::DONTWAIT | SendFlags::NOSIGNAL,
            )
        })
        .await
    }
}

/// Hands what has come to `take`, at most [`AHEAD_LEN`] bytes; how much that is, 0 when the peer has closed.
async fn receive_all(
    watched: &UnixStream,
    mut take: impl FnMut(&[u8]),
) -> Result<usize, PeerError> {
    loop {
        watched.readable().await?;
        let mut received = None;
        let more = watched.try_io(Interest::READABLE, || {
            let mut space = [MaybeUninit::uninit(); AHEAD_LEN];
            let (bytes, _) = rustix::net::recv(watched.as_fd(), &mut space, RecvFlags::DONTWAIT)?.0;
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
            (Some(received), _) => return Ok(received),
            (None, Err(error)) => match error.kind() {
                io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted => {}
                io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => {
                    return Err(PeerError::Closed);
                }
                _ => return Err(error.into()),
            },
            (None, Ok(())) => {}
        }
    }
}
