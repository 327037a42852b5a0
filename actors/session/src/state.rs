//! What a session holds: one plain value that its actor owns. Commands look at it for moments and never
//! across an await, see [`Inner::state`](crate::actor::Inner::state).

pub(crate) mod leftovers;
pub(crate) mod lifecycle;
pub(crate) mod loss_looks;
pub(crate) mod loss_warnings;
pub(crate) mod losses;
pub(crate) mod recorded_packets;
pub(crate) mod relayd;
pub(crate) mod rotation_timer;
pub(crate) mod rotations;
pub(crate) mod schedules;
pub(crate) mod snapshots;
pub(crate) mod throughput;
pub(crate) mod told_losses;
pub(crate) mod uses;
pub(crate) mod viewers;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::Arc,
};

use actix::{Addr, WeakAddr};
use lttngd_agent::{AgentId, RegisteredAgent};
use lttngd_app::{AppId, AppInfo, RegisteredApp};
use lttngd_buffers::{BufferObjects, BufferSet, SetKey};
use lttngd_metadata::ustregistry::KnownIds;
use lttngd_model::{
    Bitness, BufferScheme, ChunkId, ConsumerKind, Domain, NetIndex, SessionKind, SessionListing,
    ust::{AgentDomain, Channel, TrackedProcess, Trackers, UstDomain},
};
use lttngd_runtime::{Hold, Known};

use crate::{
    Consumers, Fate, Outline, Output, Session, SessionConfig,
    chunk::{Chunk, SetDirectories},
    domains::{Buffers, BuffersOf, Domains},
};
use leftovers::Leftovers;
use lifecycle::{Lifecycle, LostConsumers};
use loss_looks::LossLooks;
use loss_warnings::LossWarnings;
use losses::Losses;
use recorded_packets::RecordedPackets;
use relayd::SessionRelayd;
use rotation_timer::RotationTimer;
use rotations::Rotations;
use schedules::Schedules;
use snapshots::Snapshots;
use throughput::Throughput;
use told_losses::ToldLosses;
use uses::Uses;
use viewers::Viewers;

/// What a session holds.
pub(crate) struct State {
    /// Where it stands.
    pub(crate) life: Lifecycle,
    /// Where its traces go. Fixed once it was started.
    pub(crate) output: Output,
    /// The directory for files of the buffers, if they are to be in files.
    pub(crate) shm_path: Option<PathBuf>,
    /// The trace chunk that streams write to: from the first start on, but not between a rotation or a
    /// clear of a stopped session and its next start. Changed by who is alone at the chunk gate.
    pub(crate) chunk: Option<Chunk>,
    /// Chunks that consumers know, and the relay daemon's connection for those that it has: also one of a
    /// snapshot, and one that a step which is under way makes or leaves.
    pub(crate) published: BTreeMap<ChunkId, Published>,
    /// Chunks that streams have left and that are not where they are to be.
    pub(crate) leftovers: Leftovers,
    /// Channels, event rules, contexts and trackers, from the first command on that names a domain. User
    /// space is changed by [`State::change_ust`].
    pub(crate) domains: Domains,
    /// The channels with their rules and contexts as all applications are handed them, made once for each
    /// change.
    pub(crate) wanted: Option<Arc<[Channel]>>,
    /// Those that it has asked something of, or will when it records.
    pub(crate) apps: Known<AppId, RegisteredApp>,
    /// Applications that came while the buffers that they use are made, which whoever makes them hands the
    /// session's wish.
    pub(crate) arriving: BTreeMap<SetKey, Vec<Arrival>>,
    /// Which applications it is told of: while it records, those that these let through.
    pub(crate) follows: Option<Trackers>,
    pub(crate) agents: Known<AgentId, RegisteredAgent>,
    /// Of whose agents it is told: those of which it has ever asked something.
    pub(crate) agent_domains: BTreeSet<Domain>,
    /// What the agents of each domain are asked for now. One that arrives is asked for the same.
    pub(crate) agent_wishes: BTreeMap<Domain, Arc<AgentDomain>>,
    /// One for each user, or for each application with per-PID buffers. They come at the chunk gate.
    pub(crate) sets: BTreeMap<SetKey, SessionSet>,
    pub(crate) rotations: Rotations,
    pub(crate) schedules: Schedules,
    /// The task that rotates periodically.
    pub(crate) rotation_timer: Option<RotationTimer>,
    pub(crate) snapshots: Snapshots,
    /// Whether applications are kept from recording for a moment, by a clear. It ends what it began
    /// whatever becomes of the rest.
    pub(crate) paused: bool,
    /// What its channels' buffers hold.
    pub(crate) uses: Uses,
    /// Whether triggers were told anything of it.
    pub(crate) is_observed: bool,
    /// What was told of its losses.
    pub(crate) told_losses: ToldLosses,
    /// What was warned of among them.
    pub(crate) loss_warnings: LossWarnings,
    /// When they are looked at.
    pub(crate) loss_looks: LossLooks,
    /// How fast it records.
    pub(crate) throughput: Throughput,
    /// How many packets that is.
    pub(crate) recorded_packets: RecordedPackets,
    /// What it is made of, as was shown last.
    pub(crate) outlined: Outline,
    /// What the buffers of applications that are gone had lost.
    pub(crate) past_losses: Losses,
    /// The consumer daemons: another one takes the place of one whose actor failed.
    pub(crate) consumers: Consumers,
    /// The relay daemon that the consumers are connected to, or will be.
    pub(crate) relayd: Option<SessionRelayd>,
    /// When viewers of a live session have seen what there is.
    pub(crate) viewers: Viewers,
    /// Where buffer sets find us. Weak: a session that nobody knows ends.
    pub(crate) address: Option<WeakAddr<Session>>,
    /// Whether it ends because the daemon does.
    pub(crate) is_at_end: bool,
}

