//! What one user can do to all others: their commands, programs and processors beside him.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use clap::ValueEnum;

use super::Run;
use crate::attacks::Attack;
use crate::clients::{client, client_if_served};
use crate::measure::{MEGABYTE, SECOND_US, consumers, lttng_s, quantile};
use crate::table::{Row, Target, Value};
use lttngd_world::{Program, Stage, daemon::cpu_us, program};

/// How long anything that may never come is waited for.
const LIMIT_S: u32 = 12;
/// How often a bystander creates, lists and destroys.
const OFTEN: u32 = 200;
/// How many times as long as alone that may take, in one of a hundred times.
const TIMES_ALONE: f64 = 2.0;
/// Seconds until another user's program runs, and for each of root's commands.
const AT_ONCE_S: f64 = 1.0;
/// Megabytes that the daemon may have more than alone.
const MEMORY_MB: f64 = 128.0;
/// Kilobytes of log in a second.
const LOG_KB_S: f64 = 50.0;
/// Percent of its processor that a busy loop gets at least.
const LOOP: f64 = 50.0;
/// For how long that is looked at.
const LOOKED_AT: Duration = Duration::from_secs(4);
/// The run directory of root's daemon as those in the world see it.
const RUN_DIRECTORY: &str = "/var/run/lttng";
/// Another user than the one who does it.
const OTHER: u32 = 54_322;
/// Bytes in a kilobyte, and in a kibibyte.
const KILOBYTE: f64 = 1e3;
const KIBIBYTE: f64 = 1024.0;

/// 300 registrations begin large announcements.
pub fn begun(run: &Run) -> Vec<Row> {
    beside(run, Attack::Begun, 19, "large announcements that are begun and not ended")
}

/// 300 registrations announce large events for what is not there.
pub fn events(run: &Run) -> Vec<Row> {
    beside(run, Attack::Events, 19, "events of 4096 fields for no channel, 304 registrations")
}

/// 100 registrations announce large enumerations.
pub fn enumerations(run: &Run) -> Vec<Row> {
    let name = "enumerations of 65,536 entries for no session, 112 registrations";
    beside(run, Attack::Enumerations, 7, name)
}

/// As many connections as there may be that never say who they are.
pub fn silent(run: &Run) -> Vec<Row> {
    beside(run, Attack::Silent, 1, "connections that never register")
}

/// As many agents as there may be that answer nothing.
pub fn agents(run: &Run) -> Vec<Row> {
    beside(run, Attack::Agents, 1, "silent agents")
}

/// As many clients as there may be that say nothing.
pub fn clients(run: &Run) -> Vec<Row> {
    beside(run, Attack::Clients, 1, "silent clients of a member")
}

/// Wrong registrations as fast as they are refused.
pub fn wrong(run: &Run) -> Vec<Row> {
    beside(run, Attack::Wrong, 2, "wrong registrations without end")
}

/// Many tracepoints with long names, which root lists.
pub fn tracepoints(run: &Run) -> Vec<Row> {
    let stage = stage(run);
    let alone = Alone::of(&stage);
    let _attackers = go_at(&stage, Attack::Tracepoints, 2);
    let name = "32 registrations with 65,536 long tracepoints, which root lists";
    std::thread::scope(|scope| {
        scope.spawn(|| stage.arena.lttng_within(2 * LIMIT_S, "list -u"));
        rows(&stage, name, &alone)
    })
}

/// What the figures are without anybody else.
struct Alone {
    p99_us: f64,
    resident_kib: u64,
}

impl Alone {
    fn of(stage: &Stage) -> Alone {
        // The first ones are slower.
        p99_us(stage).unwrap();
        Alone { p99_us: p99_us(stage).unwrap(), resident_kib: stage.daemon.resident_kib() }
    }
}

/// A world in which other users can run what is there, and a session of root's.
fn stage(run: &Run) -> Stage {
    let stage = run.contender.stage();
    assert!(stage.arena.is_root(), "others are other users: run this as root");
    fs::set_permissions(stage.arena.file(""), fs::Permissions::from_mode(0o755)).unwrap();
    fs::copy(program::traced(), stage.arena.file("traced")).unwrap();
    for command in ["create roots", "enable-channel -u c", "enable-event -u -c c sample:number"] {
        stage.arena.lttng_ok(command);
    }
    stage
}

/// Has so many processes of the attacker begin.
fn go_at(stage: &Stage, attack: Attack, processes: usize) -> Vec<Program> {
    let name = attack.to_possible_value().map(|value| value.get_name().to_owned());
    let start = |_| {
        let mut command = stage.arena.command(std::env::current_exe().unwrap());
        command.arg("--attack").arg(name.as_deref().unwrap_or_default());
        command.arg("--run-directory").arg(RUN_DIRECTORY);
        Program::spawn(command)
    };
    let mut attackers: Vec<Program> = (0..processes).map(start).collect();
    let counts = attackers.iter_mut().map(|attacker| attacker.tell("begin"));
    let count: i32 = counts.sum();
    eprintln!("{attack:?}: {count} connections");
    attackers
}

fn beside(run: &Run, attack: Attack, processes: usize, name: &str) -> Vec<Row> {
    let stage = stage(run);
    let alone = Alone::of(&stage);
    let _attackers = go_at(&stage, attack, processes);
    rows(&stage, name, &alone)
}

