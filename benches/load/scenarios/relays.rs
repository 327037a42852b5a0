//! A local session beside one that streams to a relay daemon that is slow or stands still.

use std::path::Path;
use std::time::Duration;

use rustix::process::Signal;

use super::Run;
use super::streamed::{ENDLESS, SMALL_FILES};
use crate::distance::Distance;
use crate::measure::packets_below;
use crate::table::{Row, Target, Value};
use crate::world::{Program, Relay, Stage, eventually};

/// How late the answers of the slow relay daemon come.
const LATE: Duration = Duration::from_millis(20);

/// How long the relay daemon stands still, and how long all is measured.
const STOPPED_S: u32 = 8;

/// Percent of its packets alone that the local session is to have.
const SHARE: f64 = 95.0;

/// Packets of the local session a second: alone, then as a part of that beside the other session.
pub fn isolation(run: &Run) -> Vec<Row> {
    // All for as long: the disk begins to have its say after some seconds.
    let alone = beside(run, None, |_, local| rate(local, STOPPED_S));
    let late = beside(run, Some(LATE), |_, local| rate(local, STOPPED_S));
    let stopped = beside(run, Some(Duration::ZERO), |stage, local| {
        Relay::signal(stage, Signal::STOP);
        let rate = rate(local, STOPPED_S);
        Relay::signal(stage, Signal::CONT);
        rate
    });
    let share = |rate: f64| Value::More(100.0 * rate / alone, "%");
    let name = "packets of a local session";
    vec![
        Row::new(format!("{name}, alone"), Value::More(alone, "/s")),
        Row::new(
            format!("{name} beside a relay daemon that answers in 20 ms, of those alone"),
            share(late),
        )
        .target(Target::AtLeast(SHARE)),
        Row::new(
            format!("{name} beside a relay daemon stopped for {STOPPED_S} s, of those alone"),
            share(stopped),
        )
        .target(Target::AtLeast(SHARE)),
    ]
}

/// Measures a local session whose program emits as fast as it can, beside a session that streams to a
/// relay daemon at this distance, if any.
fn beside(run: &Run, distance: Option<Duration>, measure: impl Fn(&Stage, &Path) -> f64) -> f64 {
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
    // Some eighty small packets a second, more than a daemon can send that awaits an answer to each. The
    // program runs where it is not traced as well: its own processor time is not what is measured.
    let paced = || Program::start(arena, &["delay=250", "fields=1000000000"]);
    let mut streaming = None;
    let mut untraced = None;
    if let Some(distance) = distance {
        let control = Distance::before(arena, relay.ports[0], distance);
        let url = format!("--set-url=net://127.0.0.1:{}:{}", control.port, relay.ports[1]);
        session("far", &url, "--subbuf-size=4K", "sample:fields");
        streaming = Some((control, paced()));
        eventually("the relay daemon gets packets", || {
            (packets_below(&relay.output) > 0).then_some(())
        });
    } else {
        untraced = Some(paced());
    }
    let _flat_out = Program::start(arena, &[ENDLESS]);
    eventually("local packets come", || (packets_below(&output) > 0).then_some(()));
    let rate = measure(&stage, &output);
    drop((streaming, untraced));
    rate
}

/// Packets a second below `directory`.
fn rate(directory: &Path, seconds: u32) -> f64 {
    let before = packets_below(directory);
    std::thread::sleep(Duration::from_secs(seconds.into()));
    (packets_below(directory) - before) as f64 / f64::from(seconds)
}
