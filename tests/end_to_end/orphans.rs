//! The daemon is killed and started again beside programs that live on and a consumer daemon that was not ended by it.

use std::path::Path;

use rustix::process::Signal;

use super::world::{Arena, Consumer, Daemon, Program, Stage, Still, Which, eventually};

/// Events before the daemon is killed, and after that.
const BEFORE: usize = 400;
const AFTER: usize = 30;

/// Makes and starts a session.
fn start(arena: &Arena, session: &str, output: &Path) {
    for command in [
        format!("create {session} --output={}", output.display()),
        format!("enable-channel -u -s {session} --subbuf-size=4k --num-subbuf=8 c"),
        format!("enable-event -u -s {session} -c c sample:number"),
        format!("start {session}"),
    ] {
        arena.lttng_ok(&command);
    }
}

/// The daemon is killed while this consumer daemon of it cannot write and so does not end, and another daemon works beside
/// that.
fn killed_beside(consumer: Consumer) {
    let mut stage = Stage::with_consumer(Which::Ours, consumer, &[]);
    let Some(mut disk) = Still::mount(&stage) else { return };
    let mut program = stage.program();
    start(&stage.arena, "first", &disk.mount.join("first"));
    program.tell(&format!("number={BEFORE}"));
    // So that the description of the events is out.
    stage.arena.lttng_ok("stop first");
    stage.arena.lttng_ok("start first");
    let orphan = stage.arena.consumer();
    disk.stand_still();
    program.tell(&format!("number={BEFORE}"));
    eventually("the consumer daemon cannot write", || disk.holds_one().then_some(()));
    stage.daemon.kill();
    stage.daemon = Daemon::start(&stage.arena, Which::Ours, &[&consumer.option(&stage.arena)]);
    let arena = &stage.arena;

    // The program that was there registers again by itself, and is recorded by another consumer daemon.
    eventually("the program has registered again", || {
        arena.lttng_ok("list -u").contains(&format!("PID: {}", program.pid())).then_some(())
    });
    start(arena, "second", &arena.file("second"));
    program.tell(&format!("number={AFTER}"));
    let mut comes = Program::start(arena, &[&format!("number={AFTER}")]);
    assert!(comes.wait().success());
    arena.lttng_ok("rotate second");
    let consumers = arena.processes_named("lttng-consumerd");
    assert!(consumers.len() == 2 && consumers.contains(&orphan), "{consumers:?}");

    // When the orphan goes on it ends, and takes nothing along that is another's.
    disk.go_on();
    eventually("the orphan has ended", || {
        (!arena.processes_named("lttng-consumerd").contains(&orphan)).then_some(())
    });
    let first = arena.events(&disk.behind.join("first")).len();
    // The stock one leaves what it has not written.
    let whole = if consumer == Consumer::Own { 2 * BEFORE } else { BEFORE };
    assert!((whole..=2 * BEFORE).contains(&first), "{first}");
    start(arena, "third", &arena.file("third"));
    program.tell(&format!("number={AFTER}"));
    for session in ["second", "third"] {
        arena.lttng_ok(&format!("rotate {session}"));
        arena.lttng_ok(&format!("destroy {session}"));
    }
    assert_eq!(arena.events(&arena.file("second")).len(), 3 * AFTER);
    assert_eq!(arena.events(&arena.file("third")).len(), AFTER);
    program.finish();
    disk.end();
    stage.end();
}

#[test]
fn a_daemon_that_was_killed_is_started_beside_our_consumer_daemon_that_lives_on() {
    killed_beside(Consumer::Own);
}

#[test]
fn a_daemon_that_was_killed_is_started_beside_the_stock_consumer_daemon_that_lives_on() {
    killed_beside(Consumer::Stock);
}

/// Killed at any moment of what it does: the next one always works.
#[test]
fn a_daemon_that_is_killed_at_any_moment_leaves_room_for_the_next_one() {
    const ROUNDS: u64 = 8;

    let mut stage = Stage::new(Which::Ours);
    let mut program = stage.program();
    for round in 0..ROUNDS {
        let arena = &stage.arena;
        let session = format!("s{round}");
        let line = format!(
            "sh -c '{}; {}; {}; {}'",
            arena.lttng_line(&format!(
                "create {session} --output={}",
                arena.file(&session).display()
            )),
            arena.lttng_line(&format!("enable-event -u -s {session} sample:number")),
            arena.lttng_line(&format!("start {session}")),
            arena.lttng_line(&format!("destroy {session}")),
        );
        std::thread::scope(|scope| {
            // What they answer is theirs: the daemon is gone.
            scope.spawn(|| arena.shell_within(60, &line));
            std::thread::sleep(std::time::Duration::from_millis(8 * round));
            arena.signal(stage.daemon.pid(), Signal::KILL);
        });
        stage.daemon.kill();
        stage.daemon = Daemon::start(&stage.arena, Which::Ours, &[]);
    }
    let arena = &stage.arena;
    eventually("the program has registered again", || {
        arena.lttng_ok("list -u").contains(&format!("PID: {}", program.pid())).then_some(())
    });
    start(arena, "last", &arena.file("last"));
    program.tell(&format!("number={AFTER}"));
    arena.lttng_ok("destroy last");
    assert_eq!(arena.events(&arena.file("last")).len(), AFTER);
    program.finish();
    stage.end();
}
