//! Accepting subscribers.

use std::{io, os::unix::net::UnixListener};

use actix::{Actor, Addr};
use lttngd_model::Credentials;
use lttngd_runtime::{Descriptors, Peer, Purpose, Sockets, accept_all};

use crate::{Triggers, subscriber::Subscriber};

/// Accepts subscribers on `listener` for ever, each of which is served by an actor of its own. They are
/// counted in `descriptors`.
///
/// # Errors
/// When the socket cannot be used at all.
pub async fn listen(
    listener: UnixListener,
    triggers: Addr<Triggers>,
    descriptors: Descriptors,
) -> io::Result<()> {
    let sockets = Sockets::new(listener)?;
    let admit = |socket| {
        let held = descriptors.take(Purpose::Clients, 1).map_err(io::Error::other)?;
        let peer = Peer::accepted(socket)?.with_place(held);
        let credentials = peer.credentials()?;
        let who = Credentials { uid: credentials.uid, gid: credentials.gid };
        let is_own = credentials.pid == std::process::id();
        Subscriber::new(peer, who, is_own, triggers.clone()).start();
        Ok(())
    };
    match accept_all("subscriber to notifications", sockets, admit).await {}
}
