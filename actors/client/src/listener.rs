//! Accepting clients.

use std::{
    io,
    os::{fd::OwnedFd, unix::net::UnixListener},
    rc::Rc,
};

use lttngd_handle::Handle;
use lttngd_model::ErrorCode;
use lttngd_runtime::{Count, Descriptors, Held, Listen, PeerError, Purpose, Sockets, accept_all};

use crate::{
    at_once::{AtOnce, Remaining},
    connection::{self, ConnectionError},
    listers::Listers,
    lists::Lists,
    shares::{self, Shares},
};

/// Most clients that are let in at once.
const BATCH: usize = 64;
/// Most clients at a time.
pub const CONNECTIONS_MAX: usize = 4096;
/// Descriptors of a client: its socket, which is watched by another one when it has to be waited for.
pub(crate) const DESCRIPTORS_EACH: usize = 2;

/// Accepts clients on `listener` for ever, each to be served through `handle`. They are counted in
/// `descriptors`; those that do not fit wait to be accepted.
///
/// # Errors
/// When the socket cannot be used at all.
pub async fn listen(
    listener: UnixListener,
    handle: Handle,
    descriptors: Descriptors,
) -> io::Result<()> {
    let sockets = Sockets::new(listener)?;
    let open = Count::default();
    let mut at_once = AtOnce::new(handle.clone());
    let shared = Rc::new(Shared {
        handle,
        listers: Listers::default(),
        lists: at_once.lists(),
        shares: Shares::new(descriptors.clone()),
    });
    let clients = Clients { sockets, descriptors, open: open.clone(), batch: 0 };
    let admit = |(socket, held)| {
        admit(&open, &shared, held, at_once.look(socket));
        Ok(())
    };
    match accept_all("client", clients, admit).await {}
}

/// Where clients come from. Those for which there is no room are not accepted before one leaves.
struct Clients {
    sockets: Sockets,
    descriptors: Descriptors,
    open: Count,
    /// How many were let in at once.
    batch: usize,
}

impl Listen for Clients {
    type Connection = (OwnedFd, Held);

    async fn accept(&mut self) -> io::Result<Self::Connection> {
        if self.open.get() >= CONNECTIONS_MAX {
            return Err(io::Error::other(format!("{CONNECTIONS_MAX} clients are being served")));
        }
        if self.batch == BATCH {
            // Those are served before more are let in.
            self.batch = 0;
            tokio::task::yield_now().await;
        }
        loop {
            self.sockets.arrived().await?;
            let held = self.descriptors.take(Purpose::Clients, DESCRIPTORS_EACH);
            let held = held.map_err(io::Error::other)?;
            if let Some(socket) = self.sockets.accept_now()? {
                self.batch += 1;
                return Ok((socket, held));
            }
            self.batch = 0;
        }
    }
}

/// What all clients are served with.
struct Shared {
    handle: Handle,
    listers: Listers,
    lists: Rc<Lists>,
    shares: Shares,
}

/// Does what is left to do for a client, beside the others. `open` counts those.
fn admit(open: &Count, shared: &Rc<Shared>, held: Held, left: Remaining) {
    let Some(peer) = left.peer() else { return };
    let lease = match shared.shares.connection(peer) {
        Ok(Ok(lease)) => lease,
        Ok(Err(refused)) => {
            shares::tell(&refused);
            return left.refuse(ErrorCode::Nomem);
        }
        Err(error) => return tracing::warn!(%error, "a client was not served"),
    };
    let counted = open.one_more();
    let shared = Rc::clone(shared);
    tokio::task::spawn_local(async move {
        match serve(left, &shared).await {
            Ok(()) => {}
            // As those do that do not wait for the end of a session.
            Err(ConnectionError::Reply(PeerError::Closed)) => {
                tracing::debug!("a client left before it was answered");
            }
            Err(error) => tracing::warn!(%error, "a client was not served"),
        }
        drop((held, counted, lease));
    });
}

async fn serve(left: Remaining, shared: &Shared) -> Result<(), ConnectionError> {
    let Shared { handle, listers, lists, shares } = shared;
    match left {
        Remaining::Nothing => Ok(()),
        Remaining::Hear(peer) => connection::serve(&peer, (handle, listers, shares, lists)).await,
        Remaining::Serve(peer, request) => {
            connection::serve_request(&peer, request?, (handle, listers, shares, lists)).await
        }
        Remaining::Send(peer, rest) => connection::send(&peer, rest.parts()).await,
        Remaining::List(peer, requester, pid) => {
            connection::send_list(&peer, lists, (requester, pid)).await
        }
    }
}
