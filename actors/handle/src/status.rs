//! What goes on inside: how sessions, applications, consumer daemons and relay daemons do, and what users hold.
//!
//! It is put together of what sessions show and of what the actors know who own the others. No peer is asked, so
//! that it is answered at once whoever does not answer. What sessions lost is what they saw when they looked last,
//! with its age.

mod reply;

use std::{
    collections::{BTreeMap, HashMap},
    time::{Duration, Instant},
};

use actix::ArbiterHandle;
use futures::{channel::oneshot, future::join_all};
use lttngd_app::AppReport;
use lttngd_consumer::{ConsumerPhase, ConsumerReport, SocketReport};
use lttngd_model::{ErrorCode, SessionId};
use lttngd_registry::{Report, Reports};
use lttngd_relayd::{RelayReport, Stands};
use lttngd_runas::RunasReport;
use lttngd_runtime::{Descriptors, Purpose};
use lttngd_session::{
    BUFFER_BYTES, Fate, GetQueueReport, KnownLosses, SessionRequest, ShownSession,
};
use lttngd_users::Holding;
use serde::{Deserialize, Serialize};

pub use reply::{
    AgentStatus, AnswerStatus, AppState, AppStatus, ChannelLossStatus, CommandStatus,
    ConsumerState, ConsumerStatus, DaemonStatus, DescriptorStatus, LossStatus, Quantity,
    RelayState, RelayStatus, RunasState, RunasStatus, SessionState, SessionStatus, SocketStatus,
    Status, UserStatus,
};

use crate::{CommandCounters, CommandFigures, Handle, Request};

/// Most sessions that are asked what waits in them, the newest first: most have nothing that does.
const QUEUES_MAX: usize = 256;
/// How long after its last sample a session's rate is not known any more.
const RATE_IS_OLD: Duration = Duration::from_secs(5);

/// Asks what goes on in the daemon, as far as the one who asks may see it: root everything, others their own sessions
/// with their relay daemons, what they hold themselves, and all applications and consumer daemons.
///
/// Errors: none of its own.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct GetStatus {
    /// Whether what users hold is to be told.
    #[serde(default)]
    pub users: bool,
}

/// The process of a daemon, as far as a status tells of it.
#[derive(Clone, Debug)]
pub struct Process {
    began: Instant,
    /// In which it counts its descriptors.
    descriptors: Descriptors,
    /// The threads in which there are ledgers of what users hold.
    arbiters: Vec<ArbiterHandle>,
    /// How its commands were answered.
    commands: CommandCounters,
}

impl Process {
    /// One that begins now.
    #[must_use]
    pub fn new(descriptors: Descriptors, arbiters: Vec<ArbiterHandle>) -> Self {
        Self { began: Instant::now(), descriptors, arbiters, commands: CommandCounters::default() }
    }

    pub(crate) fn commands(&self) -> &CommandCounters {
        &self.commands
    }
}

impl Request for GetStatus {
    type Reply = Status;

