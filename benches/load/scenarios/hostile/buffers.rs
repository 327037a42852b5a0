//! Applications that write into their buffers what they like.

use std::fs;
use std::time::{Duration, Instant};

use super::super::Run;
use super::{Beside, EVENTS, LIMIT_S, PER_USER};
use crate::measure::{SECOND_US, consumers};
use crate::table::{Row, Target, Value};
use lttngd_world::{daemon::cpu_us, eventually};

/// Percent of its processor that a busy loop gets at least.
const LOOP: f64 = 50.0;
/// For how long that is looked at.
const LOOKED_AT: Duration = Duration::from_secs(4);

/// A program says that packets are there as fast as they are taken.
pub fn forger(run: &Run) -> Vec<Row> {
    let name = "packets that are forged as fast as they are taken";
    let beside = Beside::new(run.contender.stage(), PER_USER, name);
    for command in [
        "create victim",
        "enable-channel -u -s victim --subbuf-size=4k --num-subbuf=4 --tracefile-size=1M --tracefile-count=2 c",
        "enable-event -u -s victim -c c sample:number",
        "start victim",
    ] {
        beside.stage.arena.lttng_ok(command);
    }
    let mut forger = beside.stage.attacker();
    forger.tell("number=3000");
    assert!(forger.tell("forge") > 0, "it has buffers");
    // Where there are two, it has a processor for itself.
    let line = format!("taskset -a -p -c 1 {}", forger.pid());
    beside.stage.arena.shell_within(LIMIT_S, &line);
    let share = busy_loop(&beside);
    beside.rows().into_iter().chain([share]).collect()
}

/// A program writes a position over that of its overwriting buffer, and ends; root records snapshots.
pub fn position(run: &Run) -> Vec<Row> {
    const SNAPSHOTS: usize = 4;

    let name = "a position that is written over";
    let beside = Beside::new(run.contender.stage(), PER_USER, name);
    let arena = &beside.stage.arena;
    let output = arena.file("snapshots");
    for command in [
        format!("create flight --snapshot --output={}", output.display()),
        "enable-channel -u -s flight --subbuf-size=16k --num-subbuf=4 --overwrite c".to_owned(),
        "enable-event -u -s flight -c c sample:number".to_owned(),
        "start flight".to_owned(),
    ] {
        arena.lttng_ok(&command);
    }
    let attacker = beside.stage.attackers_program("number=10 rewind=1");
    for program in [attacker, beside.stage.others_program(&format!("number={EVENTS}"))] {
        let answer = arena.shell_within(LIMIT_S, &format!("taskset -c 0 {program}"));
        assert_eq!(answer.code, 0, "{answer:?}");
    }
    for _ in 0..SNAPSHOTS {
        arena.lttng_within(LIMIT_S, "snapshot record -s flight");
    }
    let taken = fs::read_dir(&output).into_iter().flatten().flatten();
    let whole = taken.filter(|snapshot| {
        let line = format!("babeltrace2 {}", snapshot.path().display());
        let text = arena.shell_within(LIMIT_S, &line).stdout;
        text.lines().filter(|line| line.contains("sample:number")).count() >= EVENTS
    });
    let whole = Value::More(100.0 * whole.count() as f64 / SNAPSHOTS as f64, "%");
    let whole = beside.row("snapshots that have others' events", whole, Target::AtLeast(100.0));
    beside.rows().into_iter().chain([whole]).collect()
}

/// What a busy loop gets of a processor that it shares with the consumer daemon.
pub fn busy_loop(beside: &Beside) -> Row {
    let stage = &beside.stage;
    for consumer in consumers(stage) {
        let line = format!("taskset -a -p -c 0 {consumer}");
        let answer = stage.arena.shell_within(LIMIT_S, &line);
        assert_eq!(answer.code, 0, "{line}: {answer:?}");
    }
    let mut command = stage.arena.command("taskset");
    command.args(["-c", "0", "sh", "-c", "while :; do :; done"]);
    let mut busy = command.spawn().unwrap();
    let pid = busy.id().cast_signed();
    eventually("it is the loop", || {
        let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
        (name.trim_end() == "sh").then_some(())
    });
    let (begun, before_us) = (Instant::now(), cpu_us(pid));
    std::thread::sleep(LOOKED_AT);
    let share = (cpu_us(pid) - before_us) / SECOND_US / begun.elapsed().as_secs_f64();
    busy.kill().unwrap();
    busy.wait().unwrap();
    let what = "what a busy loop beside gets";
    beside.row(what, Value::More(100.0 * share, "%"), Target::AtLeast(LOOP))
}
