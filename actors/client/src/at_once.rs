//! Requests that are answered before anything is made to wait for them.
//!
//! Monitors ask for the list of sessions again and again, many at a time. Their whole request is there
//! when they are accepted, and the answer is the same until a session changes: it is encoded once for
//! each user and generation, and sent without a task, a timer or a message to an actor. What else comes
//! is left to a [connection](crate::connection), with the bytes read so far.

use std::{collections::HashMap, os::fd::OwnedFd};

use lttngd_handle::Handle;
use lttngd_model::Credentials;
use lttngd_runtime::{Peer, peer_credentials};
use lttngd_wire::client::{Command, REQUEST_LEN, Reply, Request, encode_sessions};
use rustix::{
    io::Errno,
    net::{RecvFlags, SendFlags},
};

/// Most users whose answer is kept.
const USERS_MAX: usize = 64;

/// What is left to do for a client that was just accepted.
pub(crate) enum Remaining {
    /// Nothing: it has its answer, or only looked whether somebody is here.
    Nothing,
    /// All: its request is not there, or is another.
    Serve(Peer),
    /// To send it these bytes.
    Send(Peer, Vec<u8>),
}

/// Answers to the requests for the list of sessions.
pub(crate) struct AtOnce {
    handle: Handle,
    /// Where requests are received.
    request: Vec<u8>,
    /// Of which state of the sessions the replies are.
    generation: u64,
    /// Encoded, by user.
    replies: HashMap<u32, Vec<u8>>,
}

impl AtOnce {
    pub(crate) fn new(handle: Handle) -> Self {
        let generation = handle.sessions_generation();
        Self { handle, request: vec![0; REQUEST_LEN], generation, replies: HashMap::new() }
    }

    /// Looks what the client at `socket`, which is non-blocking, has said.
    pub(crate) fn look(&mut self, socket: OwnedFd) -> Remaining {
        let received = match rustix::net::recv(&socket, &mut *self.request, RecvFlags::DONTWAIT) {
            Ok((0, _)) => return Remaining::Nothing,
            Ok((received, _)) => &self.request[..received],
            // Whatever else is wrong is told when it is waited for.
            Err(_) => return Remaining::Serve(Peer::brief(socket)),
        };
        let asked = Request::lists_sessions(received)
            .and_then(|pid| Some((pid, peer_credentials(&socket).ok()?)));
        let Some((pid, credentials)) = asked else {
            return Remaining::Serve(Peer::brief_after(socket, received));
        };
        let requester = Credentials { uid: credentials.uid, gid: credentials.gid };
        let reply = self.reply(requester, pid);
        let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
        match rustix::net::send(&socket, reply, flags) {
            Ok(sent) if sent == reply.len() => Remaining::Nothing,
            Ok(sent) => Remaining::Send(Peer::brief(socket), reply[sent..].to_vec()),
            Err(Errno::PIPE | Errno::CONNRESET) => Remaining::Nothing,
            Err(_) => Remaining::Send(Peer::brief(socket), reply.to_vec()),
        }
    }

    /// The encoded answer to `requester`, whose request has this `pid`.
    fn reply(&mut self, requester: Credentials, pid: i32) -> &[u8] {
        // Taken before the sessions are looked at: what changes meanwhile makes another generation.
        let generation = self.handle.sessions_generation();
        if generation != self.generation || self.replies.len() >= USERS_MAX {
            self.replies.clear();
            self.generation = generation;
        }
        let handle = &self.handle;
        let reply = self.replies.entry(requester.uid).or_insert_with(|| {
            let (request, _) = Request::new(&Command::ListSessions);
            let sessions = handle.acting_for(requester).visible_sessions();
            let reply = match sessions {
                Ok(sessions) => Reply::ok(&request).with_data(encode_sessions(&sessions)),
                Err(code) => Reply::error(&request, code),
            };
            reply.encode()
        });
        Reply::readdress(reply, pid);
        reply
    }
}
