//! Session daemons that are killed, and the consumer daemon that is.

use std::path::Path;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::super::world::{
    Connection, Consumer, Daemon, Gate, Program, Relay, Stage, Which, eventually, trace,
};
use super::{Bystander, numbers, own};

/// How long the consumer daemon waits for a relay daemon while somebody waits for it.
const RELAY_PATIENCE: Duration = Duration::from_secs(25);

/// The files that the consumer daemon makes for itself in its run directory.
const ITS_FILES: [&str; 2] = ["command", "health"];

fn start(stage: &Stage, session: &str, output: &Path, buffers: &str) {
    start_at(stage, session, &format!("--output={}", output.display()), buffers);
}

/// As [`start`], with other options of the session.
fn start_at(stage: &Stage, session: &str, options: &str, buffers: &str) {
    for command in [
        format!("create {session} {options}"),
        format!("enable-channel -u -s {session} {buffers} c"),
        format!("enable-event -u -s {session} -c c sample:number"),
        format!("start {session}"),
    ] {
        stage.arena.lttng_ok(&command);
    }
}

/// The session daemon is killed while a program records into the buffers of the user and of itself.
fn session_daemon_killed(which: Which) {
    let mut stage = Stage::with_consumer(which, Consumer::Own, &[]);
    let outputs = ["user", "process"].map(|name| stage.arena.file(name));
    let memory = stage.arena.file("memory");
    let options = format!("--output={} --shm-path={}", outputs[0].display(), memory.display());
    start_at(&stage, "user", &options, "--buffers-uid");
    start(&stage, "process", &outputs[1], "--buffers-pid");
    let mut program = stage.program();
    program.tell("number=100");
    // With this the metadata is out, of which the session daemon takes what is not to its grave.
    for session in ["user", "process"] {
        stage.arena.lttng_ok(&format!("stop {session}"));
        stage.arena.lttng_ok(&format!("start {session}"));
    }
    // In packets that nobody has closed.
    program.tell("number=100");
    let directory = stage.arena.run_directory().join(format!("ustconsumerd{}", usize::BITS));
    assert!(trace::files(&memory).iter().any(|file| file.contains("/c_")));
    stage.arena.consumer();
    ITS_FILES.iter().for_each(|file| assert!(directory.join(file).exists(), "{file}"));
    stage.daemon.kill();
    stage.arena.consumers_end();
    ITS_FILES.iter().for_each(|file| assert!(!directory.join(file).exists(), "{file} is left"));
    for output in &outputs {
        assert_eq!(numbers(&stage.arena, output), (0..200).collect::<Vec<u32>>());
        assert_eq!(stage.arena.lost_events(output), "");
    }
    // The buffers in files go too, as nobody has them.
    let left = trace::files(&memory);
    assert!(!left.iter().any(|file| file.contains("/c_")), "{left:?}");
    program.kill();
    // The next one finds nothing in its way.
    stage.daemon = Daemon::start(&stage.arena, Which::Ours, &[]);
    let next = stage.arena.file("next");
    start(&stage, "next", &next, "--buffers-uid");
    let mut late = Program::start(&stage.arena, &["number=10"]);
    assert!(late.wait().success());
    stage.arena.lttng_ok("destroy next");
    assert_eq!(numbers(&stage.arena, &next).len(), 10);
    if which == Which::Ours {
        // The stock daemon's leftovers are nobody's.
        stage.end();
    }
}

#[test]
fn our_session_daemon_is_killed() {
    session_daemon_killed(Which::Ours);
}

#[test]
fn the_stock_session_daemon_is_killed() {
    session_daemon_killed(Which::Stock);
}

/// The traces of a session daemon that is killed can be read although nobody stopped their sessions.
#[test]
fn our_session_daemon_is_killed_before_anything_is_stopped() {
    let mut stage = own();
    let output = stage.arena.file("trace");
    start(&stage, "s", &output, "--buffers-uid");
    let mut program = stage.program();
    program.tell("number=100");
    eventually("the consumer daemon has asked for the metadata", || {
        let found =
            stage.arena.shell_within(10, &format!("grep -raq number '{}'", output.display()));
        (found.code == 0).then_some(())
    });
    stage.daemon.kill();
    stage.arena.consumers_end();
    assert_eq!(numbers(&stage.arena, &output), (0..100).collect::<Vec<u32>>());
    program.kill();
    stage.daemon = Daemon::start(&stage.arena, Which::Ours, &[]);
    stage.end();
}

/// BEGIN_DATA_PENDING, as relay daemons are asked.
const BEGIN_DATA_PENDING: u32 = 10;

