//! Costs by number: of simulated applications, of sessions, of event rules.

use super::Run;
use super::registrations::record;
use crate::clients::client;
use crate::contender::Contender;
use crate::crowd::Crowd;
use crate::measure::{MILLISECOND_US, lttng_s, median_s, median_us, p99_us, spent_us};
use crate::simulated::TRACEPOINT;
use crate::table::{Row, Target, Value};
use lttngd_world::Stage;
use rustix::process::Signal;

/// Applications that register, and sessions that record them.
const APPLICATIONS: [u32; 3] = [1000, 4000, 8000];
const RECORDING: [u32; 4] = [0, 1, 10, 100];
/// The stock daemon has no descriptors for more than 3,989.
const APPLICATIONS_STOCK: u32 = 3900;
/// Seconds that a registration of all, or a command for all sessions, may take.
const LIMIT_S: u32 = 240;

/// Of which one in so many is stopped.
const STOPPED_PART: u32 = 100;
/// Sessions of one client, and the applications beside them.
const SESSIONS: u32 = 1000;
const BESIDE_SESSIONS: [u32; 3] = [0, 20, 1000];
/// Seconds for which a client lists.
const LISTING_S: u32 = 2;
/// Milliseconds of a list at the 99th percentile.
const LIST_MS: f64 = 20.0;

/// Event rules of one session.
const RULES: u32 = 1000;

/// What an application costs that registers, by how many there are and how many sessions record.
pub fn applications(run: &Run) -> Vec<Row> {
    let fits = |count: &u32| run.contender != Contender::Stock || *count <= APPLICATIONS_STOCK;
    let counts = APPLICATIONS.into_iter().filter(fits);
    counts
        .flat_map(|count| RECORDING.into_iter().flat_map(move |it| register(run, count, it)))
        .collect()
}

fn register(run: &Run, count: u32, sessions: u32) -> Vec<Row> {
    let stage = run.contender.stage();
    for session in 0..sessions {
        record(&stage, &format!("active-{session}"));
    }
    let name = format!("{count} applications, {sessions} sessions that record");
    let held = Held::of(&stage);
    let mut crowd = Crowd::new(&stage.arena);
    let mut registered = 0;
    let spent = spent_us(&stage, || registered = crowd.register_within(count, LIMIT_S));
    if registered < count {
        return vec![Row::new(format!("{name}: processor time, each"), Value::NoAnswer(LIMIT_S))];
    }
    let each = |value: f64| value / f64::from(count);
    let more = Held::of(&stage);
    let row = |what: &str, value| Row::new(format!("{name}: {what}, each"), value);
    vec![
        row("processor time", Value::Less(each(spent), "us")),
        row("memory", Value::Less(each(more.kib - held.kib), "KiB")),
        row("descriptors", Value::Less(each(more.descriptors - held.descriptors), "")),
    ]
}

/// What a session daemon holds.
struct Held {
    kib: f64,
    descriptors: f64,
}

impl Held {
    fn of(stage: &Stage) -> Held {
        let daemon = &stage.daemon;
        Held { kib: daemon.resident_kib() as f64, descriptors: daemon.descriptors() as f64 }
    }
}

/// Commands on a session that many applications follow, some of which are stopped.
pub fn stopped(run: &Run) -> Vec<Row> {
    let count = APPLICATIONS[0];
    let few = count / STOPPED_PART;
    let name = format!("{count} applications");
    let mut rows = {
        let stage = run.contender.stage();
        let _crowd = Crowd::of(&stage.arena, count);
        commands(&stage, &name)
    };
    let stage = run.contender.stage();
    let _crowd = Crowd::of(&stage.arena, count - few);
    let stopped = Crowd::of(&stage.arena, few);
    stopped.signal(Signal::STOP);
    rows.extend(commands(&stage, &format!("{name} of which {few} are stopped")));
    stopped.signal(Signal::CONT);
    rows
}

