//! Applications that spoil the buffers they share with the consumer daemon, or die in them.

use std::fs;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use super::super::world::{Program, Stage, eventually};
use super::{Bystander, numbers, own};

/// A session of the buffers of each process, which record into a directory that this returns.
fn per_process(stage: &Stage, options: &str) -> PathBuf {
    start(stage, &format!("--buffers-pid {options}"))
}

fn start(stage: &Stage, options: &str) -> PathBuf {
    let output = stage.arena.file("trace");
    for command in [
        format!("create victim --output={}", output.display()),
        format!("enable-channel -u -s victim --switch-timer=10000 {options} c"),
        "enable-event -u -s victim -c c sample:number".to_owned(),
        "start victim".to_owned(),
    ] {
        stage.arena.lttng_ok(&command);
    }
    output
}

/// The directory of the trace of one process.
fn trace_of(output: &Path, program: &Program) -> PathBuf {
    let name = format!("traced-{}-", program.pid());
    let entries = fs::read_dir(output.join("ust/pid")).unwrap().flatten();
    let mut paths = entries.map(|entry| entry.path());
    let is_its = |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().starts_with(&name);
    paths.find(is_its).unwrap()
}

/// Has applications `deface` their buffers, each with a seed; `options` are those of the channel.
fn spoiled(deface: &str, options: &str) {
    let stage = own();
    let bystander = Bystander::start(&stage);
    let consumer = stage.arena.consumer();
    let output = per_process(&stage, options);
    let mut good = stage.program();
    good.tell("number=100");
    let mut bad: Vec<Program> = (1..=6)
        .map(|seed| {
            let mut program = stage.program();
            program.tell("number=10");
            // What was whole by then is safe.
            let directory = trace_of(&output, &program);
            eventually("the first events are read", || has_packets(&directory).then_some(()));
            assert!(program.tell(&format!("{deface}={seed}")) > 0);
            program
        })
        .collect();
    bad.iter_mut().for_each(|program| {
        program.begin("number=2000");
    });
    good.tell("number=100");
    stage.arena.lttng_ok("rotate victim");
    good.tell("number=100");
    stage.arena.lttng_ok("stop victim");
    stage.arena.lttng_ok("list victim");
    stage.arena.lttng_ok("start victim");
    good.tell("number=100");
    stage.arena.lttng_ok("destroy victim");
    drop(bad);
    assert_eq!(stage.arena.consumer(), consumer, "the consumer daemon lives");
    let mut recorded = Vec::new();
    for archive in fs::read_dir(output.join("archives")).unwrap().flatten() {
        recorded.push(trace_of(&archive.path(), &good));
    }
    recorded.sort();
    let recorded: Vec<u32> =
        recorded.iter().flat_map(|directory| numbers(&stage.arena, directory)).collect();
    assert_eq!(recorded, (0..400).collect::<Vec<u32>>());
    good.finish();
    bystander.finish(&stage);
    stage.end();
}

/// A session of the buffers of the user, into which applications write together.
fn per_user(stage: &Stage) -> PathBuf {
    start(stage, "--buffers-uid --subbuf-size=16k --num-subbuf=4")
}

/// Checks that all is well with the buffers of the session `victim` once it was stopped, whoever spoilt
/// them before. So many events of the text `kept` are in the trace.
fn recovers(stage: &Stage, output: &Path, kept: RangeInclusive<usize>) {
    // A stop waits until packets are finished for those who do not do so.
    stage.arena.lttng_ok("stop victim");
    let listed = stage.arena.lttng_ok("list victim");
    stage.arena.lttng_ok("start victim");
    let mut good = stage.program();
    good.tell("text=afterwards");
    good.tell("number=200");
    stage.arena.lttng_ok("destroy victim");
    let events = stage.arena.events(output);
    let with = |text: &str| events.iter().filter(|event| event.fields.contains(text)).count();
    assert_eq!(with("\"afterwards\""), 200, "{listed}");
    assert!(kept.contains(&with("\"kept\"")), "{} events; {listed}", with("\"kept\""));
    good.finish();
}

#[test]
fn applications_killed_while_they_record() {
    let stage = own();
    let bystander = Bystander::start(&stage);
    let consumer = stage.arena.consumer();
    let output = per_user(&stage);
    for round in 1..=12_u32 {
        let mut program = Program::start(&stage.arena, &["-"]);
        program.tell("pid");
        program.begin("number=1000000000");
        // Any moment will do: here, that in which somebody else's command was answered.
        for _ in 0..round % 3 {
            stage.arena.lttng_ok("list");
        }
        program.kill();
    }
    recovers(&stage, &output, 0..=0);
    assert_eq!(stage.arena.consumer(), consumer, "the consumer daemon lives");
    bystander.finish(&stage);
    stage.end();
}

/// A program that records 50 events, then reserves room and does not write there.
fn holder(stage: &Stage) -> Program {
    let mut holder = stage.program();
    holder.tell("text=kept");
    holder.tell("number=50");
    assert!(holder.tell("hold=40") > 0);
    holder
}

#[test]
fn an_application_dies_between_reservation_and_commit() {
    let stage = own();
    let bystander = Bystander::start(&stage);
    let output = per_user(&stage);
    for _ in 0..3 {
        holder(&stage).kill();
    }
    // What comes behind the place of a dead one in the same packet is lost.
    recovers(&stage, &output, 50..=150);
    bystander.finish(&stage);
    stage.end();
}

