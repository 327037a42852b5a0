//! Triggers on events: how late their notifications are, how many of them come, and what they cost others.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::Run;
use crate::clients::{client, listener};
use crate::crowd::Crowd;
use crate::measure::{LIMIT_S, MILLISECOND_US, SECOND_US, median_us, quantile, sorted};
use crate::table::{Row, Target, Value};
use lttngd_world::{Arena, Program, Stage, daemon::cpu_us};

/// The trigger of these scenarios, and what it captures: the time at which the event was written.
const TRIGGER: &str = "told";

/// Events a second of a program that is alone, and how many.
const PACED: (u32, u32) = (100, 300);
/// The same beside clients whose sessions live and die.
const BESIDE: (u32, u32) = (1000, 4000);
const CLIENTS: u32 = 8;
/// How many times earlier than with stock 99 of 100 notifications come beside them.
const BESIDE_BETTER: f64 = 10.0;

/// Events a second at which the search for the first drop begins, and how they grow.
const FIRST_RATE: u32 = 1000;
const GROWTH: f64 = 1.25;
const HIGHEST_RATE: u32 = 400_000;
/// How long each rate is kept up.
const KEPT_UP_S: f64 = 1.0;
/// How many times more notifications a second than with stock.
const RATE_BETTER: f64 = 2.0;

/// Programs that write as fast as they can, and how many events each.
const FLOOD: (u32, u32) = (10, 1000);
/// How long the subscriber reads nothing meanwhile.
const PAUSE: Duration = Duration::from_secs(2);
/// How many times as long as alone a bystander's create, list and destroy may take.
const TIMES_ALONE: f64 = 2.0;
/// How often it does them.
const OFTEN: u32 = 500;

/// Triggers, and applications that know each.
const TRIGGERS: u32 = 1000;
const APPLICATIONS: u32 = 100;
/// How many times faster than stock they are registered and removed.
const TRIGGERS_BETTER: f64 = 5.0;

/// From an event to its notification, with one program that has time.
pub fn paced(run: &Run) -> Vec<Row> {
    let stage = run.contender.stage();
    let (mut program, mut listener) = told(&stage.arena);
    let (rate, count) = PACED;
    program.tell(&format!("paced={count},{rate}"));
    let name = format!("event to notification, {rate} a second");
    late(&mut listener, count, &name)
        .into_iter()
        .map(|row| row.target(Target::TimesBetter(1.0)))
        .collect()
}

/// The same while other clients' sessions live and die; and how late a thread is then that another one tells
/// by a pipe, without a daemon between them.
pub fn beside_lives(run: &Run) -> Vec<Row> {
    let stage = run.contender.stage();
    let (mut program, mut listener) = told(&stage.arena);
    let (rate, count) = BESIDE;
    let what = format!("{rate} a second beside {CLIENTS} clients' lives");
    let [p50, p99, came] = while_sessions_live(&stage, || {
        program.tell(&format!("paced={count},{rate}"));
        late(&mut listener, count, &format!("event to notification, {what}"))
    });
    let by_pipe = while_sessions_live(&stage, || late_by_pipe(count, rate));
    let [by_pipe_p50, by_pipe_p99] = [(0.5, "p50"), (0.99, "p99")].map(|(share, word)| {
        let value = Value::Less(quantile(&by_pipe, share) / MILLISECOND_US, "ms");
        Row::new(format!("from one thread to another by a pipe, {what}: {word}"), value)
    });
    vec![p50, p99.target(Target::TimesBetter(BESIDE_BETTER)), came, by_pipe_p50, by_pipe_p99]
}

/// What is done while clients' sessions live and die.
fn while_sessions_live<T>(stage: &Stage, work: impl FnOnce() -> T) -> T {
    let (rate, count) = BESIDE;
    // In memory, as in the scenarios of lives.
    let directory = PathBuf::from(format!("/dev/shm/lttngd-told-{}", std::process::id()));
    let lives = format!("lives {CLIENTS} {} {}", count.div_ceil(rate) + 1, directory.display());
    let done = std::thread::scope(|scope| {
        let lives = scope.spawn(|| client(&stage.arena, LIMIT_S, &lives));
        let done = work();
        lives.join().unwrap();
        done
    });
    stage.arena.shell_within(LIMIT_S, &format!("rm -r {}", directory.display()));
    done
}

/// How late a thread reads each of `count` bytes that another one writes to a pipe, `rate` a second, in
/// microseconds, the shortest first.
fn late_by_pipe(count: u32, rate: u32) -> Vec<f64> {
    let (reader, writer) = rustix::pipe::pipe().unwrap();
    let (sender, written) = std::sync::mpsc::channel();
    let writing = std::thread::spawn(move || {
        let begin = Instant::now();
        for nth in 1..=count {
            let due = begin + Duration::from_secs(1) * nth / rate;
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            sender.send(Instant::now()).unwrap();
            rustix::io::write(&writer, &[0]).unwrap();
        }
    });
    let mut late_us = Vec::new();
    while rustix::io::read(&reader, &mut [0]).unwrap() > 0 {
        let late = written.recv().unwrap().elapsed();
        late_us.push(late.as_secs_f64() * SECOND_US);
    }
    writing.join().unwrap();
    sorted(&late_us)
}

/// How late `count` notifications are, and how many of them came.
fn late(listener: &mut Program, count: u32, name: &str) -> [Row; 3] {
    let came = listener.tell(&format!("await={count}"));
    let mut within = |permille: u32| {
        let us = f64::from(listener.tell(&format!("late={permille}")));
        Value::Less(us / MILLISECOND_US, "ms")
    };
    [
        Row::new(format!("{name}: p50"), within(500)),
        Row::new(format!("{name}: p99"), within(990)),
        Row::new(format!("{name}: notifications that came, of {count}"), part(came, count)),
    ]
}