#[test]
fn our_session_daemon_is_killed_while_a_relay_daemon_is_stopped() {
    let mut stage = own();
    let output = stage.arena.file("trace");
    start(&stage, "local", &output, "--buffers-uid");
    let relay = Relay::start(&stage);
    let control = Gate::before(&stage, &relay, Connection::Control);
    let url = format!("--set-url=net://127.0.0.1:{}:{}", control.port, relay.ports[1]);
    start_at(&stage, "remote", &url, "--buffers-uid");
    let mut program = stage.program();
    program.tell("number=100");
    stage.arena.lttng_ok("stop local");
    stage.arena.lttng_ok("start local");
    Relay::signal(&stage, Signal::STOP);
    program.tell("number=100");
    let (arena, daemon) = (&stage.arena, stage.daemon.pid());
    std::thread::scope(|scope| {
        // The consumer daemon waits for the relay daemon with this command, and nobody for its answer.
        let stopping = scope.spawn(|| arena.lttng("stop remote"));
        eventually("the relay daemon is asked", || {
            (control.seen(BEGIN_DATA_PENDING) > 0).then_some(())
        });
        arena.signal(daemon, Signal::KILL);
        assert_ne!(stopping.join().unwrap().code, 0);
    });
    let since = Instant::now();
    stage.arena.consumers_end();
    let took = since.elapsed();
    assert!(took < RELAY_PATIENCE, "{took:?}: as long as for a relay daemon that others wait for");
    assert_eq!(numbers(&stage.arena, &output), (0..200).collect::<Vec<u32>>());
    Relay::signal(&stage, Signal::CONT);
    stage.daemon.kill();
    program.kill();
}

#[test]
fn the_consumer_daemon_is_killed() {
    let stage = own();
    let outputs = ["one", "two", "three"].map(|name| stage.arena.file(name));
    start(&stage, "one", &outputs[0], "--buffers-uid");
    start(&stage, "two", &outputs[1], "--buffers-pid");
    let mut program = stage.program();
    program.tell("number=100");
    let first = stage.arena.consumer();
    stage.arena.signal(first, Signal::KILL);
    eventually("the sessions tell that they lost their consumer daemon", || {
        (stage.arena.lttng("rotate one").code != 0).then_some(())
    });
    for session in ["one", "two"] {
        for command in ["start", "rotate", "enable-channel -u new -s", "snapshot record -s"] {
            let refused = stage.arena.lttng(&format!("{command} {session}"));
            assert_ne!(refused.code, 0, "{command} {session}: {refused:?}");
        }
        stage.arena.lttng_ok(&format!("list {session}"));
    }
    // The next command that needs a consumer daemon starts one.
    start(&stage, "three", &outputs[2], "--buffers-uid");
    let second = stage.arena.consumer();
    assert_ne!(first, second);
    let bystander = Bystander::start(&stage);
    program.tell("text=afterwards");
    program.tell("number=50");
    // What the first one had is not the second one's, and whoever ends the sessions is told.
    for command in ["stop one", "destroy one", "destroy two"] {
        let answer = stage.arena.lttng(command);
        assert_ne!(answer.code, 0, "{command}: {answer:?}");
        assert!(answer.stderr.contains("No UST consumer detected"), "{command}: {answer:?}");
    }
    let listed = stage.arena.lttng_ok("list");
    assert!(!listed.contains("one") && !listed.contains("two"), "{listed}");
    stage.arena.lttng_ok("destroy three");
    assert_eq!(numbers(&stage.arena, &outputs[2]), (100..150).collect::<Vec<u32>>());
    assert_eq!(stage.arena.consumer(), second);
    program.finish();
    bystander.finish(&stage);
    stage.end();
}

#[test]
fn the_consumer_daemon_is_stopped_by_a_signal() {
    let stage = own();
    let output = stage.arena.file("trace");
    start(&stage, "s", &output, "--buffers-uid");
    let mut program = stage.program();
    program.tell("number=100");
    stage.arena.lttng_ok("stop s");
    stage.arena.lttng_ok("start s");
    program.tell("number=100");
    let first = stage.arena.consumer();
    stage.arena.signal(first, Signal::TERM);
    stage.arena.consumers_end();
    // It wrote what it had.
    assert_eq!(numbers(&stage.arena, &output), (0..200).collect::<Vec<u32>>());
    stage.arena.lttng("destroy s");
    let next = stage.arena.file("next");
    start(&stage, "next", &next, "--buffers-uid");
    program.tell("number=10");
    stage.arena.lttng_ok("destroy next");
    assert_eq!(numbers(&stage.arena, &next).len(), 10);
    program.finish();
    stage.end();
}
