//! Accepting those who scrape, and answering all who come within a moment the same.

use std::{
    cell::RefCell,
    io,
    net::TcpListener as StdTcpListener,
    os::{fd::OwnedFd, unix::net::UnixListener},
    rc::Rc,
    time::Duration,
};

use futures::{
    FutureExt,
    future::{LocalBoxFuture, Shared},
};
use lttngd_handle::{GetStatus, Handle};
use lttngd_runtime::{
    Descriptors, Peer, PeerError, Sockets, TcpUsers, accept_all, complaint, peer_credentials,
};
use lttngd_users::{Lease, NOBODY};
use thiserror::Error;
use tokio::{
    net::{TcpListener, TcpStream},
    time::{Instant, timeout},
};

use super::{
    http::{self, Asked, Refused},
    text::metrics,
};
use crate::places::{PlaceCount, Places};

/// Most who scrape at a time.
pub const METRICS_CONNECTIONS_MAX: u64 = 32;
/// Most of them that are one user's, but root's.
pub const METRICS_CONNECTIONS_EACH_MAX: u64 = 4;
/// Of all, kept for root's.
const CONNECTIONS_KEPT: u64 = 4;
/// How many places there are.
const PLACES: PlaceCount = PlaceCount {
    max: METRICS_CONNECTIONS_MAX,
    each_max: METRICS_CONNECTIONS_EACH_MAX,
    kept: CONNECTIONS_KEPT,
};
/// Longest request in bytes.
pub const SCRAPE_MAX_LEN: usize = 1 << 13;
/// Longest time from a connection to its whole request, and for its answer to be taken.
pub const SCRAPE_DEADLINE: Duration = Duration::from_secs(5);
/// All who come within this time are answered what the first of them was: what many ask for is made seldom.
pub const RENEW_PERIOD: Duration = Duration::from_millis(250);
/// Longest wait for the actors, as for a status.
const ACTORS_DEADLINE: Duration = Duration::from_secs(5);

/// Where those come from who scrape.
#[derive(Debug)]
pub enum MetricsListener {
    /// A Unix socket, whose rights say who may.
    Unix(UnixListener),
    /// A port of this machine's own address: every user of it may.
    Tcp(StdTcpListener),
}

