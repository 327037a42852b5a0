//! Waiting until a peer takes more.

use std::{
    os::fd::{AsFd, OwnedFd},
    time::Duration,
};

use tokio::io::{Interest, unix::AsyncFd};

use super::{Peer, PeerError, watched};
use crate::Held;

/// Time between two looks whether a peer takes more, while there is no descriptor to be told by.
const LOOKS: Duration = Duration::from_millis(10);

impl Peer {
    /// Waits until there may be room for what is sent. Room is watched for no longer than somebody waits for it: a
    /// peer makes some with all that it takes, and would wake this process each time for nothing.
    pub(super) async fn room(&self) -> Result<(), PeerError> {
        match self.watched_room() {
            Some((socket, _held)) => {
                drop(socket.writable().await?);
            }
            None => tokio::time::sleep(LOOKS).await,
        }
        Ok(())
    }

    /// The socket by another descriptor, since one is watched once, with the place of that in the budget.
    fn watched_room(&self) -> Option<(AsyncFd<OwnedFd>, Option<Held>)> {
        let held = match &self.held {
            Some(held) => Some(held.one_more().ok()?),
            None => None,
        };
        let socket = self.as_fd().try_clone_to_owned().ok()?;
        Some((watched(socket, Interest::WRITABLE).ok()?, held))
    }
}
