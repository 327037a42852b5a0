//! Programs of 32 bits beside those of 64: one user's in one session, in buffers of either layout that our consumer daemon
//! makes. Where no 32-bit program can be built these tests say so and are left out.

use std::path::Path;

use super::{
    versions::{directories_of, newer_directory, newer_program},
    world::{Stage, Which, eventually, program, trace},
};

/// How a program is started from the command line.
struct Programs {
    bits32: String,
    bits64: String,
}

impl Programs {
    fn new() -> Option<Programs> {
        let of = |path: &Path| path.display().to_string();
        Some(Programs { bits32: of(program::traced_32()?), bits64: of(program::traced()) })
    }
}

fn run(stage: &Stage, program: &str, arguments: &str) {
    let answer = stage.arena.shell_within(60, &format!("{program} {arguments}"));
    assert_eq!(answer.code, 0, "{answer:#?}\n{}", stage.daemon.log());
}

fn ends_with(directories: &[String], end: &str) -> usize {
    directories.iter().filter(|name| name.ends_with(end)).count()
}

#[test]
fn programs_of_both_word_sizes_in_one_session() {
    const EACH: usize = 2000;

    let Some(Programs { bits32, bits64 }) = Programs::new() else { return };
    let stage = Stage::new(Which::Ours);
    let arena = &stage.arena;
    arena.lttng_ok("create s");
    arena.lttng_ok("enable-channel -u -s s c --subbuf-size=256k --num-subbuf=8");
    arena.lttng_ok("enable-event -u -s s -c c 'sample:*' --filter 'number >= 0'");
    arena.lttng_ok("add-context -u -s s -c c -t vpid -t '$app.provider:context'");
    arena.lttng_ok("start s");
    std::thread::scope(|scope| {
        for program in [&bits32, &bits64, &bits32, &bits64] {
            let stage = &stage;
            scope.spawn(move || run(stage, program, &format!("number={EACH}")));
        }
    });
    arena.lttng_ok("rotate s");
    run(&stage, &bits32, &format!("number={EACH}"));
    arena.lttng_ok("regenerate metadata -s s");
    arena.lttng_ok("stop s");
    assert_eq!(arena.events(&arena.traces()).len(), 5 * EACH);
    let directories = directories_of(&arena.traces(), "c_");
    assert!(ends_with(&directories, "/32-bit") >= 2, "{directories:?}");
    assert!(ends_with(&directories, "/64-bit") >= 1, "{directories:?}");
    arena.lttng_ok("destroy s");
    stage.end();
}

/// The same event has the same values, whatever a `long` is.
#[test]
fn an_event_of_either_word_size_says_the_same() {
    let Some(Programs { bits32, bits64 }) = Programs::new() else { return };
    let stage = Stage::new(Which::Ours);
    let arena = &stage.arena;
    for program in [&bits32, &bits64] {
        let bits = if program == &bits32 { 32 } else { 64 };
        let place = arena.file(&format!("of-{bits}"));
        arena.lttng_ok(&format!("create s --output={}", place.display()));
        arena.lttng_ok("enable-event -u -s s 'sample:*'");
        arena.lttng_ok("start s");
        run(&stage, program, "fields=3 number=2");
        arena.lttng_ok("destroy s");
    }
    let of = |bits: u32| arena.events(&arena.file(&format!("of-{bits}")));
    let (narrow, wide) = (of(32), of(64));
    assert_eq!(narrow.len(), 5);
    let fields = |events: Vec<trace::Event>| {
        events.into_iter().map(|event| (event.name, event.log_level, event.fields))
    };
    assert!(fields(narrow.clone()).eq(fields(wide.clone())), "{narrow:#?}\n{wide:#?}");
    stage.end();
}

/// A 32-bit program with the LTTng-UST of 2.16, if there is one.
fn newer(bits32: &str) -> Option<String> {
    let runner = newer_directory()?.join("traced-32");
    runner.exists().then(|| format!("{} {bits32}", runner.display()))
}

/// One user's programs of both word sizes and of two versions have four traces, which are read as one.
#[test]
fn programs_of_both_word_sizes_and_two_versions() {
    let Some(Programs { bits32, bits64 }) = Programs::new() else { return };
    let Some(newer32) = newer(&bits32) else { return };
    let newer64 = newer_program();
    let stage = Stage::new(Which::Ours);
    let arena = &stage.arena;
    arena.lttng_ok("create s");
    arena.lttng_ok("enable-event -u -s s 'sample:*'");
    arena.lttng_ok("start s");
    for program in [&bits32, &bits64, &newer32, &newer64] {
        run(&stage, program, "number=100");
    }
    arena.lttng_ok("stop s");
    assert_eq!(arena.events(&arena.traces()).len(), 400);
    let directories = directories_of(&arena.traces(), "channel0");
    for end in ["/32-bit", "/64-bit", "/32-bit-ust-11", "/64-bit-ust-11"] {
        assert_eq!(ends_with(&directories, end), 1, "{end}: {directories:?}");
    }
    arena.lttng_ok("destroy s");
    stage.end();
}

