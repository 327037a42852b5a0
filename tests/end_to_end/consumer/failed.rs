//! A session of our consumer daemon that fails: its recording ends, and nobody else's.
#![cfg(debug_assertions)]

use super::super::world::{Consumer, Daemon, Which, eventually};
use super::{Bystander, numbers, own};

/// Before it closes the packets of a channel; in the consumer daemon alone.
const POINT: &str = "Session before FLUSH_CHANNEL";

#[test]
fn a_session_of_the_consumer_daemon_fails() {
    let mut stage = own();
    stage.daemon.kill();
    let fail_at = (lttngd_runtime::fail_point::FAIL_AT, POINT);
    let option = Consumer::Own.option(&stage.arena);
    stage.daemon = Daemon::start_with(&stage.arena, Which::Ours, &[&option], &[fail_at]);
    let [failing, other] = ["failing", "other"].map(|name| stage.arena.file(name));
    for (session, output) in [("failing", &failing), ("other", &other)] {
        for command in [
            format!("create {session} --output={}", output.display()),
            format!("enable-channel -u -s {session} c"),
            format!("enable-event -u -s {session} -c c sample:number"),
            format!("start {session}"),
        ] {
            stage.arena.lttng_ok(&command);
        }
    }
    let bystander = Bystander::start(&stage);
    let mut program = stage.program();
    program.tell("number=100");
    eventually("the consumer daemon has asked for the metadata", || {
        let grep = format!("grep -raq number '{}'", failing.display());
        (stage.arena.shell_within(10, &grep).code == 0).then_some(())
    });
    let consumer = stage.arena.consumer();
    // Whoever gives the command in which it fails is told, and so is everybody after him.
    for command in ["stop failing", "rotate failing", "snapshot record -s failing"] {
        let answer = stage.arena.lttng(command);
        assert_ne!(answer.code, 0, "{command}: {answer:?}");
    }
    // What was recorded until then is there.
    eventually("what was in the buffers is written", || {
        (numbers(&stage.arena, &failing) == (0..100).collect::<Vec<u32>>()).then_some(())
    });
    stage.arena.lttng_ok("list failing");
    // It is told that not all of it is in the trace, and does not wait for data that nobody will write.
    let destroyed = stage.arena.lttng("destroy failing");
    assert_ne!(destroyed.code, 0, "{destroyed:?}");
    assert!(!stage.arena.lttng_ok("list").contains("failing"));
    // The consumer daemon serves all others, those that come later as well.
    program.tell("number=50");
    stage.arena.lttng_ok("stop other");
    assert_eq!(numbers(&stage.arena, &other), (0..150).collect::<Vec<u32>>());
    stage.arena.lttng_ok("destroy other");
    bystander.finish(&stage);
    assert_eq!(stage.arena.consumer(), consumer, "the same consumer daemon");
    assert!(stage.daemon.log().contains("a session of the consumer failed"));
    program.finish();
    stage.end();
}

/// Parts of its control thread, each of them in the consumer daemon alone.
const PARTS: [&str; 3] = ["Control event", "Connections accepted", "Makers make"];

#[test]
fn a_consumer_daemon_of_which_a_part_failed_ends_and_its_session_daemon_knows() {
    for part in PARTS {
        let mut stage = own();
        stage.daemon.kill();
        let fail_at = (lttngd_runtime::fail_point::FAIL_AT, part);
        let option = Consumer::Own.option(&stage.arena);
        stage.daemon = Daemon::start_with(&stage.arena, Which::Ours, &[&option], &[fail_at]);
        let program = stage.program();
        stage.arena.lttng_ok("create lost");
        stage.arena.lttng_ok("enable-channel -u -s lost c");
        stage.arena.lttng_ok("enable-event -u -s lost -c c sample:number");
        // In which it fails, or after which it does.
        stage.arena.lttng("start lost");
        stage.arena.lttng("stop lost");
        stage.arena.lttng("destroy lost");
        eventually(&format!("{part} fails"), || {
            let log = stage.daemon.log();
            log.contains("a part of the control thread failed").then_some(())
        });
        stage.arena.consumers_end();
        eventually("the session daemon knows", || {
            stage.daemon.log().contains("the consumer daemon is gone").then_some(())
        });
        program.finish();
        stage.end();
    }
}

#[test]
fn samples_are_taken_on_when_that_failed_once() {
    let mut stage = own();
    stage.daemon.kill();
    let fail_at = (lttngd_runtime::fail_point::FAIL_AT, "Control sample");
    let option = Consumer::Own.option(&stage.arena);
    stage.daemon = Daemon::start_with(&stage.arena, Which::Ours, &[&option], &[fail_at]);
    let output = stage.arena.file("trace");
    let create = format!("create s --output={}", output.display());
    for command in [
        &*create,
        "enable-channel -u -s s --monitor-timer=1000 --subbuf-size=4096 c",
        "enable-event -u -s s -c c sample:number",
        "enable-rotation -s s --size=4096",
        "start s",
    ] {
        stage.arena.lttng_ok(command);
    }
    let mut program = stage.program();
    let consumer = stage.arena.consumer();
    eventually("the taking of samples fails", || {
        stage.daemon.log().contains("the taking of samples").then_some(())
    });
    // It is samples that say how much was recorded.
    eventually("the session is rotated by size", || {
        program.tell("number=1000");
        output.join("archives").exists().then_some(())
    });
    stage.arena.lttng_ok("destroy s");
    assert_eq!(stage.arena.consumer(), consumer, "the same consumer daemon");
    program.finish();
    stage.end();
}
