//! A request that came whole: done and answered.

use std::{
    cell::RefCell,
    os::fd::OwnedFd,
    time::{Duration, Instant},
};

use lttngd_handle::{CommandCounters, Handle, UNDEFINED};
use lttngd_model::ErrorCode;
use lttngd_runtime::{Peer, fail_point::in_the_middle};
use lttngd_wire::client::{CommandKind, Reply, Request};

use crate::{
    attached::Attached,
    dispatch::dispatch,
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

    /// Does what is asked. Its answer is not sent.
    pub(crate) async fn done(self) -> Answer {
        let Self { handle, request, payload, received, since } = self;
        let attached = RefCell::new(Attached { received, ..Attached::default() });
        let point = || "Client command".to_owned();
        let reply = in_the_middle(point, dispatch(&handle, &request, &payload, &attached)).await;
        count_answer(handle.commands(), &request, reply.failure(), since.elapsed());
        Answer { request, reply, attached: attached.into_inner() }
    }
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

/// A request was answered, an error if `failure` says which, after so long.
pub(crate) fn count_answer(
    commands: &CommandCounters,
    request: &Request,
    failure: Option<ErrorCode>,
    took: Duration,
) {
    let command = request.kind().map_or(UNDEFINED, CommandKind::name);
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
