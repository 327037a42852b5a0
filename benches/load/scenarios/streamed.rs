//! Sessions that stream to the stock relay daemon over loopback.

use std::time::Duration;

use super::Run;
use super::commands::on_started_sessions;
use crate::measure::{SECOND_US, median_s, packets_below};
use crate::table::{Row, Target, Value};
use lttngd_world::{Program, Relay, daemon::cpu_us};

/// How many times quicker than with the stock daemon the commands are to be.
const TIMES_BETTER: f64 = 5.0;

/// Small enough files that many packets need little space.
pub const SMALL_FILES: &str = "--tracefile-size=64M --tracefile-count=2";

/// More than any program emits.
pub const ENDLESS: &str = "bulk=1000000000";

/// Rotation and destruction.
pub fn commands(run: &Run) -> Vec<Row> {
    let stage = run.contender.stage();
    let relay = Relay::start(&stage);
    let mut program = stage.program();
    let url = format!("--set-url={}", relay.url());
    let mut rows = Vec::new();
    for command in ["rotate", "destroy"] {
        let value = median_s(&on_started_sessions(&stage, &mut program, &url, command));
        let row = Row::new(format!("`lttng {command}`, streamed"), value);
        rows.push(row.target(Target::TimesBetter(TIMES_BETTER)));
    }
    program.finish();
    rows
}

/// Packets of 64 KiB from one program that emits as fast as it can.
pub fn throughput(run: &Run) -> Vec<Row> {
    let stage = run.contender.stage();
    let relay = Relay::start(&stage);
    let arena = &stage.arena;
    arena.lttng_ok(&format!("create streamed --set-url={}", relay.url()));
    let sizes = "--subbuf-size=64K --num-subbuf=4";
    arena.lttng_ok(&format!("enable-channel -u {sizes} {SMALL_FILES} channel"));
    arena.lttng_ok("enable-event -u -c channel sample:bulk");
    arena.lttng_ok("start");
    let _program = Program::start(arena, &[ENDLESS]);
    lttngd_world::eventually("packets come", || (packets_below(&relay.output) > 0).then_some(()));
    let relays_us = || arena.processes_named("lttng-relayd").into_iter().map(cpu_us).sum::<f64>();
    let before = (packets_below(&relay.output), relays_us());
    std::thread::sleep(Duration::from_secs(run.options.seconds.into()));
    let count = packets_below(&relay.output) - before.0;
    let busy = (relays_us() - before.1) / SECOND_US / f64::from(run.options.seconds);
    let rate = count as f64 / f64::from(run.options.seconds);
    let name = "streaming over loopback, 64 KiB packets";
    vec![
        Row::new(name, Value::More(rate, "/s")).target(Target::TimesBetter(2.0)),
        // It has one thread for all that it is sent, and gets its turns beside the program.
        Row::new(
            format!(
                "{name}: what the relay daemon could take if it was never without work or turn"
            ),
            Value::More(rate / busy, "/s"),
        ),
        Row::new(
            format!("{name}: processor time of the relay daemon, of the time"),
            Value::More(100.0 * busy, "%"),
        ),
    ]
}
