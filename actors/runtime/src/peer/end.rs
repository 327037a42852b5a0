//! What can be told of a peer's end of the connection.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::RecvFlags;

use super::{Peer, PeerError};

impl Peer {
    /// Waits until the peer closes, on a socket on which it has nothing to say. Safe to abandon.
    ///
    /// # Errors
    /// [`PeerError::Unsolicited`] when it says something.
    pub async fn closed(&self) -> Result<(), PeerError> {
        if !self.received.borrow().is_empty() {
            return Err(PeerError::Unsolicited);
        }
        let mut byte = [0];
        let got = self
            .when_something_comes(|fd| {
                Ok(rustix::net::recv(fd, &mut byte, RecvFlags::DONTWAIT | RecvFlags::PEEK)?.0)
            })
            .await;
        match got {
            Ok(0) | Err(PeerError::Closed) => Ok(()),
            Ok(_) => Err(PeerError::Unsolicited),
            Err(error) => Err(error),
        }
    }

    /// Waits until the peer has hung up: it neither says anything more nor listens. For ever, of one that goes on
    /// to speak or only ends what it says. Safe to abandon.
    pub async fn hung_up(&self) {
        if self.closed().await.is_err() || !self.listens_no_more() {
            std::future::pending().await
        }
    }

    /// Whether the other end is closed in both directions.
    fn listens_no_more(&self) -> bool {
        let mut polled = [PollFd::new(self, PollFlags::empty())];
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        poll(&mut polled, Some(&now)).is_ok() && polled[0].revents().contains(PollFlags::HUP)
    }

    /// Whether the peer has closed by now, and has said nothing before that is not read.
    #[must_use]
    pub fn has_closed(&self) -> bool {
        let mut byte = [0];
        let flags = RecvFlags::DONTWAIT | RecvFlags::PEEK;
        self.received.borrow().is_empty()
            && matches!(
                rustix::net::recv(self, &mut byte, flags),
                Ok((0, _)) | Err(Errno::CONNRESET)
            )
    }

    /// Whether the peer has said something by now that is not read.
    #[must_use]
    pub fn has_unread(&self) -> bool {
        let mut byte = [0];
        let flags = RecvFlags::DONTWAIT | RecvFlags::PEEK;
        !self.received.borrow().is_empty()
            || matches!(rustix::net::recv(self, &mut byte, flags), Ok((1.., _)))
    }
}
