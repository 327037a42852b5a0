//! The system around the daemon fails: directories, consumers, a second daemon, a crash.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use rustix::process::Signal;

use super::world::{Arena, Daemon, Program, Which, alone, both, eventually};

#[test]
fn output_that_cannot_be_written() {
    both(|stage| {
        let mut program = stage.program();
        stage.lttng_ok("create bad --output=/proc/nowhere");
        stage.lttng_ok("enable-event -u sample:number");
        assert_ne!(stage.lttng("start bad").code, 0);
        stage.lttng("stop bad");
        stage.lttng_ok("destroy bad");

        let file = stage.arena.file("file");
        fs::write(&file, "in the way").unwrap();
        stage.lttng_ok(&format!("create occupied --output={}", file.display()));
        stage.lttng_ok("enable-event -u sample:number");
        assert_ne!(stage.lttng("start occupied").code, 0);
        stage.lttng_ok("destroy occupied");

        // The daemon is none the worse.
        stage.lttng_ok("create good");
        stage.lttng_ok("enable-event -u sample:number");
        stage.lttng_ok("start good");
        program.tell("number=2");
        stage.lttng_ok("stop good");
        assert_eq!(stage.events("good").len(), 2);
        stage.lttng_ok("destroy good");
        program.finish();
    });
}

#[test]
fn second_daemon_is_refused() {
    let arena = Arena::new();
    let mut first = Daemon::start(&arena, Which::Ours, &[]);
    let mut second = Daemon::spawn(&arena, Which::Ours, &[]);
    let status = second.wait();
    assert!(!status.success(), "two daemons on one run directory");
    assert!(!second.log().is_empty(), "the second says why it ends");
    // The first one is not harmed by it.
    arena.lttng_ok("create survivor --no-output");
    arena.lttng_ok("destroy survivor");
    assert!(first.is_running());
    first.stop(&arena);
}

/// Where there are points at which a test can have it fail.
#[cfg(debug_assertions)]
#[test]
fn daemon_without_its_registry_ends_with_an_error() {
    let arena = Arena::new();
    let fail_at = (lttngd_runtime::fail_point::FAIL_AT, "Registry create_session");
    let mut daemon = Daemon::start_with(&arena, Which::Ours, &[], &[fail_at]);
    assert_ne!(arena.lttng("create bad").code, 0);
    let status = daemon.wait();
    assert_eq!(status.code(), Some(1), "{status}");
    assert!(daemon.log().contains("its registry failed"), "{}", daemon.log());
    // Its place is free.
    let mut next = Daemon::start(&arena, Which::Ours, &[]);
    arena.lttng_ok("create good --no-output");
    arena.lttng_ok("destroy good");
    assert!(next.is_running());
    next.stop(&arena);
}

#[test]
fn daemon_after_a_crash() {
    let arena = Arena::new();
    let mut crashed = Daemon::start(&arena, Which::Ours, &[]);
    let mut program = Program::ready(&arena);
    arena.lttng_ok("create lost");
    arena.lttng_ok("enable-event -u sample:number");
    arena.lttng_ok("start");
    crashed.kill();
    arena.consumers_end();
    program.tell("number=1");

    // Sockets, the pid file and the lock of the dead one are no obstacle.
    let next = Daemon::start(&arena, Which::Ours, &[]);
    let mut later = Program::ready(&arena);
    arena.lttng_ok("create found");
    arena.lttng_ok("enable-event -u sample:number");
    arena.lttng_ok("start");
    later.tell("number=2");
    arena.lttng_ok("stop");
    let events = arena.events(&arena.trace_of("found"));
    assert!(events.len() >= 2, "{events:?}");
    arena.lttng_ok("destroy found");
    later.finish();
    program.kill();
    next.stop(&arena);
}

#[test]
fn consumer_killed() {
    alone(|stage| {
        let mut program = stage.program();
        stage.arena.lttng_ok("create before");
        stage.arena.lttng_ok("enable-event -u sample:number");
        stage.arena.lttng_ok("start");
        program.tell("number=1");
        let consumers = stage.arena.processes_named("lttng-consumerd");
        assert_eq!(consumers.len(), 1);
        stage.arena.signal(consumers[0], Signal::KILL);
        eventually("the consumer is gone", || {
            stage
                .arena
                .processes_named("lttng-consumerd")
                .iter()
                .all(|it| *it != consumers[0])
                .then_some(())
        });
        // What was recorded by it is lost; the session can still be ended, whatever its words.
        stage.arena.lttng("stop before");
        stage.arena.lttng("destroy before");
        eventually("the session without a consumer is destroyed", || {
            (!stage.arena.lttng_ok("list").contains("before")).then_some(())
        });

        stage.arena.lttng_ok("create after");
        stage.arena.lttng_ok("enable-event -u sample:number");
        stage.arena.lttng_ok("start");
        program.tell("number=4");
        let mut late = Program::start(&stage.arena, &["number=3"]);
        assert!(late.wait().success());
        stage.arena.lttng_ok("stop");
        assert_eq!(stage.arena.events(&stage.arena.trace_of("after")).len(), 7);
        stage.arena.lttng_ok("destroy after");
        program.finish();
    });
}

#[test]
fn exclusions_are_listed() {
    // The stock daemon crashes here, so there is nothing to compare with.
    alone(|stage| {
        stage.lttng_ok("create excluding");
        stage.lttng_ok("enable-event -u 'sample:*' --exclude=sample:number,sample:b*");
        let listed = stage.lttng_ok("list excluding");
        assert!(listed.contains("[exclusions: sample:number,sample:b*]"), "{listed}");
        stage.lttng_ok("destroy");
    });
}

#[test]
fn traces_belong_to_the_user() {
    both(|stage| {
        let mut program = stage.program();
        stage.lttng_ok("create owned");
        stage.lttng_ok("enable-event -u sample:number");
        stage.lttng_ok("start");
        program.tell("number=1");
        stage.lttng_ok("stop");
        let directory = stage.arena.trace_of("owned");
        for path in [directory.clone(), directory.join("ust/uid")] {
            let mode = fs::metadata(&path).unwrap().permissions().mode();
            stage.note(&format!("{} {:o}", path.display(), mode));
        }
        stage.lttng_ok("destroy");
        program.finish();
    });
}