/// Who knows a trace chunk.
#[derive(Clone, Debug)]
pub(crate) struct Published {
    /// The relay daemon's connection, if one has it.
    pub(crate) relayd: Option<NetIndex>,
    /// The consumer daemons: those of domains that came later know nothing of it.
    pub(crate) to: Vec<ConsumerKind>,
}

/// An application that came, and what it waits for.
pub(crate) struct Arrival {
    pub(crate) app: RegisteredApp,
    /// Nothing when it waits no longer.
    pub(crate) hold: Option<Hold>,
}

/// A buffer set and its objects.
pub(crate) type Prepared = (Arc<Addr<BufferSet>>, Arc<BufferObjects>);

/// A buffer set of the session.
#[derive(Clone)]
pub(crate) struct SessionSet {
    /// Shared: an address is not cheap to clone.
    pub(crate) actor: Arc<Addr<BufferSet>>,
    /// Its directory below its tracer's.
    pub(crate) path: String,
    /// The consumer daemon that has its buffers.
    pub(crate) kind: ConsumerKind,
    /// The word size of its applications.
    pub(crate) bitness: Bitness,
    /// Its objects, once it had all of these channels.
    pub(crate) prepared: Option<(Arc<[Channel]>, Arc<BufferObjects>)>,
    /// Ids that it has given, as it told last.
    pub(crate) known: Arc<KnownIds>,
}

impl SessionSet {
    /// One that is new.
    pub(crate) fn new(
        actor: Arc<Addr<BufferSet>>,
        path: String,
        kind: ConsumerKind,
        bitness: Bitness,
    ) -> Self {
        Self { actor, path, kind, bitness, prepared: None, known: Arc::default() }
    }
}

impl State {
    /// That of a session without channels, which no application and no agent concerns.
    pub(crate) fn of(config: &SessionConfig) -> Self {
        Self {
            life: Lifecycle::default(),
            output: config.output.clone(),
            shm_path: None,
            chunk: None,
            published: BTreeMap::new(),
            leftovers: Leftovers::default(),
            domains: Domains::default(),
            wanted: None,
            apps: Known::default(),
            arriving: BTreeMap::new(),
            follows: None,
            agents: Known::default(),
            agent_domains: BTreeSet::new(),
            agent_wishes: BTreeMap::new(),
            sets: BTreeMap::new(),
            rotations: Rotations::default(),
            schedules: Schedules::default(),
            rotation_timer: None,
            snapshots: Snapshots::with_output(config.snapshot_output.clone()),
            paused: false,
            uses: Uses::told(config.watches_use),
            is_observed: false,
            told_losses: ToldLosses::default(),
            loss_warnings: LossWarnings::default(),
            loss_looks: LossLooks::default(),
            throughput: Throughput::default(),
            recorded_packets: RecordedPackets::default(),
            outlined: Outline::default(),
            past_losses: Losses::default(),
            consumers: config.consumers.clone(),
            relayd: None,
            viewers: Viewers::default(),
            address: None,
            is_at_end: false,
        }
    }

    /// How it looks in listings.
    pub(crate) fn listing(&self, config: &SessionConfig) -> SessionListing {
        SessionListing {
            name: config.name.clone(),
            path: self.output.path(),
            active: self.life.active,
            snapshot_mode: config.kind == SessionKind::Snapshot,
            live_timer_interval_us: config.live_timer_interval_us(),
            creation_time_s: config.created_at.epoch_s,
            shm_path: self.shm_path.as_deref().unwrap_or(Path::new("")).to_string_lossy().into(),
        }
    }

