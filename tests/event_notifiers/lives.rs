//! Applications that fork, execute another program, load tracepoints later, stand still or are killed.

use std::{fs, time::Instant};

use lttngd_world::{
    eventually,
    program::{provider, traced},
};
use rustix::process::Signal;

use super::*;

#[test]
fn children_and_the_programs_that_they_become_tell_for_themselves() {
    let (arena, listener) = listening();
    listener.set([notifier(1, tracepoints("sample:number"))]);
    // As a library that has applications register again in their children.
    let environment = [("LD_PRELOAD", "liblttng-ust-fork.so")];
    let mut program = Program::start_with(&arena, &["-"], &environment);
    program.tell("number=1");
    let parent = listener.next().0;
    program.tell("fork=2");
    let children = [listener.next().0, listener.next().0];
    assert_eq!(children[0], children[1]);
    assert_ne!(children[0], parent);
    program.tell("number=1");
    assert_eq!(listener.next().0, parent);
    program.finish();
}

#[test]
fn a_program_that_another_becomes_tells_for_itself() {
    let (arena, listener) = listening();
    listener.set([notifier(1, tracepoints("sample:number"))]);
    let exec = format!("exec={}", traced().display());
    let mut program = Program::start(&arena, &["number=1", &exec, "number=3"]);
    let pid = listener.next().0;
    // The same process, of which another program registers.
    assert_eq!([0; 3].map(|_| listener.next().0), [pid; 3]);
    assert!(program.wait().success());
}

#[test]
fn a_child_that_registers_nothing_tells_through_its_parents_pipe_and_is_not_killed() {
    let (arena, listener) = listening();
    listener.set([notifier(1, tracepoints("sample:number"))]);
    let go = arena.file("go");
    let mut program = Program::start(
        &arena,
        &["number=1", "daemonise", &format!("wait={}", go.display()), "number=500"],
    );
    // The parent, which registered, is gone; what it had is its child's.
    assert!(program.wait().success());
    assert_eq!(listener.take(1).len(), 1);
    fs::write(go, "").unwrap();
    assert_eq!(listener.take(500).len(), 500);
}

#[test]
fn tracepoints_that_are_loaded_later_are_told_of() {
    let (arena, listener) = listening();
    let mut program = Program::ready(&arena);
    listener.set([notifier(1, tracepoints("later:*"))]);
    program.tell(&format!("load={}", provider("later").display()));
    // By its constructor.
    assert_eq!(listener.take(1), [(1, Vec::new())]);
    program.tell("unload");
    program.tell(&format!("load={}", provider("later").display()));
    assert_eq!(listener.take(1), [(1, Vec::new())]);
    program.finish();
}

#[test]
fn an_application_that_stands_still_holds_nobody_up_and_catches_up() {
    let arena = Arena::new();
    let deadline = Duration::from_secs(1);
    let listener = Listener::new(&arena, deadline);
    let mut still = Program::ready(&arena);
    let mut other = Program::ready(&arena);
    arena.signal(still.pid(), Signal::STOP);
    let begun = Instant::now();
    for token in 1..=20 {
        listener.set([notifier(token, tracepoints("sample:number"))]);
    }
    assert!(begun.elapsed() < deadline * 10, "each waits for it: {:?}", begun.elapsed());
    other.tell("number=1");
    assert_eq!(listener.take(1), [(20, Vec::new())]);
    arena.signal(still.pid(), Signal::CONT);
    let told = eventually("it has the newest notifier", || {
        still.tell("number=1");
        listener.within(Duration::from_millis(100))
    });
    assert_eq!((told.0, told.1), (u32::try_from(still.pid()).unwrap(), 20));
    still.finish();
    other.finish();
}

#[test]
fn what_a_program_told_before_it_was_killed_is_told() {
    let (arena, listener) = listening();
    listener.set([capturing(1, tracepoints("sample:number"), &["number"])]);
    let mut program = Program::ready(&arena);
    let pid = program.pid();
    program.begin("number=100000000");
    for number in 0..100 {
        assert_eq!(listener.next().2, [0x91, number]);
    }
    program.kill();
    listener.await_gone(pid);
    // All of it is read before its pipe is closed; others go on.
    let mut after = Program::ready(&arena);
    after.tell("number=1");
    let own = u32::try_from(after.pid()).unwrap();
    while listener.next().0 != own {}
    after.finish();
}

#[test]
fn programs_live_on_when_the_daemon_goes_that_took_its_notifiers_back() {
    let (arena, listener) = listening();
    listener.set([notifier(1, tracepoints("sample:number"))]);
    let mut program = Program::ready(&arena);
    program.tell("number=1");
    assert_eq!(listener.take(1).len(), 1);
    program.begin("number=20000000");
    assert_eq!(listener.take(10).len(), 10);
    listener.set([]);
    drop(listener);
    program.done("number=20000000");
    program.finish();
}
