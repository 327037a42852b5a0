//! What one user can do to all others: their commands, programs and processors beside him.
//!
//! Each attack is looked at in the same way, [`Beside`]: what a bystander, another user's program and root have of the
//! daemon, and what it costs the daemon, against what it was without.

mod buffers;
mod members;

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use lttngd_peer::hostile::Attack;

use super::Run;
use crate::clients::client_if_served;
use crate::contender::Contender;
use crate::measure::{MEGABYTE, p99_us};
use crate::table::{Row, Target, Value};
use lttngd_world::{Attackers, Stage};

pub use buffers::{forger, position};
pub use members::{opening, relay, sessions, timers, writing};

/// How long anything that may never come is waited for.
const LIMIT_S: u32 = 12;
/// How often a bystander creates, lists and destroys.
const OFTEN: u32 = 200;
/// Events of another user's program.
const EVENTS: usize = 100;
/// How many times as long as alone that may take, in one of a hundred times.
const TIMES_ALONE: f64 = 2.0;
/// Seconds until another user's program has run, and for each of root's commands.
const AT_ONCE_S: f64 = 1.0;
/// Megabytes that the daemon may have more than alone, at any time.
const MEMORY_MB: f64 = 128.0;
/// Megabytes of these that may stay when who wanted them has left, and how long after that it is looked at.
const LEFT_MB: f64 = 32.0;
const LEFT_AFTER: Duration = Duration::from_secs(8);
/// Kilobytes of log in a second.
const LOG_KB_S: f64 = 50.0;
/// Bytes in a kilobyte, and in a kibibyte.
const KILOBYTE: f64 = 1e3;
const KIBIBYTE: f64 = 1024.0;
/// Channels of a session of root's, with the buffers of each user or of each process.
const PER_USER: &str = "--buffers-uid";
const PER_PROCESS: &str = "--buffers-pid --subbuf-size=4k";

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

/// Two registrations announce all enumerations that they may, for a session of root's that records into buffers of
/// each process.
pub fn announced(run: &Run) -> Vec<Row> {
    let name = "all enumerations that 2 registrations may announce";
    let stage = run.contender.stage();
    let beside = Beside::new(stage, PER_PROCESS, name);
    // They have the session as soon as they are there.
    beside.stage.arena.lttng_ok("start roots");
    let attackers = beside.begin(Attack::Announced, 2);
    beside.stage.arena.lttng_within(LIMIT_S, "stop roots");
    beside.rows_until_left(vec![attackers])
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
    let name = "32 registrations with 65,536 long tracepoints, which root lists";
    beside_a_listing(run, Attack::Tracepoints, 2, "list -u", name)
}

/// Agents with as many loggers as they can, which root lists.
pub fn loggers(run: &Run) -> Vec<Row> {
    let name = "16 agents that answer a listing with 16 MiB, which root asks for";
    beside_a_listing(run, Attack::Loggers, 1, "list -j", name)
}

/// Applications that answer each request 3 s late, which root lists.
pub fn slow(run: &Run) -> Vec<Row> {
    let name = "32 registrations that answer after 3 s, which root lists";
    beside_a_listing(run, Attack::Slow, 2, "list -u", name)
}

/// All registrations that a user gets of 2000 descriptors.
pub fn registrations(run: &Run) -> Vec<Row> {
    let name = "as many registrations as there may be, 2000 descriptors";
    beside_one_who_has_all(run, 2000, PER_USER, &[Attack::Registrations], name)
}

/// All agents and registrations that a user gets of 1024 descriptors, where root records each process apart.
pub fn descriptors(run: &Run) -> Vec<Row> {
    let name =
        "as many agents and registrations as there may be, 1024 descriptors, per-process buffers";
    let attacks = [Attack::Agents, Attack::Registrations];
    beside_one_who_has_all(run, 1024, PER_PROCESS, &attacks, name)
}

