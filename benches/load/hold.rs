//! Many applications and sessions held for a long time, while one program records: nothing of it is lost, and looked at
//! each minute our daemons hold no more than in the first one.

use std::time::{Duration, Instant};

use crate::clients::client;
use crate::contender::Contender;
use crate::crowd::Crowd;
use crate::measure::{LIMIT_S, MILLISECOND_US, SECOND_US, discarded_events, p99_us};
use crate::soak::Held;
use lttngd_world::{Program, Stage};

/// Applications, which record nothing.
const APPLICATIONS: u32 = 8000;
/// Sessions that record.
const RECORDING: u32 = 100;
/// Sessions that do not.
const IDLE: u32 = 900;
/// Seconds until all of this is there.
const BEGIN_S: u32 = 1200;
/// Events a second of the program.
const EVENTS: u32 = 100;
/// Seconds between two looks.
const PERIOD: Duration = Duration::from_secs(60);
/// Seconds for which a client lists each time.
const LISTING_S: u32 = 2;
/// Sessions whose traces are read in the end.
const READ: u32 = 3;

/// Holds them for so many minutes. Whether nothing was lost and no more is held in the end than after the first one.
pub fn hold(minutes: u32) -> bool {
    let stage = Contender::Ours.stage();
    let arena = &stage.arena;
    let traces = arena.file("traces");
    let begun = Instant::now();
    client(arena, LIMIT_S, &format!("sessions {IDLE}")).expect("idle sessions");
    for verb in [format!("create {}", traces.display()), "enable".into(), "start".into()] {
        client(arena, LIMIT_S, &format!("each {RECORDING} {verb}")).expect("sessions");
    }
    let mut program = stage.program();
    let mut crowd = Crowd::new(arena);
    let registered = crowd.register_within(APPLICATIONS, BEGIN_S);
    println!(
        "{registered} applications and {} sessions, of which {RECORDING} record, after {} s",
        IDLE + RECORDING,
        begun.elapsed().as_secs()
    );
    println!(
        "| minute | list, p99, ms | processor time of the session daemon, % | session daemon: descriptors | KiB | \
         consumer daemon: descriptors | KiB |"
    );
    println!("| ---: | ---: | ---: | ---: | ---: | ---: | ---: |");
    let (mut emitted, mut held) = (0, Vec::new());
    for minute in 1..=minutes {
        let (since, spent_us) = (Instant::now(), stage.daemon.cpu_us());
        let listed = client(arena, LIMIT_S, &format!("listing {LISTING_S}")).expect("lists");
        emitted += emit(&mut program, since);
        let spent = stage.daemon.cpu_us() - spent_us;
        let share = 100.0 * spent / SECOND_US / since.elapsed().as_secs_f64();
        let now = Held::now(&stage);
        let p99 = p99_us(&listed) / MILLISECOND_US;
        println!("| {minute} | {p99:.1} | {share:.1} |{now}");
        held.push(now);
    }
    let alive = crowd.alive();
    program.finish();
    client(arena, LIMIT_S, &format!("each {RECORDING} stop")).expect("a stop of each");
    let lost = lost(&stage, emitted);
    println!("{alive} applications are still there, {emitted} events were emitted, {lost} lost");
    let keeps = held.last().zip(held.first()).is_none_or(|(last, first)| last.is_within(*first));
    alive == APPLICATIONS && lost == 0 && keeps
}

/// Has the program record until a minute is over; how many events.
fn emit(program: &mut Program, since: Instant) -> u32 {
    let mut emitted = 0;
    while since.elapsed() < PERIOD {
        program.tell(&format!("number={EVENTS}"));
        emitted += EVENTS;
        std::thread::sleep(Duration::from_secs(1));
    }
    emitted
}

/// How many events are not in some of the traces, or were discarded.
fn lost(stage: &Stage, emitted: u32) -> u32 {
    let missing = |number: u32| {
        let session = format!("scale-{number}");
        let trace = stage.arena.file("traces").join(&session);
        let recorded = u32::try_from(stage.arena.events(&trace).len()).unwrap_or(u32::MAX);
        emitted.abs_diff(recorded) + discarded_events(stage, &session) as u32
    };
    (0..READ).map(missing).sum()
}