fn part(came: i32, count: u32) -> Value {
    Value::More(100.0 * f64::from(came) / f64::from(count), "%")
}

/// The highest rate at which every notification reaches every subscriber.
pub fn without_a_drop(run: &Run) -> Vec<Row> {
    let rows = |subscribers: u32| {
        let stage = run.contender.stage();
        let (rate, others_us) = highest_rate(&stage, subscribers);
        let name = match subscribers {
            1 => "notifications a second without a drop, 1 subscriber".to_owned(),
            _ => format!("notifications a second without a drop, {subscribers} subscribers"),
        };
        let processors = std::thread::available_parallelism().unwrap().get() as f64;
        let at_most = Value::More(processors * SECOND_US / others_us, "/s");
        [
            Row::new(name.clone(), Value::More(rate, "/s"))
                .target(Target::TimesBetter(RATE_BETTER)),
            Row::new(format!("{name}: for a daemon that took no processor time"), at_most),
        ]
    };
    [rows(1), rows(16)].into_iter().flatten().collect()
}

/// The notifications a second that each of the subscribers had at the highest rate without a drop, and the
/// processor time that the program and the subscribers took for each there, in microseconds.
fn highest_rate(stage: &Stage, subscribers: u32) -> (f64, f64) {
    let (mut program, first) = told(&stage.arena);
    let others = (1..subscribers).map(|_| listener(&stage.arena, TRIGGER));
    let mut all: Vec<_> = std::iter::once(first).chain(others).collect();
    let mut rate = f64::from(FIRST_RATE);
    let (mut reached, mut others_us) = (0.0, f64::NAN);
    while rate < f64::from(HIGHEST_RATE) {
        let count = (rate * KEPT_UP_S) as u32;
        for listener in &mut all {
            listener.tell("forget");
        }
        let pids = all.iter().chain([&program]).map(Program::pid).collect::<Vec<_>>();
        let spent_us = || pids.iter().copied().map(cpu_us).sum::<f64>();
        let (begin, before_us) = (Instant::now(), spent_us());
        program.tell(&format!("paced={count},{}", rate as u32));
        let line = format!("await={count}");
        for listener in &mut all {
            listener.begin(&line);
        }
        let came: Vec<_> = all.iter_mut().map(|listener| listener.done(&line)).collect();
        if came.iter().any(|came| came.cast_unsigned() < count) {
            break;
        }
        // A program that cannot write so many has reached what it can.
        let written = f64::from(count) / begin.elapsed().as_secs_f64();
        if written < reached {
            break;
        }
        (reached, others_us) = (written, (spent_us() - before_us) / f64::from(count));
        rate *= GROWTH;
    }
    (reached, others_us)
}

/// Many programs write at once, and the subscriber reads nothing for a while.
pub fn flood(run: &Run) -> Vec<Row> {
    let stage = run.contender.stage();
    let arena = &stage.arena;
    let (first, mut listener) = told(arena);
    let (programs, events) = FLOOD;
    let others = (1..programs).map(|_| Program::ready(arena));
    let mut all: Vec<_> = std::iter::once(first).chain(others).collect();
    let alone = bystander(&stage);
    listener.tell("pause");
    let line = format!("number={events}");
    for program in &mut all {
        program.begin(&line);
    }
    let beside = std::thread::scope(|scope| {
        let beside = scope.spawn(|| bystander(&stage));
        std::thread::sleep(PAUSE);
        for program in &mut all {
            program.done(&line);
        }
        listener.tell("go");
        beside.join().unwrap()
    });
    let count = programs * events;
    let came = listener.tell(&format!("await={count}"));
    let dropped = listener.tell("dropped");
    let name = format!("{programs} programs x {events} events, a subscriber that pauses");
    vec![
        Row::new(format!("{name}: notifications that came, of {count}"), part(came, count)),
        Row::new(
            format!("{name}: notices that some were dropped"),
            Value::Less(f64::from(dropped), ""),
        ),
        Row::new(format!("{name}: create, list and destroy meanwhile"), beside),
        Row::new(
            format!("{name}: create, list and destroy meanwhile, of its time alone"),
            beside.times(alone),
        )
        .target(Target::AtMost(TIMES_ALONE)),
    ]
}

/// The median time of create, list and destroy.
fn bystander(stage: &Stage) -> Value {
    const ANSWER_S: u32 = 20;

    match client(&stage.arena, ANSWER_S, &format!("short {OFTEN}")) {
        Some(times_us) => Value::Less(median_us(&times_us) / MILLISECOND_US, "ms"),
        None => Value::NoAnswer(ANSWER_S),
    }
}

/// Many triggers, each of which every application is told.
pub fn triggers(run: &Run) -> Vec<Row> {
    let stage = run.contender.stage();
    let _crowd = Crowd::of(&stage.arena, APPLICATIONS);
    let name = format!(
        "{TRIGGERS} triggers registered and removed, {APPLICATIONS} simulated applications"
    );
    let value = match client(&stage.arena, LIMIT_S, &format!("triggers {TRIGGERS}")) {
        Some(times_us) => Value::Less(times_us[0] / SECOND_US, "s"),
        None => Value::NoAnswer(LIMIT_S),
    };
    vec![Row::new(name, value).target(Target::TimesBetter(TRIGGERS_BETTER))]
}

/// A program whose events a trigger notifies of, and a subscriber to it.
fn told(arena: &Arena) -> (Program, Program) {
    let condition = "--condition event-rule-matches --type user --name sample:number";
    arena.lttng_ok(&format!(
        "add-trigger --name {TRIGGER} {condition} --capture text --action notify"
    ));
    let listener = listener(arena, TRIGGER);
    (Program::ready(arena), listener)
}
