//! File systems that do not answer: what stands still is the session that writes there, and nobody else.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::super::world::{Stage, Still, eventually};
use super::{Bystander, numbers, own};

/// Longer than the end of a daemon takes on a busy machine. It does not wait for longer than 10 s.
const END_PATIENCE: Duration = Duration::from_secs(18);

/// Starts a session that writes each packet soon.
fn start(stage: &Stage, session: &str, output: &Path) {
    for command in [
        format!("create {session} --output={}", output.display()),
        format!("enable-channel -u -s {session} --subbuf-size=4k --num-subbuf=4 c"),
        format!("enable-event -u -s {session} -c c sample:number"),
        format!("start {session}"),
    ] {
        stage.arena.lttng_ok(&command);
    }
}

#[test]
fn what_stands_still_in_one_file_system_holds_up_nobody_elsewhere() {
    let mut stage = own();
    let Some(mut still) = Still::mount(&stage) else { return };
    // More than there are threads that sessions share on a small machine.
    let sessions = ["s0", "s1", "s2", "s3"];
    for session in sessions {
        start(&stage, session, &still.mount.join(session));
    }
    let fine = stage.arena.file("fine");
    start(&stage, "fine", &fine);
    let mut program = stage.program();
    program.tell("number=100");
    eventually("the first packets are there", || {
        sessions.iter().all(|name| has_packets(&still.behind.join(name))).then_some(())
    });
    still.stand_still();
    for _ in 0..20 {
        program.tell("number=100");
    }
    eventually("a thread stands still", || still.holds_one().then_some(()));

    let begun = Instant::now();
    let bystander = Bystander::start(&stage);
    bystander.finish(&stage);
    for command in ["stop fine", "start fine", "rotate fine", "stop fine", "destroy fine", "list"] {
        stage.arena.lttng_ok(command);
    }
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(20), "others took {took:?}");
    let recorded = numbers(&stage.arena, &fine).len();
    assert!(recorded >= 100, "{recorded}");

    let begun = Instant::now();
    stage.arena.signal(stage.daemon.pid(), Signal::TERM);
    stage.daemon.wait();
    let took = begun.elapsed();
    assert!(took < END_PATIENCE, "the end took {took:?}");
    // What is left is written when it goes on.
    still.go_on();
    stage.arena.consumers_end();
    let behind = still.behind.clone();
    still.end();
    for session in sessions {
        let recorded = numbers(&stage.arena, &behind.join(session)).len();
        assert!(recorded >= 100, "{session}: {recorded}");
    }
}

/// Whether a stream below a directory has a packet.
pub(super) fn has_packets(directory: &Path) -> bool {
    let Ok(entries) = fs::read_dir(directory) else { return false };
    entries.flatten().any(|entry| {
        let path = entry.path();
        let is_stream = entry.file_name().to_string_lossy().starts_with("c_");
        path.is_dir() && has_packets(&path)
            || is_stream && entry.metadata().is_ok_and(|file| file.len() > 0)
    })
}

#[test]
fn a_session_that_shares_a_thread_does_not_go_to_a_file_system_that_may_stand_still() {
    let stage = own();
    let Some(still) = Still::mount(&stage) else { return };
    let output = stage.arena.file("trace");
    start(&stage, "s", &output);
    let mut program = stage.program();
    program.tell("number=10");
    stage.arena.lttng_ok("rotate s");
    // The owner puts the file system in the place of the output.
    let bind = format!("mount --bind '{}' '{}'", still.mount.display(), output.display());
    assert_eq!(stage.arena.shell_within(10, &bind).code, 0);
    program.tell("number=10");
    assert_ne!(stage.arena.lttng("rotate s").code, 0, "it would hold up the thread");
    let unbind = format!("umount -l '{}'", output.display());
    assert_eq!(stage.arena.shell_within(10, &unbind).code, 0);
    program.tell("number=10");
    for command in ["rotate s", "stop s", "destroy s"] {
        stage.arena.lttng_ok(command);
    }
    assert_eq!(numbers(&stage.arena, &output), (0..30).collect::<Vec<u32>>());
    still.end();
    drop(program);
    stage.end();
}
