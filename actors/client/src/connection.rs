//! One connection: one request, one reply.

use std::{
    cell::RefCell,
    os::fd::{AsFd, OwnedFd},
    time::Duration,
};

use lttngd_handle::Handle;
use lttngd_model::{Binary, Credentials, ErrorCode};
use lttngd_runtime::{Peer, PeerError, fail_point::in_the_middle, read_growing, turn};
use lttngd_users::{Lease, NOBODY};
use lttngd_wire::{
    DecodeError,
    client::{FDS_MAX, REQUEST_LEN, Reply, Request},
};
use thiserror::Error;
use tokio::time::Instant;

use crate::{
    dispatch::dispatch,
    listers::Listers,
    lists::Lists,
    shares::{Shares, complaint_of},
};

/// Longest time from a connection to its whole request.
pub const REQUEST_DEADLINE: Duration = Duration::from_secs(60);
/// Longest time for the client to take the reply.
pub const REPLY_DEADLINE: Duration = Duration::from_secs(60);

/// Data of a reply that is copied behind its head and sent with it, in bytes; larger data is sent by itself.
const COPIED_MAX: usize = 16 << 10;

/// Why a client was not served.
#[derive(Debug, Error)]
pub(crate) enum ConnectionError {
    #[error("it did not send a whole request within {} s", REQUEST_DEADLINE.as_secs())]
    Silent,
    #[error("it did not take the reply within {} s", REPLY_DEADLINE.as_secs())]
    Deaf,
    #[error("lists of sessions that other clients do not take left no room for its own")]
    NoRoom,
    #[error("its request: {0}")]
    Request(PeerError),
    #[error("its request: {0}")]
    Malformed(#[from] DecodeError),
    #[error("its reply: {0}")]
    Reply(PeerError),
}

/// What clients are served with.
pub(crate) type With<'a> = (&'a Handle, &'a Listers, &'a Shares, &'a Lists);

/// Serves one client. A client that closes without a word only looked whether somebody is here.
pub(crate) async fn serve(peer: &Peer, with: With<'_>) -> Result<(), ConnectionError> {
    let since = Instant::now();
    let heard = tokio::time::timeout(REQUEST_DEADLINE, hear(peer)).await;
    match heard.map_err(|_| ConnectionError::Silent)?? {
        Some(request) => serve_since(peer, request, since, with).await,
        None => Ok(()),
    }
}

/// The same for a client whose request came whole, but for what follows it.
pub(crate) async fn serve_request(
    peer: &Peer,
    request: Request,
    with: With<'_>,
) -> Result<(), ConnectionError> {
    serve_since(peer, request, Instant::now(), with).await
}

async fn serve_since(
    peer: &Peer,
    request: Request,
    since: Instant,
    (handle, listers, shares, lists): With<'_>,
) -> Result<(), ConnectionError> {
    let mut lease = None;
    let payload = payload(peer, &request, (shares, &mut lease));
    let payload = tokio::time::timeout_at(since + REQUEST_DEADLINE, payload).await;
    let payload = payload.map_err(|_| ConnectionError::Silent)??;
    let attached = RefCell::<Attached>::default();
    let mut reply = match payload {
        Ok((payload, descriptors)) => {
            attached.borrow_mut().received = descriptors;
            let credentials = peer.credentials().map_err(|e| ConnectionError::Request(e.into()))?;
            let requester = Credentials { uid: credentials.uid, gid: credentials.gid };
            let handle = handle.acting_for(requester);
            let point = || "Client command".to_owned();
            let reply =
                in_the_middle(point, dispatch(&handle, &request, &payload, &attached)).await;
            if attached.borrow().lists_sessions {
                return send_list(peer, lists, (requester, reply.pid)).await;
            }
            listers.told(credentials.pid, &request, reply, Instant::now())
        }
        Err(code) => Reply::error(&request, code),
    };
    if let Some(code) = reply.failure() {
        tracing::debug!(command = request.command, session = request.session_name, %code, "refused");
    }
    let Attached { sent, .. } = attached.into_inner();
    reply.fd_count = u32::try_from(sent.len()).unwrap_or(u32::MAX);
    if reply.data.len() <= COPIED_MAX {
        send(peer, [&reply.encode(), &[]]).await?;
    } else {
        send(peer, [&reply.encode_head(reply.pid), &reply.data]).await?;
    }
    send_binaries(peer, &sent).await
}

/// Sends the descriptors that a reply announced.
async fn send_binaries(peer: &Peer, binaries: &[Binary]) -> Result<(), ConnectionError> {
    if binaries.is_empty() {
        return Ok(());
    }
    let descriptors: Vec<_> = binaries.iter().map(AsFd::as_fd).collect();
    let sent = tokio::time::timeout(REPLY_DEADLINE, peer.write_descriptors(&descriptors)).await;
    sent.map_err(|_| ConnectionError::Deaf)?.map_err(ConnectionError::Reply)
}

/// Sends a reply or the rest of one.
pub(crate) async fn send(peer: &Peer, parts: [&[u8]; 2]) -> Result<(), ConnectionError> {
    let sent = async {
        peer.write_all(parts[0]).await?;
        peer.write_all(parts[1]).await
    };
    tokio::time::timeout(REPLY_DEADLINE, sent)
        .await
        .map_err(|_| ConnectionError::Deaf)?
        .map_err(ConnectionError::Reply)
}

/// Sends the list of sessions, when there is room for one, in answer to the request with this `pid`.
pub(crate) async fn send_list(
    peer: &Peer,
    lists: &Lists,
    (requester, pid): (Credentials, i32),
) -> Result<(), ConnectionError> {
    let list = tokio::time::timeout(REPLY_DEADLINE, lists.when_there_is_room(requester)).await;
    let list = list.map_err(|_| ConnectionError::NoRoom)?;
    send(peer, [&list.head(pid), list.data()]).await
}

/// Reads the fixed part of a request; `None` when the client closed without a word.
async fn hear(peer: &Peer) -> Result<Option<Request>, ConnectionError> {
    let mut fixed = vec![0; REQUEST_LEN];
    if !peer.read_exact_or_end(&mut fixed).await.map_err(ConnectionError::Request)? {
        return Ok(None);
    }
    Ok(Some(Request::decode(&fixed)?))
}

/// What belongs to a request and its reply beside their bytes: descriptors of programs in which probes are
/// placed, and data that replies share.
#[derive(Default)]
pub(crate) struct Attached {
    /// What came with the request.
    pub(crate) received: Vec<OwnedFd>,
    /// What goes with the reply.
    pub(crate) sent: Vec<Binary>,
    /// Whether the reply is the list of sessions.
    pub(crate) lists_sessions: bool,
}

/// Reads all that belongs to a request behind its fixed part; an error code in place of the payload when that
/// is larger than any, or there is no room for it. What it takes of its user's share is in `lease`.
async fn payload(
    peer: &Peer,
    request: &Request,
    (shares, lease): (&Shares, &mut Option<Lease>),
) -> Result<Result<(Vec<u8>, Vec<OwnedFd>), ErrorCode>, ConnectionError> {
    let payload_len = match request.payload_len() {
        Ok(len) => len,
        Err(error) => {
            if let Some(left_out) = complaint_of(peer, "request") {
                let command = request.command;
                tracing::warn!(command, %error, left_out, "a client's request is refused");
            }
            return Ok(Err(request.malformed()));
        }
    };
    let mut uid = NOBODY;
    if payload_len > 0 {
        uid = peer.credentials().map_err(|e| ConnectionError::Request(e.into()))?.uid;
        match shares.request(uid, payload_len) {
            Ok(taken) => *lease = Some(taken),
            Err(code) => return Ok(Err(code)),
        }
    }
    let fill = async |bytes: &mut [u8]| {
        turn(uid, bytes.len()).await;
        peer.read_exact(bytes).await
    };
    let payload = read_growing(payload_len, fill).await.map_err(ConnectionError::Request)?;
    let descriptors = match request.fd_count as usize {
        0 => Vec::new(),
        count if count <= FDS_MAX => match peer.read_descriptors(count).await {
            Ok(descriptors) => descriptors,
            // Only a command that needs them does not do without.
            Err(PeerError::NoneLeft { .. }) => Vec::new(),
            Err(error) => return Err(ConnectionError::Request(error)),
        },
        _ => return Ok(Err(ErrorCode::InvalidProtocol)),
    };
    Ok(Ok((payload, descriptors)))
}
