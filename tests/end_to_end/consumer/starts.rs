//! Consumer daemons that do not start, or say what none says: the command that needs one fails, and so soon; others go on,
//! and the next command starts another one.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use rustix::process::Signal;

use super::super::world::{
    Arena, Consumer, Daemon, Program, Stage, Which, eventually, program, trace,
};
use super::numbers;

/// Seconds for one command: longer than a consumer daemon is waited for that does not start.
const LIMIT_S: u32 = 90;

/// A daemon that starts `no_consumer`, which is told what to do each time.
struct Starts {
    arena: Arena,
    daemon: Daemon,
    told: PathBuf,
}

impl Starts {
    fn new() -> Starts {
        let arena = Arena::new();
        let told = arena.file("told");
        let option = format!("--consumerd64-path={}", program::no_consumer().display());
        let environment = [("NO_CONSUMER", told.to_str().unwrap())];
        let daemon = Daemon::start_with(&arena, Which::Ours, &[&option], &environment);
        Starts { arena, daemon, told }
    }

    /// What those do that are started from now on.
    fn tell(&self, what: &str) {
        fs::write(&self.told, what).unwrap();
    }

    /// Those that are started from now on are consumer daemons.
    fn tell_to_work(&self) {
        let which = Consumer::chosen(Which::Ours).unwrap_or(Consumer::Own);
        self.tell(which.program(&self.arena).to_str().unwrap());
    }
}

/// Commands of a session that need a consumer daemon from the first event rule, or the start, on.
fn begin(arena: &Arena, session: &str, output: &Path) -> [i32; 2] {
    arena.lttng_ok(&format!("create {session} --output={}", output.display()));
    ["enable-event -u -s SESSION sample:number", "start SESSION"].map(|command| {
        let answer = arena.lttng_within(LIMIT_S, &command.replace("SESSION", session));
        assert!(!answer.timed_out(), "{command}: {answer:#?}");
        answer.code
    })
}

#[test]
fn what_does_not_start_as_a_consumer_daemon_fails_the_command_and_the_next_one_may_do() {
    let starts = Starts::new();
    let arena = &starts.arena;
    let mut traced = Program::ready(arena);
    for what in ["exit", "garbage", "half", "hang"] {
        starts.tell(what);
        let begun = Instant::now();
        std::thread::scope(|scope| {
            let codes = scope.spawn(|| begin(arena, what, &arena.file(what)));
            // Nobody else waits for it.
            while !codes.is_finished() {
                arena.lttng_ok(&format!("create beside-{what} --no-output"));
                arena.lttng_ok("list");
                arena.lttng_ok(&format!("destroy beside-{what}"));
            }
            let codes = codes.join().unwrap();
            assert!(codes.contains(&1) || codes.iter().any(|code| *code != 0), "{what}: {codes:?}");
        });
        eprintln!("{what}: {:?}", begun.elapsed());
        assert!(arena.lttng_ok("list").contains(what), "the session is there");
        arena.lttng(&format!("destroy {what}"));
        assert!(!arena.lttng_ok("list").contains(what), "{what} can be destroyed");
    }
    starts.tell_to_work();
    let output = arena.file("works");
    assert_eq!(begin(arena, "works", &output), [0, 0]);
    traced.tell("number=10");
    arena.lttng_ok("destroy works");
    assert_eq!(numbers(arena, &output).len(), 10);
    traced.finish();
    assert!(arena.processes_named("no_consumer").is_empty(), "none of those is left");
    starts.daemon.stop(arena);
}

/// The consumer daemon is killed while it is sent the description of thousands of events.
#[test]
fn a_consumer_daemon_that_is_killed_with_metadata_in_flight() {
    const ROUNDS: u64 = 6;

    let stage = Stage::with_consumer(Which::Ours, Consumer::Own, &[]);
    let arena = &stage.arena;
    let mut traced = stage.program();
    for round in 0..ROUNDS {
        let session = format!("s{round}");
        let output = arena.file(&session);
        for command in [
            &format!("create {session} --output={}", output.display()),
            &format!("enable-channel -u -s {session} --buffers-uid c"),
            &format!("enable-event -u -s {session} -c c 'sample:*'"),
            &format!("start {session}"),
        ] {
            arena.lttng_ok(command);
        }
        let consumer = arena.consumer();
        std::thread::scope(|scope| {
            // Each program has its events described as it comes, and each command has what is new pushed.
            scope.spawn(|| arena.lttng(&format!("stop {session}")));
            scope.spawn(|| Program::start(arena, &["number=3", "fields=3", "bulk=1"]).wait());
            std::thread::sleep(std::time::Duration::from_millis(3 * round));
            arena.signal(consumer, Signal::KILL);
        });
        eventually("it is noticed", || {
            (!arena.processes_named("lttng-consumerd").contains(&consumer)).then_some(())
        });
        arena.lttng(&format!("destroy {session}"));
        eventually("the session is gone", || {
            (!arena.lttng_ok("list").contains(&session)).then_some(())
        });
        // What is there of a description is whole lines, or nothing: no reader is misled.
        for file in trace::files(&output).iter().filter(|file| file.ends_with("metadata")) {
            let text = fs::read(output.join(file)).unwrap();
            eprintln!("{session}: {} bytes of metadata", text.len());
        }
    }
    let output = arena.file("after");
    assert_eq!(begin(arena, "after", &output), [0, 0]);
    traced.tell("number=10");
    arena.lttng_ok("destroy after");
    assert_eq!(numbers(arena, &output).len(), 10);
    traced.finish();
    stage.end();
}
