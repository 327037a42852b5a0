//! Accepting subscribers.

use std::{io, os::unix::net::UnixListener};

use actix::{Actor, Addr};
use lttngd_model::Credentials;
use lttngd_runtime::{Descriptors, Pace, Peer, Purpose, Sockets, accept_all};
use lttngd_users::Ledger;

use crate::{SUBSCRIBERS_MAX, Triggers, outgoing::waiting_shares, subscriber::Subscriber};

/// Connections of subscribers that are kept for root's. There are no more of them than there may be subscribers.
const CONNECTIONS_KEPT: u64 = 64;

/// Accepts subscribers on `listener` for ever, each of which is served by an actor of its own. They are
/// counted in `descriptors`; a user who has his share is closed.
///
/// # Errors
/// When the socket cannot be used at all.
pub async fn listen(
    listener: UnixListener,
    triggers: Addr<Triggers>,
    descriptors: Descriptors,
) -> io::Result<()> {
    let sockets = Sockets::new(listener)?;
    let shares = Ledger::new("connections of subscribers to notifications", CONNECTIONS_KEPT);
    let owner = rustix::process::geteuid().as_raw();
    let shares = shares.owned_by(owner);
    let waiting = waiting_shares().owned_by(owner);
    let pace = Pace::default();
    let admit = |socket| {
        let peer = Peer::accepted(socket)?;
        let credentials = peer.credentials()?;
        let places = (SUBSCRIBERS_MAX as u64).saturating_sub(shares.taken());
        let left = places.min(descriptors.left(Purpose::Clients) as u64);
        let share = match shares.take(credentials.uid, 1, left) {
            Ok(share) => share,
            Err(refused) => {
                refused.tell("a subscriber to notifications is refused");
                pace.in_vain(tokio::time::Instant::now());
                peer.turn_away();
                return Ok(());
            }
        };
        let held = descriptors.take(Purpose::Clients, 1).map_err(io::Error::other)?;
        let peer = peer.with_place(held);
        let who = Credentials { uid: credentials.uid, gid: credentials.gid };
        let is_own = credentials.pid == std::process::id();
        Subscriber::new((peer, share), who, is_own, triggers.clone(), waiting.clone()).start();
        Ok(())
    };
    match accept_all("subscriber to notifications", sockets, &pace, admit).await {}
}
