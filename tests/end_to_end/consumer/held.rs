//! Our consumer daemon leaves data in buffers as long as a script wants it, so that they fill.
#![cfg(debug_assertions)]

use std::fs;
use std::io::Write;
use std::path::Path;

use super::super::world::{Arena, Consumer, Daemon, Program, Stage, Subscriber, Which, eventually};
use super::own;

/// What a session daemon, and so its consumer daemon, is told of the pipe by which data is held.
const ENABLE: (&str, &str) = ("LTTNG_TESTPOINT_ENABLE", "1");
const PIPE_PATH: &str = "CONSUMER_PAUSE_PIPE_PATH";

/// A byte other than 0 holds data, 0 lets it go on.
fn say(pipe: &Path, byte: u8) {
    let mut pipe = fs::OpenOptions::new().write(true).open(pipe).unwrap();
    pipe.write_all(&[byte]).unwrap();
}

/// The triggers that told of something.
fn names(told: &[String]) -> Vec<&str> {
    let triggers = ["full", "empty"];
    let name = |line: &String| triggers.into_iter().find(|name| line.contains(name));
    told.iter().filter_map(name).collect()
}

fn scenario(which: Which) {
    let mut stage = own();
    stage.daemon.kill();
    let Stage { arena, .. } = &stage;
    // The stock daemon does not know of these, and leaves them there.
    for socket in ["lttngd-status", "lttngd-declare", "lttng-ust-sock-11"] {
        fs::remove_file(arena.run_directory().join(socket)).unwrap();
    }
    let (path, pipe) = (arena.file("hold"), arena.file("hold-ust64"));
    let option = Consumer::Own.option(arena);
    let environment = [ENABLE, (PIPE_PATH, path.to_str().unwrap())];
    stage.daemon = Daemon::start_with(arena, which, &[&option], &environment);
    fills_and_empties(&stage.arena, &pipe);
    stage.end();
    assert!(!pipe.exists(), "the pipe goes with its consumer daemon");
}

fn fills_and_empties(arena: &Arena, pipe: &Path) {
    let output = arena.file("trace");
    for command in [
        &format!("create s --output={}", output.display()),
        "enable-channel -u -s s --subbuf-size=16k --num-subbuf=4 --monitor-timer=20000 c",
        "enable-event -u -s s -c c sample:bulk",
    ] {
        arena.lttng_ok(command);
    }
    let mut subscriber = Subscriber::start(arena);
    subscriber.tell("high=full,s,c,0.7");
    subscriber.tell("low=empty,s,c,0.3");
    let mut program = Program::ready(arena);
    program.tell("pin");
    arena.lttng_ok("start s");
    say(pipe, 49);
    subscriber.tell("subscribe=full");
    // It is held when the consumer daemon has heard it, and then the buffer fills.
    eventually("the buffer is full", || {
        program.tell("bulk=14");
        (subscriber.ask("pending") == 1).then_some(())
    });
    assert_eq!(names(&subscriber.take(1)), ["full"]);
    subscriber.tell("subscribe=empty");
    say(pipe, 0);
    assert_eq!(names(&subscriber.take(1)), ["empty"]);
    arena.lttng_ok("stop s");
    assert!(arena.events(&output).len() >= 14, "what was held is written");
    arena.lttng_ok("destroy s");
    program.finish();
}

#[test]
fn a_script_has_buffers_fill_beside_our_session_daemon() {
    scenario(Which::Ours);
}

#[test]
fn a_script_has_buffers_fill_beside_the_stock_session_daemon() {
    scenario(Which::Stock);
}