/// Commands beside sessions that are not concerned.
pub fn commands_beside(run: &Run) -> Vec<Row> {
    let pairs = [(100, 0), (100, SESSIONS), (1000, 0), (1000, SESSIONS)];
    let rows = pairs.map(|(count, sessions)| {
        let stage = run.contender.stage();
        if sessions > 0 {
            client(&stage.arena, LIMIT_S, &format!("sessions {sessions}")).expect("idle sessions");
        }
        let _crowd = Crowd::of(&stage.arena, count);
        commands(&stage, &format!("{count} applications, {sessions} idle sessions"))
    });
    rows.concat()
}

/// The time of each command on a session that all applications follow.
fn commands(stage: &Stage, beside: &str) -> Vec<Row> {
    let arena = &stage.arena;
    arena.lttng_ok("create followed");
    arena.lttng_ok("enable-channel -u -s followed channel");
    arena.lttng_ok(&format!("enable-event -u -s followed -c channel {TRACEPOINT}"));
    let lines = [
        "add-context -u -s followed -c channel -t vpid",
        "start followed",
        "enable-event -u -s followed -c channel one:more",
        "stop followed",
        "destroy followed",
    ];
    let time = |line: &str| {
        let verb = line.split(' ').next().unwrap_or_default();
        Row::new(format!("`lttng {verb}`, {beside}"), median_s(&[lttng_s(arena, line)]))
    };
    lines.map(time).to_vec()
}

/// Many sessions, each made, started, listed, stopped and destroyed, beside applications.
pub fn sessions(run: &Run) -> Vec<Row> {
    BESIDE_SESSIONS.into_iter().flat_map(|beside| all_sessions(run, beside)).collect()
}

fn all_sessions(run: &Run, beside: u32) -> Vec<Row> {
    let stage = run.contender.stage();
    let _crowd = Crowd::of(&stage.arena, beside);
    let arena = &stage.arena;
    let name = |what: &str| format!("{SESSIONS} sessions, {beside} applications: {what}");
    let mut rows = Vec::new();
    let created = format!("create {}", arena.file("traces").display());
    for verb in [created.as_str(), "enable", "start", "listing", "stop", "destroy"] {
        if verb == "listing" {
            let listed = client(arena, LIMIT_S, &format!("listing {LISTING_S}"));
            rows.push(list_row(name("list, p99"), listed));
            continue;
        }
        let word = verb.split(' ').next().unwrap_or_default();
        let what = name(&format!("{word}, median"));
        match client(arena, LIMIT_S, &format!("each {SESSIONS} {verb}")) {
            Some(times) => {
                let median = median_us(&times) / MILLISECOND_US;
                rows.push(Row::new(what, Value::Less(median, "ms")));
            }
            None => {
                rows.push(Row::new(what, Value::NoAnswer(LIMIT_S)));
                // The rest would wait behind it.
                break;
            }
        }
    }
    rows
}

fn list_row(name: String, times_us: Option<Vec<f64>>) -> Row {
    let value = times_us.map_or(Value::NoAnswer(LIMIT_S), |times| {
        Value::Less(p99_us(&times) / MILLISECOND_US, "ms")
    });
    Row::new(name, value).target(Target::AtMost(LIST_MS))
}

/// Lists while applications register.
pub fn storm(run: &Run) -> Vec<Row> {
    let stage = run.contender.stage();
    for session in 0..10 {
        record(&stage, &format!("active-{session}"));
    }
    let mut crowd = Crowd::new(&stage.arena);
    let times_us = std::thread::scope(|scope| {
        let lists = scope.spawn(|| client(&stage.arena, LIMIT_S, &format!("listing {LISTING_S}")));
        crowd.register_within(APPLICATIONS[0], LIMIT_S);
        lists.join().unwrap()
    });
    let name = format!("list while {} applications register, 10 sessions, p99", APPLICATIONS[0]);
    vec![list_row(name, times_us)]
}

/// The listing of a session with many event rules.
pub fn rules(run: &Run) -> Vec<Row> {
    let stage = run.contender.stage();
    record(&stage, "rules");
    client(&stage.arena, LIMIT_S, &format!("rules 0 {RULES} rules")).expect("rules");
    let listed = median_s(&[lttng_s(&stage.arena, "list rules")]);
    vec![Row::new(format!("`lttng list` of a session with {RULES} event rules"), listed)]
}
