//! What came with the command lines and relay daemons of newer versions of LTTng, beside those of 2.13.

use super::{
    versions::{Both, newer_directory},
    world::{Relay, eventually},
};

/// What is asked for many sessions at once is asked for those alone, and for all of them.
#[test]
fn many_sessions_at_once_by_the_newer_command_line() {
    let Some(both) = Both::new(&[]) else { return };
    for name in ["web-1", "web-2", "db-1"] {
        both.older_ok(&format!("create {name}"));
        both.older_ok(&format!("enable-event -u -s {name} sample:number"));
    }
    let active = || {
        let sessions = both.sessions().into_iter();
        sessions.filter(|(_, is_active)| *is_active).map(|(name, _)| name).collect::<Vec<_>>()
    };
    both.newer_ok("start --glob 'web-*'");
    assert_eq!(active(), ["web-1", "web-2"]);
    both.newer_ok("stop --glob 'w*-1'");
    assert_eq!(active(), ["web-2"]);
    both.newer_ok("stop --glob '*b-2'");
    both.newer_ok("start --all");
    assert_eq!(active(), ["db-1", "web-1", "web-2"]);
    let mut program = both.stage.program();
    program.tell("number=10");
    both.newer_ok("stop --all");
    assert_eq!(active(), [""; 0]);
    for name in ["web-1", "web-2", "db-1"] {
        assert_eq!(both.arena().events(&both.arena().trace_of(name)).len(), 10, "{name}");
    }
    both.newer_ok("destroy --glob 'db-*'");
    assert_eq!(both.sessions().len(), 2);
    both.newer_ok("destroy --all");
    assert_eq!(both.sessions(), []);
    program.finish();
    both.stage.end();
}

/// A relay daemon of 2.16 is told what the format of a trace is.
#[test]
fn a_newer_relay_daemon() {
    let Some(both) = Both::new(&[]) else { return };
    let directory = newer_directory().unwrap();
    let mut program = both.arena().command(directory.join("traced"));
    program.arg(directory.join("root/usr/bin/lttng-relayd"));
    // It leaves its ports there.
    let place = both.arena().file("relay-run");
    std::fs::create_dir(&place).unwrap();
    program.env("LTTNG_RUNDIR", place);
    let relay = Relay::run(&both.stage, "relay", program);
    both.older_ok(&format!("create s --set-url={}", relay.url()));
    both.older_ok("enable-event -u -s s sample:number");
    both.older_ok("start s");
    let mut program = both.stage.program();
    program.tell("number=10");
    both.newer_ok("rotate s");
    program.tell("number=5");
    both.newer_ok("stop s");
    let recorded = || both.arena().events(&relay.output).len();
    eventually("the relay daemon has all events", || (recorded() == 15).then_some(()));
    both.newer_ok("clear s");
    both.older_ok("start s");
    program.tell("number=3");
    both.older_ok("destroy s");
    // What was rotated before is not cleared.
    eventually("the relay daemon has what was recorded since", || (recorded() == 13).then_some(()));
    program.finish();
    both.stage.end();
}
