//! Many applications register at once.

use std::sync::atomic::{AtomicBool, Ordering};

use super::Run;
use crate::bare::Bare;
use crate::clients::client_if_served;
use crate::crowd::Crowd;
use crate::measure::{MILLISECOND_US, median_us, spent_by_us, spent_us};
use crate::simulated::TRACEPOINT;
use crate::table::{Row, Target, Value};
use lttngd_world::{Arena, Stage};

/// How many register together.
const APPLICATIONS: u32 = 1000;
/// Active sessions, and the processor time of the daemon for each application that is to be reached.
const SESSIONS: [(u32, Option<f64>); 3] = [(0, None), (1, Some(85.0)), (10, Some(567.0))];
/// How many times better than before that is to be.
const THAN_BEFORE: f64 = 2.0;

/// More than there are descriptors for.
const TOO_MANY: u32 = 10_500;
/// How often a client creates, lists and destroys before it looks at the time.
const ROUNDS: u32 = 4;
/// How long a client that may never be answered is waited for.
const CLIENT_LIMIT_S: u32 = 12;
/// Milliseconds that a client may wait at most while there are too many.
const LONGEST_MS: f64 = 500.0;

/// With sessions that record.
pub fn active_sessions(run: &Run) -> Vec<Row> {
    SESSIONS.into_iter().flat_map(|(sessions, target)| beside(run, sessions, target)).collect()
}

fn beside(run: &Run, sessions: u32, target_us: Option<f64>) -> Vec<Row> {
    let stage = run.contender.stage();
    for session in 0..sessions {
        record(&stage, &format!("active-{session}"));
    }
    let mut crowd = Crowd::new(&stage.arena);
    let spent = spent_us(&stage, || {
        let registered = crowd.register(APPLICATIONS);
        assert_eq!(registered, APPLICATIONS, "all are registered");
    });
    let name = format!("{APPLICATIONS} applications, {sessions} active sessions");
    let each_us = Value::Less(spent / f64::from(APPLICATIONS), "us");
    let each = Row::new(format!("{name}: processor time of the daemon, each"), each_us);
    let waited = Value::Less(crowd.waited_us() / MILLISECOND_US, "ms");
    drop(crowd);
    vec![
        Row {
            target: target_us.map(Target::AtMost),
            than_before: target_us.map(|_| THAN_BEFORE),
            ..each
        },
        Row::new(format!("{name}: {}, each", Bare::ROW), Value::Less(bare_us(sessions), "us")),
        Row::new(format!("{name}: time until `main`, median"), waited),
    ]
}

/// The processor time of a program that answers the same applications and does nothing else, for each of them, in
/// microseconds.
fn bare_us(sessions: u32) -> f64 {
    let arena = Arena::new();
    let bare = Bare::new(&arena, sessions);
    let mut crowd = Crowd::new(&arena);
    let spent = spent_by_us(bare.pid(), || {
        assert_eq!(crowd.register(APPLICATIONS), APPLICATIONS, "all are registered");
    });
    spent / f64::from(APPLICATIONS)
}

/// A session with a channel for all applications of a user that records one event rule.
pub fn record(stage: &Stage, session: &str) {
    stage.arena.lttng_ok(&format!("create {session}"));
    stage.arena.lttng_ok(&format!("enable-channel -u -s {session} --buffers-uid channel"));
    stage.arena.lttng_ok(&format!("enable-event -u -s {session} -c channel {TRACEPOINT}"));
    stage.arena.lttng_ok(&format!("start {session}"));
}

/// More than there are descriptors for: some are refused, and clients are answered meanwhile.
pub fn limit(run: &Run) -> Vec<Row> {
    let stage = run.contender.stage();
    let mut crowd = Crowd::new(&stage.arena);
    let over = AtomicBool::new(false);
    let meanwhile = std::thread::scope(|scope| {
        let clients = scope.spawn(|| {
            let mut times_us = Vec::new();
            while !over.load(Ordering::Relaxed) {
                times_us.extend(rounds(&stage)?);
            }
            Some(times_us)
        });
        crowd.register(TOO_MANY);
        over.store(true, Ordering::Relaxed);
        clients.join().unwrap()
    });
    let alive = crowd.alive();
    let after = rounds(&stage);
    let name = |what: &str| format!("{TOO_MANY} applications: {what}");
    let client = "create + list + destroy of a client";
    vec![
        Row::new(name("are registered in the end"), Value::More(f64::from(alive), "")),
        Row::new(name(&format!("{client} meanwhile, median")), median(meanwhile.as_deref())),
        Row::new(name(&format!("{client} meanwhile, longest")), longest(meanwhile.as_deref()))
            .target(Target::AtMost(LONGEST_MS)),
        Row::new(name(&format!("{client} after that, median")), median(after.as_deref())),
    ]
}

fn rounds(stage: &Stage) -> Option<Vec<f64>> {
    client_if_served(&stage.arena, CLIENT_LIMIT_S, &format!("short {ROUNDS}"))
}

fn median(times_us: Option<&[f64]>) -> Value {
    let no_answer = Value::NoAnswer(CLIENT_LIMIT_S);
    times_us.map_or(no_answer, |times| Value::Less(median_us(times) / MILLISECOND_US, "ms"))
}

fn longest(times_us: Option<&[f64]>) -> Value {
    let no_answer = Value::NoAnswer(CLIENT_LIMIT_S);
    times_us.map_or(no_answer, |times| {
        let longest = times.iter().copied().fold(0.0, f64::max);
        Value::Less(longest / MILLISECOND_US, "ms")
    })
}