/// Why somebody was not answered.
#[derive(Debug, Error)]
enum NotServed {
    #[error("it did not take the answer within {} s", SCRAPE_DEADLINE.as_secs())]
    Deaf,
    #[error(transparent)]
    Peer(#[from] PeerError),
}

/// The text of a scrape, or why there is none.
type Text = Result<Rc<str>, Refused>;

/// The text that is answered now, which is made when the first one waits for it.
#[derive(Default)]
struct Newest(RefCell<Option<(Instant, Shared<LocalBoxFuture<'static, Text>>)>>);

impl Newest {
    async fn text(&self, handle: &Handle) -> Text {
        let now = Instant::now();
        let known =
            self.0.borrow().as_ref().filter(|(made, _)| now < *made + RENEW_PERIOD).cloned();
        let text = match known {
            Some((_, text)) => text,
            None => {
                let text = text(handle.clone()).boxed_local().shared();
                *self.0.borrow_mut() = Some((now, text.clone()));
                text
            }
        };
        text.await
    }
}

async fn text(handle: Handle) -> Text {
    let told = timeout(ACTORS_DEADLINE, handle.ask(GetStatus { users: true })).await;
    let told = told.map_err(|_| Refused::NotKnown)?;
    let status = told.map_err(|_| Refused::NotKnown)?;
    metrics(status).map(Rc::from).map_err(|_| Refused::NotKnown)
}

/// What all are served with.
struct Serving {
    handle: Handle,
    places: Places,
    newest: Newest,
}

impl Serving {
    /// Serves one more, of this user, beside the others.
    fn admit(self: &Rc<Self>, socket: OwnedFd, uid: u32, is_local: bool) -> io::Result<()> {
        let peer = Peer::accepted(socket)?.reading_ahead();
        if let Some((peer, lease)) = self.places.admit(peer, uid)? {
            tokio::task::spawn_local(Rc::clone(self).serve(peer, lease, is_local));
        }
        Ok(())
    }

    async fn serve(self: Rc<Self>, peer: Peer, lease: Lease, is_local: bool) {
        let answered = match timeout(SCRAPE_DEADLINE, hear(&peer, is_local)).await {
            Ok(Ok(asked)) => self.answer(&peer, asked).await,
            Ok(Err(NotHeard::Refused(refused))) => send(&peer, &[&http::refusal(refused)]).await,
            Ok(Err(NotHeard::Nothing)) => Ok(()),
            Err(_) => send(&peer, &[&http::refusal(Refused::Silent)]).await,
        };
        if let Err(error) = answered
            && let Some(left_out) = complaint("scrape", lease.uid())
        {
            tracing::debug!(%error, left_out, "who scrapes metrics was not served");
        }
        // What it sent besides is not to make the end of its connection a reset, with which it would lose the answer.
        peer.turn_away();
    }

    async fn answer(&self, peer: &Peer, asked: Asked) -> Result<(), NotServed> {
        match (self.newest.text(&self.handle).await, asked) {
            (Ok(text), Asked::Text) => send(peer, &[&http::head(text.len()), &text]).await,
            (Ok(text), Asked::Head) => send(peer, &[&http::head(text.len())]).await,
            (Err(refused), _) => send(peer, &[&http::refusal(refused)]).await,
        }
    }
}

/// Why there is no request.
enum NotHeard {
    Refused(Refused),
    /// It only looked, or is gone.
    Nothing,
}

async fn hear(peer: &Peer, is_local: bool) -> Result<Asked, NotHeard> {
    let mut request = Vec::new();
    let mut byte = [0];
    while !http::is_whole(&request) {
        if request.len() == SCRAPE_MAX_LEN {
            return Err(NotHeard::Refused(Refused::TooLong));
        }
        // What has come is there: it was received in one go.
        peer.read_exact(&mut byte).await.map_err(|_| NotHeard::Nothing)?;
        request.extend(byte);
    }
    http::read(&request, is_local).map_err(NotHeard::Refused)
}

async fn send(peer: &Peer, parts: &[&str]) -> Result<(), NotServed> {
    let sent = async {
        for part in parts {
            peer.write_all(part.as_bytes()).await?;
        }
        Ok(())
    };
    timeout(SCRAPE_DEADLINE, sent).await.map_err(|_| NotServed::Deaf)?
}

/// Accepts those who scrape on `listener` for ever, and answers each of them all that `handle` may know. They are
/// counted in `descriptors`; one whose user has his share is closed.
///
/// # Errors
/// When the socket cannot be used at all.
pub async fn listen_for_scrapes(
    listener: MetricsListener,
    handle: Handle,
    descriptors: Descriptors,
) -> io::Result<()> {
    let told = ("connections of those who scrape metrics", "who scrapes metrics is refused");
    let places = Places::new(told, PLACES, descriptors);
    let serving = Rc::new(Serving { handle, places, newest: Newest::default() });
    match listener {
        MetricsListener::Unix(listener) => {
            let admit = |socket: OwnedFd| {
                let uid = peer_credentials(&socket)?.uid;
                serving.admit(socket, uid, false)
            };
            match accept_all("scrape", Sockets::new(listener)?, serving.places.pace(), admit).await {}
        }
        MetricsListener::Tcp(listener) => {
            listener.set_nonblocking(true)?;
            let users = TcpUsers::new().inspect_err(|error| {
                tracing::info!(%error, "who scrapes is not known: all of them share as one user");
            });
            let users = users.ok();
            let admit = |(stream, theirs): (TcpStream, _)| {
                let ours = stream.local_addr()?;
                let uid = users.as_ref().and_then(|users| users.user(theirs, ours));
                serving.admit(stream.into_std()?.into(), uid.unwrap_or(NOBODY), true)
            };
            let listener = TcpListener::from_std(listener)?;
            match accept_all("scrape", listener, serving.places.pace(), admit).await {}
        }
    }
}
