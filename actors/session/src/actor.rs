//! The shell: what a session holds, and which message leads where.

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, HashMap},
    path::PathBuf,
    rc::Rc,
    sync::Arc,
};

use actix::{Actor, Addr, AsyncContext, Context, Handler, ResponseFuture, WeakAddr};
use lttngd_agent::{Agent, AgentId, AgentInfo};
use lttngd_app::{App, AppId, AppInfo};
use lttngd_buffers::{BufferSet, ChannelCounters, SetKey};
use lttngd_consumer::ChannelSampled;
use lttngd_model::{
    Domain, ErrorCode, SessionKind, SessionListing,
    ust::{AgentDomain, UstDomain},
};
use lttngd_runtime::{Turn, Turns};
use tokio::{sync::RwLock, task::AbortHandle};

use crate::{
    AddContext, AddSnapshotOutput, AddTrackerValue, AgentArrived, AgentGone, AppArrived, AppGone,
    Clear, ConsumerLost, DataPending, DeleteSnapshotOutput, Destroy, Destroyed, DisableChannel,
    DisableEvent, EnableChannel, EnableEvent, GetInclusionSet, GetRotationInfo, GetTrackingPolicy,
    ListChannels, ListDomains, ListEvents, ListRotationSchedules, ListSnapshotOutputs, OpenDomain,
    Output, PrepareDomain, RecordSnapshot, RegenerateMetadata, RegenerateStatedump,
    RemoveTrackerValue, Rotate, RotationInfo, RotationSchedules, Save, SessionConfig,
    SetConsumerUri, SetRotationSchedule, SetShmPath, SetTrackingPolicy, SnapshotOutput, Start,
    Stop, chunk::Chunk, leftover::Leftovers, lifecycle::Lifecycle, relayd::SessionRelayd,
    rotation::Rotations, schedule::Schedules, snapshot_outputs::Snapshots, unfinished::Unfinished,
    viewers::Viewers,
};

/// Most commands that wait for their turn.
pub const COMMANDS_MAX: usize = 1 << 12;

/// The actor of one session.
pub struct Session {
    inner: Rc<Inner>,
}

/// The applications that are registered.
type KnownApps = BTreeMap<AppId, (Arc<AppInfo>, Addr<App>)>;
/// The agents that are registered, or wait for that.
type KnownAgents = BTreeMap<AgentId, (AgentInfo, Addr<Agent>)>;

/// What a session holds. Borrows of the cells end before every await.
pub(crate) struct Inner {
    pub(crate) config: SessionConfig,
    pub(crate) life: Cell<Lifecycle>,
    pub(crate) output: RefCell<Output>,
    /// The directory for files of the buffers, if they are to be in files.
    pub(crate) shm_path: RefCell<Option<PathBuf>>,
    pub(crate) chunk: RefCell<Option<Chunk>>,
    /// Chunks that streams have left and that are not where they are to be.
    pub(crate) leftovers: RefCell<Leftovers>,
    pub(crate) domain: RefCell<Option<UstDomain>>,
    pub(crate) apps: RefCell<KnownApps>,
    pub(crate) agents: RefCell<KnownAgents>,
    /// What the agents of each domain are asked for now.
    pub(crate) agent_wishes: RefCell<BTreeMap<Domain, Arc<AgentDomain>>>,
    pub(crate) sets: RefCell<HashMap<SetKey, SessionSet>>,
    pub(crate) rotations: RefCell<Rotations>,
    pub(crate) schedules: RefCell<Schedules>,
    /// The task that rotates periodically.
    pub(crate) rotation_timer: RefCell<Option<AbortHandle>>,
    /// Where buffer sets find us.
    pub(crate) address: RefCell<Option<WeakAddr<Session>>>,
    pub(crate) snapshots: RefCell<Snapshots>,
    /// Held by whoever gives buffers to an application, and alone by a change of trace chunk: a
    /// buffer set is either in the change or begins in the new chunk.
    pub(crate) chunk_gate: RwLock<()>,
    /// Whether applications are kept from recording for a moment.
    pub(crate) paused: Cell<bool>,
    /// What the buffers of applications that are gone had lost.
    pub(crate) past_counters: RefCell<Vec<ChannelCounters>>,
    /// Buffer sets of applications that are gone, which are being finished.
    pub(crate) finishing: Rc<Unfinished>,
    /// Trace chunks on their way to the archives.
    pub(crate) archiving: Rc<Unfinished>,
    /// The relay daemon that the consumers are connected to.
    pub(crate) relayd: Cell<Option<SessionRelayd>>,
    /// Of commands that wait for it.
    pub(crate) connecting: Turns,
    pub(crate) viewers: Viewers,
    turns: Turns,
}

