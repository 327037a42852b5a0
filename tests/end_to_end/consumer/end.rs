//! The end of the daemon, whatever its peers do.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::super::world::{Relay, Stage};
use super::own;

/// Longer than it takes on a busy machine. It does not wait for longer than 10 s.
const END_PATIENCE: Duration = Duration::from_secs(18);

/// A session that records `sample:number`.
fn start(stage: &Stage, session: &str, options: &str) {
    for command in [
        format!("create {session} {options}"),
        format!("enable-channel -u -s {session} c"),
        format!("enable-event -u -s {session} -c c sample:number"),
        format!("start {session}"),
    ] {
        stage.arena.lttng_ok(&command);
    }
}

/// How long the daemon takes to end at SIGTERM.
fn end(stage: &mut Stage) -> Duration {
    let begun = Instant::now();
    stage.arena.signal(stage.daemon.pid(), Signal::TERM);
    assert!(stage.daemon.wait().success(), "{}", stage.daemon.log());
    begun.elapsed()
}

#[test]
fn the_daemon_ends_in_time_beside_peers_that_are_stopped() {
    let mut stage = own();
    let relay = Relay::start(&stage);
    let local = stage.arena.file("local");
    start(&stage, "streamed", &format!("--set-url={}", relay.url()));
    start(&stage, "local", &format!("--output={}", local.display()));
    let (mut program, stopped) = (stage.program(), stage.program());
    program.tell("number=100");
    let consumer = stage.arena.consumer();
    Relay::signal(&stage, Signal::STOP);
    for pid in [stopped.pid(), consumer] {
        stage.arena.signal(pid, Signal::STOP);
    }
    let took = end(&mut stage);
    assert!(took < END_PATIENCE, "{took:?}");
}

#[test]
fn a_program_that_is_stopped_costs_no_event_of_others_at_the_end() {
    let mut stage = own();
    let local = stage.arena.file("local");
    start(&stage, "local", &format!("--output={}", local.display()));
    let (mut program, stopped) = (stage.program(), stage.program());
    program.tell("number=100");
    stage.arena.signal(stopped.pid(), Signal::STOP);
    let took = end(&mut stage);
    assert!(took < END_PATIENCE, "{took:?}");
    stage.arena.consumers_end();
    assert_eq!(super::numbers(&stage.arena, &local).len(), 100);
}