fn beside(run: &Run, attack: Attack, processes: usize, name: &str) -> Vec<Row> {
    let beside = Beside::new(run.contender.stage(), PER_USER, name);
    let elsewhere =
        beside.elsewhere(run, attack, processes, |_, beside| bystander_us(&beside.stage));
    let attackers = beside.begin(attack, processes);
    beside.rows_until_left(vec![attackers]).into_iter().chain([elsewhere]).collect()
}

fn beside_a_listing(
    run: &Run,
    attack: Attack,
    processes: usize,
    listing: &str,
    name: &str,
) -> Vec<Row> {
    let beside = Beside::new(run.contender.stage(), PER_USER, name);
    let elsewhere = beside.elsewhere(run, attack, processes, |there, beside| {
        while_listed(there, listing, || bystander_us(&beside.stage))
    });
    let attackers = beside.begin(attack, processes);
    let rows = while_listed(&beside.stage, listing, || beside.rows());
    rows.into_iter().chain(beside.left(vec![attackers])).chain([elsewhere]).collect()
}

/// What comes of that while root lists again and again what can be traced.
fn while_listed<T>(stage: &Stage, listing: &str, what: impl FnOnce() -> T) -> T {
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                stage.arena.lttng_within(2 * LIMIT_S, listing);
            }
        });
        let what = what();
        over.store(true, Ordering::Relaxed);
        what
    })
}

fn beside_one_who_has_all(
    run: &Run,
    descriptors: u64,
    options: &str,
    attacks: &[Attack],
    name: &str,
) -> Vec<Row> {
    // With the consumer daemon that it starts by itself alone.
    if run.contender == Contender::OursWithStockConsumer {
        return Vec::new();
    }
    let beside = Beside::new(Stage::within(run.contender.which(), descriptors), options, name);
    let attackers = attacks.iter().map(|attack| beside.begin(*attack, 1)).collect();
    beside.rows_until_left(attackers)
}

/// A world with others in it, and what the figures are without anybody else.
struct Beside<'a> {
    stage: Stage,
    /// Of what, at the beginning of each row.
    name: &'a str,
    /// Where a session of root's records.
    output: PathBuf,
    p99_us: f64,
    resident_kib: u64,
}

impl<'a> Beside<'a> {
    /// The channel of root's session has these options.
    fn new(stage: Stage, options: &str, name: &'a str) -> Self {
        stage.open_to_all();
        let output = stage.arena.file("roots");
        for command in [
            format!("create roots --output={}", output.display()),
            format!("enable-channel -u -s roots {options} c"),
            "enable-event -u -s roots -c c sample:number".to_owned(),
        ] {
            stage.arena.lttng_ok(&command);
        }
        // The first ones are slower.
        bystander_us(&stage).unwrap();
        let p99_us = bystander_us(&stage).unwrap();
        let resident_kib = stage.daemon.resident_kib();
        Beside { stage, name, output, p99_us, resident_kib }
    }

    /// Has so many processes of the attacker begin.
    fn begin(&self, attack: Attack, processes: usize) -> Attackers {
        Attackers::begin(&self.stage.arena, attack, processes, &[])
    }

    /// What the attackers' own processor time takes from a bystander: the same attack on another daemon of the same kind,
    /// which is nobody else's.
    fn elsewhere(
        &self,
        run: &Run,
        attack: Attack,
        processes: usize,
        p99_us: impl FnOnce(&Stage, &Self) -> Option<f64>,
    ) -> Row {
        let there = run.contender.stage();
        there.open_to_all();
        let attackers = Attackers::begin(&there.arena, attack, processes, &[]);
        let p99_us = p99_us(&there, self);
        attackers.leave();
        let what =
            "create + list + destroy, p99, of its time alone, while another daemon is attacked";
        let value =
            p99_us.map_or(Value::NoAnswer(LIMIT_S), |it| Value::Less(it / self.p99_us, "x"));
        Row::new(format!("{}: {what}", self.name), value)
    }

