//! What it costs to be looked at: a status and a scrape of metrics, once a second each.

use std::io::{Read, Write};
use std::thread::sleep;
use std::time::Duration;

use super::Run;
use super::registrations::record;
use crate::clients::client;
use crate::contender::Contender;
use crate::crowd::Crowd;
use crate::measure::{LIMIT_S, MILLISECOND_US, SECOND_US};
use crate::table::{Row, Target, Value};
use lttngd::GetStatus;
use lttngd_world::{Stage, daemon::cpu_us, daemon::metrics_option};

/// Sessions that are shown, besides one that is recorded.
const SESSIONS: u32 = 1000;
/// Applications that are shown.
const APPLICATIONS: u32 = 20;
/// For how long it is looked once a second.
const SECONDS: u32 = 10;
/// Percent of a processor that both may take.
const PERCENT: f64 = 1.0;

/// The processor time of the daemon for a status and for a scrape, and what it is of a processor.
pub fn cost(run: &Run) -> Vec<Row> {
    if run.contender == Contender::Stock {
        // It tells nothing.
        return Vec::new();
    }
    let stage = Stage::with_options(run.contender.which(), &[metrics_option()]);
    record(&stage, "observed");
    let _crowd = Crowd::of(&stage.arena, APPLICATIONS);
    client(&stage.arena, LIMIT_S, &format!("sessions {SESSIONS}")).expect("idle sessions");
    let at_rest = a_second_us(&stage, || ());
    let status = (a_second_us(&stage, || look(&stage)) - at_rest).max(0.0);
    let scrape = (a_second_us(&stage, || scrape(&stage)) - at_rest).max(0.0);
    let name = format!("{SESSIONS} sessions and {APPLICATIONS} applications");
    let of_both = (status + scrape) / SECOND_US * 100.0;
    let row = |what: &str, us: f64| {
        let what = format!("a {what} of {name}: processor time of the daemon");
        Row::new(what, Value::Less(us / MILLISECOND_US, "ms"))
    };
    vec![
        row("status", status),
        row("scrape", scrape),
        Row::new(format!("both once a second, {name}: of a processor"), Value::Less(of_both, "%"))
            .target(Target::AtMost(PERCENT)),
    ]
}

/// The processor time of the daemon in a second in which it is looked once.
fn a_second_us(stage: &Stage, look: impl Fn()) -> f64 {
    let before_us = cpu_us(stage.daemon.pid());
    for _ in 0..SECONDS {
        look();
        sleep(Duration::from_secs(1));
    }
    (cpu_us(stage.daemon.pid()) - before_us) / f64::from(SECONDS)
}

fn look(stage: &Stage) {
    let socket = stage.arena.run_directory().join("lttngd-status");
    let told = lttngd::status::ask(&socket, GetStatus { users: true }).expect("a status");
    assert!(told.sessions.len() > SESSIONS as usize, "not all sessions are told");
}

fn scrape(stage: &Stage) {
    let mut socket = stage.arena.connect("metrics");
    socket.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n").expect("a request");
    let mut text = String::new();
    socket.read_to_string(&mut text).expect("an answer");
    assert!(text.ends_with("# EOF\n"), "the answer is cut");
}
