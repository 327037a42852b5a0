//! Clients that ask for as long as they can, as often as they are answered.

use super::Run;
use crate::bare::{Bare, BareListing};
use crate::clients::client;
use crate::contender::Contender;
use crate::measure::{LIMIT_S, SECOND_US, spent_by_us, spent_us, threads_us};
use crate::table::{Row, Target, Value};
use lttngd_world::{Arena, Stage};

const CLIENTS: u32 = 8;
/// The thread of our daemon in which all but the connections of clients is done.
const ACTORS: &str = "lttngd-actors";

/// Requests for the list of sessions.
pub fn list(run: &Run) -> Vec<Row> {
    let mut rows = asked(run, "list", "list requests", Some(Target::TimesBetter(2.0)));
    if run.contender != Contender::Stock {
        rows.extend(bare_lists(run));
    }
    rows
}

/// What the same costs who does nothing else.
fn bare_lists(run: &Run) -> Option<Row> {
    let stage = listed(run);
    let arena = Arena::new();
    let bare = BareListing::new(&arena, &stage);
    let seconds = run.options.seconds;
    let mut counts = None;
    let spent = spent_by_us(bare.pid(), || {
        counts = client(&arena, seconds + LIMIT_S, &format!("list {CLIENTS} {seconds}"));
    });
    let count = counts?.iter().sum::<f64>();
    let name = format!("list requests, {CLIENTS} clients: {}, each", Bare::ROW);
    Some(Row::new(name, Value::Less(spent / count, "us")))
}

/// A daemon with a few sessions.
fn listed(run: &Run) -> Stage {
    let stage = run.contender.stage();
    for session in 0..5 {
        stage.arena.lttng_ok(&format!("create listed{session} --no-output"));
    }
    stage
}

/// Create and destroy.
pub fn brief(run: &Run) -> Vec<Row> {
    asked(run, "brief-all", "create + destroy", None)
}

fn asked(run: &Run, mode: &str, what: &str, target: Option<Target>) -> Vec<Row> {
    let stage = listed(run);
    let seconds = run.options.seconds;
    let name = format!("{what}, {CLIENTS} clients");
    let mut counts = None;
    let actors_before_us = threads_us(&stage, ACTORS);
    let spent = spent_us(&stage, || {
        counts = client(&stage.arena, seconds + LIMIT_S, &format!("{mode} {CLIENTS} {seconds}"));
    });
    let actors_us = threads_us(&stage, ACTORS) - actors_before_us;
    let Some(counts) = counts else {
        return vec![Row::new(name, Value::NoAnswer(seconds + LIMIT_S))];
    };
    let count = counts.iter().sum::<f64>();
    let rate = Row::new(name.clone(), Value::More(count / f64::from(seconds), "/s"));
    let mut rows = vec![
        Row { target, ..rate },
        Row::new(
            format!("{name}: processor time of the daemon, each"),
            Value::Less(spent / count, "us"),
        )
        .than_before(1.0),
    ];
    if run.contender != Contender::Stock {
        let share = 100.0 * actors_us / SECOND_US / f64::from(seconds);
        let name = format!("{name}: time of a processor that the actors' thread takes");
        rows.push(Row::new(name, Value::Less(share, "%")));
    }
    rows
}
