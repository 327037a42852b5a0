//! What local recording costs the consumer daemon, and what is lost when it does not keep up.

use std::time::Duration;

use super::Run;
use super::streamed::{ENDLESS, SMALL_FILES};
use crate::clients::client;
use crate::measure::{
    LIMIT_S, MEGABYTE, MILLISECOND_US, SECOND_US, consumers_us, discarded_events, packets_below,
};
use crate::table::{Row, Value};
use crate::world::{Program, eventually, program};

/// Two programs that emit events of 4000 bytes as fast as they can.
pub fn cost(run: &Run) -> Vec<Row> {
    const SUBBUF_MIB: u32 = 1;

    let stage = run.contender.stage();
    let arena = &stage.arena;
    let output = arena.file("trace");
    arena.lttng_ok(&format!("create cost --output='{}'", output.display()));
    let sizes = format!("--subbuf-size={SUBBUF_MIB}M --num-subbuf=4");
    arena.lttng_ok(&format!("enable-channel -u {sizes} {SMALL_FILES} channel"));
    arena.lttng_ok("enable-event -u -c channel sample:bulk");
    arena.lttng_ok("start");
    let _programs = [(); 2].map(|()| Program::start(arena, &[ENDLESS]));
    eventually("packets come", || (packets_below(&output) > 0).then_some(()));
    let before = (packets_below(&output), consumers_us(&stage));
    std::thread::sleep(Duration::from_secs(run.options.seconds.into()));
    let spent_us = consumers_us(&stage) - before.1;
    let packets = (packets_below(&output) - before.0) as f64;
    let megabytes = packets * f64::from(SUBBUF_MIB << 20) / MEGABYTE;
    let name = "2 producers flat out";
    vec![
        Row::new(
            format!("{name}: processor time of the consumer daemon, each MB"),
            Value::Less(spent_us / MILLISECOND_US / megabytes, "ms"),
        ),
        Row::new(
            format!("{name}: recorded"),
            Value::More(megabytes / f64::from(run.options.seconds), "MB/s"),
        ),
    ]
}

/// Many programs that emit small events as fast as they can, with buffers of their own.
pub fn loss(run: &Run) -> Vec<Row> {
    const PRODUCERS: u32 = 16;

    let stage = run.contender.stage();
    let arena = &stage.arena;
    let each = run.options.events / PRODUCERS;
    arena.lttng_ok("create loss");
    arena.lttng_ok("enable-channel -u --buffers-pid channel");
    arena.lttng_ok("enable-event -u -c channel sample:number");
    arena.lttng_ok("start");
    let line = format!("run {PRODUCERS} {} number={each}", program::traced().display());
    let name = format!("{PRODUCERS} producers flat out per-PID, {} events", each * PRODUCERS);
    let Some(times_us) = client(arena, LIMIT_S, &line) else {
        return vec![Row::new(format!("{name}: time"), Value::NoAnswer(LIMIT_S))];
    };
    arena.lttng_ok("stop");
    let lost = discarded_events(&stage, "loss") / f64::from(each * PRODUCERS);
    vec![
        Row::new(format!("{name}: lost"), Value::Less(100.0 * lost, "%")),
        Row::new(format!("{name}: time"), Value::Less(times_us[0] / SECOND_US, "s")),
    ]
}
