//! Requests that are answered before anything is made to wait for them.
//!
//! Monitors ask for the list of sessions again and again, many at a time. Their whole request is there
//! when they are accepted, and the answer is the same until a session changes: it is encoded once, and sent
//! without a task, a timer or a message to an actor. What else comes is left to a
//! [connection](crate::connection), with the request if it is there whole, or the bytes read so far.

use std::{io::IoSlice, os::fd::OwnedFd, rc::Rc, time::Instant};

use lttngd_handle::{CommandCounters, Handle};
use lttngd_model::{Credentials, ErrorCode};
use lttngd_runtime::{Peer, peer_credentials};
use lttngd_wire::{
    DecodeError,
    client::{Asked, CommandKind, Dialect, REQUEST_LEN, Request},
};
use rustix::{
    io::Errno,
    net::{RecvFlags, SendAncillaryBuffer, SendFlags},
};

use crate::{
    lists::{List, Lists},
    recognition::Recognition,
    replies::Replies,
};

/// What is left to do for a client that was just accepted.
pub(crate) enum Remaining {
    /// Nothing: it has its answer, or only looked whether somebody is here.
    Nothing,
    /// All: its request is not there.
    Hear(Peer),
    /// To find out what is meant by this request, and to serve it.
    Serve(Peer, Result<Asked, DecodeError>),
    /// To serve this request, whose payload is still to be read.
    Known(Peer, Request),
    /// To send it the rest of a list.
    Send(Peer, Rest),
    /// To send it a list when there is room for one, in answer to the request with this `pid`.
    List(Peer, Credentials, i32),
}

impl Remaining {
    /// The client, unless nothing is left to do for it.
    pub(crate) fn peer(&self) -> Option<&Peer> {
        match self {
            Self::Nothing => None,
            Self::Hear(peer)
            | Self::Serve(peer, _)
            | Self::Known(peer, _)
            | Self::Send(peer, _)
            | Self::List(peer, ..) => Some(peer),
        }
    }

    /// The same, when what is meant by its request is known without a look at it.
    pub(crate) fn known(self, recognition: &Recognition) -> Self {
        match self {
            Self::Serve(peer, Ok(asked)) => match recognition.at_a_glance(&peer, &asked) {
                Some(dialect) => Self::Known(peer, asked.in_dialect(dialect)),
                None => Self::Serve(peer, Ok(asked)),
            },
            other => other,
        }
    }

    /// Answers a request that is not served, as far as nobody has to wait for that. Who has not said what it
    /// wants sees the end of its connection.
    pub(crate) fn refuse(&self, code: ErrorCode) {
        if let Self::Serve(peer, Ok(asked)) = self {
            let reply = asked.refusal(code).encode();
            // A client that takes nothing is not told.
            let _ = rustix::net::send(peer, &reply, SendFlags::DONTWAIT | SendFlags::NOSIGNAL);
        }
    }
}

/// What a client was not sent yet of a list.
pub(crate) struct Rest {
    pub(crate) head: Vec<u8>,
    pub(crate) list: Rc<List>,
    /// How many bytes of both it was sent.
    pub(crate) sent: usize,
}

/// Most pieces that are sent at a time (`UIO_MAXIOV` is four times that): more than a socket takes of a list.
const PIECES_MAX: usize = 256;

impl Rest {
    /// All of a list, in answer to the request with this `pid`.
    pub(crate) fn all(list: Rc<List>, pid: i32) -> Self {
        Self { head: list.head(pid), list, sent: 0 }
    }

    /// The bytes that are to be sent next, none when it has all.
    pub(crate) fn pieces(&self) -> Vec<IoSlice<'_>> {
        let of_head = self.sent.min(self.head.len());
        let head = self.head.get(of_head..).filter(|head| !head.is_empty());
        let data = self.list.data().pieces_from(self.sent - of_head);
        head.into_iter().chain(data).take(PIECES_MAX).map(IoSlice::new).collect()
    }
}

/// Answers to the requests for the list of sessions.
pub(crate) struct AtOnce {
    lists: Rc<Lists>,
    /// Where answers are counted.
    commands: CommandCounters,
    /// Where requests are received.
    request: Vec<u8>,
}

impl AtOnce {
    pub(crate) fn new(handle: Handle, replies: Replies) -> Self {
        let commands = handle.commands().clone();
        Self {
            lists: Rc::new(Lists::new(handle, replies)),
            commands,
            request: vec![0; REQUEST_LEN],
        }
    }

    /// The lists that it sends.
    pub(crate) fn lists(&self) -> Rc<Lists> {
        Rc::clone(&self.lists)
    }

    /// Looks what the client at `socket`, which is non-blocking, has said.
    pub(crate) fn look(&mut self, socket: OwnedFd, recognition: &Recognition) -> Remaining {
        let received = match rustix::net::recv(&socket, &mut *self.request, RecvFlags::DONTWAIT) {
            Ok((0, _)) => return Remaining::Nothing,
            Ok((received, _)) => &self.request[..received],
            // Whatever else is wrong is told when it is waited for.
            Err(_) => return Remaining::Hear(Peer::brief(socket)),
        };
        if received.len() < REQUEST_LEN {
            return Remaining::Hear(Peer::brief_after(socket, received));
        }
        let asked = Request::lists_sessions(received)
            .and_then(|pid| Some((pid, peer_credentials(&socket).ok()?)));
        let Some((pid, credentials)) = asked else {
            return Remaining::Serve(Peer::brief(socket), Asked::decode(received));
        };
        let since = Instant::now();
        recognition.lists(&socket, credentials.pid, received);
        let requester = Credentials { uid: credentials.uid, gid: credentials.gid };
        let Some(list) = self.lists.newest(requester, Dialect::V2_13) else {
            return Remaining::List(Peer::brief(socket), requester, pid);
        };
        let mut rest = Rest::all(list, pid);
        let sent = rustix::net::sendmsg(
            &socket,
            &rest.pieces(),
            &mut SendAncillaryBuffer::default(),
            SendFlags::DONTWAIT | SendFlags::NOSIGNAL,
        );
        self.commands.answered(CommandKind::ListSessions.name(), None, since.elapsed());
        match sent {
            Ok(sent) => rest.sent = sent,
            Err(Errno::PIPE | Errno::CONNRESET) => return Remaining::Nothing,
            Err(_) => {}
        }
        match rest.pieces().is_empty() {
            true => Remaining::Nothing,
            false => Remaining::Send(Peer::brief(socket), rest),
        }
    }
}
