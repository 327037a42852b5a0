//! What `lttng list` shows.

use std::sync::atomic::{AtomicBool, Ordering};

use super::world::{Answer, Program, alone, both, eventually, program};

#[test]
fn nothing_yet() {
    both(|stage| {
        assert!(stage.lttng_ok("list").contains("no available recording session"));
        assert!(stage.lttng_ok("list -u").contains("None"));
        stage.lttng_ok("list -u -f");
        assert_ne!(stage.lttng("status").code, 0);
        assert_ne!(stage.lttng("list nosuch").code, 0);
    });
}

#[test]
fn tracepoints_of_applications() {
    both(|stage| {
        let mut first = stage.program();
        let text = stage.lttng_ok("list --userspace");
        assert!(text.contains("sample:number (loglevel: TRACE_INFO (6)) (type: tracepoint)"));
        stage.lttng_ok("--mi xml list --userspace");

        first.tell(&format!("load={}", program::provider("listed").display()));
        assert!(stage.lttng_ok("list -u").contains("listed:loaded"));
        let second = stage.program();
        // Not noted: the order of applications is by chance.
        assert_eq!(stage.arena.lttng_ok("list -u").matches("sample:bulk").count(), 2);
        first.finish();
        eventually("the ended application leaves the list", || {
            (stage.arena.lttng_ok("list -u").matches("sample:bulk").count() == 1).then_some(())
        });
        second.finish();
    });
}

#[test]
fn fields_of_tracepoints() {
    both(|stage| {
        let program = stage.program();
        let text = stage.lttng_ok("list --userspace --fields");
        assert!(text.contains("field: hidden (integer) [no write]"), "{text}");
        stage.lttng_ok("--mi xml list --userspace --fields");
        program.finish();
    });
}

#[test]
fn sessions_with_everything() {
    both(|stage| {
        stage.lttng_ok("create full");
        stage.lttng_ok("list full");
        stage.lttng_ok("enable-channel -u wide --subbuf-size=64k --num-subbuf=8 --discard");
        stage.lttng_ok("enable-channel -u timed --switch-timer=5000 --monitor-timer=2000000");
        stage.lttng_ok("enable-channel -u rolling --tracefile-size=1M --tracefile-count=3");
        stage.lttng_ok("enable-channel -u ring --overwrite --read-timer=100000");
        stage.lttng_ok("enable-channel -u patient --blocking-timeout=100");
        stage.lttng_ok("enable-event -u -c wide sample:number");
        stage.lttng_ok("enable-event -u -c wide 'sample:*' --loglevel=WARNING");
        stage.lttng_ok("enable-event -u -c timed sample:alarm,sample:caution");
        stage.lttng_ok(
            "enable-event -u -c ring sample:number --filter 'number > 3 && text == \"a*\"'",
        );
        stage.lttng_ok("enable-event -u -c ring sample:fields --loglevel-only=TRACE_DEBUG_MODULE");
        stage.lttng_ok("add-context -u -c wide -t vpid -t vtid -t procname -t pthread_id");
        stage.lttng_ok("disable-event -u -c timed sample:alarm");
        stage.lttng_ok("disable-channel -u rolling");
        stage.lttng_ok("list full");
        stage.lttng_ok("--mi xml list full");
        stage.lttng_ok("list full --channel=ring");
        stage.lttng_ok("list full --domain");
        stage.lttng_ok("list full --userspace");
        stage.lttng_ok("status");
        stage.lttng_ok("create second --no-output");
        stage.lttng_ok("create third --snapshot");
        stage.lttng_ok("create fourth --output=/tmp/nowhere");
        stage.lttng_ok("enable-event -u -a -s fourth");
        stage.lttng_ok("start full");
        assert_eq!(stage.lttng_ok("list").matches("[active]").count(), 1);
        stage.lttng_ok("--mi xml list");
        stage.lttng_ok("list full");
        stage.lttng_ok("destroy --all");
        stage.lttng_ok("list");
    });
}

#[test]
fn process_attribute_trackers() {
    both(|stage| {
        stage.lttng_ok("create tracked");
        stage.lttng_ok("enable-event -u -a");
        stage.lttng_ok("track -u --vpid=1,2,3");
        stage.lttng_ok("track -u --vuid=0,daemon");
        stage.lttng_ok("untrack -u --vpid=2");
        stage.lttng_ok("untrack -u --vgid --all");
        stage.lttng_ok("list tracked");
        stage.lttng("untrack -u --vpid=77");
        stage.lttng("track -u --vpid=1");
        stage.lttng("track -u --vuid=no_such_user");
        stage.lttng_ok("track -u --vpid --all");
        stage.lttng_ok("list tracked");
    });
}

/// A listing of a session is made of many commands, in the middle of which the session may go: it is whole,
/// or says so.
fn is_whole_or_says_why(answer: &Answer) {
    let Answer { code, stdout, stderr, .. } = answer;
    assert!(!stdout.contains("Unknown error") && !stderr.contains("Unknown error"), "{answer:#?}");
    if *code == 0 {
        let is_whole = !stdout.contains("=== Domain") || stdout.contains("Virtual group IDs");
        assert!(is_whole, "{answer:#?}");
    } else {
        // The last two are those of the command line without a current session.
        let reasons = ["not found", "no longer exists", "does not exist", "config", "session"];
        assert!(reasons.iter().any(|reason| stderr.contains(reason)), "{answer:#?}");
    }
}

#[test]
fn a_listing_beside_sessions_that_come_and_go_is_whole_or_says_that_they_are_gone() {
    const LIVES: usize = 30;
    alone(|stage| {
        let arena = &stage.arena;
        let is_over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            for command in ["status", "list s", "list -u s", "--mi=xml list s"] {
                let is_over = &is_over;
                scope.spawn(move || {
                    while !is_over.load(Ordering::Relaxed) {
                        is_whole_or_says_why(&arena.lttng(command));
                    }
                });
            }
            let lives = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                for _ in 0..LIVES {
                    arena.lttng_ok("create s --no-output");
                    arena.lttng_ok("enable-event -u -s s sample:number");
                    arena.lttng_ok("start s");
                    assert!(Program::start(arena, &["number=2"]).wait().success());
                    arena.lttng_ok("destroy s");
                }
            }));
            is_over.store(true, Ordering::Relaxed);
            lives.unwrap();
        });
    });
}
