//! What a program that embeds the daemon pays: requests of callers on threads of their own, and events
//! for as many subscribers. There is no stock daemon to compare with, which cannot be embedded.

use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use futures::StreamExt;
use futures::executor::block_on;
use lttngd::model::{DescriptorOutput, SessionDescriptor, SessionKind};
use lttngd::session::{ListDomains, SessionEvent, SessionRequest};
use lttngd::{Config, Daemon, Event, Handle};
use lttngd_world::Arena;

use crate::contender::Contender;
use crate::measure::LIMIT_S;
use crate::scenarios::Run;
use crate::table::{Row, Value};

/// How many callers, and how many subscribers, there are at once.
const CROWDS: [usize; 4] = [1, 4, 16, 64];
/// Requests of all callers together.
const REQUESTS: usize = 64_000;
/// Sessions that are made and destroyed while subscribers read; each is two events.
const SESSIONS: usize = 2_000;
const SESSION: &str = "asked";

/// Units of the rows.
const A_SECOND: &str = "/s";
const MICROSECONDS: &str = "us";
const MISSED: &str = "missed";

/// The rows of a program that does it, in a world of its own.
pub fn rows(run: &Run) -> Vec<Row> {
    if !matches!(run.contender, Contender::Ours | Contender::OursWithStockConsumer) {
        // What is embedded is the build that this one belongs to.
        return Vec::new();
    }
    let this = std::env::current_exe().unwrap();
    let answer = Arena::new().shell_within(LIMIT_S, &format!("{} --callers", this.display()));
    assert_eq!(answer.code, 0, "{answer:?}");
    answer.stdout.lines().map(row).collect()
}

/// A row of what the program has printed: its name, a number and a unit.
fn row(line: &str) -> Row {
    let (name, value) = line.rsplit_once(": ").unwrap();
    let (number, unit) = value.split_once(' ').unwrap();
    let number = number.parse().unwrap();
    let value = match unit {
        A_SECOND => Value::More(number, A_SECOND),
        MICROSECONDS => Value::Less(number, MICROSECONDS),
        _ => Value::Less(number, MISSED),
    };
    Row::new(name, value)
}

/// Measures and prints it, a line for each row.
pub fn callers() {
    let directory = tempfile::TempDir::new().unwrap();
    let config = Config::in_directory(directory.path().join(".lttng"));
    let config = Config { client_socket: None, health_socket: None, ..config };
    let daemon = Daemon::start(config).expect("an embedded daemon");
    let handle = daemon.handle();
    block_on(handle.create_session(None, descriptor(SESSION))).unwrap();
    for crowd in CROWDS {
        let (took, latencies) = asks(&handle, crowd);
        let at = |part: usize| micros(latencies[(latencies.len() - 1) * part / 100]);
        let a_second = latencies.len() as f64 / took.as_secs_f64();
        println!("requests to a session, callers on {crowd} threads: {a_second:.0} {A_SECOND}");
        for part in [50, 99] {
            let time = at(part);
            println!("the same, {crowd} threads, p{part}: {time:.1} {MICROSECONDS}");
        }
    }
    let life = |took| micros(took) / SESSIONS as f64;
    let alone = life(lives(&handle));
    println!("create + destroy of a session, nobody subscribes: {alone:.1} {MICROSECONDS}");
    for crowd in CROWDS {
        let (told, took, missed) = events(&handle, crowd);
        let told = life(told);
        let a_second = (2 * SESSIONS * crowd) as f64 / took.as_secs_f64();
        println!("create + destroy of a session, {crowd} subscribers: {told:.1} {MICROSECONDS}");
        println!("events read by {crowd} subscribers: {a_second:.0} {A_SECOND}");
        println!("events read by {crowd} subscribers, not read: {missed} {MISSED}");
    }
    daemon.stop();
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

/// A session that writes nothing.
fn descriptor(name: &str) -> SessionDescriptor {
    SessionDescriptor {
        kind: SessionKind::Regular,
        name: Some(name.to_owned()),
        output: DescriptorOutput::None,
    }
}

/// How long all requests took together, and each of them, the shortest first.
fn asks(handle: &Handle, callers: usize) -> (Duration, Vec<Duration>) {
    let begin = Barrier::new(callers + 1);
    thread::scope(|scope| {
        let callers: Vec<_> = (0..callers)
            .map(|_| {
                scope.spawn(|| {
                    begin.wait();
                    let ask = |_| {
                        let start = Instant::now();
                        block_on(handle.ask(ListDomains.in_session(SESSION))).unwrap();
                        start.elapsed()
                    };
                    (0..REQUESTS / callers).map(ask).collect::<Vec<_>>()
                })
            })
            .collect();
        begin.wait();
        let start = Instant::now();
        let latencies = callers.into_iter().flat_map(|caller| caller.join().unwrap());
        let mut latencies: Vec<_> = latencies.collect();
        let took = start.elapsed();
        latencies.sort_unstable();
        (took, latencies)
    })
}

/// Makes and destroys sessions one after another; how long that took.
fn lives(handle: &Handle) -> Duration {
    let start = Instant::now();
    block_on(async {
        for _ in 0..SESSIONS {
            handle.create_session(None, descriptor("lives")).await.unwrap();
            handle.destroy_session("lives").await.unwrap();
        }
    });
    start.elapsed()
}

/// How long the sessions took that are told of, how long until every subscriber had read of all, and how
/// many events were missed.
fn events(handle: &Handle, subscribers: usize) -> (Duration, Duration, u64) {
    let subscribed = Barrier::new(subscribers + 1);
    thread::scope(|scope| {
        let subscribers: Vec<_> = (0..subscribers)
            .map(|_| {
                scope.spawn(|| {
                    let mut events = block_on(handle.subscribe(2 * SESSIONS)).unwrap();
                    subscribed.wait();
                    let (mut read, mut missed) = (0, 0);
                    while read + missed < 2 * SESSIONS as u64 {
                        match block_on(events.next()).unwrap() {
                            Event::Missed { count } => missed += count,
                            Event::Session {
                                event: SessionEvent::Created | SessionEvent::Destroyed,
                                ..
                            } => read += 1,
                            other => panic!("{other:?}"),
                        }
                    }
                    missed
                })
            })
            .collect();
        subscribed.wait();
        let start = Instant::now();
        let told = lives(handle);
        let missed = subscribers.into_iter().map(|it| it.join().unwrap()).sum();
        (told, start.elapsed(), missed)
    })
}
