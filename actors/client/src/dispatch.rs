//! From a decoded command to the request it means, and from that reply to bytes.

mod listings;
mod newer;
mod outputs;
mod rules;
mod sessions;
mod trackers;
mod triggers;

use std::{cell::RefCell, future::ready};

use futures::{FutureExt, TryFutureExt, future::LocalBoxFuture};
use lttngd_handle::Handle;
use lttngd_model::{Domain, ErrorCode};
use lttngd_session::{
    AddTrackerValue, Clear, DataPending, InSession, RegenerateMetadata, RegenerateStatedump,
    RemoveTrackerValue, Rotate, SessionRequest, SetRotationSchedule, SetShmPath, SetTrackingPolicy,
    Start, Stop,
};
use lttngd_wire::client::{
    Command, CommandKind, Reply, Request, encode_data_pending, encode_rotation_id,
};

use crate::attached::Attached;

/// Does what a request asks, and makes its reply. What is attached comes and goes beside both.
pub(crate) async fn dispatch(
    handle: &Handle,
    request: &Request,
    payload: &[u8],
    attached: &RefCell<Attached>,
) -> Reply {
    let asking = Asking::of(handle, request, attached);
    let reply = match request.command(payload) {
        Ok(command) => run(&asking, command).await,
        // A session that is not there is told before what is wrong with the rest.
        Err(malformed) => asking.check().await.and(Err(malformed)),
    };
    reply.unwrap_or_else(|code| Reply::error(request, code))
}

/// Which command asks what. What takes more than a line is in the file of its concern. What is waited for is apart
/// from the rest of a client's task, so that each takes the room of its own command and not of the largest.
fn run<'a>(
    asking: &'a Asking<'a>,
    command: Command,
) -> LocalBoxFuture<'a, Result<Reply, ErrorCode>> {
    match command {
        Command::CreateSession { home, descriptor } => {
            later(asking.create_session(home, descriptor))
        }
        Command::ListSessions => later(ready(Ok(asking.list_sessions()))),
        Command::DestroySession => later(asking.destroy_session()),
        Command::SaveSession(save) => later(asking.save_session(save)),
        Command::StartTrace => later(asking.done(Start)),
        Command::StopTrace => later(asking.done(Stop)),
        Command::DataPending => later(asking.told(DataPending, encode_data_pending)),
        Command::ClearSession => later(asking.done(Clear).map_ok(Reply::deferred)),
        Command::SetSessionShmPath { path } => later(asking.done(SetShmPath { path: path.into() })),
        Command::RegenerateMetadata => later(asking.done(RegenerateMetadata)),
        Command::RegenerateStatedump => later(asking.done(RegenerateStatedump)),

        Command::EnableChannel(channel) => later(asking.enable_channel(channel)),
        Command::DisableChannel { channel } => later(asking.disable_channel(channel)),
        Command::EnableEvent { channel, event } => later(asking.enable_event(channel, event)),
        Command::DisableEvent { channel, event } => later(asking.disable_event(channel, event)),
        Command::AddContext { channel, context } => later(asking.add_context(channel, context)),

        Command::ListChannels => later(asking.list_channels()),
        Command::ListEvents { channel } => later(asking.list_events(channel)),
        Command::ListDomains => later(asking.list_domains()),
        Command::ListTracepoints => later(asking.list_tracepoints()),
        Command::ListTracepointFields => later(asking.list_tracepoint_fields()),
        Command::ListSyscalls => later(asking.list_syscalls()),

        Command::TrackerGetPolicy { attribute } => later(asking.tracking_policy(attribute)),
        Command::TrackerGetInclusionSet { attribute } => later(asking.inclusion_set(attribute)),
        Command::TrackerSetPolicy { attribute, policy } => {
            later(asking.on_tracked(move |domain| SetTrackingPolicy { domain, attribute, policy }))
        }
        Command::TrackerAddValue { attribute, value } => {
            later(asking.on_tracked(move |domain| AddTrackerValue { domain, attribute, value }))
        }
        Command::TrackerRemoveValue { attribute, value } => {
            later(asking.on_tracked(move |domain| RemoveTrackerValue { domain, attribute, value }))
        }

        Command::SetConsumerUri(uris) => later(asking.set_consumer_uri(uris)),
        Command::RegisterConsumer { .. } => later(asking.register_consumer()),
        Command::SnapshotAddOutput(output) => later(asking.add_snapshot_output(output)),
        Command::SnapshotDelOutput(output) => later(asking.delete_snapshot_output(output)),
        Command::SnapshotListOutput => later(asking.list_snapshot_outputs()),
        // A snapshot is always waited for, as the stock daemon does.
        Command::SnapshotRecord { output, wait: _ } => later(asking.record_snapshot(output)),
        Command::RotateSession => later(asking.told(Rotate, encode_rotation_id)),
        Command::RotationGetInfo { rotation_id } => later(asking.rotation_info(rotation_id)),
        Command::RotationSetSchedule { set, schedule } => {
            later(asking.done(SetRotationSchedule { add: set, schedule }))
        }
        Command::SessionListRotationSchedules => later(asking.list_rotation_schedules()),
        Command::KernelTracerStatus => later(asking.kernel_tracer_status()),
        Command::ReclaimChannelMemory { .. } => later(asking.reclaim_memory()),
        Command::GetStreamInfoSets { channel } => later(asking.stream_info_sets(channel)),
        Command::Map(kind) => later(asking.maps(kind)),
        Command::Undefined(_) => later(asking.undefined()),
        Command::RegisterTrigger { anonymous, trigger } => {
            later(asking.register_trigger(anonymous, *trigger))
        }
        Command::UnregisterTrigger { trigger } => later(asking.unregister_trigger(*trigger)),
        Command::ListTriggers => later(asking.list_triggers()),
        Command::ExecuteErrorQuery { query } => later(asking.query_errors(*query)),
    }
}

