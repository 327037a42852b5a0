//! Accepting those who declare sessions, and serving each beside the others.

use std::{io, os::unix::net::UnixListener, time::Duration};

use actix::{Actor, Addr};
use lttngd_handle::{Handle, Versioned};
use lttngd_model::Credentials;
use lttngd_runtime::{Descriptors, Peer, PeerError, Sockets, accept_all, complaint, read_growing};
use lttngd_status::{PlaceCount, Places};
use thiserror::Error;
use tokio::time::timeout;

use crate::{Asked, DeclareError, DeclareReply, DeclareRequest, Declared};

/// Most clients at a time.
pub const CONNECTIONS_MAX: u64 = 64;
/// Most of them that are one user's, but root's.
pub const CONNECTIONS_EACH_MAX: u64 = 4;
/// Of all, kept for root's.
const CONNECTIONS_KEPT: u64 = 8;
/// Longest request in bytes.
pub const REQUEST_MAX_LEN: u32 = 4 << 20;
/// Longest time from a connection to its whole request.
pub const REQUEST_DEADLINE: Duration = Duration::from_secs(5);
/// Longest time for a client to take its reply.
pub const REPLY_DEADLINE: Duration = Duration::from_secs(5);

/// Why a client was not served.
#[derive(Debug, Error)]
enum NotServed {
    #[error("it did not send a whole request within {} s", REQUEST_DEADLINE.as_secs())]
    Silent,
    #[error("it did not take the reply within {} s", REPLY_DEADLINE.as_secs())]
    Deaf,
    #[error("its request has {0} bytes, more than {REQUEST_MAX_LEN}")]
    TooLong(u32),
    #[error("its request: {0}")]
    Malformed(serde_json::Error),
    #[error(transparent)]
    Peer(#[from] PeerError),
    #[error("its reply cannot be written: {0}")]
    Unwritten(serde_json::Error),
    #[error("its reply is too long")]
    ReplyTooLong,
}

/// How many places there are.
const PLACES: PlaceCount =
    PlaceCount { max: CONNECTIONS_MAX, each_max: CONNECTIONS_EACH_MAX, kept: CONNECTIONS_KEPT };

/// Accepts clients on `listener` for ever, and does what each of them asks, through `handle`, with his rights. They are
/// counted in `descriptors`; one whose user has his share is closed. The documents are forgotten when this ends.
///
/// # Errors
/// When the socket cannot be used at all.
pub async fn listen(
    listener: UnixListener,
    handle: Handle,
    descriptors: Descriptors,
) -> io::Result<()> {
    let sockets = Sockets::new(listener)?;
    let told = ("connections of those who declare sessions", "who declares sessions is refused");
    let places = Places::new(told, PLACES, descriptors);
    let declared = Declared::new(handle.clone()).start();
    let admit = |socket| {
        let peer = Peer::accepted(socket)?.reading_ahead();
        let credentials = peer.credentials()?;
        let uid = credentials.uid;
        let Some((peer, lease)) = places.admit(peer, uid)? else { return Ok(()) };
        let handle = handle.acting_for(Credentials { uid, gid: credentials.gid });
        let declared = declared.clone();
        tokio::task::spawn_local(async move {
            if let Err(error) = serve(&peer, handle, &declared).await
                && let Some(left_out) = complaint("declaring client", uid)
            {
                tracing::debug!(%error, left_out, "who declares sessions was not served");
            }
            drop(lease);
        });
        Ok(())
    };
    match accept_all("declaring client", sockets, places.pace(), admit).await {}
}

async fn serve(peer: &Peer, handle: Handle, declared: &Addr<Declared>) -> Result<(), NotServed> {
    let heard = timeout(REQUEST_DEADLINE, hear(peer)).await;
    let request = heard.map_err(|_| NotServed::Silent)??;
    let read = serde_json::from_slice::<Versioned<DeclareRequest>>(&request);
    let reply = match read {
        Ok(read) => {
            let asked = Asked { request: read.content, handle };
            // It fails only when the actor did.
            declared.send(asked).await.unwrap_or(Err(DeclareError::Ending))
        }
        // What was meant is known well enough to say what is wrong with it.
        Err(error) if error.is_data() => Err(DeclareError::Fault(error.to_string())),
        Err(error) => return Err(NotServed::Malformed(error)),
    };
    let reply = encode(reply)?;
    let sent = timeout(REPLY_DEADLINE, peer.write_all(&reply)).await;
    Ok(sent.map_err(|_| NotServed::Deaf)??)
}

async fn hear(peer: &Peer) -> Result<Vec<u8>, NotServed> {
    let mut len = [0; 4];
    peer.read_exact(&mut len).await?;
    let len = u32::from_ne_bytes(len);
    if len > REQUEST_MAX_LEN {
        return Err(NotServed::TooLong(len));
    }
    let fill = async |step: &mut [u8]| peer.read_exact(step).await;
    Ok(read_growing(len as usize, fill).await?)
}

fn encode(reply: Result<DeclareReply, DeclareError>) -> Result<Vec<u8>, NotServed> {
    let text = serde_json::to_vec(&Versioned::new(reply)).map_err(NotServed::Unwritten)?;
    let len = u32::try_from(text.len()).map_err(|_| NotServed::ReplyTooLong)?;
    Ok([&len.to_ne_bytes()[..], &text].concat())
}
