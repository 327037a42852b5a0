//! From a decoded command to the request it means, and from that reply to bytes.

mod listings;
mod outputs;
mod rules;
mod sessions;
mod trackers;
mod triggers;

use std::cell::RefCell;

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

use crate::connection::Attached;

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

/// Which command asks what. What takes more than a line is in the file of its concern.
async fn run(asking: &Asking<'_>, command: Command) -> Result<Reply, ErrorCode> {
    match command {
        Command::CreateSession { home, descriptor } => {
            asking.create_session(home, descriptor).await
        }
        Command::ListSessions => Ok(asking.list_sessions()),
        Command::DestroySession => asking.destroy_session().await,
        Command::SaveSession(save) => asking.save_session(save).await,
        Command::StartTrace => asking.done(Start).await,
        Command::StopTrace => asking.done(Stop).await,
        Command::DataPending => asking.told(DataPending, encode_data_pending).await,
        Command::ClearSession => asking.done(Clear).await.map(Reply::deferred),
        Command::SetSessionShmPath { path } => asking.done(SetShmPath { path: path.into() }).await,
        Command::RegenerateMetadata => asking.done(RegenerateMetadata).await,
        Command::RegenerateStatedump => asking.done(RegenerateStatedump).await,

        Command::EnableChannel(channel) => asking.enable_channel(channel).await,
        Command::DisableChannel { channel } => asking.disable_channel(channel).await,
        Command::EnableEvent { channel, event } => asking.enable_event(channel, event).await,
        Command::DisableEvent { channel, event } => asking.disable_event(channel, event).await,
        Command::AddContext { channel, context } => asking.add_context(channel, context).await,

        Command::ListChannels => asking.list_channels().await,
        Command::ListEvents { channel } => asking.list_events(channel).await,
        Command::ListDomains => asking.list_domains().await,
        Command::ListTracepoints => asking.list_tracepoints().await,
        Command::ListTracepointFields => asking.list_tracepoint_fields().await,
        Command::ListSyscalls => asking.list_syscalls().await,

        Command::TrackerGetPolicy { attribute } => asking.tracking_policy(attribute).await,
        Command::TrackerGetInclusionSet { attribute } => asking.inclusion_set(attribute).await,
        Command::TrackerSetPolicy { attribute, policy } => {
            let domain = asking.tracked().await?;
            asking.done(SetTrackingPolicy { domain, attribute, policy }).await
        }
        Command::TrackerAddValue { attribute, value } => {
            let domain = asking.tracked().await?;
            asking.done(AddTrackerValue { domain, attribute, value }).await
        }
        Command::TrackerRemoveValue { attribute, value } => {
            let domain = asking.tracked().await?;
            asking.done(RemoveTrackerValue { domain, attribute, value }).await
        }

        Command::SetConsumerUri(uris) => asking.set_consumer_uri(uris).await,
        Command::RegisterConsumer { .. } => asking.register_consumer().await,
        Command::SnapshotAddOutput(output) => asking.add_snapshot_output(output).await,
        Command::SnapshotDelOutput(output) => asking.delete_snapshot_output(output).await,
        Command::SnapshotListOutput => asking.list_snapshot_outputs().await,
        // A snapshot is always waited for, as the stock daemon does.
        Command::SnapshotRecord { output, wait: _ } => asking.record_snapshot(output).await,
        Command::RotateSession => asking.told(Rotate, encode_rotation_id).await,
        Command::RotationGetInfo { rotation_id } => asking.rotation_info(rotation_id).await,
        Command::RotationSetSchedule { set, schedule } => {
            asking.done(SetRotationSchedule { add: set, schedule }).await
        }
        Command::SessionListRotationSchedules => asking.list_rotation_schedules().await,

        Command::Undefined(_) => asking.undefined().await,
        Command::RegisterTrigger { anonymous, trigger } => {
            asking.register_trigger(anonymous, *trigger).await
        }
        Command::UnregisterTrigger { trigger } => asking.unregister_trigger(*trigger).await,
        Command::ListTriggers => asking.list_triggers().await,
        Command::ExecuteErrorQuery { query } => asking.query_errors(*query).await,
    }
}

/// The last number that a command has; those above are not even checked for a session.
const LAST_COMMAND: u32 = 52;

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
        if self.request.command <= LAST_COMMAND {
            self.check().await?;
        }
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
