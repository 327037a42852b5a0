//! What local recording costs the consumer daemon, and what is lost when it does not keep up.

use std::fs::File;
use std::path::Path;
use std::time::{Duration, Instant};

use lttngd_ringbuffer::{Caching, write_at};

use super::Run;
use super::streamed::{ENDLESS, SMALL_FILES};
use crate::clients::client;
use crate::measure::{
    LIMIT_S, MEGABYTE, MILLISECOND_US, SECOND_US, consumers, consumers_us, discarded_events,
    packets_below,
};
use crate::table::{Row, Target, Value};
use lttngd_world::{Program, Stage, daemon::cpu_us, eventually, program};

/// How many times less than the stock consumer daemon ours is to use.
const COST_TIMES_BETTER: f64 = 1.0 / 0.6;

/// Percent of the events of many programs that may be lost.
const LOSS: f64 = 10.0;

/// Size of the sub-buffers.
const SUBBUF_MIB: u32 = 1;

/// Two programs that emit events of 4000 bytes as fast as they can.
pub fn cost(run: &Run) -> Vec<Row> {
    let stage = run.contender.stage();
    let arena = &stage.arena;
    let output = arena.file("trace");
    arena.lttng_ok(&format!("create cost --output='{}'", output.display()));
    let sizes = format!("--subbuf-size={SUBBUF_MIB}M --num-subbuf=4");
    arena.lttng_ok(&format!("enable-channel -u {sizes} {SMALL_FILES} channel"));
    arena.lttng_ok("enable-event -u -c channel sample:bulk");
    arena.lttng_ok("start");
    let programs = [(); 2].map(|()| Program::start(arena, &[ENDLESS]));
    eventually("packets come", || (packets_below(&output) > 0).then_some(()));
    let before = (packets_below(&output), consumers_us(&stage));
    std::thread::sleep(Duration::from_secs(run.options.seconds.into()));
    let spent_us = consumers_us(&stage) - before.1;
    let packets = (packets_below(&output) - before.0) as f64;
    let megabytes = packets * f64::from(SUBBUF_MIB << 20) / MEGABYTE;
    drop(programs);
    let name = "2 producers flat out";
    vec![
        Row::new(
            format!("{name}: processor time of the consumer daemon, each MB"),
            Value::Less(spent_us / MILLISECOND_US / megabytes, "ms"),
        )
        .target(Target::TimesBetter(COST_TIMES_BETTER)),
        Row::new(
            "processor time of a program that writes as many bytes and does nothing else, each MB",
            Value::Less(plain_write_ms(&arena.file("plain"), run.options.seconds), "ms"),
        ),
        Row::new(
            format!("{name}: recorded"),
            Value::More(megabytes / f64::from(run.options.seconds), "MB/s"),
        ),
    ]
}

/// The milliseconds of processor time that the system takes to write a megabyte, in pieces as large as
/// those packets and to a file of a limited size: what no consumer daemon that copies can do without.
fn plain_write_ms(path: &Path, seconds: u32) -> f64 {
    const FILE_PACKETS: u64 = 64;

    let packet = vec![1; (SUBBUF_MIB << 20) as usize];
    let this = std::process::id().cast_signed();
    let (start, before_us) = (Instant::now(), cpu_us(this));
    let mut megabytes = 0.0;
    while start.elapsed().as_secs() < seconds.into() {
        let file = File::create(path).unwrap();
        for number in 0..FILE_PACKETS {
            let at = number * packet.len() as u64;
            let written = write_at(&file, &[packet.as_slice().into()], 0, at, Caching::Drop);
            megabytes += written.unwrap() as f64 / MEGABYTE;
        }
    }
    (cpu_us(this) - before_us) / MILLISECOND_US / megabytes
}

/// Many programs that emit small events as fast as they can, with buffers of their own.
pub fn loss(run: &Run) -> Vec<Row> {
    lost(run, "", Some(Target::AtMost(LOSS)), |_| ())
}

/// The same with a consumer daemon without a real-time priority, as that of an ordinary user.
pub fn loss_without_priority(run: &Run) -> Vec<Row> {
    lost(run, ", without a real-time priority", None, |stage| {
        for consumer in consumers(stage) {
            let line = format!("chrt --all-tasks --other --pid 0 {consumer}");
            let answer = stage.arena.shell_within(LIMIT_S, &line);
            assert_eq!(answer.code, 0, "{line}: {answer:?}");
        }
    })
}

fn lost(run: &Run, how: &str, target: Option<Target>, prepare: impl FnOnce(&Stage)) -> Vec<Row> {
    const PRODUCERS: u32 = 16;

    let stage = run.contender.stage();
    let arena = &stage.arena;
    let each = run.options.events / PRODUCERS;
    arena.lttng_ok("create loss");
    arena.lttng_ok("enable-channel -u --buffers-pid channel");
    arena.lttng_ok("enable-event -u -c channel sample:number");
    arena.lttng_ok("start");
    prepare(&stage);
    let line = format!("run {PRODUCERS} {} number={each}", program::traced().display());
    let name = format!("{PRODUCERS} producers flat out per-PID, {} events{how}", each * PRODUCERS);
    let Some(times_us) = client(arena, LIMIT_S, &line) else {
        return vec![Row::new(format!("{name}: time"), Value::NoAnswer(LIMIT_S))];
    };
    arena.lttng_ok("stop");
    let lost = discarded_events(&stage, "loss") / f64::from(each * PRODUCERS);
    vec![
        Row { target, ..Row::new(format!("{name}: lost"), Value::Less(100.0 * lost, "%")) },
        Row::new(format!("{name}: time"), Value::Less(times_us[0] / SECOND_US, "s")),
    ]
}
