//! Accepting clients.

use std::{
    io,
    os::{fd::OwnedFd, unix::net::UnixListener},
    rc::Rc,
    time::{Duration, Instant},
};

use lttngd_handle::Handle;
use lttngd_model::ErrorCode;
use lttngd_runtime::{Count, Counted, Descriptors, Elsewhere, Held, Listen, Purpose, Sockets};
use lttngd_users::Lease;
use lttngd_wire::client::{CommandKind, Dialect};

use crate::{
    answering::{ToAnswer, ToAnswering},
    at_once::{AtOnce, Remaining},
    connection::{self, Unanswered},
    heard::count_answer,
    listers::{Listers, ListersChange},
    lists::Lists,
    overdue::Overdue,
    recognition::{Proof, Recognition},
    send::{self, ConnectionError, tell_not_served},
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
    open: Open,
    descriptors: Descriptors,
    shared: Rc<Shared>,
}

/// Those that are being served, here or elsewhere.
#[derive(Clone, Default)]
struct Open {
    count: Count,
    /// Those that are answered in another thread, with what they have of shares here.
    elsewhere: Rc<Elsewhere<(Counted, Lease, Option<Lease>)>>,
}

impl Open {
    fn get(&self) -> usize {
        self.elsewhere.let_go();
        self.count.get()
    }
}

/// What is learnt of clients where they are served, and is to be known wherever they may be served next. It goes there
/// before they are answered.
#[derive(Debug)]
pub(crate) enum News {
    /// Of who lists a session.
    Listers(ListersChange),
    /// Of the version that one speaks.
    Proof(Proof),
}

/// How a client was admitted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Admitted {
    /// Nobody else was being served, or waited to be.
    pub(crate) is_alone: bool,
    /// It has its answer already, or wanted none: no actor was asked.
    pub(crate) at_once: bool,
    /// What it asks for had come, and is something.
    pub(crate) is_heard: bool,
}

impl Place {
    /// Clients are counted in `descriptors`, and served through `handle`. `tell` is told what is learnt of them here. What is
    /// answered in the actors' thread goes to `answering`, unless this place is there.
    pub(crate) fn new(
        (handle, descriptors): (Handle, Descriptors),
        recognition: Recognition,
        tell: impl Fn(News) + Clone + 'static,
        answering: Option<ToAnswering>,
    ) -> Self {
        // What clients are answered is counted here, with what is refused before it is asked.
        let handle = handle.uncounted();
        let shares = Shares::new(descriptors.clone());
        let at_once = AtOnce::new(handle.clone(), shares.replies().clone());
        let lists = at_once.lists();
        let tell_of_listers = tell.clone();
        let listers = Listers::new(move |change| tell_of_listers(News::Listers(change)));
        let recognition = Rc::new(recognition.telling(move |proof| tell(News::Proof(proof))));
        let overdue = Overdue::default();
        let shared = Shared { handle, listers, lists, shares, recognition, overdue, answering };
        let shared = Rc::new(shared);
        Self { at_once, open: Open::default(), descriptors, shared }
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

    /// Something was learnt in another place.
    pub(crate) fn hear(&self, news: News) {
        match news {
            News::Listers(change) => self.shared.listers.learn(change),
            News::Proof(proof) => self.shared.recognition.hear(proof),
        }
    }

    /// Does what is to be done for a client that was accepted, beside the others.
    pub(crate) fn admit(&mut self, client: Client) -> Admitted {
        let is_alone = self.open.get() == 0 && !client.is_one_of_many;
        let Client { socket, held, .. } = client;
        let left = self.at_once.look(socket, &self.shared.recognition);
        if left.peer().is_none() {
            return Admitted { is_alone, at_once: true, is_heard: true };
        }
        let is_heard = matches!(left, Remaining::Serve(_, Ok(_)));
        admit(&self.open, &self.shared, held, left);
        Admitted { is_alone, at_once: false, is_heard }
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
    open: Open,
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
    recognition: Rc<Recognition>,
    overdue: Overdue,
    answering: Option<ToAnswering>,
}

/// Does what is left to do for a client, beside the others. `open` counts those.
fn admit(open: &Open, shared: &Rc<Shared>, held: Held, left: Remaining) {
    let Some(peer) = left.peer() else { return };
    let lease = match shared.shares.connection(peer) {
        Ok(Ok(lease)) => lease,
        Ok(Err(refused)) => {
            refused.tell(shares::REFUSED);
            if let Remaining::Serve(_, Ok(asked)) = &left {
                let commands = shared.handle.commands();
                count_answer(commands, asked.kind(), Some(ErrorCode::Nomem), Duration::ZERO);
            }
            return left.refuse(ErrorCode::Nomem);
        }
        Err(error) => return tracing::warn!(%error, "a client was not served"),
    };
    let counted = open.count.one_more();
    let (open, shared, uid) = (open.clone(), Rc::clone(shared), lease.uid());
    let left = match left.known(&shared.recognition) {
        Remaining::Known(peer, request) if connection::is_all(&request) => {
            let (rest, with) = (Default::default(), (&shared.handle, &shared.listers));
            match connection::heard(&peer, request, rest, with) {
                Ok((_, heard)) => {
                    let ticket = open.elsewhere.keep((counted, lease, None));
                    let client = ToAnswer { peer, heard, uid, held, ticket };
                    if let Some(client) = shared.answer(client) {
                        tokio::task::spawn_local(client.answered(shared.overdue.clone()));
                    }
                }
                Err(error) => tell_not_served(&error, uid),
            }
            return;
        }
        left => left,
    };
    tokio::task::spawn_local(async move {
        let (peer, heard, bytes) = match serve(left, &shared).await {
            Ok(Some(left)) => left,
            Ok(None) => return drop((held, counted, lease)),
            Err(error) => {
                tell_not_served(&error, uid);
                return drop((held, counted, lease));
            }
        };
        let ticket = open.elsewhere.keep((counted, lease, bytes));
        if let Some(client) = shared.answer(ToAnswer { peer, heard, uid, held, ticket }) {
            client.answered(shared.overdue.clone()).await;
        }
    });
}

impl Shared {
    /// Has it answered where actors are; it comes back when that is here.
    fn answer(&self, client: ToAnswer) -> Option<ToAnswer> {
        match &self.answering {
            Some(answering) => answering.send(client),
            None => Some(client),
        }
    }
}

async fn serve(left: Remaining, shared: &Shared) -> Result<Option<Unanswered>, ConnectionError> {
    let Shared { handle, listers, lists, shares, recognition, overdue, answering: _ } = shared;
    let with = (handle, listers, shares, &**lists, overdue);
    match left {
        Remaining::Nothing => {}
        Remaining::Hear(peer) => return connection::serve(peer, recognition, with).await,
        Remaining::Serve(peer, asked) => {
            return connection::serve_asked(peer, asked?, recognition, with).await;
        }
        Remaining::Known(peer, request) => {
            return connection::serve_request(peer, request, with).await;
        }
        Remaining::Send(peer, rest) => send::send_rest(&peer, rest).await?,
        Remaining::List(peer, requester, pid) => {
            let since = Instant::now();
            send::send_list(&peer, lists, (requester, Dialect::V2_13, pid)).await?;
            let command = CommandKind::ListSessions.name();
            handle.commands().answered(command, None, since.elapsed());
        }
    }
    Ok(None)
}
