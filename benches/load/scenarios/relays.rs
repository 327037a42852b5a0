//! A local session beside one that streams to a relay daemon that is slow or stands still.

use std::path::Path;
use std::time::Duration;

use rustix::process::Signal;

use super::Run;
use super::streamed::{ENDLESS, SMALL_FILES};
use crate::distance::Distance;
use crate::measure::packets_below;
use crate::table::{Row, Target, Value};
use lttngd_world::{Program, Relay, Stage, eventually};

/// How late the answers of the slow relay daemon come.
const LATE: Duration = Duration::from_millis(20);

/// How long the relay daemon stands still each time.
const STOPPED_S: u32 = 8;

/// How long is measured at a time where it does not.
const TURN_S: u32 = 4;

/// How often the local session is alone twice and accompanied twice.
const REPETITIONS: usize = 3;

/// Percent of its packets alone that the local session is to have.
const SHARE: f64 = 95.0;

/// Packets of the local session a second: while the other one is stopped, then while it is active as a
/// part of that.
pub fn isolation(run: &Run) -> Vec<Row> {
    let (alone, late) = beside(run, LATE, |_, local| rate(local, TURN_S));
    let (alone_as_well, stopped) = beside(run, Duration::ZERO, |stage, local| {
        Relay::signal(stage, Signal::STOP);
        let rate = rate(local, STOPPED_S);
        Relay::signal(stage, Signal::CONT);
        rate
    });
    let name = "packets of a local session";
    vec![
        Row::new(format!("{name}, alone"), Value::More(alone, "/s")),
        Row::new(
            format!("{name} beside a relay daemon that answers in 20 ms, of those alone"),
            Value::More(100.0 * late / alone, "%"),
        )
        .target(Target::AtLeast(SHARE)),
        Row::new(
            format!("{name} beside a relay daemon stopped for {STOPPED_S} s, of those alone"),
            Value::More(100.0 * stopped / alone_as_well, "%"),
        )
        .target(Target::AtLeast(SHARE)),
    ]
}

/// The packets a second of a local session whose program emits as fast as it can: alone, and as
/// `measure` says beside a session that streams to a relay daemon at this distance.
fn beside(run: &Run, distance: Duration, measure: impl Fn(&Stage, &Path) -> f64) -> (f64, f64) {
    let stage = run.contender.stage();
    let arena = &stage.arena;
    let output = arena.file("local");
    let relay = Relay::start(&stage);
    let session = |name: &str, place: &str, sizes: &str, event: &str| {
        arena.lttng_ok(&format!("create {name} {place}"));
        arena.lttng_ok(&format!("enable-channel -u {sizes} --num-subbuf=4 {SMALL_FILES} channel"));
        arena.lttng_ok(&format!("enable-event -u -c channel {event}"));
        arena.lttng_ok("start");
    };
    let place = format!("--output='{}'", output.display());
    session("local", &place, "--subbuf-size=64K", "sample:bulk");
    let control = Distance::before(arena, relay.ports[0], distance);
    let url = format!("--set-url=net://127.0.0.1:{}:{}", control.port, relay.ports[1]);
    session("far", &url, "--subbuf-size=4K", "sample:fields");
    // Some eighty small packets a second, more than a daemon can send that awaits an answer to each. The
    // program runs while it is not traced as well: its own processor time is not what is measured.
    let _paced = Program::start(arena, &["delay=250", "fields=1000000000"]);
    let _flat_out = Program::start(arena, &[ENDLESS]);
    for output in [&output, &relay.output] {
        eventually("packets come", || (packets_below(output) > 0).then_some(()));
    }
    arena.lttng_ok("stop far");
    let (mut alone, mut accompanied) = (0.0, 0.0);
    // The disk makes the rate rise and fall by a fifth within half a minute: often in turn, and in such an
    // order that what changes steadily favours neither.
    for is_accompanied in [false, true, true, false].repeat(REPETITIONS) {
        if is_accompanied {
            arena.lttng_ok("start far");
            accompanied += measure(&stage, &output);
            arena.lttng_ok("stop far");
        } else {
            alone += rate(&output, TURN_S);
        }
    }
    let turns = (2 * REPETITIONS) as f64;
    (alone / turns, accompanied / turns)
}

/// Packets a second below `directory`.
fn rate(directory: &Path, seconds: u32) -> f64 {
    let before = packets_below(directory);
    std::thread::sleep(Duration::from_secs(seconds.into()));
    (packets_below(directory) - before) as f64 / f64::from(seconds)
}
