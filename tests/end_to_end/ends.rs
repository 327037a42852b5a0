//! The end of sessions, while programs exit, are killed and register: nothing is lost, and nothing of a
//! session is left anywhere.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use lttngd_model::{BufferScheme, DescriptorOutput, Domain, SessionDescriptor, SessionKind, Uri};
use lttngd_peer::{AppAct, AppScript, FakeApp, FakeClient, channel_listing, event_description};
use lttngd_wire::client::Command;
use rustix::process::Signal;

use super::world::lives::{DescriptorKinds, Lives};
use super::world::{Arena, Consumer, Program, Relay, Stage, Which, eventually};

/// Clients side by side.
const CLIENTS: u32 = 16;
/// The socket at which applications register.
const APPLICATIONS: &str = "lttng-ust-sock-8";
/// Clients of these tests have no liblttng-ctl that tells it.
const VERSION: &str = "--unknown-client-version=2.13";
/// LTTNG_UST_ABI_STREAM: an application gets a stream of a channel.
const STREAM: u32 = 0x60;
/// How many sessions of [`nothing_is_left_of_thousands_of_sessions`] live at most, for how long they begin,
/// and how many do in any case.
const LIVES_MAX: u32 = 4000;
const LIVES_TIME: Duration = Duration::from_secs(8);
const LIVES_MIN: u32 = 50;

/// A command of a client, which must succeed.
fn call(arena: &Arena, session: &str, scheme: BufferScheme, command: &Command) {
    let bytes = FakeClient::bytes(command, |request| match command {
        // As liblttng-ctl asks: its name is behind the request.
        Command::CreateSession { .. } => request,
        _ => request.in_session(session).in_domain(Domain::Ust, scheme),
    });
    let socket = arena.run_directory().join("client-lttng-sessiond");
    let reply = FakeClient::call(&socket, &bytes).unwrap().unwrap();
    assert_eq!(reply.failure(), None, "{session}: {command:?}");
}

/// An active session.
fn start(arena: &Arena, session: &str, scheme: BufferScheme, output: &Path) {
    let descriptor = SessionDescriptor {
        kind: SessionKind::Regular,
        name: Some(session.to_owned()),
        output: DescriptorOutput::Local(Some(Uri::Path(output.to_path_buf()))),
    };
    let event = event_description("sample:*");
    for command in [
        Command::CreateSession { home: None, descriptor },
        Command::EnableChannel(channel_listing("c")),
        Command::EnableEvent { channel: "c".to_owned(), event },
        Command::StartTrace,
    ] {
        call(arena, session, scheme, &command);
    }
}

/// An application that registers.
fn application(arena: &Arena, number: u32) -> FakeApp {
    let mut script = AppScript::default();
    // Directories of applications are named after them.
    script.registration.name = format!("app{number}");
    FakeApp::connect(&arena.run_directory().join(APPLICATIONS), script).unwrap()
}

/// A session's life. Of its applications one dies before the end, one with it, and one comes.
fn live(arena: &Arena, number: u32) {
    let session = format!("life{number}");
    let output = arena.file(&session);
    let scheme = if number.is_multiple_of(4) { BufferScheme::PerUid } else { BufferScheme::PerPid };
    let mut first = application(arena, 4 * number);
    start(arena, &session, scheme, &output);
    let mut second = application(arena, 4 * number + 1);
    std::thread::scope(|scope| {
        scope.spawn(|| second.die());
        scope.spawn(|| application(arena, 4 * number + 2).die());
        if number.is_multiple_of(2) {
            first.die();
        }
        call(arena, &session, scheme, &Command::DestroySession);
    });
    std::fs::remove_dir_all(output).unwrap();
}

/// The descriptors of both daemons.
fn descriptors(stage: &Stage) -> BTreeMap<&'static str, DescriptorKinds> {
    [("session daemon", stage.daemon.pid()), ("consumer daemon", stage.arena.consumer())]
        .map(|(name, pid)| (name, DescriptorKinds::of(pid)))
        .into()
}