/// What is waited for in the room that it takes.
fn later<'a>(
    reply: impl Future<Output = Result<Reply, ErrorCode>> + 'a,
) -> LocalBoxFuture<'a, Result<Reply, ErrorCode>> {
    reply.boxed_local()
}

/// A request, and where it is asked.
struct Asking<'a> {
    handle: &'a Handle,
    request: &'a Request,
    /// The session that it names, if it names one.
    session: &'a str,
    /// `None` for a number that no domain has.
    domain: Option<Domain>,
    /// Looked at for moments, never across an await.
    attached: &'a RefCell<Attached>,
}

impl<'a> Asking<'a> {
    fn of(handle: &'a Handle, request: &'a Request, attached: &'a RefCell<Attached>) -> Self {
        let domain = Domain::from_raw(request.domain);
        Self { handle, request, session: &request.session_name, domain, attached }
    }

    fn ok(&self) -> Reply {
        Reply::ok(self.request)
    }

    /// Asks the session what has no other reply than that it is done.
    async fn done<M: SessionRequest>(&self, message: M) -> Result<Reply, ErrorCode>
    where
        InSession<M>: lttngd_handle::Request<Reply = ()>,
    {
        self.handle.ask(message.in_session(self.session)).await.map(|()| self.ok())
    }

    /// The same, in the domain of a tracker.
    async fn on_tracked<M: SessionRequest>(
        &self,
        message: impl FnOnce(Domain) -> M,
    ) -> Result<Reply, ErrorCode>
    where
        InSession<M>: lttngd_handle::Request<Reply = ()>,
    {
        let domain = self.tracked().await?;
        self.done(message(domain)).await
    }

    /// Asks the session what has data for a reply.
    async fn told<M: SessionRequest, R>(
        &self,
        message: M,
        encode: impl FnOnce(R) -> Vec<u8>,
    ) -> Result<Reply, ErrorCode>
    where
        InSession<M>: lttngd_handle::Request<Reply = R>,
    {
        let reply = self.handle.ask(message.in_session(self.session)).await?;
        Ok(self.ok().with_data(encode(reply)))
    }

    /// The checks that every command makes before its own.
    async fn check(&self) -> Result<(), ErrorCode> {
        let domain = if self.request.needs_domain() { self.domain } else { None };
        match self.request.kind() {
            Some(CommandKind::RegisterTrigger | CommandKind::UnregisterTrigger) => {
                let domain = domain.filter(|domain| *domain != Domain::None);
                self.handle.check_served(domain).await
            }
            _ if self.request.needs_session() => self.handle.check(self.session, domain).await,
            _ => Ok(()),
        }
    }

    async fn undefined(&self) -> Result<Reply, ErrorCode> {
        self.check().await?;
        Err(ErrorCode::Und)
    }

    /// The domain of a command that knows none but the five.
    fn known(&self) -> Result<Domain, ErrorCode> {
        self.domain.ok_or(ErrorCode::UnknownDomain)
    }

    /// The domain of a command that refuses the number that stands for none, and others, with `code`.
    fn some(&self, code: ErrorCode) -> Result<Domain, ErrorCode> {
        self.domain.filter(|domain| *domain != Domain::None).ok_or(code)
    }

    /// What was found out about the domain, after the session was.
    async fn checked(&self, domain: Result<Domain, ErrorCode>) -> Result<Domain, ErrorCode> {
        match domain {
            Ok(domain) => Ok(domain),
            Err(code) => self.handle.check(self.session, None).await.and(Err(code)),
        }
    }
}
