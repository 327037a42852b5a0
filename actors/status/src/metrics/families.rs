//! Which numbers there are, by what they are of.

use std::{
    borrow::Cow,
    collections::{BTreeMap, btree_map::Entry},
    fmt,
    time::Duration,
};

use lttngd_handle::{
    AppState, ConsumerState, LATENCIES_US, RelayState, RunasState, SessionState, SessionStatus,
    Status,
};
use prometheus_client::registry::Unit;

use super::text::{Families, Labels, shown};

/// Writes all.
pub(super) fn write(families: &mut Families<'_>, status: &Status) -> fmt::Result {
    daemon(families, status)?;
    sessions(families, &status.sessions)?;
    losses(families, &status.sessions)?;
    peers(families, status)?;
    queues(families, status)?;
    users(families, status)?;
    answers(families, status)
}

/// Seconds, of which all times are in metrics.
fn from_ms(ms: u64) -> f64 {
    Duration::from_millis(ms).as_secs_f64()
}

fn from_us(us: u64) -> f64 {
    Duration::from_micros(us).as_secs_f64()
}

/// What is counted by states: all of them, so that one in which there is nobody is seen as such.
fn by_state<S: Copy + PartialEq, const N: usize>(
    all: [(S, &'static str); N],
    states: impl Iterator<Item = S>,
) -> [(Labels<'static, 1>, u64); N] {
    let states: Vec<S> = states.collect();
    all.map(|(state, name)| {
        let count = states.iter().filter(|it| **it == state).count();
        ([("state", Cow::from(name))], count as u64)
    })
}

fn daemon(families: &mut Families<'_>, status: &Status) -> fmt::Result {
    let it = &status.daemon;
    families.info(("daemon", "The session daemon"), [("version", it.version.as_str().into())])?;
    let name = ("uptime", "For how long the daemon runs", Unit::Seconds);
    families.gauge_of(name, [([], it.uptime_s as f64)])?;
    let resident = it.resident_bytes.map(|bytes| ([], bytes as f64));
    families
        .gauge_of(("resident_memory", "What of its memory is resident", Unit::Bytes), resident)?;
    let had = it.processor_time_ms.map(|ms| ([], from_ms(ms)));
    families.counter_of(("processor", "Processor time that it has had", Unit::Seconds), had)?;
    let buffers = it.buffer_bytes.map(|bytes| ([], bytes as f64));
    families
        .gauge_of(("buffers", "Memory for buffers that all users hold", Unit::Bytes), buffers)?;
    families.gauge(
        ("descriptors_max", "How many descriptors it may have open"),
        [([], it.descriptors_max)],
    )?;
    let of = &it.descriptors;
    let taken = [
        ("applications", of.applications),
        ("channels", of.channels),
        ("clients", of.clients),
        ("control", of.control),
    ];
    let taken = taken.map(|(purpose, count)| ([("purpose", purpose.into())], count as u64));
    families.gauge(("descriptors", "Descriptors that are taken, by what for"), taken)
}

fn sessions(families: &mut Families<'_>, sessions: &[SessionStatus]) -> fmt::Result {
    let states = [
        (SessionState::Active, "active"),
        (SessionState::Inactive, "inactive"),
        (SessionState::ConsumerLost, "consumer_lost"),
        (SessionState::Failed, "failed"),
    ];
    let by_state = by_state(states, sessions.iter().map(|it| it.state));
    families.gauge(("sessions", "Sessions by where they stand"), by_state)?;
    let active = sessions.iter().map(|it| (of(it), u64::from(it.state == SessionState::Active)));
    families.gauge(("session_active", "Whether a session is tracing"), active)?;
    let recorded = sessions.iter().map(|it| (of(it), it.recorded_bytes as f64));
    families.counter_of(
        ("session_recorded", "What consumer daemons have written of a session", Unit::Bytes),
        recorded,
    )?;
    let packets = sessions.iter().filter_map(|it| Some((of(it), it.recorded_packets?)));
    families.counter(
        ("session_recorded_packets", "Packets that consumer daemons have written of a session"),
        packets,
    )?;
    let rates = sessions.iter().filter_map(|it| Some((of(it), it.bytes_per_s?)));
    families
        .gauge(("session_recorded_bytes_per_second", "How much of that is in a second now"), rates)
}

fn of(session: &SessionStatus) -> Labels<'_, 1> {
    [("session", shown(&session.name))]
}

fn losses(families: &mut Families<'_>, sessions: &[SessionStatus]) -> fmt::Result {
    let known = || sessions.iter().filter_map(|it| Some((it, it.losses.as_ref()?)));
    let channels = || {
        known().flat_map(|(session, losses)| losses.channels.iter().map(move |it| (session, it)))
    };
    let labels = |session: &SessionStatus, channel: &str, domain| {
        let domain = format!("{domain:?}").to_lowercase();
        [
            ("session", shown(&session.name).into_owned().into()),
            ("domain", domain.into()),
            ("channel", shown(channel).into_owned().into()),
        ]
    };
    let events = channels()
        .map(|(session, it)| (labels(session, &it.channel, it.domain), it.discarded_events));
    families.counter(
        ("channel_discarded_events", "Events that found no room in full buffers of a channel"),
        events,
    )?;
    let packets =
        channels().map(|(session, it)| (labels(session, &it.channel, it.domain), it.lost_packets));
    families.counter(
        (
            "channel_lost_packets",
            "Packets of a channel that were overwritten before they were read",
        ),
        packets,
    )?;
    let ages = known().map(|(session, losses)| (of(session), from_ms(losses.age_ms)));
    let name = ("session_losses_age", "How long ago it was looked what was lost", Unit::Seconds);
    families.gauge_of(name, ages)
}

fn peers(families: &mut Families<'_>, status: &Status) -> fmt::Result {
    let states = [(AppState::Registered, "registered"), (AppState::SetAside, "set_aside")];
    let apps = by_state(states, status.applications.iter().map(|it| it.state));
    families.gauge(("applications", "Applications by how they do"), apps)?;
    let agents = by_state([((), "registered")], status.agents.iter().map(|_| ()));
    families.gauge(("agents", "Logging agents"), agents)?;
    let states = [
        (ConsumerState::Idle, "idle"),
        (ConsumerState::Starting, "starting"),
        (ConsumerState::Running, "running"),
        (ConsumerState::Silent, "silent"),
        (ConsumerState::Ending, "ending"),
    ];
    let consumers = by_state(states, status.consumers.iter().map(|it| it.state));
    families
        .gauge(("consumers", "Consumer daemons by where they are in their lives"), consumers)?;
    let kind = |it: &'_ lttngd_handle::ConsumerStatus| [("kind", it.kind.clone().into())];
    let requests = status.consumers.iter().map(|it| (kind(it), it.requests as u64));
    families
        .gauge(("consumer_requests", "Requests that a consumer daemon owes an answer"), requests)?;
    let owes = status.consumers.iter().map(|it| (kind(it), from_ms(it.owes_ms)));
    let name = ("consumer_owes", "For how long a consumer daemon has owed one", Unit::Seconds);
    families.gauge_of(name, owes)?;
    let states = [
        (RelayState::Connecting, "connecting"),
        (RelayState::Connected, "connected"),
        (RelayState::Silent, "silent"),
        (RelayState::GivenUp, "given_up"),
    ];
    let relays = by_state(states, status.relays.iter().map(|it| it.state));
    families.gauge(("relays", "Connections to relay daemons by how they stand"), relays)
}

/// What waits where: one line for each queue in which something does, and those that are always there.
fn queues(families: &mut Families<'_>, status: &Status) -> fmt::Result {
    let queues = queues_of(status);
    let labels =
        |it: &Queue<'_>| [("queue", it.queue.into()), ("of", shown(it.of).into_owned().into())];
    let lengths = queues.iter().map(|it| (labels(it), it.waiting as u64));
    families.gauge(("queue_length", "What waits in a queue, and what is done of it"), lengths)?;
    let oldest = queues.iter().map(|it| (labels(it), from_ms(it.oldest_ms.unwrap_or(0))));
    let name = ("queue_oldest_wait", "How long the oldest of that has waited", Unit::Seconds);
    families.gauge_of(name, oldest)?;
    let states = [
        (RunasState::Idle, "idle"),
        (RunasState::Starting, "starting"),
        (RunasState::Running, "running"),
        (RunasState::Silent, "silent"),
        (RunasState::Gone, "gone"),
    ];
    let runas = by_state(states, status.runas.iter().map(|it| it.state));
    families.gauge(("runas_workers", "The worker that acts for users, by where it stands"), runas)
}

/// A queue: of which kind, whose, and what waits in it.
struct Queue<'a> {
    queue: &'static str,
    of: &'a str,
    waiting: usize,
    oldest_ms: Option<u64>,
}

fn queues_of(status: &Status) -> Vec<Queue<'_>> {
    let sessions = status.sessions.iter().filter_map(|session| {
        let commands = session.commands.as_ref()?;
        let waiting = commands.waiting + usize::from(commands.running.is_some());
        let oldest_ms = commands.oldest_waits_ms.max(commands.runs_for_ms);
        Some(Queue { queue: "session", of: &session.name, waiting, oldest_ms })
    });
    let applications = status.applications.iter().filter(|it| it.requests > 0).map(|it| Queue {
        queue: "application",
        of: &it.name,
        waiting: it.requests,
        oldest_ms: it.owes_ms,
    });
    let sockets = status.consumers.iter().flat_map(|consumer| {
        consumer.sockets.iter().map(|it| {
            let (queue, of) = match &it.session {
                Some(session) => ("consumer", session),
                None => ("consumer_shared", &consumer.kind),
            };
            Queue { queue, of, waiting: it.requests, oldest_ms: Some(it.owes_ms) }
        })
    });
    let relays = status.relays.iter().filter(|it| it.waiting > 0).map(|it| Queue {
        queue: "relay",
        of: &it.session,
        waiting: it.waiting,
        oldest_ms: it.oldest_waits_ms,
    });
    let runas = status.runas.iter().map(|it| Queue {
        queue: "runas",
        of: "",
        waiting: it.waiting + it.in_flight,
        oldest_ms: it.oldest_waits_ms,
    });
    let applications = merged(applications);
    sessions.chain(applications).chain(merged(sockets)).chain(merged(relays)).chain(runas).collect()
}

