//! Sessions and triggers that outlive the daemon (`--keep-sessions`).

use std::fs;

use rustix::process::Signal;

use super::world::{Daemon, Program, Relay, Stage, Which, eventually};

const OPTION: &str = "--keep-sessions";
/// Where they are while there is no daemon, in the run directory.
const FILE: &str = "lttngd-kept.json";
/// The sessions of a test, those that record first.
const SESSIONS: [&str; 5] = ["local", "per-process", "streamed", "flight", "idle"];

/// Ends the daemon.
fn end(stage: &mut Stage) {
    stage.arena.signal(stage.daemon.pid(), Signal::TERM);
    assert!(stage.daemon.wait().success(), "{}", stage.daemon.log());
    stage.arena.consumers_end();
}

/// Ends the daemon, and starts another one when `between` is over.
fn restart(stage: &mut Stage, options: &[&str], between: impl FnOnce(&Stage)) {
    end(stage);
    between(stage);
    stage.daemon = Daemon::start(&stage.arena, Which::Ours, options);
}

/// Waits until the daemon has registered the program, and these sessions record it.
fn is_recorded(stage: &Stage, program: &Program, sessions: &[&str]) {
    let arena = &stage.arena;
    let pid = format!("PID: {}", program.pid());
    eventually("the program is registered again", || {
        arena.lttng_ok("list --userspace").contains(&pid).then_some(())
    });
    for session in sessions {
        let active = format!("session {session}: [active");
        eventually("the session is started again", || {
            arena.lttng_ok(&format!("list {session}")).contains(&active).then_some(())
        });
        // A start waits for each program that is registered.
        arena.lttng_ok(&format!("stop {session}"));
        arena.lttng_ok(&format!("start {session}"));
    }
}

fn record(stage: &Stage, session: &str, create: &str, channel: &str) {
    let arena = &stage.arena;
    arena.lttng_ok(&format!("create {session} {create}"));
    arena.lttng_ok(&format!("enable-channel --userspace --session={session} c {channel}"));
    let rule = format!("enable-event --userspace --session={session} --channel=c sample:number");
    arena.lttng_ok(&rule);
    arena.lttng_ok(&format!("add-context --userspace --session={session} --channel=c -t vpid"));
    arena.lttng_ok(&format!("start {session}"));
}

/// What can be seen of all sessions and triggers.
fn seen(stage: &Stage) -> String {
    let list = |session| stage.arena.lttng_ok(&format!("list {session}"));
    SESSIONS.map(list).concat() + &stage.arena.lttng_ok("list-triggers")
}

#[test]
fn sessions_and_triggers_go_on_with_the_next_daemon() {
    let mut stage = Stage::with_options(Which::Ours, &[OPTION]);
    let relay = Relay::start(&stage);
    record(&stage, "local", "", "--buffers-uid");
    record(&stage, "per-process", "", "--buffers-pid");
    record(&stage, "streamed", &format!("--set-url={}", relay.url()), "--buffers-uid");
    record(&stage, "flight", "--snapshot", "--buffers-uid");
    stage.arena.lttng_ok("create idle");
    stage.arena.lttng_ok("enable-rotation --session=local --timer=1h");
    let condition = "--condition=event-rule-matches --type=user --name=sample:fields";
    let trigger = format!("add-trigger --name=told {condition} --action=stop-session idle");
    stage.arena.lttng_ok(&trigger);

    let mut program = stage.program();
    program.tell("number=10");
    let before = seen(&stage);
    for count in [7, 4] {
        restart(&mut stage, &[OPTION], |stage| {
            assert!(stage.arena.run_directory().join(FILE).exists());
        });
        assert!(!stage.arena.run_directory().join(FILE).exists(), "it is taken once");
        is_recorded(&stage, &program, &SESSIONS[..4]);
        assert_eq!(seen(&stage), before);
        program.tell(&format!("number={count}"));
    }
    program.finish();

    stage.arena.lttng_ok("snapshot record --session=flight");
    stage.arena.lttng_ok("destroy --all");
    for session in ["local", "per-process"] {
        let directory = stage.arena.trace_of(session);
        assert_eq!(stage.arena.events(&directory).len(), 10 + 7 + 4, "{session}");
        assert_eq!(fs::read_dir(directory.join("archives")).unwrap().count(), 2, "{session}");
    }
    assert_eq!(stage.arena.events(&relay.output).len(), 10 + 7 + 4);
    // What was in its buffers went with them.
    assert_eq!(stage.arena.events(&stage.arena.trace_of("flight")).len(), 4);
    stage.arena.lttng_ok("remove-trigger told");
    stage.end();
}

#[test]
fn what_would_write_over_what_it_has_recorded_is_not_kept_and_told() {
    let mut stage = Stage::with_options(Which::Ours, &[OPTION]);
    let relay = Relay::start(&stage);
    record(&stage, "chosen", &format!("--live --set-url={}/directory", relay.url()), "");
    record(&stage, "dated", &format!("--live --set-url={}", relay.url()), "");
    let mut program = stage.program();
    program.tell("number=3");
    end(&mut stage);
    let log = stage.daemon.log();
    assert!(log.contains("the session is not kept for the next daemon"), "{log}");
    stage.daemon = Daemon::start(&stage.arena, Which::Ours, &[OPTION]);
    let listed = stage.arena.lttng_ok("list");
    assert!(listed.contains("dated") && !listed.contains("chosen"), "{listed}");
    is_recorded(&stage, &program, &["dated"]);
    program.tell("number=2");
    program.finish();
    stage.arena.lttng_ok("destroy --all");
    assert_eq!(stage.arena.events(&relay.output).len(), 3 + 3 + 2);
    stage.end();
}

#[test]
fn a_daemon_begins_whatever_was_kept() {
    let mut stage = Stage::with_options(Which::Ours, &[OPTION]);
    stage.arena.lttng_ok("create one --no-output");
    let file = stage.arena.run_directory().join(FILE);
    // Whoever does not keep sessions leaves alone what was kept.
    restart(&mut stage, &[], |_| ());
    assert!(file.exists());
    assert!(!stage.arena.lttng_ok("list").contains("one"));
    for (text, complaint) in [
        ("{", "of no use"),
        (
            r#"{"form":1,"sessions":[{"owner":{"uid":0,"gid":0},"saved":"<"}],"triggers":[]}"#,
            "not understood",
        ),
    ] {
        restart(&mut stage, &[OPTION], |_| fs::write(&file, text).unwrap());
        let log = stage.daemon.log();
        assert!(log.contains(complaint), "{log}");
        assert!(!file.exists());
    }
    stage.end();
}

#[test]
fn a_kept_session_whose_relay_daemon_is_silent_keeps_nobody_waiting_and_is_kept_again() {
    let mut stage = Stage::with_options(Which::Ours, &[OPTION]);
    let relay = Relay::start(&stage);
    record(&stage, "streamed", &format!("--set-url={}", relay.url()), "");
    record(&stage, "local", "", "");
    let mut program = stage.program();
    program.tell("number=3");
    restart(&mut stage, &[OPTION], |stage| Relay::signal(stage, Signal::STOP));
    is_recorded(&stage, &program, &["local"]);
    end(&mut stage);
    Relay::signal(&stage, Signal::CONT);
    stage.daemon = Daemon::start(&stage.arena, Which::Ours, &[OPTION]);
    is_recorded(&stage, &program, &["streamed", "local"]);
    program.tell("number=2");
    program.finish();
    stage.arena.lttng_ok("destroy --all");
    assert_eq!(stage.arena.events(&relay.output).len(), 3 + 2);
    stage.end();
}
