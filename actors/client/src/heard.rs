//! A request that came whole: done and answered.

use std::{
    cell::RefCell,
    os::fd::OwnedFd,
    pin::pin,
    time::{Duration, Instant},
};

use lttngd_handle::{CommandCounters, Handle, UNDEFINED};
use lttngd_model::ErrorCode;
use lttngd_runtime::{Asker, Peer, Waits, fail_point::in_the_middle};
use lttngd_wire::client::{CommandKind, Reply, Request};

use crate::{
    attached::Attached,
    dispatch::dispatch,
    overdue::Overdue,
    replies::ReplyRoom,
    send::{ConnectionError, send_reply},
};

/// A request with all that belongs to it, of one who may ask it through this handle.
#[derive(Debug)]
pub(crate) struct Heard {
    handle: Handle,
    request: Request,
    payload: Vec<u8>,
    received: Vec<OwnedFd>,
    since: Instant,
}

impl Heard {
    pub(crate) fn new(
        handle: Handle,
        request: Request,
        payload: Vec<u8>,
        received: Vec<OwnedFd>,
    ) -> Self {
        Self { handle, request, payload, received, since: Instant::now() }
    }

    /// Does what is asked. Its answer, for which there is `room`, is not sent. Whoever does it for long is told when `peer`,
    /// who asks, has gone; its socket is watched when it is `overdue`, and most are done before.
    pub(crate) async fn done(self, peer: &Peer, room: ReplyRoom, overdue: &Overdue) -> Answer {
        let Self { handle, request, payload, received, since } = self;
        let (waits, asker) = Asker::new();
        let handle = handle.asked_by(asker);
        let attached = RefCell::new(Attached { received, room, ..Attached::default() });
        let point = || "Client command".to_owned();
        let reply = in_the_middle(point, dispatch(&handle, &request, &payload, &attached));
        let mut reply = until_gone(reply, peer, waits, overdue).await;
        let mut attached = attached.into_inner();
        if let Err(code) = attached.room.hold(reply.data.len()) {
            reply = Reply::error(&request, code);
            attached.sent.clear();
        }
        count_answer(handle.commands(), request.kind(), reply.failure(), since.elapsed());
        Answer { request, reply, attached }
    }
}

/// What is done for who asks, and to its end when he has gone: then it is seen that he does not wait.
async fn until_gone(
    done: impl Future<Output = Reply>,
    peer: &Peer,
    waits: Waits,
    overdue: &Overdue,
) -> Reply {
    let mut done = pin!(done);
    tokio::select! {
        biased;
        reply = &mut done => return reply,
        () = overdue.come() => {}
    }
    tokio::select! {
        biased;
        reply = &mut done => return reply,
        () = peer.hung_up() => drop(waits),
    }
    done.await
}

/// What a request is answered.
pub(crate) struct Answer {
    pub(crate) request: Request,
    pub(crate) reply: Reply,
    pub(crate) attached: Attached,
}

impl Answer {
    /// Sends it.
    pub(crate) async fn send(self, peer: &Peer) -> Result<(), ConnectionError> {
        if let Some(code) = self.reply.failure() {
            tell_refused(&self.request, code);
        }
        send_reply(peer, self.reply, &self.attached.sent).await
    }
}

/// Whether the reply to it takes some bytes and no time to make, whatever there is: it changes something, or asks one
/// thing. Nothing else has to be known for it than what actors say.
pub(crate) fn is_brief(request: &Request) -> bool {
    request.kind().is_some_and(|kind| BRIEF.contains(&kind))
}

/// A request of this command was answered, an error if `failure` says which, after so long.
pub(crate) fn count_answer(
    commands: &CommandCounters,
    kind: Option<CommandKind>,
    failure: Option<ErrorCode>,
    took: Duration,
) {
    let command = kind.map_or(UNDEFINED, CommandKind::name);
    commands.answered(command, failure, took);
}

/// Says that a request was refused.
pub(crate) fn tell_refused(request: &Request, code: ErrorCode) {
    tracing::debug!(command = request.command, session = request.session_name, %code, "refused");
}

/// See [`is_brief`].
const BRIEF: [CommandKind; 24] = [
    CommandKind::AddContext,
    CommandKind::ClearSession,
    CommandKind::CreateSession,
    CommandKind::DataPending,
    CommandKind::DestroySession,
    CommandKind::DisableChannel,
    CommandKind::DisableEvent,
    CommandKind::EnableChannel,
    CommandKind::EnableEvent,
    CommandKind::RegenerateMetadata,
    CommandKind::RegenerateStatedump,
    CommandKind::RotateSession,
    CommandKind::RotationGetInfo,
    CommandKind::RotationSetSchedule,
    CommandKind::SetConsumerUri,
    CommandKind::SetSessionShmPath,
    CommandKind::SnapshotAddOutput,
    CommandKind::SnapshotDelOutput,
    CommandKind::SnapshotRecord,
    CommandKind::StartTrace,
    CommandKind::StopTrace,
    CommandKind::TrackerAddValue,
    CommandKind::TrackerRemoveValue,
    CommandKind::SaveSession,
];