/// What others have of the daemon now.
fn rows(stage: &Stage, name: &str, alone: &Alone) -> Vec<Row> {
    let (begun, logged) = (Instant::now(), stage.daemon.log().len());
    let p99 = p99_us(stage);
    let no_answer = Value::NoAnswer(LIMIT_S);
    let short = p99.map_or(no_answer, |p99_us| Value::Less(p99_us / alone.p99_us, "x"));
    let registered = registered_s(stage).map_or(no_answer, |time_s| Value::Less(time_s, "s"));
    let roots = ["list", "start roots", "stop roots"].map(|line| lttng_s(&stage.arena, line));
    let longest = roots.into_iter().try_fold(0.0, |longest: f64, time| Some(longest.max(time?)));
    let roots = longest.map_or(no_answer, |time_s| Value::Less(time_s, "s"));
    let more_kib = stage.daemon.resident_kib().saturating_sub(alone.resident_kib);
    let memory = Value::Less(more_kib as f64 * KIBIBYTE / MEGABYTE, "MB");
    let bytes = stage.daemon.log().len().saturating_sub(logged) as f64;
    let log = Value::Less(bytes / KILOBYTE / begun.elapsed().as_secs_f64(), "KB/s");
    let row = |what: &str, value, most| {
        Row::new(format!("{name}: {what}"), value).target(Target::AtMost(most))
    };
    vec![
        row("create + list + destroy, p99, of its time alone", short, TIMES_ALONE),
        row("another user's program, from start to end", registered, AT_ONCE_S),
        row("root's list, start, stop, the longest", roots, AT_ONCE_S),
        row("memory of the daemon, more than alone", memory, MEMORY_MB),
        row("log", log, LOG_KB_S),
    ]
}

/// Of a hundred times that a bystander creates, lists and destroys the longest but one.
fn p99_us(stage: &Stage) -> Option<f64> {
    let mut times_us = client_if_served(&stage.arena, LIMIT_S, &format!("short {OFTEN}"))?;
    times_us.sort_by(f64::total_cmp);
    Some(quantile(&times_us, 0.99))
}

/// The seconds that a program of another user takes that records one event.
fn registered_s(stage: &Stage) -> Option<f64> {
    let program = stage.arena.file("traced");
    let user = format!("setpriv --reuid={OTHER} --regid={OTHER} --clear-groups");
    let line = format!("run 1 {user} {} number=1", program.display());
    client(&stage.arena, LIMIT_S, &line).map(|times_us| times_us[0] / SECOND_US)
}

/// A program says that packets are there as fast as they are taken.
pub fn forger(run: &Run) -> Vec<Row> {
    let stage = run.contender.stage();
    let sizes = "--subbuf-size=4k --num-subbuf=4 --tracefile-size=1M --tracefile-count=2";
    record(&stage, "victim", sizes);
    let mut forger = Program::ready(&stage.arena);
    forger.tell("number=3000");
    assert!(forger.tell("forge") > 0, "it has buffers");
    // Where there are two, it has a processor for itself.
    let line = format!("taskset -a -p -c 1 {}", forger.pid());
    stage.arena.shell_within(LIMIT_S, &line);
    vec![busy_loop(&stage, "packets that are forged as fast as they are taken")]
}

/// Sessions with the shortest timers.
pub fn timers(run: &Run) -> Vec<Row> {
    const SESSIONS: u32 = 16;

    let stage = run.contender.stage();
    for number in 0..SESSIONS {
        let timers = "--switch-timer=1 --monitor-timer=1 --subbuf-size=4k --num-subbuf=4";
        record(&stage, &format!("s{number}"), timers);
    }
    let _program = Program::ready(&stage.arena);
    vec![busy_loop(&stage, &format!("{SESSIONS} sessions with timers of a microsecond"))]
}

fn record(stage: &Stage, session: &str, options: &str) {
    for command in [
        format!("create {session}"),
        format!("enable-channel -u -s {session} {options} c"),
        format!("enable-event -u -s {session} -c c sample:number"),
        format!("start {session}"),
    ] {
        stage.arena.lttng_ok(&command);
    }
}

/// What a busy loop gets of a processor that it shares with the consumer daemon.
fn busy_loop(stage: &Stage, name: &str) -> Row {
    for consumer in consumers(stage) {
        let line = format!("taskset -a -p -c 0 {consumer}");
        let answer = stage.arena.shell_within(LIMIT_S, &line);
        assert_eq!(answer.code, 0, "{line}: {answer:?}");
    }
    let mut command = stage.arena.command("taskset");
    command.args(["-c", "0", "sh", "-c", "while :; do :; done"]);
    let mut busy = command.spawn().unwrap();
    let pid = busy.id().cast_signed();
    // It is another program until then.
    std::thread::sleep(Duration::from_millis(500));
    let (begun, before_us) = (Instant::now(), cpu_us(pid));
    std::thread::sleep(LOOKED_AT);
    let share = (cpu_us(pid) - before_us) / SECOND_US / begun.elapsed().as_secs_f64();
    busy.kill().unwrap();
    busy.wait().unwrap();
    Row::new(format!("{name}: what a busy loop beside gets"), Value::More(100.0 * share, "%"))
        .target(Target::AtLeast(LOOP))
}
