//! Applications that end at each moment of a command, and sessions that are destroyed at a moment of another one: what was
//! recorded before is there, of everybody, and nobody waits for who is gone.

use std::path::{Path, PathBuf};
use std::time::Duration;

use lttngd_peer::{AppAct, AppScript, FakeApp};
use rustix::process::Signal;

use super::world::{Arena, Connection, Gate, PATIENCE, Program, Relay, Stage, Which, eventually};

/// Events of each program before it ends, and of the one that stays.
const EACH: usize = 20;
/// How many programs end at a moment.
const ENDING: usize = 3;
/// The moments, in thousandths of a second after the command began.
const MOMENTS_MS: [u64; 5] = [0, 2, 5, 10, 20];
/// The socket at which applications register.
const APPLICATIONS: &str = "lttng-ust-sock-8";

/// Makes a session of this name that records all tracepoints; gives its output.
fn create(arena: &Arena, session: &str, kind: &str, buffers: &str) -> PathBuf {
    let output = arena.file(session);
    for command in [
        format!("create {session} {kind} --output={}", output.display()),
        format!("enable-channel -u -s {session} {buffers} --num-subbuf=8 c"),
        format!("enable-event -u -s {session} -c c sample:number"),
    ] {
        arena.lttng_ok(&command);
    }
    output
}

/// How many events are below `directory`.
fn events(arena: &Arena, directory: &Path) -> usize {
    arena.events(directory).len()
}

/// Has programs end, by themselves or killed in turn, at each of the moments of `command`. Gives for each the session's
/// output, and how many events there were of those that ended.
fn at_each_moment(
    kind: &str,
    buffers: &str,
    command: &str,
    check: impl Fn(&Stage, &str, &Path, usize),
) {
    let stage = Stage::new(Which::Ours);
    let arena = &stage.arena;
    let mut stays = stage.program();
    for (round, moment_ms) in MOMENTS_MS.into_iter().enumerate() {
        let session = format!("s{round}");
        let output = create(arena, &session, kind, buffers);
        let mut ending: Vec<_> = (0..ENDING).map(|_| stage.program()).collect();
        let is_started = command != "start";
        if is_started {
            arena.lttng_ok(&format!("start {session}"));
            for program in ending.iter_mut().chain([&mut stays]) {
                program.tell(&format!("number={EACH}"));
            }
        }
        std::thread::scope(|scope| {
            let line = match command {
                "snapshot record" => format!("{command} -s {session}"),
                _ => format!("{command} {session}"),
            };
            let running = scope.spawn(move || arena.lttng(&line));
            std::thread::sleep(Duration::from_millis(moment_ms));
            for (number, program) in ending.into_iter().enumerate() {
                match (number + round).is_multiple_of(2) {
                    true => program.finish(),
                    false => arena.signal(program.pid(), Signal::KILL),
                }
            }
            let answer = running.join().unwrap();
            assert_eq!(answer.code, 0, "{command} {buffers} at {moment_ms} ms: {answer:#?}");
        });
        let recorded = if is_started { EACH * (ENDING + 1) } else { 0 };
        check(&stage, &session, &output, recorded);
        if command != "destroy" {
            arena.lttng_ok(&format!("destroy {session}"));
        }
        stays.tell("number=1");
    }
    eventually("those that ended are known no more", || {
        (arena.lttng_ok("list -u").matches("PID: ").count() == 1).then_some(())
    });
    stays.finish();
    stage.end();
}

/// Of each kind of buffers.
fn of_each_kind(command: &str, check: impl Fn(&Stage, &str, &Path, usize)) {
    for buffers in ["--buffers-uid", "--buffers-pid"] {
        at_each_moment("", buffers, command, &check);
    }
}

#[test]
fn applications_end_at_each_moment_of_a_start() {
    of_each_kind("start", |stage, session, output, _| {
        let mut late = Program::start(&stage.arena, &[&format!("number={EACH}")]);
        assert!(late.wait().success());
        stage.arena.lttng_ok(&format!("stop {session}"));
        assert_eq!(events(&stage.arena, output), EACH);
    });
}

#[test]
fn applications_end_at_each_moment_of_a_stop() {
    of_each_kind("stop", |stage, _, output, recorded| {
        assert_eq!(events(&stage.arena, output), recorded);
    });
}

#[test]
fn applications_end_at_each_moment_of_a_rotation() {
    of_each_kind("rotate", |stage, session, output, recorded| {
        stage.arena.lttng_ok(&format!("stop {session}"));
        assert_eq!(events(&stage.arena, output), recorded);
    });
}

#[test]
fn applications_end_at_each_moment_of_a_snapshot() {
    // The user's buffers are there whoever ends.
    at_each_moment(
        "--snapshot",
        "--buffers-uid",
        "snapshot record",
        |stage, _, output, recorded| {
            assert_eq!(events(&stage.arena, output), recorded);
        },
    );
    // Those of a process end with it: it is there whole or not at all.
    at_each_moment(
        "--snapshot",
        "--buffers-pid",
        "snapshot record",
        |stage, _, output, recorded| {
            let found = events(&stage.arena, output);
            assert!((EACH..=recorded).contains(&found) && found.is_multiple_of(EACH), "{found}");
        },
    );
}

#[test]
fn applications_end_at_each_moment_of_a_destroy() {
    of_each_kind("destroy", |stage, _, output, recorded| {
        assert_eq!(events(&stage.arena, output), recorded);
    });
}

/// An application that does what `act` says of each message, and has registered or died before.
fn comes(arena: &Arena, act: impl Fn(usize) -> AppAct + Send + 'static) -> FakeApp {
    let script = AppScript::new(move |request| act(request.index));
    let app = FakeApp::connect(&arena.run_directory().join(APPLICATIONS), script).unwrap();
    let _has_died = !app.is_served(PATIENCE);
    app
}