/// Those of the same as one: a session may have connections to several consumer daemons or relay daemons, and
/// applications may have the same name.
fn merged<'a>(queues: impl Iterator<Item = Queue<'a>>) -> impl Iterator<Item = Queue<'a>> {
    let mut known: BTreeMap<(&str, &str), Queue<'a>> = BTreeMap::new();
    for it in queues {
        match known.entry((it.queue, it.of)) {
            Entry::Vacant(vacant) => {
                vacant.insert(it);
            }
            Entry::Occupied(mut occupied) => {
                let sum = occupied.get_mut();
                sum.waiting += it.waiting;
                sum.oldest_ms = sum.oldest_ms.max(it.oldest_ms);
            }
        }
    }
    known.into_values()
}

fn users(families: &mut Families<'_>, status: &Status) -> fmt::Result {
    let users = || status.users.iter().flatten();
    let quantity = |uid: u32, it: &lttngd_handle::Quantity| {
        ([("user", uid.to_string().into()), ("what", it.what.clone().into())], it.count)
    };
    let held = users().flat_map(|user| user.holds.iter().map(move |it| quantity(user.uid, it)));
    families.gauge(("user_holds", "What a user holds of what there is only so much of"), held)?;
    let refused =
        users().flat_map(|user| user.refused.iter().map(move |it| quantity(user.uid, it)));
    families.counter(("user_refusals", "How often a user was refused some of it"), refused)
}

fn answers(families: &mut Families<'_>, status: &Status) -> fmt::Result {
    let answers = status.answers.iter().flat_map(|it| {
        let labels = |code: String| [("command", it.command.clone().into()), ("code", code.into())];
        let errors: u64 = it.errors.iter().map(|it| it.count).sum();
        let well = (labels("OK".to_owned()), it.answered.saturating_sub(errors));
        let errors = it.errors.iter().map(move |it| (labels(it.what.clone()), it.count));
        [well].into_iter().chain(errors)
    });
    families.counter(("commands", "Commands that were answered, by what"), answers)?;
    let upper = LATENCIES_US.iter().map(|us| from_us(*us)).chain([f64::INFINITY]);
    let took = status.answers.iter().map(|it| {
        let buckets = upper.clone().zip(it.latencies.iter().copied()).collect();
        ([("command", it.command.clone().into())], from_us(it.took_us), buckets)
    });
    families.durations(("command_duration", "How long answers to commands took to be made"), took)
}
