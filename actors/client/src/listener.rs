//! Accepting clients.

use std::{
    io,
    os::{fd::OwnedFd, unix::net::UnixListener},
    rc::Rc,
};

use lttngd_handle::Handle;
use lttngd_model::ErrorCode;
use lttngd_runtime::{Count, Descriptors, Held, Listen, PeerError, Purpose, Sockets, complaint};

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

/// A place where clients are served.
pub(crate) struct Place {
    at_once: AtOnce,
    open: Count,
    descriptors: Descriptors,
    shared: Rc<Shared>,
}

/// How a client was admitted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Admitted {
    /// Nobody else was being served, or waited to be.
    pub(crate) is_alone: bool,
    /// It has its answer already, or wanted none: no actor was asked.
    pub(crate) at_once: bool,
}

impl Place {
    /// Clients are counted in `descriptors`, and served through `handle`.
    pub(crate) fn new(handle: Handle, descriptors: Descriptors) -> Self {
        let at_once = AtOnce::new(handle.clone());
        let lists = at_once.lists();
        let shares = Shares::new(descriptors.clone());
        let shared = Rc::new(Shared { handle, listers: Listers::default(), lists, shares });
        Self { at_once, open: Count::default(), descriptors, shared }
    }

    /// Where its clients come from, from now on.
    ///
    /// # Errors
    /// When the socket cannot be used.
    pub(crate) fn clients(&self, listener: UnixListener) -> io::Result<Clients> {
        Ok(Clients {
            sockets: Sockets::new(listener)?,
            descriptors: self.descriptors.clone(),
            open: self.open.clone(),
            batch: 0,
        })
    }

    /// How many are being served.
    pub(crate) fn open(&self) -> usize {
        self.open.get()
    }

    pub(crate) fn listers(&self) -> &Listers {
        &self.shared.listers
    }

    /// Has clients that come from now on served with these.
    pub(crate) fn set_listers(&mut self, listers: Listers) {
        let Shared { handle, lists, shares, .. } = &*self.shared;
        let (handle, lists, shares) = (handle.clone(), Rc::clone(lists), shares.clone());
        self.shared = Rc::new(Shared { handle, listers, lists, shares });
    }

    /// Does what is to be done for a client that was accepted, beside the others.
    pub(crate) fn admit(&mut self, client: Client) -> Admitted {
        let is_alone = self.open.get() == 0 && !client.is_one_of_many;
        let Client { socket, held, .. } = client;
        let left = self.at_once.look(socket);
        if left.peer().is_none() {
            return Admitted { is_alone, at_once: true };
        }
        admit(&self.open, &self.shared, held, left);
        Admitted { is_alone, at_once: false }
    }
}

/// A client that was accepted.
pub(crate) struct Client {
    socket: OwnedFd,
    held: Held,
    /// Whether another one came before it at the same moment.
    is_one_of_many: bool,
}

/// Where clients come from. Those for which there is no room are not accepted before one leaves.
pub(crate) struct Clients {
    sockets: Sockets,
    descriptors: Descriptors,
    open: Count,
    /// How many were let in at once.
    batch: usize,
}

impl Clients {
    /// Their socket, which is not watched any more.
    pub(crate) fn into_listener(self) -> UnixListener {
        self.sockets.into_listener()
    }
}

impl Listen for Clients {
    type Connection = Client;

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
                return Ok(Client { socket, held, is_one_of_many: self.batch > 1 });
            }
            self.batch = 0;
        }
    }
}

/// What all clients of a place are served with.
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
            refused.tell(shares::REFUSED);
            return left.refuse(ErrorCode::Nomem);
        }
        Err(error) => return tracing::warn!(%error, "a client was not served"),
    };
    let counted = open.one_more();
    let (shared, uid) = (Rc::clone(shared), lease.uid());
    tokio::task::spawn_local(async move {
        match serve(left, &shared).await {
            Ok(()) => {}
            // As those do that do not wait for the end of a session.
            Err(ConnectionError::Reply(PeerError::Closed)) => {
                tracing::debug!("a client left before it was answered");
            }
            Err(error) => {
                if let Some(left_out) = complaint("client", uid) {
                    tracing::warn!(%error, left_out, "a client was not served");
                }
            }
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
