//! Applications that start together while a session is active, until the last has ended.

use std::path::PathBuf;

use super::Run;
use crate::clients::client;
use crate::measure::{LIMIT_S, SECOND_US};
use crate::table::{Row, Target, Value};
use lttngd_world::{Stage, program, trace::files};

/// Events of each application.
const EVENTS: u32 = 10;

/// Seconds for all of them with buffers per process.
const PER_PROCESS_S: f64 = 1.0;

/// With buffers per user.
pub fn per_user(run: &Run) -> Vec<Row> {
    crowd(run, run.options.applications, "uid", Target::TimesBetter(1.0))
}

/// With buffers per process.
pub fn per_process(run: &Run) -> Vec<Row> {
    crowd(run, run.options.applications.div_ceil(3), "pid", Target::AtMost(PER_PROCESS_S))
}

fn crowd(run: &Run, count: u32, buffers: &str, target: Target) -> Vec<Row> {
    let stage = run.contender.stage();
    stage.arena.lttng_ok("create crowd");
    stage.arena.lttng_ok(&format!("enable-channel -u --buffers-{buffers} channel"));
    stage.arena.lttng_ok("enable-event -u -c channel sample:number");
    stage.arena.lttng_ok("start");
    let traced = program::traced().display();
    let name = format!("{count} applications per-{}", buffers.to_uppercase());
    let arguments = format!("run {count} {traced} number={EVENTS}");
    let Some(times_us) = client(&stage.arena, LIMIT_S, &arguments) else {
        return vec![Row::new(name, Value::NoAnswer(LIMIT_S))];
    };
    stage.arena.lttng_ok("stop");
    let share = 100.0 * events_of(&stage) / f64::from(count * EVENTS);
    stage.arena.lttng_ok("destroy");
    vec![
        Row::new(name.clone(), Value::Less(times_us[0] / SECOND_US, "s")).target(target),
        Row::new(format!("{name}: events recorded"), Value::More(share, "%")),
    ]
}

/// How many events can be read. The stock daemon may leave the traces of some processes without
/// metadata, which are passed over.
fn events_of(stage: &Stage) -> f64 {
    let trace = stage.arena.trace_of("crowd");
    let metadata = files(&trace).into_iter().filter_map(|file| {
        let directory = file.strip_suffix("metadata")?;
        Some(trace.join(directory))
    });
    let count = |directory: PathBuf| {
        let line = format!("babeltrace2 '{}'", directory.display());
        let answer = stage.arena.shell_within(LIMIT_S, &line);
        answer.stdout.lines().filter(|line| line.contains("sample:number")).count() as f64
    };
    metadata.map(count).sum()
}