/// A session's life beside an application that does what `act` says of each message. Gives how many came.
fn life_beside(
    stage: &Stage,
    stays: &mut Program,
    (session, buffers, is_there): (&str, &str, bool),
    act: impl Fn(usize) -> AppAct + Send + 'static,
) -> usize {
    let arena = &stage.arena;
    let output = create(arena, session, "", buffers);
    let start = || arena.lttng_ok(&format!("start {session}"));
    let app;
    if is_there {
        app = comes(arena, act);
        start();
    } else {
        start();
        app = comes(arena, act);
    }
    stays.tell("number=5");
    arena.lttng_ok(&format!("destroy {session}"));
    assert_eq!(events(arena, &output), 5, "{session}");
    // The stock daemon keeps some of what it has made.
    if !stage.which.is_stock_program() {
        eventually("it has let go of everything, or died", || {
            (app.objects() == 0 || app.has_ended()).then_some(())
        });
    }
    app.requests().len()
}

/// An application dies at each message of its exchange with the daemon, or in the midst of its answer to it. It is there
/// when the session starts, or comes then.
fn dies_at_each_message(buffers: &str, is_there: bool) {
    let stage = Stage::new(Which::Ours);
    let mut stays = stage.program();
    let whole = ("whole", buffers, is_there);
    let messages = life_beside(&stage, &mut stays, whole, |_| AppAct::Answer);
    println!("{messages} messages");
    assert!(messages > 8, "{messages}");
    for dies_at in 0..messages {
        let name = format!("s{dies_at}");
        life_beside(&stage, &mut stays, (&name, buffers, is_there), move |index| {
            if index == dies_at { AppAct::Cut(dies_at % 3) } else { AppAct::Answer }
        });
    }
    stays.finish();
    stage.end();
}

#[test]
fn an_application_dies_at_each_message_of_a_start() {
    dies_at_each_message("--buffers-uid", true);
}

#[test]
fn an_application_dies_at_each_message_of_a_start_with_buffers_of_its_own() {
    dies_at_each_message("--buffers-pid", true);
}

#[test]
fn an_application_dies_at_each_message_when_it_comes() {
    dies_at_each_message("--buffers-uid", false);
}

#[test]
fn an_application_dies_at_each_message_when_it_comes_with_buffers_of_its_own() {
    dies_at_each_message("--buffers-pid", false);
}

/// ROTATE_STREAMS, and CLOSE_TRACE_CHUNK, as relay daemons are asked.
const ROTATE_STREAMS: u32 = 18;
const CLOSE_TRACE_CHUNK: u32 = 20;

#[test]
fn a_session_is_destroyed_while_it_is_rotated() {
    let stage = Stage::new(Which::Ours);
    let arena = &stage.arena;
    let mut program = stage.program();
    for (round, buffers) in ["--buffers-uid", "--buffers-pid"].repeat(4).into_iter().enumerate() {
        let session = format!("s{round}");
        let output = create(arena, &session, "", buffers);
        arena.lttng_ok(&format!("start {session}"));
        program.tell(&format!("number={EACH}"));
        std::thread::scope(|scope| {
            let rotating = scope.spawn(|| arena.lttng(&format!("rotate {session}")));
            std::thread::sleep(Duration::from_millis(round as u64 / 2));
            arena.lttng_ok(&format!("destroy {session}"));
            // It was rotated, or was not there any more.
            rotating.join().unwrap();
        });
        assert_eq!(events(arena, &output), EACH, "{session}");
        let listed = arena.lttng_ok("list");
        assert!(!listed.contains(&session), "{listed}");
    }
    // Also one that nobody waits for.
    let output = create(arena, "alone", "", "--buffers-uid");
    arena.lttng_ok("start alone");
    program.tell(&format!("number={EACH}"));
    arena.lttng_ok("rotate alone --no-wait");
    arena.lttng_ok("destroy alone");
    assert_eq!(events(arena, &output), EACH);
    program.finish();
    stage.end();
}

#[test]
fn a_session_is_destroyed_while_its_relay_daemon_takes_its_time_to_rotate_it() {
    let stage = Stage::new(Which::Ours);
    let arena = &stage.arena;
    let relay = Relay::start(&stage);
    let control = Gate::before(&stage, &relay, Connection::Control);
    let mut program = stage.program();
    for (number, held) in [ROTATE_STREAMS, CLOSE_TRACE_CHUNK].into_iter().enumerate() {
        let session = format!("s{number}");
        for command in [
            format!(
                "create {session} --set-url=net://127.0.0.1:{}:{}",
                control.port, relay.ports[1]
            ),
            format!("enable-event -u -s {session} sample:number"),
            format!("start {session}"),
        ] {
            arena.lttng_ok(&command);
        }
        program.tell(&format!("number={EACH}"));
        control.hold(move |command| command == held);
        std::thread::scope(|scope| {
            let rotating = scope.spawn(|| arena.lttng(&format!("rotate {session}")));
            control.holds_one();
            let destroying = scope.spawn(|| arena.lttng(&format!("destroy {session}")));
            // Nobody else waits for that.
            arena.lttng_ok("create beside --no-output");
            arena.lttng_ok("destroy beside");
            control.release();
            rotating.join().unwrap();
            let destroyed = destroying.join().unwrap();
            assert_eq!(destroyed.code, 0, "{destroyed:#?}");
        });
        assert!(!arena.lttng_ok("list").contains(&session));
    }
    assert_eq!(events(arena, &relay.output), 2 * EACH);
    program.finish();
    stage.end();
}
