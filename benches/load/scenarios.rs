//! The scenarios: each is one round against one daemon in a world of its own.

use std::time::Duration;

use rustix::process::Signal;

use crate::Options;
use crate::clients::client;
use crate::table::{Row, Value};
use crate::world::{Program, Stage, Which, program};

/// Microseconds in a second.
const SECOND_US: f64 = 1e6;

/// Microseconds in a millisecond.
const MILLISECOND_US: f64 = 1e3;

/// How long a client that may never be answered is waited for.
const FAIRNESS_LIMIT_S: u32 = 12;

/// Margin of the scenarios that run for a time or do a known amount of work.
const LIMIT_S: u32 = 120;

/// One scenario.
pub struct Scenario {
    /// Its name, by which it is chosen.
    pub name: &'static str,
    /// At most so many rounds: some take long and vary little.
    pub rounds: u32,
    /// Runs one round.
    pub run: fn(Which, &Options) -> Vec<Row>,
}

/// All scenarios in their order.
pub fn all() -> [Scenario; 7] {
    [
        Scenario { name: "lives-1", rounds: u32::MAX, run: |which, it| lives(which, it, 1) },
        Scenario { name: "lives-8", rounds: u32::MAX, run: |which, it| lives(which, it, 8) },
        Scenario { name: "applications", rounds: u32::MAX, run: applications },
        Scenario { name: "list", rounds: u32::MAX, run: list },
        Scenario { name: "fairness-silent", rounds: 3, run: beside_a_silent_client },
        Scenario { name: "fairness-stopped", rounds: 3, run: beside_a_stopped_application },
        Scenario { name: "memory", rounds: 1, run: memory },
    ]
}

/// Whole session lives with one traced application.
fn lives(which: Which, options: &Options, clients: u32) -> Vec<Row> {
    let stage = Stage::new(which);
    let application = stage.program();
    let seconds = options.seconds;
    let directory = stage.arena.home().join("lives");
    let arguments = format!("lives {clients} {seconds} {}", directory.display());
    let name = |what| format!("session lives, {clients} clients: {what}");
    let Some(mut times_us) = client(&stage.arena, seconds + LIMIT_S, &arguments) else {
        return vec![(name("rate"), Value::NoAnswer(seconds + LIMIT_S))];
    };
    times_us.sort_by(f64::total_cmp);
    // The last life of each client ends after the time: count by what all lives took together.
    let rate =
        f64::from(clients) * times_us.len() as f64 / (times_us.iter().sum::<f64>() / SECOND_US);
    application.finish();
    vec![
        (name("rate"), Value::More(rate, "/s")),
        (name("p50"), Value::Less(quantile(&times_us, 0.5) / MILLISECOND_US, "ms")),
        (name("p99"), Value::Less(quantile(&times_us, 0.99) / MILLISECOND_US, "ms")),
    ]
}

/// Applications that start together while a session is active, until the last has ended.
fn applications(which: Which, options: &Options) -> Vec<Row> {
    const EVENTS: usize = 10;

    let stage = Stage::new(which);
    let count = options.applications;
    stage.arena.lttng_ok("create crowd");
    stage.arena.lttng_ok("enable-event -u sample:number");
    stage.arena.lttng_ok("start");
    let traced = program::traced().display();
    let name = format!("{count} applications start and end");
    let arguments = format!("run {count} {traced} number={EVENTS}");
    let Some(times_us) = client(&stage.arena, LIMIT_S, &arguments) else {
        return vec![(name, Value::NoAnswer(LIMIT_S))];
    };
    stage.arena.lttng_ok("stop");
    let events = stage.arena.events(&stage.arena.trace_of("crowd")).len();
    let share = 100.0 * events as f64 / (count as usize * EVENTS) as f64;
    stage.arena.lttng_ok("destroy");
    vec![
        (name.clone(), Value::Less(times_us[0] / SECOND_US, "s")),
        (format!("{name}: events recorded"), Value::More(share, "%")),
    ]
}

