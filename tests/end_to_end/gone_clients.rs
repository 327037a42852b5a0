//! Clients that are killed while what they asked goes on: nobody waits behind them for what nothing requires.

use std::time::Duration;

use rustix::process::Signal;

use super::world::{Arena, Daemon, Program, Stage, Which, alone, eventually};

/// Seconds for which the daemon waits for applications here: more than a test has.
const APPLICATIONS_S: u32 = 300;
/// Seconds after which a client is killed that has no answer.
const KILLED_AFTER_S: u32 = 3;
/// Less than a peer that says nothing is waited for.
const NOT_WAITED: Duration = Duration::from_secs(50);

/// Runs `lttng` with these arguments, which has no answer, and kills it.
fn killed(arena: &Arena, arguments: &str) {
    let line = format!("timeout -s KILL {KILLED_AFTER_S} {}", arena.lttng_line(arguments));
    let answer = arena.shell_within(APPLICATIONS_S, &line);
    assert_ne!(answer.code, 0, "{arguments}: {answer:#?}");
}

/// Runs `lttng`, which waits for nobody.
fn at_once(arena: &Arena, arguments: &str) -> String {
    let answer = arena.lttng(arguments);
    assert!(answer.code == 0 && answer.took < NOT_WAITED, "{arguments}: {answer:#?}");
    answer.stdout
}

fn record(arena: &Arena) {
    arena.lttng_ok("create s");
    arena.lttng_ok("enable-event -u sample:number");
    arena.lttng_ok("start s");
}

#[test]
fn nobody_waits_for_a_stopped_program_behind_a_client_that_was_killed() {
    let arena = Arena::new();
    let script = format!("export LTTNG_APP_SOCKET_TIMEOUT={APPLICATIONS_S}");
    let daemon = Daemon::start_after(&arena, Which::Ours, &script);
    let mut program = Program::ready(&arena);
    record(&arena);
    program.tell("number=1");
    arena.signal(program.pid(), Signal::STOP);
    killed(&arena, "enable-event -u -s s sample:fields");
    // It waits for its turn, and for no application.
    at_once(&arena, "enable-rotation -s s --size=1G");
    killed(&arena, "disable-event -u -s s sample:number");
    at_once(&arena, "disable-rotation -s s --size");
    assert!(at_once(&arena, "list s").contains("sample:fields"), "what was asked for is done");
    arena.signal(program.pid(), Signal::CONT);
    // The program gets it when it goes on, though nobody asks any more.
    let recorded = || {
        program.tell("fields=1");
        arena.lttng_ok("rotate s");
        let names: Vec<_> =
            arena.events(&arena.trace_of("s")).into_iter().map(|it| it.name).collect();
        names.iter().any(|name| name == "sample:fields").then_some(names)
    };
    let names = eventually("it records what was asked for", recorded);
    assert_eq!(names.iter().filter(|name| *name == "sample:number").count(), 1, "{names:?}");
    arena.lttng_ok("destroy s");
    program.finish();
    daemon.stop(&arena);
}

#[test]
fn nobody_waits_for_a_stopped_program_behind_a_start_or_stop_whose_client_was_killed() {
    let arena = Arena::new();
    let script = format!("export LTTNG_APP_SOCKET_TIMEOUT={APPLICATIONS_S}");
    let daemon = Daemon::start_after(&arena, Which::Ours, &script);
    let mut program = Program::ready(&arena);
    arena.lttng_ok("create s");
    arena.lttng_ok("enable-event -u sample:number");
    arena.signal(program.pid(), Signal::STOP);
    killed(&arena, "start s");
    at_once(&arena, "enable-rotation -s s --size=1G");
    assert!(at_once(&arena, "list s").contains("[active]"), "what was asked for is done");
    killed(&arena, "stop s");
    at_once(&arena, "disable-rotation -s s --size");
    assert!(at_once(&arena, "list s").contains("[inactive]"), "what was asked for is done");
    arena.signal(program.pid(), Signal::CONT);
    arena.lttng_ok("start s");
    program.tell("number=10");
    arena.lttng_ok("stop s");
    assert_eq!(arena.events(&arena.trace_of("s")).len(), 10);
    arena.lttng_ok("destroy s");
    program.finish();
    daemon.stop(&arena);
}

#[test]
fn a_client_that_asked_whether_data_is_pending_and_was_killed_holds_up_nobody() {
    alone(|stage| {
        let arena = &stage.arena;
        let mut program = stage.program();
        record(arena);
        program.tell("number=100");
        arena.lttng_ok("stop s --no-wait");
        let consumer = arena.consumer();
        arena.signal(consumer, Signal::STOP);
        // It asks again and again whether data is pending.
        killed(arena, "destroy s");
        at_once(arena, "enable-rotation -s s --size=1G");
        arena.signal(consumer, Signal::CONT);
        arena.lttng_ok("destroy s");
        assert_eq!(arena.events(&arena.trace_of("s")).len(), 100);
        program.finish();
    });
}

#[test]
fn who_ends_a_session_and_does_not_wait_for_the_answer_has_ended_it() {
    const SESSIONS: usize = 20;
    let stage = Stage::new(Which::Ours);
    let arena = &stage.arena;
    for number in 0..SESSIONS {
        arena.lttng_ok(&format!("create s{number} --no-output"));
        // It has gone before the daemon sees that it came.
        arena.lttng_ok(&format!("destroy --no-wait s{number}"));
    }
    eventually("all sessions have ended", || {
        arena.lttng_ok("list").contains("no available recording session").then_some(())
    });
    stage.end();
}