/// What a 32-bit program leaves in its buffers is closed, taken and given back as another's.
#[test]
fn the_buffers_of_a_32_bit_program() {
    let Some(Programs { bits32, .. }) = Programs::new() else { return };
    buffers_of(&bits32);
}

#[test]
fn the_buffers_of_a_newer_32_bit_program() {
    let Some(Programs { bits32, .. }) = Programs::new() else { return };
    if let Some(newer) = newer(&bits32) {
        buffers_of(&newer);
    }
}

fn buffers_of(program: &str) {
    let stage = Stage::new(Which::Ours);
    let arena = &stage.arena;
    let place = |name: &str| arena.file(name);
    let all = ["discard", "overwrite", "timers", "files"];
    // Small buffers, which are written round many times.
    for (name, options) in all.into_iter().zip([
        "--discard",
        "--overwrite",
        "--read-timer=1000 --switch-timer=1000 --buffers-pid",
        "--overwrite",
    ]) {
        let shm = if name == "files" { "--shm-path=/dev/shm/narrow" } else { "" };
        arena.lttng_ok(&format!("create {name} --output={} {shm}", place(name).display()));
        arena.lttng_ok(&format!(
            "enable-channel -u -s {name} c --subbuf-size=4k --num-subbuf=4 {options}"
        ));
        arena.lttng_ok(&format!("enable-event -u -s {name} -c c sample:number"));
        arena.lttng_ok(&format!("start {name}"));
    }
    run(&stage, program, "number=5000 fork=3000");
    for name in all {
        arena.lttng_ok(&format!("stop {name}"));
        let numbers = arena.events(&place(name)).len();
        assert!((1..=8000).contains(&numbers), "{name}: {numbers}");
        arena.lttng_ok(&format!("clear {name}"));
        arena.lttng_ok(&format!("start {name}"));
    }
    run(&stage, program, "number=10");
    for name in all {
        arena.lttng_ok(&format!("stop {name}"));
        assert_eq!(arena.events(&place(name)).len(), 10, "{name}");
    }
    arena.lttng_ok("destroy --all");

    arena.lttng_ok("create snapshots --snapshot");
    arena.lttng_ok("enable-event -u -s snapshots sample:number");
    arena.lttng_ok("start snapshots");
    run(&stage, program, "number=7");
    arena.lttng_ok(&format!("snapshot record -s snapshots {}", place("first").display()));
    run(&stage, program, "number=5");
    arena.lttng_ok(&format!("snapshot record -s snapshots {}", place("second").display()));
    assert_eq!(arena.events(&place("first")).len(), 7);
    assert_eq!(arena.events(&place("second")).len(), 12);
    arena.lttng_ok("destroy --all");
    stage.end();
}

/// It tells of events, is listed, and may be killed.
#[test]
fn a_32_bit_program_beside_what_is_done_to_it() {
    let Some(Programs { bits32, .. }) = Programs::new() else { return };
    let stage = Stage::new(Which::Ours);
    let arena = &stage.arena;
    arena.lttng_ok("create first");
    arena.lttng_ok("enable-event -u -s first sample:number");
    arena.lttng_ok("create second");
    arena.lttng_ok("enable-event -u -s second sample:fields");
    arena.lttng_ok(
        "add-trigger --name=t --condition event-rule-matches --type=user --name=sample:number \
         --action=start-session second",
    );
    arena.lttng_ok("start first");
    let mut command = arena.command(&bits32);
    command.arg("-");
    let mut program = program::Program::spawn(command);
    program.tell("number=10");
    eventually("the trigger starts the other session", || {
        arena.lttng_ok("list second").contains("[active]").then_some(())
    });
    let listed = arena.lttng_ok("list --userspace");
    assert!(listed.contains("sample:number"), "{listed}");
    program.kill();
    eventually("the program is gone", || {
        (!arena.lttng_ok("list --userspace").contains("sample:number")).then_some(())
    });
    run(&stage, &bits32, "number=5");
    arena.lttng_ok("stop first");
    assert_eq!(arena.events(&arena.trace_of("first")).len(), 15);
    arena.lttng_ok("destroy --all");
    stage.end();
}
