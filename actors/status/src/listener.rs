//! Accepting those who look at the daemon, and serving each beside the others.

use std::{cell::RefCell, io, os::unix::net::UnixListener, rc::Rc, time::Duration};

use lttngd_handle::{GetStatus, Handle, Status, Versioned};
use lttngd_model::{Credentials, ErrorCode};
use lttngd_runtime::{Descriptors, Peer, PeerError, Sockets, accept_all, complaint};
use thiserror::Error;
use tokio::time::{Instant, sleep_until, timeout};

use crate::{
    pace::Turns,
    places::{PlaceCount, Places},
};

/// Most clients at a time.
pub const CONNECTIONS_MAX: u64 = 64;
/// Most of them that are one user's, but root's.
pub const CONNECTIONS_EACH_MAX: u64 = 4;
/// Of all, kept for root's.
const CONNECTIONS_KEPT: u64 = 8;
/// Longest request in bytes, with the end of its line.
pub const REQUEST_MAX_LEN: usize = 1 << 12;
/// Longest time from a connection to its whole request.
pub const REQUEST_DEADLINE: Duration = Duration::from_secs(5);
/// Longest time for a client to take its reply.
pub const REPLY_DEADLINE: Duration = Duration::from_secs(5);
/// Longest wait for the actors. None of them waits for a peer in it: they are late when their thread is.
const ACTORS_DEADLINE: Duration = Duration::from_secs(5);

/// Why a client was not served.
#[derive(Debug, Error)]
enum NotServed {
    #[error("it did not send a whole request within {} s", REQUEST_DEADLINE.as_secs())]
    Silent,
    #[error("it did not take the reply within {} s", REPLY_DEADLINE.as_secs())]
    Deaf,
    #[error("its request has more than {REQUEST_MAX_LEN} bytes")]
    TooLong,
    #[error("its request: {0}")]
    Malformed(serde_json::Error),
    #[error(transparent)]
    Peer(#[from] PeerError),
    #[error("its reply cannot be written: {0}")]
    Unwritten(serde_json::Error),
}

/// How many places there are.
const PLACES: PlaceCount =
    PlaceCount { max: CONNECTIONS_MAX, each_max: CONNECTIONS_EACH_MAX, kept: CONNECTIONS_KEPT };

/// Accepts clients on `listener` for ever, and answers each of them, through `handle`, what he may know. They are
/// counted in `descriptors`; one whose user has his share is closed.
///
/// # Errors
/// When the socket cannot be used at all.
pub async fn listen(
    listener: UnixListener,
    handle: Handle,
    descriptors: Descriptors,
) -> io::Result<()> {
    let sockets = Sockets::new(listener)?;
    let told =
        ("connections of those who look at the daemon", "who looks at the daemon is refused");
    let places = Places::new(told, PLACES, descriptors);
    let turns = Rc::<RefCell<Turns>>::default();
    let admit = |socket| {
        let peer = Peer::accepted(socket)?.reading_ahead();
        let credentials = peer.credentials()?;
        let uid = credentials.uid;
        let Some((peer, lease)) = places.admit(peer, uid)? else { return Ok(()) };
        let handle = handle.acting_for(Credentials { uid, gid: credentials.gid });
        let turns = Rc::clone(&turns);
        tokio::task::spawn_local(async move {
            if let Err(error) = serve(&peer, &handle, &turns).await
                && let Some(left_out) = complaint("status client", uid)
            {
                tracing::debug!(%error, left_out, "who looks at the daemon was not served");
            }
            drop(lease);
        });
        Ok(())
    };
    match accept_all("status client", sockets, places.pace(), admit).await {}
}

async fn serve(peer: &Peer, handle: &Handle, turns: &RefCell<Turns>) -> Result<(), NotServed> {
    let heard = timeout(REQUEST_DEADLINE, hear(peer)).await;
    let request = heard.map_err(|_| NotServed::Silent)??;
    let read = serde_json::from_slice::<Versioned<GetStatus>>(&request);
    let request = read.map_err(NotServed::Malformed)?.content;
    let turn = turns.borrow_mut().next(handle.requester().uid, Instant::now());
    sleep_until(turn).await;
    // Their thread being late is no answer to what was asked.
    let told = timeout(ACTORS_DEADLINE, handle.ask(request)).await;
    let reply = encode(told.unwrap_or(Err(ErrorCode::Unk)))?;
    let sent = timeout(REPLY_DEADLINE, peer.write_all(&reply)).await;
    Ok(sent.map_err(|_| NotServed::Deaf)??)
}

/// Reads a line.
async fn hear(peer: &Peer) -> Result<Vec<u8>, NotServed> {
    let mut request = Vec::new();
    let mut byte = [0];
    while byte != *b"\n" {
        if request.len() == REQUEST_MAX_LEN {
            return Err(NotServed::TooLong);
        }
        // What has come is there: it was received in one go.
        peer.read_exact(&mut byte).await?;
        request.extend(byte);
    }
    Ok(request)
}

fn encode(told: Result<Status, ErrorCode>) -> Result<Vec<u8>, NotServed> {
    let mut line = serde_json::to_vec(&Versioned::new(told)).map_err(NotServed::Unwritten)?;
    line.push(b'\n');
    Ok(line)
}