    fn command(&self) -> &'static str {
        "GET_STATUS"
    }

    async fn ask(self, handle: &Handle) -> Result<Status, ErrorCode> {
        let process = handle.process();
        // What is asked on the way is no command of anybody.
        let handle = &handle.uncounted();
        let arbiters = if self.users { process.arbiters.clone() } else { Vec::new() };
        let reports = handle.registry(Report { arbiters }).await?;
        let shown = handle.looked_at_sessions();
        let busy = shown.iter().filter(|session| session.commands > 0).take(QUEUES_MAX);
        let asked = busy.map(async |session| {
            let name = &session.listing.name;
            // One that has ended meanwhile has no commands.
            let queue = handle.ask(GetQueueReport.in_session(name)).await.ok()?;
            Some((session.id, CommandStatus::from(queue)))
        });
        let mut queues: HashMap<_, _> = join_all(asked).await.into_iter().flatten().collect();
        let now = Instant::now();
        let relays = relays(&reports.relays, &shown, now);
        let sessions = shown.iter().map(|it| session(it, queues.remove(&it.id), now));
        let (sessions, users) =
            (sessions.collect(), self.users.then(|| handle.users(&reports.held)));
        let Reports { apps, agents, consumers, runas, held, .. } = reports;
        Ok(Status {
            daemon: DaemonStatus {
                buffer_bytes: self.users.then(|| buffer_bytes(&held)),
                ..daemon(process, now)
            },
            sessions,
            applications: apps.iter().map(|report| app(report, now)).collect(),
            agents: agents
                .into_iter()
                .map(|agent| AgentStatus { pid: agent.pid, domain: agent.domain })
                .collect(),
            consumers: consumers.iter().map(|it| consumer(it, &shown)).collect(),
            runas: Some(RunasStatus::from(runas)),
            relays,
            users,
            answers: process.commands.figures().into_iter().map(AnswerStatus::from).collect(),
        })
    }
}

impl Handle {
    /// What goes on in the daemon, with what users hold if `users` says so. As [`GetStatus`].
    ///
    /// # Errors
    /// None of its own.
    pub async fn status(&self, users: bool) -> Result<Status, ErrorCode> {
        self.ask(GetStatus { users }).await
    }

    /// Completes when each thread of actors has come to do something that it was asked for now: while one hangs, it
    /// does not.
    ///
    /// # Errors
    /// `Fatal` when the daemon is gone, or a thread of it.
    pub async fn pulse(&self) -> Result<(), ErrorCode> {
        self.check_running()?;
        let beats = self.process().arbiters.iter().map(|arbiter| {
            let (beat, beaten) = oneshot::channel();
            arbiter.spawn_fn(move || {
                // Who asked may be gone.
                let _ = beat.send(());
            });
            beaten
        });
        let beaten = join_all(beats).await;
        if beaten.iter().all(Result::is_ok) { Ok(()) } else { Err(ErrorCode::Fatal) }
    }

    fn users(&self, held: &[Holding]) -> Vec<UserStatus> {
        let requester = self.requester().uid;
        let refused = lttngd_users::refusals();
        users(held, &refused, |uid| [0, uid].contains(&requester))
    }
}