/// Requests for the list of sessions.
fn list(which: Which, options: &Options) -> Vec<Row> {
    const CLIENTS: u32 = 8;

    let stage = Stage::new(which);
    for session in 0..5 {
        stage.arena.lttng_ok(&format!("create listed{session} --no-output"));
    }
    let seconds = options.seconds;
    let arguments = format!("list {CLIENTS} {seconds}");
    let name = format!("list requests, {CLIENTS} clients");
    let before_us = stage.daemon.cpu_us();
    match client(&stage.arena, seconds + LIMIT_S, &arguments) {
        Some(counts) => {
            let count = counts.iter().sum::<f64>();
            let spent_us = (stage.daemon.cpu_us() - before_us) / count;
            vec![
                (name.clone(), Value::More(count / f64::from(seconds), "/s")),
                (
                    format!("{name}: processor time of the daemon, each"),
                    Value::Less(spent_us, "us"),
                ),
            ]
        }
        None => vec![(name, Value::NoAnswer(seconds + LIMIT_S))],
    }
}

/// Create, list and destroy of one client: alone, then beside one that says nothing.
fn beside_a_silent_client(which: Which, _options: &Options) -> Vec<Row> {
    let stage = Stage::new(which);
    let alone = short(&stage, 50);
    let _silent = stage.arena.connect("client-lttng-sessiond");
    vec![
        ("create + list + destroy, idle".to_owned(), alone),
        (
            "create + list + destroy, beside a silent client".to_owned(),
            short(&stage, if which == Which::Ours { 50 } else { 1 }),
        ),
    ]
}

/// Create, list and destroy of one client while another enables an event and starts its session, with a
/// stopped application.
fn beside_a_stopped_application(which: Which, _options: &Options) -> Vec<Row> {
    let stage = Stage::new(which);
    let mut application = Program::ready(&stage.arena);
    let arena = &stage.arena;
    arena.lttng_ok("create slow --no-output");
    arena.lttng_ok("enable-channel -u channel0");
    arena.signal(application.pid(), Signal::STOP);
    let value = std::thread::scope(|scope| {
        scope.spawn(|| {
            arena.lttng("enable-event -u -s slow -c channel0 sample:number");
            arena.lttng("start slow");
        });
        // The other client's request must be under way.
        std::thread::sleep(Duration::from_millis(300));
        short(&stage, 1)
    });
    arena.signal(application.pid(), Signal::CONT);
    application.kill();
    vec![("create + list + destroy, beside a stopped application".to_owned(), value)]
}

/// Resident memory at rest, and what sessions leave behind.
fn memory(which: Which, options: &Options) -> Vec<Row> {
    /// Sessions before the first measurement: allocators keep what they once had.
    const WARM_UP: u32 = 50;
    /// Seconds for each thousand lives.
    const LIMIT_PER_THOUSAND_S: u32 = 120;

    let stage = Stage::new(which);
    let application = stage.program();
    let idle_kib = stage.daemon.resident_kib();
    let limit_s = LIMIT_S + options.lives.div_ceil(1000) * LIMIT_PER_THOUSAND_S;
    let name = format!("{} sessions created, set up, destroyed", options.lives);
    let idle = ("memory at rest".to_owned(), Value::Less(idle_kib as f64 / 1024.0, "MiB"));
    client(&stage.arena, limit_s, &format!("grow {WARM_UP}")).expect("the first sessions");
    let before_kib = stage.daemon.resident_kib();
    let Some(times_us) = client(&stage.arena, limit_s, &format!("grow {}", options.lives)) else {
        return vec![idle, (name, Value::NoAnswer(limit_s))];
    };
    let grown_kib = stage.daemon.resident_kib() as f64 - before_kib as f64;
    application.finish();
    vec![
        idle,
        (name.clone(), Value::Less(times_us[0] / SECOND_US, "s")),
        (format!("{name}: memory growth"), Value::Less(grown_kib, "KiB")),
    ]
}

/// The median time of `count` times create, list and destroy.
fn short(stage: &Stage, count: u32) -> Value {
    match client(&stage.arena, FAIRNESS_LIMIT_S, &format!("short {count}")) {
        Some(mut times_us) => {
            times_us.sort_by(f64::total_cmp);
            Value::Less(quantile(&times_us, 0.5) / MILLISECOND_US, "ms")
        }
        None => Value::NoAnswer(FAIRNESS_LIMIT_S),
    }
}

/// The value below which this share of the sorted values lies.
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let last = sorted.len().saturating_sub(1);
    sorted.get((last as f64 * share).round() as usize).copied().unwrap_or(f64::NAN)
}
