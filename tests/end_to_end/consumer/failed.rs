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
