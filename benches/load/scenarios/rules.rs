//! One more event rule of an active session.

use super::Run;
use super::registrations::record;
use crate::bare::Bare;
use crate::clients::client;
use crate::crowd::Crowd;
use crate::measure::{LIMIT_S, MILLISECOND_US, median_us, spent_by_us, spent_us};
use crate::table::{Row, Target, Value};
use lttngd_world::{Arena, Stage};

/// Applications that follow the session.
const APPLICATIONS: u32 = 100;
/// Rules that are there already.
const FEW: u32 = 40;
const MANY: u32 = 800;
/// Rules that are added.
const MORE: u32 = 10;
/// How many times as much a rule may cost beside many.
const TIMES_FEW: f64 = 1.2;

/// Applications of one user.
const OF_ONE_USER: u32 = 300;
/// How many times better than before a rule is to be enabled for them.
const THAN_BEFORE: f64 = 2.0;

/// When there are few and when there are many already.
pub fn one_more(run: &Run) -> Vec<Row> {
    let [few, many] = [FEW, MANY].map(|rules| each_us(&run.contender.stage(), rules));
    let row = |rules: u32, value| {
        let what =
            format!("one more event rule when {rules} are there: processor time of the daemon");
        Row::new(format!("{what}, each application"), value)
    };
    let [few, many] = [few, many].map(|us| Value::Less(us, "us"));
    vec![
        row(FEW, few),
        row(MANY, many),
        Row::new(format!("one more when {MANY} are there, of that with {FEW}"), many.times(few))
            .target(Target::AtMost(TIMES_FEW)),
    ]
}

/// The processor time of the daemon for a rule and an application.
fn each_us(stage: &Stage, rules: u32) -> f64 {
    record(stage, "rules");
    enable(stage, 0, rules);
    let _crowd = Crowd::of(&stage.arena, APPLICATIONS);
    let spent = spent_us(stage, || drop(enable(stage, rules, MORE)));
    spent / f64::from(MORE) / f64::from(APPLICATIONS)
}

/// Enables that many rules; the microseconds of each.
fn enable(stage: &Stage, first: u32, count: u32) -> Vec<f64> {
    client(&stage.arena, LIMIT_S, &format!("rules {first} {count} rules")).expect("an answer")
}

/// While many applications of one user follow the session.
pub fn of_one_user(run: &Run) -> Vec<Row> {
    let stage = run.contender.stage();
    record(&stage, "rules");
    let _crowd = Crowd::of(&stage.arena, OF_ONE_USER);
    let mut times_us = Vec::new();
    let spent = spent_us(&stage, || times_us = enable(&stage, 0, MORE)) / f64::from(MORE);
    let name = format!("enable-event, {OF_ONE_USER} applications of one user");
    let [bare, bare_spent] = bare_us();
    vec![
        Row::new(name.clone(), Value::Less(median_us(&times_us) / MILLISECOND_US, "ms"))
            .than_before(THAN_BEFORE),
        Row::new(
            format!("{name}: processor time of the daemon"),
            Value::Less(spent / MILLISECOND_US, "ms"),
        ),
        Row::new(
            format!("{name}: a program that asks them as much and does nothing else"),
            Value::Less(bare / MILLISECOND_US, "ms"),
        ),
        Row::new(format!("{name}: {}", Bare::ROW), Value::Less(bare_spent / MILLISECOND_US, "ms")),
    ]
}

/// The median time of one more event rule of a program that does nothing else, and its processor time, in
/// microseconds.
fn bare_us() -> [f64; 2] {
    let arena = Arena::new();
    let bare = Bare::new(&arena, 1);
    let _crowd = Crowd::of(&arena, OF_ONE_USER);
    let mut times_us = Vec::new();
    let spent = spent_by_us(bare.pid(), || {
        times_us.extend((0..MORE).map(|_| bare.enable_rule()));
    });
    [median_us(&times_us), spent / f64::from(MORE)]
}
