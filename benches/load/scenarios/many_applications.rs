//! Start and stop of a session with many applications.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use super::Run;
use crate::measure::{lttng_s, median_s};
use crate::table::{Row, Target, Value};
use lttngd_world::{Program, Stage, program};

/// How late a slow application takes each message, in microseconds.
const LATE_US: &str = "5000";

/// How many applications there are where some are slow.
const BESIDE: u32 = 20;

/// How many times as long as with one slow application it may take with many.
const TIMES_ONE: f64 = 2.0;

/// Seconds that 20 applications with buffers of their own may take to stop.
const STOP_20_S: f64 = 0.06;

/// The schemes of buffers.
const BUFFERS: [(&str, &str); 2] = [("uid", "per-UID"), ("pid", "per-PID")];

/// With 1, 20 and 100 applications.
pub fn quick(run: &Run) -> Vec<Row> {
    let stage = run.contender.stage();
    let mut programs = Vec::new();
    let mut rows = Vec::new();
    for count in [1, 20, 100] {
        programs.resize_with(count as usize, || stage.program());
        for (buffers, words) in BUFFERS {
            let [start, stop] = start_and_stop(&stage, &mut programs, buffers);
            let name = |command| format!("`lttng {command}`, {count} applications {words}");
            let figure = "Seconds of lttng start, by applications";
            rows.push(Row::new(name("start"), start).point(figure, words, count));
            let figure = "Seconds of lttng stop, by applications";
            let row = Row::new(name("stop"), stop).point(figure, words, count);
            let target = (count == 20 && buffers == "pid").then_some(Target::AtMost(STOP_20_S));
            rows.push(Row { target, ..row });
        }
    }
    rows
}

/// With slow applications: one alone, one among others, and many.
pub fn slow(run: &Run) -> Vec<Row> {
    let stage = run.contender.stage();
    let start = |is_slow: bool| if is_slow { slow_program(&stage) } else { stage.program() };
    let mut alone = vec![start(true)];
    let one = BUFFERS.map(|(buffers, _)| start_and_stop(&stage, &mut alone, buffers));
    let mut programs = alone;
    programs.resize_with(BESIDE as usize, || start(false));
    let among = BUFFERS.map(|(buffers, _)| start_and_stop(&stage, &mut programs, buffers));
    programs.truncate(1);
    programs.resize_with(BESIDE as usize, || start(true));
    let many = BUFFERS.map(|(buffers, _)| start_and_stop(&stage, &mut programs, buffers));

    let mut rows = Vec::new();
    for (scheme, (_, words)) in BUFFERS.iter().enumerate() {
        for (at, command) in ["start", "stop"].iter().enumerate() {
            let name = |which: &str| format!("`lttng {command}`, {which}, {words}");
            let (one, among, many) = (one[scheme][at], among[scheme][at], many[scheme][at]);
            let all = format!("{BESIDE} slow applications");
            rows.push(Row::new(name("1 slow application"), one));
            rows.push(Row::new(name(&format!("{BESIDE} applications of which 1 is slow")), among));
            rows.push(Row::new(name(&all), many));
            let times = Row::new(name(&format!("{all}, of the time with 1")), many.times(one));
            rows.push(times.target(Target::AtMost(TIMES_ONE)));
        }
    }
    rows
}

/// The seconds of the first start and the first stop of a session.
fn start_and_stop(stage: &Stage, programs: &mut [Program], buffers: &str) -> [Value; 2] {
    let arena = &stage.arena;
    arena.lttng_ok(&format!("create many-{buffers}-{}", programs.len()));
    arena.lttng_ok(&format!("enable-channel -u --buffers-{buffers} channel"));
    arena.lttng_ok("enable-event -u -c channel sample:number");
    let start = lttng_s(arena, "start");
    for program in programs {
        program.tell("number=10");
    }
    let stop = lttng_s(arena, "stop");
    arena.lttng_ok("destroy");
    [median_s(&[start]), median_s(&[stop])]
}

/// A program that takes every message of its daemon late.
fn slow_program(stage: &Stage) -> Program {
    let library = late().display().to_string();
    let environment = [("LD_PRELOAD", library.as_str()), ("LATE_US", LATE_US)];
    let mut program = Program::start_with(&stage.arena, &["-"], &environment);
    program.tell("pid");
    program
}

fn late() -> &'static Path {
    static LATE: OnceLock<PathBuf> = OnceLock::new();

    LATE.get_or_init(|| {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/load");
        let source = directory.join("late.c");
        program::compile(&directory, "late.so", &[source], &["-shared", "-fPIC", "-ldl"])
    })
}