#[test]
fn an_application_holds_a_packet_for_ever() {
    let stage = own();
    let bystander = Bystander::start(&stage);
    let output = per_user(&stage);
    let holder = holder(&stage);
    recovers(&stage, &output, 50..=50);
    drop(holder);
    bystander.finish(&stage);
    stage.end();
}

#[test]
fn a_rotation_waits_for_a_dead_writer_no_longer_than_for_a_slow_one() {
    let stage = own();
    let output = per_user(&stage);
    holder(&stage).kill();
    stage.arena.lttng_ok("rotate victim");
    let mut good = stage.program();
    good.tell("number=10");
    stage.arena.lttng_ok("destroy victim");
    let archives = output.join("archives");
    let mut found: Vec<PathBuf> =
        fs::read_dir(&archives).unwrap().flatten().map(|entry| entry.path()).collect();
    found.sort();
    let counts: Vec<usize> = found.iter().map(|chunk| stage.arena.events(chunk).len()).collect();
    assert_eq!(counts, [50, 10]);
    good.finish();
    stage.end();
}

#[test]
fn an_application_rings_without_end() {
    let stage = own();
    let bystander = Bystander::start(&stage);
    let consumer = stage.arena.consumer();
    let output = per_process(&stage, "");
    let mut good = stage.program();
    let mut ringer = stage.program();
    assert!(ringer.tell("ring") > 0);
    good.tell("number=500");
    // What it rings for is recorded all the same.
    ringer.tell("number=500");
    stage.arena.lttng_ok("stop victim");
    for program in [&good, &ringer] {
        let recorded = numbers(&stage.arena, &trace_of(&output, program));
        assert_eq!(recorded, (0..500).collect::<Vec<u32>>());
    }
    stage.arena.lttng_ok("destroy victim");
    assert_eq!(stage.arena.consumer(), consumer, "the consumer daemon lives");
    good.finish();
    drop(ringer);
    bystander.finish(&stage);
    stage.end();
}

/// The scheduling policies of the threads of our consumer daemon that write here.
fn policies(consumer: i32) -> Vec<u32> {
    const POLICY_FIELD: usize = 41;

    let threads = fs::read_dir(format!("/proc/{consumer}/task")).unwrap().flatten();
    let stats = threads.filter_map(|thread| fs::read_to_string(thread.path().join("stat")).ok());
    let local = stats.filter(|stat| stat.contains("(consumer-local)"));
    // The fields behind the name are counted from the third one.
    let policy = |stat: String| {
        let (_, fields) = stat.rsplit_once(") ").unwrap();
        fields.split(' ').nth(POLICY_FIELD - 3).unwrap().parse().unwrap()
    };
    local.map(policy).collect()
}

#[test]
fn a_data_thread_that_a_forger_keeps_busy_comes_behind_programs() {
    const ROUND_ROBIN: u32 = 2;

    let stage = own();
    let bystander = Bystander::start(&stage);
    let consumer = stage.arena.consumer();
    let all_come_first = || policies(consumer).iter().all(|policy| *policy == ROUND_ROBIN);
    if !all_come_first() {
        eprintln!("this test needs the right to real-time priorities, and checks nothing without");
        return;
    }
    start(
        &stage,
        "--buffers-pid --subbuf-size=4k --num-subbuf=4 --tracefile-size=1M --tracefile-count=2",
    );
    let mut forger = stage.program();
    forger.tell("number=3000");
    assert!(forger.tell("forge") > 0);
    eventually("a thread comes behind programs", || (!all_come_first()).then_some(()));
    forger.kill();
    eventually("it comes first again", || all_come_first().then_some(()));
    bystander.finish(&stage);
    stage.arena.lttng_ok("destroy victim");
    stage.end();
}

#[test]
fn an_application_that_rings_on_after_its_session_is_let_go() {
    let stage = own();
    stage.arena.lttng_ok("create other --no-output");
    stage.arena.lttng_ok("enable-channel -u -s other c");
    let consumer = stage.arena.consumer();
    let before = stage.arena.descriptors(consumer);
    start(&stage, "--buffers-uid");
    let mut ringer = stage.program();
    ringer.tell("number=10");
    assert!(ringer.tell("ring") > 0);
    stage.arena.lttng_ok("destroy victim");
    let left = || stage.arena.descriptors(consumer).saturating_sub(before);
    assert!(left() > 0, "it has the pipes still");
    eventually("its pipes are closed", || (left() == 0).then_some(()));
    drop(ringer);
    stage.end();
}

/// Whether a data file below `directory` has something in it.
fn has_packets(directory: &Path) -> bool {
    let entries = fs::read_dir(directory).unwrap().flatten();
    let data = |name: &str| name.starts_with("c_");
    entries.into_iter().any(|entry| {
        data(entry.file_name().to_str().unwrap()) && entry.metadata().unwrap().len() > 0
    })
}

#[test]
fn scribblers() {
    spoiled("scribble", "");
}

#[test]
fn scribblers_in_buffers_that_are_overwritten() {
    spoiled("scribble", "--overwrite");
}

#[test]
fn every_word_of_the_buffers_is_defaced() {
    spoiled("deface", "");
}
