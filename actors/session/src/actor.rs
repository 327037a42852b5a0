//! The shell: what a session holds, and which message leads where.

use std::{cell::RefCell, rc::Rc, sync::Arc};

use actix::{Actor, Addr, AsyncContext, Context, Handler, ResponseFuture};
use lttngd_agent::{Agent, AgentInfo};
use lttngd_app::{App, AppInfo};
use lttngd_consumer::ChannelSampled;
use lttngd_model::{Domain, ErrorCode, SessionListing};
use lttngd_runtime::{Turn, Turns};

use crate::{
    AddContext, AddSnapshotOutput, AddTrackerValue, AgentArrived, AgentGone, AppArrived, AppGone,
    Clear, ConsumerLost, DataPending, DeleteSnapshotOutput, Destroy, Destroyed, DisableChannel,
    DisableEvent, EnableChannel, EnableEvent, GetInclusionSet, GetRotationInfo, GetTrackingPolicy,
    ListChannels, ListDomains, ListEvents, ListRotationSchedules, ListSnapshotOutputs, OpenDomain,
    PrepareDomain, RecordSnapshot, RegenerateMetadata, RegenerateStatedump, RemoveTrackerValue,
    Rotate, RotationInfo, RotationSchedules, Save, SessionConfig, SetConsumerUri,
    SetRotationSchedule, SetShmPath, SetTrackingPolicy, SnapshotOutput, Start, Stop,
    gate::ChunkGate, state::State, unfinished::Unfinished,
};

/// Most commands that wait for their turn.
pub const COMMANDS_MAX: usize = 1 << 12;

/// The actor of one session.
pub struct Session {
    inner: Rc<Inner>,
}

/// What the commands of a session share.
pub(crate) struct Inner {
    pub(crate) config: SessionConfig,
    /// Looked at for moments, see [`Inner::state`].
    pub(crate) state: RefCell<State>,
    pub(crate) chunk_gate: ChunkGate,
    /// Buffer sets of applications that are gone, which are being finished.
    pub(crate) finishing: Rc<Unfinished>,
    /// Trace chunks on their way to the archives.
    pub(crate) archiving: Rc<Unfinished>,
    /// Of commands that wait for the relay daemon.
    pub(crate) connecting: Turns,
    turns: Turns,
}

impl Session {
    /// A session without channels, among the applications and agents that are registered.
    #[must_use]
    pub fn new(
        config: SessionConfig,
        apps: impl IntoIterator<Item = (Arc<AppInfo>, Addr<App>)>,
        agents: impl IntoIterator<Item = (AgentInfo, Addr<Agent>)>,
    ) -> Self {
        let apps = apps.into_iter().map(|(info, app)| (info.id, (info, app))).collect();
        let agents = agents.into_iter().map(|(info, agent)| (info.id, (info, agent))).collect();
        let state = State::new(&config, apps, agents);
        Self {
            inner: Rc::new(Inner {
                config,
                state: RefCell::new(state),
                chunk_gate: ChunkGate::default(),
                finishing: Rc::default(),
                archiving: Rc::default(),
                connecting: Turns::new(COMMANDS_MAX),
                turns: Turns::new(COMMANDS_MAX),
            }),
        }
    }

    /// How it looks in listings now.
    #[must_use]
    pub fn listing(&self) -> SessionListing {
        self.inner.state().listing(&self.inner.config)
    }
}

impl Actor for Session {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        self.inner.state_mut().address = Some(context.address().downgrade());
    }
}

impl Inner {
    /// Waits for the turn of a command that changes the session.
    pub(crate) async fn turn(&self) -> Result<Turn, ErrorCode> {
        let turn = self.turns.take().await.map_err(|_| ErrorCode::Fatal)?;
        self.life().admit()?;
        Ok(turn)
    }

    /// The same for the last one of all, which is not refused for want of room in the line.
    pub(crate) async fn last_turn(&self) -> Result<Turn, ErrorCode> {
        let turn = self.turns.take_always().await.map_err(|_| ErrorCode::Fatal)?;
        self.life().admit()?;
        Ok(turn)
    }
}

macro_rules! handle {
    ($($message:ident -> $reply:ty, $method:ident;)*) => {$(
        impl Handler<$message> for Session {
            type Result = ResponseFuture<$reply>;

            fn handle(&mut self, message: $message, _: &mut Self::Context) -> Self::Result {
                Box::pin(Rc::clone(&self.inner).$method(message))
            }
        }
    )*};
}

handle! {
    PrepareDomain -> Result<(), ErrorCode>, prepare_domain;
    OpenDomain -> Result<(), ErrorCode>, open_domain;
    EnableChannel -> Result<(), ErrorCode>, enable_channel;
    DisableChannel -> Result<(), ErrorCode>, disable_channel;
    EnableEvent -> Result<(), ErrorCode>, enable_event;
    DisableEvent -> Result<(), ErrorCode>, disable_event;
    AddContext -> Result<(), ErrorCode>, add_context;
    GetTrackingPolicy -> Result<lttngd_model::TrackingPolicy, ErrorCode>, tracking_policy;
    SetTrackingPolicy -> Result<(), ErrorCode>, set_tracking_policy;
    AddTrackerValue -> Result<(), ErrorCode>, add_tracker_value;
    RemoveTrackerValue -> Result<(), ErrorCode>, remove_tracker_value;
    GetInclusionSet -> Result<Vec<lttngd_model::TrackerValue>, ErrorCode>, inclusion_set;
    ListChannels -> Result<Vec<lttngd_model::ChannelListing>, ErrorCode>, list_channels;
    ListEvents -> Result<Vec<lttngd_model::EventListing>, ErrorCode>, list_events;
    ListDomains -> Result<Vec<(Domain, lttngd_model::BufferScheme)>, ErrorCode>, list_domains;
    Start -> Result<(), ErrorCode>, start;
    Stop -> Result<(), ErrorCode>, stop;
    DataPending -> Result<bool, ErrorCode>, data_pending;
    SetConsumerUri -> Result<(), ErrorCode>, set_consumer_uri;
    Rotate -> Result<u64, ErrorCode>, rotate;
    GetRotationInfo -> Result<RotationInfo, ErrorCode>, rotation_info;
    Clear -> Result<(), ErrorCode>, clear;
    SetRotationSchedule -> Result<(), ErrorCode>, set_rotation_schedule;
    ListRotationSchedules -> Result<RotationSchedules, ErrorCode>, list_rotation_schedules;
    Save -> Result<(), ErrorCode>, save;
    SetShmPath -> Result<(), ErrorCode>, set_shm_path;
    RegenerateMetadata -> Result<(), ErrorCode>, regenerate_metadata;
    RegenerateStatedump -> Result<(), ErrorCode>, regenerate_statedump;
    AddSnapshotOutput -> Result<u32, ErrorCode>, add_snapshot_output;
    DeleteSnapshotOutput -> Result<(), ErrorCode>, delete_snapshot_output;
    ListSnapshotOutputs -> Result<Vec<SnapshotOutput>, ErrorCode>, list_snapshot_outputs;
    RecordSnapshot -> Result<(), ErrorCode>, record_snapshot;
    Destroy -> Result<Destroyed, ErrorCode>, destroy;
    AppArrived -> (), app_arrived;
    AppGone -> (), app_gone;
    AgentArrived -> (), agent_arrived;
    AgentGone -> (), agent_gone;
    ConsumerLost -> (), consumer_lost;
}

impl Handler<ChannelSampled> for Session {
    type Result = ();

    fn handle(&mut self, sampled: ChannelSampled, _: &mut Self::Context) {
        self.inner.sampled(sampled);
    }
}
