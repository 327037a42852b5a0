//! One connection: one request, one reply.

use std::os::fd::OwnedFd;

use lttngd_handle::Handle;
use lttngd_model::{Credentials, ErrorCode};
use lttngd_runtime::{Peer, PeerCredentials, PeerError, read_growing, turn};
use lttngd_users::{Lease, NOBODY};
use lttngd_wire::client::{Asked, FDS_MAX, REQUEST_LEN, Reply, Request};
use tokio::time::Instant;

use crate::{
    heard::{Heard, count_answer, is_brief, tell_refused},
    listers::Listers,
    lists::Lists,
    overdue::Overdue,
    recognition::{Recognition, Unrecognized},
    send::{ConnectionError, REQUEST_DEADLINE, refuse, send_list, send_reply},
    shares::{Shares, complaint_of},
};

/// What clients are served with.
pub(crate) type With<'a> = (&'a Handle, &'a Listers, &'a Shares, &'a Lists, &'a Overdue);

/// What is left of serving a client: to do what it asks, and to answer it. What it has of its user's share for that is
/// with it.
pub(crate) type Unanswered = (Peer, Heard, Option<Lease>);

/// Serves one client, but for its answer when that may come from another thread. A client that closes without a word
/// only looked whether somebody is here. Nothing is left when it has its answer, or wanted none.
pub(crate) async fn serve(
    peer: Peer,
    recognition: &Recognition,
    with: With<'_>,
) -> Result<Option<Unanswered>, ConnectionError> {
    let since = Instant::now();
    let heard = tokio::time::timeout(REQUEST_DEADLINE, hear(&peer)).await;
    match heard.map_err(|_| ConnectionError::Silent)?? {
        Some(asked) => serve_asked_since(peer, asked, since, (recognition, with)).await,
        None => Ok(None),
    }
}

/// The same for a client whose request came whole, but for what follows it, and of which it is not known what it means.
pub(crate) async fn serve_asked(
    peer: Peer,
    asked: Asked,
    recognition: &Recognition,
    with: With<'_>,
) -> Result<Option<Unanswered>, ConnectionError> {
    serve_asked_since(peer, asked, Instant::now(), (recognition, with)).await
}

async fn serve_asked_since(
    peer: Peer,
    asked: Asked,
    since: Instant,
    (recognition, with): (&Recognition, With<'_>),
) -> Result<Option<Unanswered>, ConnectionError> {
    let dialect = match recognition.at_once(&peer, &asked) {
        Some(dialect) => dialect,
        None => match recognition.after_a_look(&peer, &asked).await {
            Ok(dialect) => dialect,
            Err(Unrecognized::Open) => {
                let commands = with.0.commands();
                count_answer(commands, asked.kind(), Some(ErrorCode::Und), since.elapsed());
                refuse(&peer, &asked).await?;
                return Ok(None);
            }
            Err(Unrecognized::Io(error)) => return Err(ConnectionError::Request(error.into())),
        },
    };
    serve_since(peer, asked.in_dialect(dialect), since, with).await
}

/// The same when it is known what is meant.
pub(crate) async fn serve_request(
    peer: Peer,
    request: Request,
    with: With<'_>,
) -> Result<Option<Unanswered>, ConnectionError> {
    serve_since(peer, request, Instant::now(), with).await
}

/// Whether nothing comes behind a request, and it is answered where actors are.
pub(crate) fn is_all(request: &Request) -> bool {
    is_brief(request) && request.payload_len() == Ok(0) && request.fd_count == 0
}

/// What a client asks that has said all, and who it is.
pub(crate) fn heard(
    peer: &Peer,
    request: Request,
    (payload, received): (Vec<u8>, Vec<OwnedFd>),
    (handle, listers): (&Handle, &Listers),
) -> Result<(PeerCredentials, Heard), ConnectionError> {
    let credentials = peer.credentials().map_err(|e| ConnectionError::Request(e.into()))?;
    listers.asks(credentials.pid, &request);
    let requester = Credentials { uid: credentials.uid, gid: credentials.gid };
    Ok((credentials, Heard::new(handle.acting_for(requester), request, payload, received)))
}

async fn serve_since(
    peer: Peer,
    request: Request,
    since: Instant,
    (handle, listers, shares, lists, overdue): With<'_>,
) -> Result<Option<Unanswered>, ConnectionError> {
    let mut lease = None;
    let payload = payload(&peer, &request, (shares, &mut lease));
    let payload = tokio::time::timeout_at(since + REQUEST_DEADLINE, payload).await;
    let rest = match payload.map_err(|_| ConnectionError::Silent)?? {
        Ok(rest) => rest,
        Err(code) => {
            tell_refused(&request, code);
            count_answer(handle.commands(), request.kind(), Some(code), since.elapsed());
            send_reply(&peer, Reply::error(&request, code), &[]).await?;
            return Ok(None);
        }
    };
    let is_brief = is_brief(&request);
    let (credentials, heard) = heard(&peer, request, rest, (handle, listers))?;
    if is_brief {
        return Ok(Some((peer, heard, lease)));
    }
    let room = shares.replies().room(credentials.uid);
    let mut answer = heard.done(&peer, room, overdue).await;
    if answer.attached.lists_sessions {
        let requester = Credentials { uid: credentials.uid, gid: credentials.gid };
        let reply = (requester, answer.request.dialect, answer.reply.pid);
        send_list(&peer, lists, reply).await?;
    } else {
        let now = Instant::now();
        answer.reply = listers.told(credentials.pid, &answer.request, answer.reply, now);
        answer.send(&peer).await?;
    }
    Ok(None)
}

/// Reads the fixed part of a request; `None` when the client closed without a word.
async fn hear(peer: &Peer) -> Result<Option<Asked>, ConnectionError> {
    let mut fixed = vec![0; REQUEST_LEN];
    if !peer.read_exact_or_end(&mut fixed).await.map_err(ConnectionError::Request)? {
        return Ok(None);
    }
    Ok(Some(Asked::decode(&fixed)?))
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
