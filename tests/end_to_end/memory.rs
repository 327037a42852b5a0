//! The daemon's memory when those who needed it have left, and where a control group gives it little.

use std::fs;
use std::path::{Path, PathBuf};

use lttngd_peer::app::integer_field;
use lttngd_peer::{AppScript, FakeApp};
use lttngd_wire::ust::notify::{Answer, Request};

use super::world::{Arena, Daemon, Program, Stage, Which, alone, eventually};

/// Applications of the crowd.
const CROWD: usize = 16;
/// What each of them announces: events, and fields of each.
const EVENTS: usize = 40;
const FIELDS: usize = 1000;
/// What the crowd takes at least, in KiB.
const TAKEN_KIB: u64 = 64 << 10;
/// What may stay of it, in KiB: what the daemon has at hand anyway (`KEPT` of `src/process/memory.rs`) and some parts.
const LEFT_KIB: u64 = 40 << 10;

fn event(number: usize) -> Request {
    Request::Event {
        session_objd: 1,
        channel_objd: 2,
        name: format!("crowd:event_{number}"),
        loglevel: 13,
        signature: "void".to_owned(),
        fields: (0..FIELDS).map(|number| integer_field(format!("field_{number}"))).collect(),
        model_emf_uri: None,
    }
}

/// Applications that announce all that they have for the session's buffers, each for its own.
fn crowd(stage: &Stage) -> Vec<FakeApp> {
    let path = stage.arena.run_directory().join("lttng-ust-sock-8");
    let mut fakes = Vec::new();
    for number in 0..CROWD {
        let fake = FakeApp::connect(&path, AppScript::default()).unwrap();
        eventually("it has the session", || (fake.asked().len() >= 2).then_some(()));
        // What is the same is held once, so each has events of its own.
        for event_number in 0..EVENTS {
            let answer = fake.ask(&event(number * EVENTS + event_number));
            assert!(matches!(answer, Some(Answer::Event { ret_code: 0, .. })), "{answer:?}");
        }
        // Somebody who stays: what he has lies above what is given back.
        stage.arena.lttng_ok(&format!("create stays-{number} --no-output"));
        fakes.push(fake);
    }
    fakes
}

#[test]
fn what_a_crowd_had_is_given_back_when_it_has_left() {
    alone(|stage| {
        stage.arena.lttng_ok("create crowded");
        stage.arena.lttng_ok("enable-channel -u --buffers-pid --subbuf-size=4k c");
        stage.arena.lttng_ok("enable-event -u -c c sample:number");
        stage.arena.lttng_ok("start");
        let before_kib = stage.daemon.resident_kib();
        let fakes = crowd(stage);
        let with_kib = stage.daemon.resident_kib();
        assert!(with_kib > before_kib + TAKEN_KIB, "{before_kib} {with_kib} KiB");
        drop(fakes);
        eventually("the memory is given back", || {
            (stage.daemon.resident_kib() < before_kib + LEFT_KIB).then_some(())
        });
        stage.arena.lttng_ok("destroy --all");
    });
}

/// The memory of the group.
const GROUP_LEN: u64 = 160 << 20;

/// A control group that limits memory, of either version. It is removed when nobody is in it any more.
struct Group(PathBuf);

impl Group {
    /// `None` where none can be made.
    fn new(arena: &Arena) -> Option<Group> {
        let name = format!("lttngd-{}", arena.file("").file_name()?.to_string_lossy());
        let kinds =
            [("memory", "memory.limit_in_bytes"), ("", "memory.max"), ("unified", "memory.max")];
        let made = kinds.into_iter().find_map(|(hierarchy, limit)| {
            let group = Group(Path::new("/sys/fs/cgroup").join(hierarchy).join(&name));
            // What is no control group has no such file, and is not made.
            fs::create_dir(&group.0).ok()?;
            fs::write(group.0.join(limit), GROUP_LEN.to_string()).ok()?;
            Some(group)
        });
        if made.is_none() {
            eprintln!("no control group can be made: nothing is checked");
        }
        made
    }

    /// How often the kernel has killed somebody in it for want of memory.
    fn kills(&self) -> u64 {
        let told = ["memory.oom_control", "memory.events"]
            .map(|name| fs::read_to_string(self.0.join(name)));
        let lines = told.iter().flatten().flat_map(|text| text.lines());
        lines.filter_map(|line| line.strip_prefix("oom_kill ")?.parse::<u64>().ok()).sum()
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // The daemons in it may not be gone yet.
        for _ in 0..400 {
            if fs::remove_dir(&self.0).is_ok() || !self.0.exists() {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
    }
}

#[test]
fn buffers_beyond_the_memory_of_a_control_group_are_refused_and_nobody_is_killed() {
    let arena = Arena::new();
    let Some(group) = Group::new(&arena) else { return };
    let enter = format!("echo $$ > '{}' || exit 1", group.0.join("cgroup.procs").display());
    let mut daemon = Daemon::start_after(&arena, Which::Ours, &enter);
    let mut program = Program::ready(&arena);
    let record = |session: &str, size: &str| {
        for command in [
            format!("create {session} --output={}", arena.file(session).display()),
            format!("enable-channel -u -s {session} --subbuf-size={size} --num-subbuf=4 c"),
            format!("enable-event -u -s {session} -c c sample:number"),
        ] {
            arena.lttng_ok(&command);
        }
        arena.lttng(&format!("start {session}"))
    };
    assert_eq!(record("before", "64k").code, 0);
    let consumer = arena.consumer();
    let refused = record("large", "64M");
    assert_ne!(refused.code, 0, "{refused:#?}");
    if !Which::Ours.is_stock_program() {
        let log = daemon.log();
        assert!(
            log.contains("the control group of the daemon may have too little memory"),
            "{log}"
        );
    }
    assert_eq!(record("after", "64k").code, 0);
    program.tell("number=20");
    for session in ["before", "after"] {
        arena.lttng_ok(&format!("destroy {session}"));
        assert_eq!(arena.events(&arena.file(session)).len(), 20, "{session}");
    }
    arena.lttng_ok("destroy large");
    assert_eq!(arena.consumer(), consumer, "the consumer daemon lives");
    assert_eq!(group.kills(), 0, "the kernel killed nobody");
    assert!(daemon.is_running());
    program.finish();
    daemon.stop(&arena);
}
