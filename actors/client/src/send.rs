//! Replies on their way to clients, and why one was not served.

use std::{os::fd::AsFd, time::Duration};

use lttngd_model::{Binary, Credentials, ErrorCode};
use lttngd_runtime::{Peer, PeerError, complaint};
use lttngd_wire::{
    DecodeError,
    client::{Asked, Dialect, PAYLOAD_MAX_LEN, Reply},
};
use thiserror::Error;

use crate::{at_once::Rest, lists::Lists};

/// Longest time from a connection to its whole request.
pub const REQUEST_DEADLINE: Duration = Duration::from_secs(60);
/// Longest time for the client to take the reply.
pub const REPLY_DEADLINE: Duration = Duration::from_secs(60);

/// Longest time for a client that is not understood to have said all.
const REFUSED_DEADLINE: Duration = Duration::from_secs(1);

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

/// Says why a client of this user was not served.
pub(crate) fn tell_not_served(error: &ConnectionError, uid: u32) {
    match error {
        // As those do that do not wait for the end of a session.
        ConnectionError::Reply(PeerError::Closed) => {
            tracing::debug!("a client left before it was answered");
        }
        error => {
            if let Some(left_out) = complaint("client", uid) {
                tracing::warn!(%error, left_out, "a client was not served");
            }
        }
    }
}

/// Sends a reply, and the descriptors that go with it.
pub(crate) async fn send_reply(
    peer: &Peer,
    mut reply: Reply,
    binaries: &[Binary],
) -> Result<(), ConnectionError> {
    reply.fd_count = u32::try_from(binaries.len()).unwrap_or(u32::MAX);
    if reply.data.len() > COPIED_MAX {
        send(peer, [&reply.encode_head(reply.pid), &reply.data]).await?;
        return send_binaries(peer, binaries).await;
    }
    let bytes = reply.encode();
    // Nearly every client takes it at once, and most get nothing else.
    let sent = peer.write_now(&bytes).map_err(ConnectionError::Reply)?;
    let left = bytes.get(sent..).unwrap_or_default();
    if left.is_empty() && binaries.is_empty() {
        return Ok(());
    }
    Box::pin(async {
        send(peer, [left, &[]]).await?;
        send_binaries(peer, binaries).await
    })
    .await
}

/// Tells a client that it is not understood, in the form that clients of all versions read. What it may still say of
/// its request, whose length is not known, is taken until it closes: else it would fail with that before it hears.
pub(crate) async fn refuse(peer: &Peer, asked: &Asked) -> Result<(), ConnectionError> {
    send_reply(peer, asked.refusal(ErrorCode::Und), &[]).await?;
    let mut bytes = [0; 4096];
    let rest = async {
        for _ in 0..=PAYLOAD_MAX_LEN / bytes.len() {
            match peer.read_exact_or_end(&mut bytes).await {
                Ok(true) => {}
                _ => return,
            }
        }
    };
    // Whoever says nothing more and does not close has heard.
    let _ = tokio::time::timeout(REFUSED_DEADLINE, rest).await;
    Ok(())
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
async fn send(peer: &Peer, parts: [&[u8]; 2]) -> Result<(), ConnectionError> {
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
    (requester, dialect, pid): (Credentials, Dialect, i32),
) -> Result<(), ConnectionError> {
    let list =
        tokio::time::timeout(REPLY_DEADLINE, lists.when_there_is_room(requester, dialect)).await;
    let list = list.map_err(|_| ConnectionError::NoRoom)?;
    send_rest(peer, Rest::all(list, pid)).await
}

/// Sends what is left of a list.
pub(crate) async fn send_rest(peer: &Peer, mut rest: Rest) -> Result<(), ConnectionError> {
    let sent = async {
        loop {
            let pieces = rest.pieces();
            if pieces.is_empty() {
                return Ok(());
            }
            let sent = peer.write_some(&pieces).await?;
            rest.sent += sent;
        }
    };
    tokio::time::timeout(REPLY_DEADLINE, sent)
        .await
        .map_err(|_| ConnectionError::Deaf)?
        .map_err(ConnectionError::Reply)
}
