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

/// How many callers, and how many subscribers, there are at once.
const CROWDS: [usize; 4] = [1, 4, 16, 64];
/// Requests of all callers together.
const REQUESTS: usize = 64_000;
/// Sessions that are made and destroyed while subscribers read; each is two events.
const SESSIONS: usize = 2_000;
const SESSION: &str = "asked";

/// Measures and prints it.
pub fn callers() {
    let directory = tempfile::TempDir::new().unwrap();
    let config = Config::in_directory(directory.path().join(".lttng"));
    let config = Config { client_socket: None, health_socket: None, ..config };
    let daemon = Daemon::start(config).expect("an embedded daemon");
    let handle = daemon.handle();
    block_on(handle.create_session(None, descriptor(SESSION))).unwrap();
    println!("a request to a session through the registry, callers on threads of their own:");
    println!("| callers | requests a second | p50 | p99 |");
    println!("| --- | --- | --- | --- |");
    for crowd in CROWDS {
        let (took, latencies) = asks(&handle, crowd);
        let at = |part: usize| micros(latencies[(latencies.len() - 1) * part / 100]);
        let a_second = latencies.len() as f64 / took.as_secs_f64();
        println!("| {crowd} | {a_second:.0} | {:.1} us | {:.1} us |", at(50), at(99));
    }
    let alone = lives(&handle);
    println!("events of sessions that one caller makes and destroys:");
    println!("| subscribers | a session's life | events delivered a second | missed |");
    println!("| --- | --- | --- | --- |");
    println!("| 0 | {:.1} us | 0 | 0 |", micros(alone) / SESSIONS as f64);
    for crowd in CROWDS {
        let (told, took, missed) = events(&handle, crowd);
        let a_second = (2 * SESSIONS * crowd) as f64 / took.as_secs_f64();
        let life = micros(told) / SESSIONS as f64;
        println!("| {crowd} | {life:.1} us | {a_second:.0} | {missed} |");
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
