//! Applications that start together while a session is active, until the last has ended.

use super::Run;
use crate::clients::client;
use crate::measure::{LIMIT_S, SECOND_US};
use crate::table::{Row, Value};
use crate::world::program;

/// Events of each application.
const EVENTS: u32 = 10;

/// With buffers per user.
pub fn per_user(run: &Run) -> Vec<Row> {
    crowd(run, run.options.applications, "uid")
}

/// With buffers per process.
pub fn per_process(run: &Run) -> Vec<Row> {
    crowd(run, run.options.applications.div_ceil(3), "pid")
}

fn crowd(run: &Run, count: u32, buffers: &str) -> Vec<Row> {
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
    let events = stage.arena.events(&stage.arena.trace_of("crowd")).len();
    let share = 100.0 * events as f64 / f64::from(count * EVENTS);
    stage.arena.lttng_ok("destroy");
    vec![
        Row::new(name.clone(), Value::Less(times_us[0] / SECOND_US, "s")),
        Row::new(format!("{name}: events recorded"), Value::More(share, "%")),
    ]
}