    fn row(&self, what: &str, value: Value, target: Target) -> Row {
        Row::new(format!("{}: {what}", self.name), value).target(target)
    }

    /// What others have of the daemon now, and what it costs it.
    fn rows(&self) -> Vec<Row> {
        const NO_ANSWER: Value = Value::NoAnswer(LIMIT_S);

        let stage = &self.stage;
        let (begun, logged) = (Instant::now(), stage.daemon.log().len());
        let short = bystander_us(stage).map_or(NO_ANSWER, |it| Value::Less(it / self.p99_us, "x"));
        let (list, start) = (self.lttng_s("list"), self.lttng_s("start roots"));
        let program = stage.others_program(&format!("number={EVENTS}"));
        let program = self.shell_s(&program).map_or(NO_ANSWER, |it| Value::Less(it, "s"));
        let roots = [list, start, self.lttng_s("stop roots")];
        let longest =
            roots.into_iter().try_fold(0.0, |longest: f64, time| Some(longest.max(time?)));
        let roots = longest.map_or(NO_ANSWER, |time_s| Value::Less(time_s, "s"));
        let lost = EVENTS.saturating_sub(self.recorded()) as f64;
        let more_kib = stage.daemon.peak_kib().saturating_sub(self.resident_kib);
        let bytes = stage.daemon.log().len().saturating_sub(logged) as f64;
        let log = Value::Less(bytes / KILOBYTE / begun.elapsed().as_secs_f64(), "KB/s");
        let row = |what, value, most| self.row(what, value, Target::AtMost(most));
        vec![
            row("create + list + destroy, p99, of its time alone", short, TIMES_ALONE),
            row("another user's program, from start to end", program, AT_ONCE_S),
            row("its events that are lost", Value::Less(lost, ""), 0.0),
            row("root's list, start, stop, the longest", roots, AT_ONCE_S),
            row("memory of the daemon, at most more than alone", megabytes(more_kib), MEMORY_MB),
            row("log", log, LOG_KB_S),
        ]
    }

    /// The same, and what stays when these have left.
    fn rows_until_left(&self, attackers: Vec<Attackers>) -> Vec<Row> {
        self.rows().into_iter().chain(self.left(attackers)).collect()
    }

    fn left(&self, attackers: Vec<Attackers>) -> Option<Row> {
        attackers.into_iter().for_each(Attackers::leave);
        std::thread::sleep(LEFT_AFTER);
        let more_kib = self.stage.daemon.resident_kib().saturating_sub(self.resident_kib);
        let what = "memory of the daemon when they have left, more than alone";
        Some(self.row(what, megabytes(more_kib), Target::AtMost(LEFT_MB)))
    }

    /// The seconds that a command of root takes, if it succeeds.
    fn lttng_s(&self, arguments: &str) -> Option<f64> {
        self.shell_s(&self.stage.arena.lttng_line(arguments))
    }

    fn shell_s(&self, line: &str) -> Option<f64> {
        let answer = self.stage.arena.shell_within(LIMIT_S, line);
        if answer.code != 0 {
            eprintln!("{line}: {answer:?}");
            return None;
        }
        Some(answer.took.as_secs_f64())
    }

    /// How many events of another user's program are in root's trace.
    fn recorded(&self) -> usize {
        if fs::metadata(&self.output).is_err() {
            return 0;
        }
        let line = format!("babeltrace2 {}", self.output.display());
        let text = self.stage.arena.shell_within(LIMIT_S, &line).stdout;
        text.lines().filter(|line| line.contains("sample:number")).count()
    }
}

fn megabytes(kib: u64) -> Value {
    Value::Less(kib as f64 * KIBIBYTE / MEGABYTE, "MB")
}

/// Of a hundred times that a bystander creates, lists and destroys the longest but one.
fn bystander_us(stage: &Stage) -> Option<f64> {
    client_if_served(&stage.arena, LIMIT_S, &format!("short {OFTEN}")).map(|it| p99_us(&it))
}
