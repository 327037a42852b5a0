//! What costs nothing where it is not concerned: idle applications beside sessions, idle sessions beside
//! applications.

use super::Run;
use crate::bare::Bare;
use crate::clients::client;
use crate::contender::Contender;
use crate::crowd::Crowd;
use crate::measure::{LIMIT_S, MILLISECOND_US, median_us, spent_by_us, spent_us};
use crate::table::{Row, Target, Value};
use lttngd_world::{Arena, Stage};

/// Idle applications; the stock daemon has no descriptors for more than 3,989.
const APPLICATIONS: u32 = 4000;
const APPLICATIONS_STOCK: u32 = 3900;
/// How often a session is created and destroyed.
const OFTEN: u32 = 400;
/// How many times as long that may take beside them.
const TIMES_ALONE: f64 = 1.2;

/// Idle sessions.
const SESSIONS: u32 = 5000;
/// How many applications come one after another.
const COMING: u32 = 20;
/// Processor time of the daemon for one of them.
const REGISTRATION_US: f64 = 200.0;

/// Sessions whose memory is looked at, and the applications beside them.
const HELD_SESSIONS: u32 = 1000;
const HELD_APPLICATIONS: u32 = 1000;
/// KiB of a session.
const SESSION_KIB: f64 = 8.0;

/// Create and destroy of a session, alone and beside idle applications.
pub fn idle_applications(run: &Run) -> Vec<Row> {
    let stage = run.contender.stage();
    let name = "create + destroy";
    let words = format!("beside {APPLICATIONS} idle applications");
    let alone = brief(&stage);
    let count = match run.contender {
        Contender::Stock => APPLICATIONS_STOCK,
        _ => APPLICATIONS,
    };
    let crowd = Crowd::of(&stage.arena, count);
    let beside = brief(&stage);
    drop(crowd);
    let [time_alone, time, spent_alone, spent] =
        [alone[0], beside[0], alone[1], beside[1]].map(|us| Value::Less(us, "us"));
    vec![
        Row::new(format!("{name}, alone"), time_alone),
        Row::new(format!("{name}, {words}"), time),
        Row::new(format!("{name}, {words}, of its time alone"), time.times(time_alone))
            .target(Target::AtMost(TIMES_ALONE)),
        Row::new(format!("{name}, alone: processor time of the daemon"), spent_alone),
        Row::new(format!("{name}, {words}: processor time of the daemon"), spent),
    ]
}

/// The median time of create and destroy, and the mean processor time of the daemon, in microseconds.
fn brief(stage: &Stage) -> [f64; 2] {
    let mut times_us = Vec::new();
    let spent = spent_us(stage, || {
        times_us = client(&stage.arena, LIMIT_S, &format!("brief {OFTEN}")).expect("an answer");
    });
    [median_us(&times_us), spent / f64::from(OFTEN)]
}

/// An application comes and goes, without sessions and beside idle ones.
pub fn idle_sessions(run: &Run) -> Vec<Row> {
    let stage = run.contender.stage();
    let mut rows = one_by_one(&stage, "no session", None);
    client(&stage.arena, LIMIT_S, &format!("sessions {SESSIONS}")).expect("idle sessions");
    let target = Target::AtMost(REGISTRATION_US);
    rows.extend(one_by_one(&stage, &format!("{SESSIONS} idle sessions"), Some(target)));
    let arena = Arena::new();
    let bare = Bare::new(&arena, 0);
    let [comes, goes, _] = each_of_them(&arena, bare.pid());
    let row = |what: &str, us| {
        let name = format!("one application {what}: {}", Bare::ROW);
        Row::new(name, Value::Less(us, "us"))
    };
    rows.extend([row("comes", comes), row("goes", goes)]);
    rows
}

fn one_by_one(stage: &Stage, beside: &str, target: Option<Target>) -> Vec<Row> {
    let [comes, goes, waits] = each_of_them(&stage.arena, stage.daemon.pid());
    let row = |what: &str, value| Row::new(format!("one application {what}, {beside}"), value);
    vec![
        Row { target, ..row("comes: processor time of the daemon", Value::Less(comes, "us")) },
        row("goes: processor time of the daemon", Value::Less(goes, "us")),
        row("comes: time until `main`", Value::Less(waits / MILLISECOND_US, "ms")),
    ]
}

/// The median processor time of the process that answers them when one comes and when one goes, and the time until
/// `main`, in microseconds.
fn each_of_them(arena: &Arena, pid: i32) -> [f64; 3] {
    let mut crowd = Crowd::new(arena);
    // The process starts.
    crowd.register(1);
    let (mut coming, mut waiting, mut going) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..COMING {
        coming.push(spent_by_us(pid, || assert_eq!(crowd.register(1), 1)));
        waiting.push(crowd.waited_us());
        going.push(spent_by_us(pid, || crowd.leave(1)));
    }
    [coming, going, waiting].map(|times| median_us(&times))
}

/// The memory of sessions, alone and beside idle applications.
pub fn held(run: &Run) -> Vec<Row> {
    let row = |beside: &str, kib: f64| {
        Row::new(format!("memory of a session, {beside}"), Value::Less(kib, "KiB"))
    };
    let alone = kib_each(&run.contender.stage());
    let stage = run.contender.stage();
    let crowd = Crowd::of(&stage.arena, HELD_APPLICATIONS);
    let beside = kib_each(&stage);
    drop(crowd);
    vec![
        row("alone", alone),
        row(&format!("beside {HELD_APPLICATIONS} applications"), beside)
            .target(Target::AtMost(SESSION_KIB)),
    ]
}

fn kib_each(stage: &Stage) -> f64 {
    let before_kib = stage.daemon.resident_kib();
    client(&stage.arena, LIMIT_S, &format!("sessions {HELD_SESSIONS}")).expect("idle sessions");
    (stage.daemon.resident_kib() as f64 - before_kib as f64) / f64::from(HELD_SESSIONS)
}