/// A buffer set of the session.
#[derive(Clone)]
pub(crate) struct SessionSet {
    pub(crate) actor: Addr<BufferSet>,
    /// Its directory below the user-space domain's.
    pub(crate) path: String,
}

impl Session {
    /// A session without channels, among the applications and agents that are registered.
    #[must_use]
    pub fn new(
        config: SessionConfig,
        apps: impl IntoIterator<Item = (Arc<AppInfo>, Addr<App>)>,
        agents: impl IntoIterator<Item = (AgentInfo, Addr<Agent>)>,
    ) -> Self {
        let agents = agents.into_iter().map(|(info, agent)| (info.id, (info, agent))).collect();
        let apps = apps.into_iter().map(|(info, app)| (info.id, (info, app))).collect();
        let snapshots = Snapshots::with_output(config.snapshot_output.clone());
        Self {
            inner: Rc::new(Inner {
                output: RefCell::new(config.output.clone()),
                config,
                life: Cell::default(),
                shm_path: RefCell::default(),
                chunk: RefCell::default(),
                leftovers: RefCell::default(),
                domain: RefCell::default(),
                apps: RefCell::new(apps),
                agents: RefCell::new(agents),
                agent_wishes: RefCell::default(),
                sets: RefCell::default(),
                rotations: RefCell::default(),
                schedules: RefCell::default(),
                rotation_timer: RefCell::default(),
                address: RefCell::default(),
                snapshots: RefCell::new(snapshots),
                chunk_gate: RwLock::default(),
                paused: Cell::new(false),
                past_counters: RefCell::default(),
                finishing: Rc::default(),
                archiving: Rc::default(),
                relayd: Cell::new(None),
                connecting: Turns::new(COMMANDS_MAX),
                viewers: Viewers::default(),
                turns: Turns::new(COMMANDS_MAX),
            }),
        }
    }

    /// How it looks in listings now.
    #[must_use]
    pub fn listing(&self) -> SessionListing {
        self.inner.listing()
    }
}

impl Actor for Session {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        self.inner.address.replace(Some(context.address().downgrade()));
    }
}

impl Inner {
    /// The buffer sets.
    pub(crate) fn set_actors(&self) -> Vec<Addr<BufferSet>> {
        self.sets.borrow().values().map(|set| set.actor.clone()).collect()
    }

    /// Waits for the turn of a command that changes the session.
    pub(crate) async fn turn(&self) -> Result<Turn, ErrorCode> {
        let turn = self.turns.take().await.map_err(|_| ErrorCode::Fatal)?;
        self.life.get().admit()?;
        Ok(turn)
    }

    /// The same for the last one of all, which is not refused for want of room in the line.
    pub(crate) async fn last_turn(&self) -> Result<Turn, ErrorCode> {
        let turn = self.turns.take_always().await.map_err(|_| ErrorCode::Fatal)?;
        self.life.get().admit()?;
        Ok(turn)
    }

    pub(crate) fn change_life(&self, change: impl FnOnce(&mut Lifecycle)) {
        let mut life = self.life.get();
        change(&mut life);
        self.life.set(life);
        self.show_changed();
    }

    pub(crate) fn show_changed(&self) {
        self.config.listings.update(self.config.id, self.listing());
    }

    pub(crate) fn listing(&self) -> SessionListing {
        SessionListing {
            name: self.config.name.clone(),
            path: self.output.borrow().path(),
            active: self.life.get().active,
            snapshot_mode: self.config.kind == SessionKind::Snapshot,
            live_timer_interval_us: self.live_timer_interval_us(),
            creation_time_s: self.config.created_at.epoch_s,
        }
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