fn daemon(process: &Process, now: Instant) -> DaemonStatus {
    let Process { began, descriptors, .. } = process;
    DaemonStatus {
        pid: std::process::id(),
        uid: rustix::process::geteuid().as_raw(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        uptime_s: now.saturating_duration_since(*began).as_secs(),
        resident_bytes: resident_bytes(),
        buffer_bytes: None,
        processor_time_ms: Some(processor_time_ms()),
        descriptors_max: descriptors.limit(),
        descriptors: DescriptorStatus {
            applications: descriptors.taken(Purpose::Registrations),
            channels: descriptors.taken(Purpose::Channels),
            clients: descriptors.taken(Purpose::Clients),
            control: descriptors.taken(Purpose::Control),
        },
    }
}

/// What of this process is in memory; `None` where there is no `/proc`.
#[must_use]
pub fn resident_bytes() -> Option<u64> {
    let pages = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = pages.split(' ').nth(1)?.parse().ok()?;
    Some(pages * rustix::param::page_size() as u64)
}

/// What all users hold of memory for buffers.
fn buffer_bytes(held: &[Holding]) -> u64 {
    held.iter().filter(|it| it.what == BUFFER_BYTES).map(|it| it.held).fold(0, u64::saturating_add)
}

/// How much of the processors' time this process has had, in milliseconds.
fn processor_time_ms() -> u64 {
    let had = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    let of_seconds = u64::try_from(had.tv_sec).unwrap_or(0).saturating_mul(1000);
    of_seconds.saturating_add(u64::try_from(had.tv_nsec / 1_000_000).unwrap_or(0))
}

impl From<CommandFigures> for AnswerStatus {
    fn from(figures: CommandFigures) -> Self {
        let error =
            |(code, count): &(ErrorCode, u64)| Quantity { what: code.name(), count: *count };
        Self {
            command: figures.command.to_owned(),
            answered: figures.answered(),
            took_us: u64::try_from(figures.took.as_micros()).unwrap_or(u64::MAX),
            latencies: figures.latencies.to_vec(),
            errors: figures.failed.iter().map(error).collect(),
        }
    }
}

fn session(shown: &ShownSession, commands: Option<CommandStatus>, now: Instant) -> SessionStatus {
    let ShownSession { listing, owner, figures, .. } = shown;
    let state = match (figures.outline.fate, listing.active) {
        (Fate::Failed, _) => SessionState::Failed,
        (Fate::ConsumerLost, _) => SessionState::ConsumerLost,
        (Fate::Whole, true) => SessionState::Active,
        (Fate::Whole, false) => SessionState::Inactive,
    };
    let rate = figures.rate.filter(|(at, _)| now.saturating_duration_since(*at) < RATE_IS_OLD);
    SessionStatus {
        name: listing.name.clone(),
        uid: owner.uid,
        state,
        output: listing.path.clone(),
        created_s: listing.creation_time_s,
        is_snapshot: listing.snapshot_mode,
        live_timer_us: listing.live_timer_interval_us,
        kernel_channels: figures.outline.kernel_channels,
        user_space_channels: figures.outline.user_space_channels,
        agent_domains: figures.outline.agent_domains,
        recorded_bytes: figures.recorded_bytes,
        recorded_packets: figures.recorded_packets,
        bytes_per_s: rate.map(|(_, bytes_per_s)| bytes_per_s),
        losses: figures.losses.as_deref().map(|known| losses(known, now)),
        commands,
    }
}

fn losses(known: &KnownLosses, now: Instant) -> LossStatus {
    let sum = |all: u64, one: u64| all.saturating_add(one);
    LossStatus {
        age_ms: milliseconds(now.saturating_duration_since(known.at)),
        discarded_events: known.channels.iter().map(|it| it.discarded_events).fold(0, sum),
        lost_packets: known.channels.iter().map(|it| it.lost_packets).fold(0, sum),
        channels: known
            .channels
            .iter()
            .map(|it| ChannelLossStatus {
                domain: it.domain,
                channel: it.channel.clone(),
                discarded_events: it.discarded_events,
                lost_packets: it.lost_packets,
            })
            .collect(),
    }
}

impl From<lttngd_session::CommandQueue> for CommandStatus {
    fn from(queue: lttngd_session::CommandQueue) -> Self {
        let lttngd_session::CommandQueue { waiting, running, oldest_waits } = queue;
        let (running, runs_for_ms) = running.map(|it| (it.name, milliseconds(it.runs_for))).unzip();
        Self { waiting, oldest_waits_ms: oldest_waits.map(milliseconds), running, runs_for_ms }
    }
}

fn app(report: &AppReport, now: Instant) -> AppStatus {
    let AppReport { info, set_aside_since } = report;
    let (requests, owes_for) = info.owing.get(now);
    let (major, minor, patch) = info.tracer_version;
    AppStatus {
        pid: info.pid,
        uid: info.uid,
        name: info.name.clone(),
        bits: info.bitness.bits_per_long(),
        abi_major: info.abi.major(),
        tracer_version: format!("{major}.{minor}.{patch}"),
        state: if set_aside_since.is_some() { AppState::SetAside } else { AppState::Registered },
        set_aside_ms: set_aside_since.map(|at| milliseconds(now.saturating_duration_since(at))),
        requests,
        owes_ms: owes_for.map(milliseconds),
    }
}

impl From<RunasReport> for RunasStatus {
    fn from(report: RunasReport) -> Self {
        Self {
            state: match report.state {
                lttngd_runas::RunasState::Idle => RunasState::Idle,
                lttngd_runas::RunasState::Starting => RunasState::Starting,
                lttngd_runas::RunasState::Running => RunasState::Running,
                lttngd_runas::RunasState::Silent => RunasState::Silent,
                lttngd_runas::RunasState::Gone => RunasState::Gone,
            },
            waiting: report.waiting,
            in_flight: report.in_flight,
            oldest_waits_ms: report.oldest_waits.map(milliseconds),
        }
    }
}

/// The name of a session that is shown.
fn name(id: SessionId, shown: &[ShownSession]) -> Option<&str> {
    shown.iter().find(|it| it.id == id).map(|it| it.listing.name.as_str())
}

/// A consumer daemon, with its connections of sessions that are shown.
fn consumer(report: &ConsumerReport, shown: &[ShownSession]) -> ConsumerStatus {
    let socket = |it: &SocketReport| {
        let session = match it.session {
            Some(id) => Some(name(id, shown)?.to_owned()),
            None => None,
        };
        let owes_ms = milliseconds(it.owes_for);
        Some(SocketStatus { session, requests: it.owed, owes_ms, is_silent: it.is_silent })
    };
    ConsumerStatus {
        kind: report.kind.to_string(),
        state: match report.phase {
            ConsumerPhase::Idle => ConsumerState::Idle,
            ConsumerPhase::Starting => ConsumerState::Starting,
            ConsumerPhase::Running if report.is_silent => ConsumerState::Silent,
            ConsumerPhase::Running => ConsumerState::Running,
            ConsumerPhase::Ending => ConsumerState::Ending,
        },
        pid: report.pid,
        requests: report.waiting,
        owes_ms: milliseconds(report.owes_for),
        channels: report.channels,
        sockets: report.sockets.iter().filter_map(socket).collect(),
    }
}

/// The connections of sessions that are shown.
fn relays(reports: &[RelayReport], shown: &[ShownSession], now: Instant) -> Vec<RelayStatus> {
    let waited = |since| milliseconds(now.saturating_duration_since(since));
    let status = |report: &RelayReport| {
        Some(RelayStatus {
            address: report.relayd.to_string(),
            session: name(report.session, shown)?.to_owned(),
            waiting: report.waiting,
            oldest_waits_ms: report.waiting_since.map(waited),
            state: match report.stands {
                Stands::GivenUp => RelayState::GivenUp,
                _ if report.is_silent => RelayState::Silent,
                Stands::Connecting => RelayState::Connecting,
                Stands::Connected => RelayState::Connected,
            },
        })
    };
    let mut reports = reports.to_vec();
    reports.sort_unstable_by_key(|report| report.net_index);
    reports.iter().filter_map(status).collect()
}

/// What those users hold and were refused who are shown.
fn users(
    held: &[Holding],
    refused: &[(u32, &'static str, u64)],
    is_shown: impl Fn(u32) -> bool,
) -> Vec<UserStatus> {
    let mut users: BTreeMap<u32, (BTreeMap<&str, u64>, Vec<Quantity>)> = BTreeMap::new();
    for Holding { uid, what, held } in held.iter().filter(|it| is_shown(it.uid)) {
        let sum = users.entry(*uid).or_default().0.entry(what).or_default();
        *sum = sum.saturating_add(*held);
    }
    for (uid, what, count) in refused.iter().filter(|(uid, ..)| is_shown(*uid)) {
        let quantity = Quantity { what: (*what).to_owned(), count: *count };
        users.entry(*uid).or_default().1.push(quantity);
    }
    let status = |(uid, (held, refused)): (u32, (BTreeMap<&str, u64>, Vec<Quantity>))| {
        let holds = held.into_iter();
        let holds = holds.map(|(what, count)| Quantity { what: what.to_owned(), count });
        UserStatus { uid, holds: holds.collect(), refused }
    };
    users.into_iter().map(status).collect()
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
