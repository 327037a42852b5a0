//! Commands that the stock daemon answers late.

use super::Run;
use crate::clients::client;
use crate::contender::Contender;
use crate::embedded;
use crate::measure::{LIMIT_S, SECOND_US, lttng_s, median_s};
use crate::table::{Row, Target};
use lttngd_world::{Arena, Program, Stage};

/// Sessions on which each command is tried.
const SESSIONS: u32 = 3;

/// Events before a command.
const EVENTS: &str = "number=100";

/// On sessions with local files, each command on sessions of its own.
pub fn one(run: &Run) -> Vec<Row> {
    let stage = run.contender.stage();
    let mut program = stage.program();
    let commands = [
        ("stop", "first `lttng stop`", Some(Target::AtMost(0.01))),
        ("rotate", "`lttng rotate`", Some(Target::AtMost(0.25))),
        ("clear", "`lttng clear`", Some(Target::AtMost(0.05))),
        ("destroy", "`lttng destroy` of a started session", Some(Target::AtMost(0.05))),
    ];
    let mut rows = Vec::new();
    for (command, words, target) in commands {
        let value = median_s(&on_started_sessions(&stage, &mut program, "", command));
        rows.push(Row { target, ..Row::new(words, value) });
    }
    let rotations = median_s(&rotations(run, &stage, &mut program));
    let words = "rotation by a program: liblttng-ctl, our embedded interface";
    rows.push(Row::new(words, rotations).target(Target::AtMost(0.05)));
    program.finish();
    rows
}

/// The seconds that a command takes on new sessions that were started and have recorded something.
pub fn on_started_sessions(
    stage: &Stage,
    program: &mut Program,
    create_options: &str,
    command: &str,
) -> Vec<Option<f64>> {
    let mut times = Vec::new();
    for number in 0..SESSIONS {
        start(stage, &format!("{command}-{number} {create_options}"));
        program.tell(EVENTS);
        times.push(lttng_s(&stage.arena, command));
        if command != "destroy" {
            stage.arena.lttng_ok("destroy");
        }
    }
    times
}

/// Makes the session that further commands mean, and starts it.
fn start(stage: &Stage, create_arguments: &str) {
    stage.arena.lttng_ok(&format!("create {create_arguments}"));
    stage.arena.lttng_ok("enable-event -u sample:number");
    stage.arena.lttng_ok("start");
}

/// Rotations by the interface that programs have: of the embedded daemon for ours.
fn rotations(run: &Run, stage: &Stage, program: &mut Program) -> Vec<Option<f64>> {
    if run.contender != Contender::Stock {
        return embedded::in_arena(&Arena::new(), LIMIT_S, SESSIONS, run.contender.consumer());
    }
    start(stage, "rotated");
    let mut times = Vec::new();
    for _ in 0..SESSIONS {
        program.tell(EVENTS);
        let times_us = client(&stage.arena, LIMIT_S, "rotate rotated");
        times.push(times_us.map(|times_us| times_us[0] / SECOND_US));
    }
    times
}