    /// What it is made of, if that is not what was shown last.
    pub(crate) fn new_outline(&mut self) -> Option<Outline> {
        let Domains { kernel, ust } = &self.domains;
        let outline = Outline {
            kernel_channels: kernel.as_ref().map(|kernel| kernel.rules.channels.len()),
            user_space_channels: ust.as_ref().map(|ust| ust.channels.len()),
            agent_domains: self.agent_domains.len(),
            fate: match self.life {
                Lifecycle { failed: true, .. } => Fate::Failed,
                Lifecycle { lost, .. } if lost != LostConsumers::default() => Fate::ConsumerLost,
                _ => Fate::Whole,
            },
        };
        (std::mem::replace(&mut self.outlined, outline) != outline).then_some(outline)
    }

    /// All who have buffers, of all domains.
    pub(crate) fn all_buffers(&self) -> impl Iterator<Item = Buffers> {
        let kernel = self.domains.kernel.as_ref().map(|kernel| Buffers {
            of: BuffersOf::Kernel(kernel.actor.clone()),
            path: String::new(),
            kind: ConsumerKind::Kernel,
        });
        let sets = self.sets.values().map(|set| Buffers {
            of: BuffersOf::Apps(Arc::clone(&set.actor)),
            path: set.path.clone(),
            kind: set.kind,
        });
        kernel.into_iter().chain(sets)
    }

    /// Those of domains that have something to record in.
    pub(crate) fn recorded_buffers(&self) -> Vec<Buffers> {
        let recorded: Vec<_> = self.domains.recorded().collect();
        self.all_buffers().filter(|buffers| recorded.contains(&buffers.kind.tracer())).collect()
    }

    /// The directories of buffer sets, for each domain that has something to record in.
    pub(crate) fn directories(&self, buffers: impl IntoIterator<Item = Buffers>) -> SetDirectories {
        let mut directories: SetDirectories =
            self.domains.recorded().map(|tracer| (tracer, Vec::new())).collect();
        for buffers in buffers {
            if let Some(paths) = directories.get_mut(&buffers.kind.tracer()) {
                paths.push(buffers.path);
            }
        }
        directories
    }

    /// Those of all buffer sets.
    pub(crate) fn all_directories(&self) -> SetDirectories {
        self.directories(self.all_buffers())
    }

    /// Whether there is no consumer daemon any more that has buffers of the session.
    pub(crate) fn is_lost(&self) -> bool {
        self.life.is_lost(self.domains.tracers())
    }

    /// What user space records, if there is something, to be changed.
    pub(crate) fn change_ust(&mut self) -> &mut Option<UstDomain> {
        self.wanted = None;
        &mut self.domains.ust
    }

    /// The channels as applications are to have them.
    pub(crate) fn wanted_channels(&mut self) -> Arc<[Channel]> {
        let channels = self.domains.ust.as_ref().map_or(&[][..], |ust| &ust.channels);
        Arc::clone(self.wanted.get_or_insert_with(|| channels.into()))
    }

    /// A buffer set that has all channels for applications that record, and its objects.
    pub(crate) fn prepared(&mut self, key: SetKey) -> Option<Prepared> {
        if !self.records() {
            return None;
        }
        let channels = self.wanted_channels();
        let set = self.sets.get(&key)?;
        let (had, objects) = set.prepared.as_ref()?;
        Arc::ptr_eq(had, &channels).then(|| (Arc::clone(&set.actor), Arc::clone(objects)))
    }

    /// Which buffers an application uses; `None` for one that the session does not track.
    pub(crate) fn set_of(&self, info: &AppInfo) -> Option<SetKey> {
        let process = TrackedProcess { pid: info.pid, uid: info.uid, gid: info.gid };
        self.domains.ust.as_ref().filter(|ust| ust.tracks(process))?;
        self.shared_set(info)
    }

    /// The same, or would use if the session tracked it.
    pub(crate) fn shared_set(&self, info: &AppInfo) -> Option<SetKey> {
        let scheme = self.domains.ust.as_ref()?.scheme;
        Some(match scheme {
            BufferScheme::PerPid => SetKey::App(info.id.0),
            BufferScheme::PerUid | BufferScheme::Global => {
                let layout = info.abi.buffer_layout();
                SetKey::Uid { uid: info.uid, bitness: info.bitness, layout }
            }
        })
    }

    /// Whether applications get buffers now: they record, in channels.
    pub(crate) fn makes_buffers(&self) -> bool {
        self.records() && self.domains.ust.as_ref().is_some_and(|ust| !ust.channels.is_empty())
    }

    /// Whether applications record now.
    pub(crate) fn records(&self) -> bool {
        self.life.active && !self.paused
    }
}