/// Waits until both daemons have no more descriptors than `before`, of any kind.
fn settles_to(stage: &Stage, before: &BTreeMap<&'static str, DescriptorKinds>) {
    let start = Instant::now();
    loop {
        let now = descriptors(stage);
        if before.iter().all(|(name, kinds)| now[name].is_within(kinds)) {
            return;
        }
        assert!(
            start.elapsed() < super::world::PATIENCE,
            "descriptors are left: {now:#?}, before: {before:#?}"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn nothing_is_left_of_thousands_of_sessions() {
    let stage = Stage::with_consumer(Which::Ours, Consumer::Own, &[VERSION]);
    let next = AtomicU32::new(0);
    let live_until = |least: u32, most: u32, time: Duration| {
        let end = Instant::now() + time;
        std::thread::scope(|scope| {
            for _ in 0..CLIENTS {
                scope.spawn(|| {
                    loop {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        if number >= most || (number >= least && Instant::now() >= end) {
                            return;
                        }
                        live(&stage.arena, number);
                    }
                });
            }
        });
    };
    // What daemons keep from their first sessions on is there afterwards.
    live_until(CLIENTS, CLIENTS, Duration::ZERO);
    eventually("the daemons are at rest", || {
        let before = descriptors(&stage);
        std::thread::sleep(Duration::from_millis(100));
        (before == descriptors(&stage)).then_some(())
    });
    let before = descriptors(&stage);
    live_until(LIVES_MIN, LIVES_MAX, LIVES_TIME);
    println!("{} sessions lived", next.load(Ordering::Relaxed));
    settles_to(&stage, &before);
    assert!(!stage.arena.lttng_ok("list").contains("life"));
    let log = stage.daemon.log();
    assert!(!log.contains("ERROR"), "{log}");
    stage.end();
}

/// The same with real programs and clients, in every mode of a session.
#[test]
fn nothing_is_left_of_random_lives() {
    let stage = Stage::with_consumer(Which::Ours, Consumer::Own, &[VERSION]);
    let relay = Relay::start(&stage);
    let lives = Lives::new(&stage, &relay);
    let counts = lives.run(4, 3, 1);
    assert!(counts.lives() > 0);
    settles_to(&stage, &descriptors(&stage));
    let before = descriptors(&stage);
    let counts = lives.run(4, 6, 2);
    assert!(counts.lives() > 0, "{counts:?}");
    settles_to(&stage, &before);
    let log = stage.daemon.log();
    assert!(!log.contains("ERROR"), "{log}");
    stage.end();
}

#[test]
fn events_of_programs_that_are_killed_just_before_the_end_are_recorded() {
    const ROUNDS: u32 = 6;
    const PROGRAMS: u32 = 3;
    const EVENTS: u32 = 50;

    let stage = Stage::with_consumer(Which::Ours, Consumer::Own, &[VERSION]);
    let arena = &stage.arena;
    for round in 0..ROUNDS {
        let scheme =
            if round.is_multiple_of(2) { BufferScheme::PerPid } else { BufferScheme::PerUid };
        let session = format!("burst{round}");
        let output = arena.file(&session);
        start(arena, &session, scheme, &output);
        let mut programs: Vec<_> = (0..PROGRAMS).map(|_| stage.program()).collect();
        for program in &mut programs {
            program.tell(&format!("number={EVENTS}"));
        }
        // It is killed at some step of its registration, where it may have buffers that it has not
        // described.
        let begins = Program::start(arena, &["-"]);
        std::thread::sleep(Duration::from_millis(u64::from(5 * round)));
        for program in programs.iter().chain([&begins]) {
            arena.signal(program.pid(), Signal::KILL);
        }
        call(arena, &session, scheme, &Command::DestroySession);
        let events = arena.events(&output).len();
        assert_eq!(events, (PROGRAMS * EVENTS) as usize, "{scheme:?}, round {round}");
    }
    let log = stage.daemon.log();
    assert!(!log.contains("packets are lost"), "{log}");
    stage.end();
}

/// An application is killed between the making of its buffers and its first word about them.
#[test]
fn a_program_that_is_killed_while_it_registers_does_not_make_the_trace_unreadable() {
    let stage = Stage::with_consumer(Which::Ours, Consumer::Own, &[VERSION]);
    let arena = &stage.arena;
    for scheme in [BufferScheme::PerPid, BufferScheme::PerUid] {
        let session = format!("{scheme:?}");
        let output = arena.file(&session);
        start(arena, &session, scheme, &output);
        // It never says anything of its channels.
        let dies = AppScript::new(|request| match request.command.number() {
            STREAM => AppAct::Cut(0),
            _ => AppAct::Answer,
        });
        let mute = FakeApp::connect(&arena.run_directory().join(APPLICATIONS), dies).unwrap();
        eventually("it has its channel, and dies", || mute.has_got(STREAM).then_some(()));
        // What it was sent and has not read has descriptors of its buffers.
        drop(mute);
        if scheme == BufferScheme::PerPid {
            let mut program = stage.program();
            program.tell("number=7");
            program.finish();
        }
        call(arena, &session, scheme, &Command::DestroySession);
        let expected = if scheme == BufferScheme::PerPid { 7 } else { 0 };
        assert_eq!(arena.events(&output).len(), expected, "{scheme:?}");
    }
    stage.end();
}

#[test]
fn a_session_with_its_buffers_in_files_ends_without_a_wait_for_them() {
    for buffers in ["--buffers-uid", "--buffers-pid"] {
        let stage = Stage::new(Which::Ours);
        let arena = &stage.arena;
        arena.lttng_ok("create s --shm-path=/dev/shm/buffers");
        arena.lttng_ok(&format!("enable-channel -u {buffers} c"));
        arena.lttng_ok("enable-event -u -c c sample:number");
        arena.lttng_ok("start");
        let mut program = stage.program();
        program.tell("number=5");
        arena.lttng_ok("destroy");
        assert_eq!(arena.events(&arena.trace_of("s")).len(), 5, "{buffers}");
        let log = stage.daemon.log();
        assert!(!log.contains("files of buffers stay"), "{buffers}: {log}");
        program.finish();
        stage.end();
    }
}
