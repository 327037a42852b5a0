//! Limits of open descriptors: who does not fit is refused, one by one, and nobody else notices.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Child;

use lttngd_model::Domain;
use lttngd_wire::agent::Registration;
use rustix::process::{Pid, Resource, Rlimit, prlimit};

use super::agents::agents_address;
use super::world::{Arena, Daemon, Program, Stage, Which, eventually, program};

/// Events of each program.
const EVENTS_EACH: i32 = 13;
/// How many programs start together.
const PROGRAMS: usize = 60;

/// Creates a session, with a channel of small buffers, and starts it.
fn start(arena: &Arena, session: &str, output: &Path, buffers: &str) {
    for command in [
        format!("create {session} --output={}", output.display()),
        format!("enable-channel -u -s {session} {buffers} --subbuf-size=4k --num-subbuf=2 c"),
        format!("enable-event -u -s {session} -c c sample:number"),
        format!("add-context -u -s {session} -c c -t vpid"),
        format!("start {session}"),
    ] {
        arena.lttng_ok(&command);
    }
}

/// Starts many programs at once, which record some events over a moment and end.
fn burst(arena: &Arena) -> Vec<Child> {
    let commands = ["number=3", "delay=100000", "number=10"];
    let spawn = |_| arena.command(program::traced()).args(commands).spawn().unwrap();
    (0..PROGRAMS).map(spawn).collect()
}

/// The number behind `name = ` in a text of babeltrace2.
fn number(text: &str, name: &str) -> i32 {
    let (_, rest) = text.split_once(&format!("{name} = ")).unwrap();
    rest.split(|character: char| !character.is_ascii_digit()).next().unwrap().parse().unwrap()
}

/// The numbers of the events that each process recorded.
fn by_process(arena: &Arena, trace: &Path) -> BTreeMap<i32, Vec<i32>> {
    let mut events: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for event in arena.events(trace) {
        let numbers = events.entry(number(&event.context, "vpid")).or_default();
        numbers.push(number(&event.fields, "number"));
    }
    events
}

/// Checks that there is a log line of somebody who does not fit, which names the limit.
fn told_in_the_log(daemon: &Daemon, limit: u64) {
    let log = daemon.log();
    let named = format!("the limit of {limit} open descriptors");
    assert!(log.contains(&named), "no line names the limit:\n{log}");
}

/// Many start at once where few fit. One that was there before loses nothing.
fn burst_within(limit: u64, buffers: &str, fit_at_least: usize) {
    let stage = Stage::within(Which::Ours, limit);
    let arena = &stage.arena;
    let output = arena.file("trace");
    start(arena, "s", &output, buffers);
    let mut before = stage.program();
    before.tell("number=100");
    let consumer = arena.consumer();
    for mut program in burst(arena) {
        assert!(program.wait().unwrap().success());
    }
    before.tell("number=100");
    arena.lttng_ok("stop");
    arena.lttng_ok("destroy");
    let mut recorded = by_process(arena, &output);
    let whole: Vec<_> = (0..200).collect();
    assert_eq!(
        recorded.remove(&before.pid()),
        Some(whole),
        "{limit} {buffers}: who was there before"
    );
    println!("{limit} {buffers}: {} of {PROGRAMS} are recorded", recorded.len());
    for (pid, numbers) in &recorded {
        // One that is refused tries again, and may find room before it ends.
        let first = numbers[0];
        let rest: Vec<_> = (first..EVENTS_EACH).collect();
        assert_eq!(*numbers, rest, "{limit} {buffers}: process {pid} has gaps");
    }
    assert!(recorded.len() >= fit_at_least, "{limit} {buffers}: only {} fit", recorded.len());
    if recorded.len() < PROGRAMS {
        told_in_the_log(&stage.daemon, limit);
    }
    assert_eq!(arena.consumer(), consumer, "{limit} {buffers}: the consumer daemon lives");
    before.finish();
    // What comes afterwards finds the descriptors again.
    let next = arena.file("next");
    start(arena, "next", &next, buffers);
    assert!(Program::start(arena, &["number=13"]).wait().success());
    arena.lttng_ok("destroy next");
    let recorded: Vec<_> = by_process(arena, &next).into_values().collect();
    assert_eq!(recorded, [(0..EVENTS_EACH).collect::<Vec<_>>()]);
    stage.end();
}

#[test]
fn many_start_within_64_descriptors() {
    burst_within(64, "--buffers-uid", 2);
    burst_within(64, "--buffers-pid", 0);
}

#[test]
fn many_start_within_100_descriptors() {
    burst_within(100, "--buffers-uid", 5);
    burst_within(100, "--buffers-pid", 2);
}

#[test]
fn many_start_within_150_descriptors() {
    burst_within(150, "--buffers-uid", 10);
    burst_within(150, "--buffers-pid", 4);
}

#[test]
fn many_start_within_256_descriptors() {
    burst_within(256, "--buffers-uid", 20);
    burst_within(256, "--buffers-pid", 8);
}

#[test]
fn many_start_within_1024_descriptors() {
    burst_within(1024, "--buffers-uid", 60);
    burst_within(1024, "--buffers-pid", 40);
}

/// Agents that register and say nothing more, as many as are let in, and then more.
fn silent_agents(arena: &Arena, count: usize) -> Vec<TcpStream> {
    let address = agents_address(arena);
    let registration = Registration { domain: Domain::Log4j, pid: 1 }.encode();
    arena.in_network(|| {
        let connect = |_| {
            let mut agent = TcpStream::connect(address).unwrap();
            // One that is refused may be closed before.
            let _ = agent.write_all(&registration);
            agent
        };
        (0..count).map(connect).collect()
    })
}

/// Whether the daemon has closed a connection.
fn is_closed(stream: &TcpStream) -> bool {
    stream.set_nonblocking(true).unwrap();
    let read = loop {
        // What a registered agent is asked is of no interest.
        match (&mut &*stream).read(&mut [0; 512]) {
            Ok(1..) => {}
            read => break read,
        }
    };
    stream.set_nonblocking(false).unwrap();
    !matches!(read, Err(error) if error.kind() == std::io::ErrorKind::WouldBlock)
}

/// Agents take what they get, then more programs come. Clients are served all the same, and the
/// recordings of those that were there before go on.
fn agents_take_all(buffers: &str) {
    const LIMIT: u64 = 1024;

    let stage = Stage::within(Which::Ours, LIMIT);
    let arena = &stage.arena;
    let output = arena.file("trace");
    start(arena, "s", &output, buffers);
    let mut before = stage.program();
    before.tell("number=100");
    let consumer = arena.consumer();
    stage.is_unconcerned(arena.lttng("list").took);
    let agents = silent_agents(arena, LIMIT as usize);
    eventually("agents are refused", || agents.iter().rev().any(is_closed).then_some(()));
    let mut late: Vec<_> = (0..4).map(|_| stage.program()).collect();
    late.iter_mut().for_each(|program| assert_eq!(program.tell("number=5"), 0));
    for command in ["list", "create other", "list other", "destroy other"] {
        let answer = arena.lttng(command);
        assert_eq!(answer.code, 0, "{command}: {answer:?}");
        stage.is_unconcerned(answer.took);
    }
    before.tell("number=100");
    told_in_the_log(&stage.daemon, LIMIT);
    drop(agents);
    arena.lttng_ok("stop s");
    arena.lttng_ok("destroy s");
    let whole: Vec<_> = (0..200).collect();
    assert_eq!(by_process(arena, &output).remove(&before.pid()), Some(whole));
    assert_eq!(arena.consumer(), consumer, "the consumer daemon lives");
    before.finish();
    late.into_iter().for_each(Program::finish);
    stage.end();
}

#[test]
fn agents_that_take_all_descriptors_harm_no_recording_of_a_user() {
    agents_take_all("--buffers-uid");
}

#[test]
fn agents_that_take_all_descriptors_harm_no_recording_of_a_process() {
    agents_take_all("--buffers-pid");
}

/// Leaves a process exactly so many descriptors to open, or as many as it likes.
fn leave(pid: i32, count: Option<usize>) {
    let entries = fs::read_dir(format!("/proc/{pid}/fd")).unwrap().flatten();
    let numbers = entries.map(|entry| entry.file_name().to_str().unwrap().parse().unwrap());
    let taken: BTreeSet<u64> = numbers.collect();
    let free = |count| (0..).filter(|number| !taken.contains(number)).nth(count).unwrap();
    let limit = count.map_or(20_000, free);
    let limits = Rlimit { current: Some(limit), maximum: Some(20_000) };
    prlimit(Pid::from_raw(pid), Resource::Nofile, limits).unwrap();
}

/// How many descriptors a process has left, one after the other: with none not even a client is heard.
const LEFT: [usize; 10] = [16, 13, 11, 9, 8, 7, 6, 5, 4, 3];
/// What each of the two says when a channel finds none.
const SESSION_DAEMON: &str = "no descriptors are left here";
const CONSUMER_DAEMON: &str = "Too many open files";

/// One process of the two has fewer and fewer descriptors left while programs come and sessions start.
/// What was recorded before goes on, whatever of that fails.
fn shortage(whose: impl Fn(&Stage) -> i32, buffers: &str, told: &str) {
    let stage = Stage::new(Which::Ours);
    let arena = &stage.arena;
    let output = arena.file("trace");
    start(arena, "s", &output, buffers);
    let mut before = stage.program();
    before.tell("number=10");
    let consumer = arena.consumer();
    let short = whose(&stage);
    for left in LEFT {
        leave(short, Some(left));
        let mut late = Program::start(arena, &["number=3"]);
        // A session of its own makes channels for those that are there. Each may fail.
        for command in [
            format!("create t --output={}", arena.file(&format!("t{left}")).display()),
            format!("enable-channel -u -s t {buffers} c"),
            "enable-event -u -s t -c c sample:number".to_owned(),
            "start t".to_owned(),
        ] {
            arena.lttng_within(20, &command);
        }
        before.tell("number=10");
        assert!(late.wait().success());
        leave(short, None);
        arena.lttng("destroy t");
        assert_eq!(arena.lttng("list t").code, 1, "it is gone");
        assert_eq!(arena.consumer(), consumer, "{left} left: the consumer daemon lives");
    }
    let mut late = stage.program();
    late.tell("number=3");
    arena.lttng_ok("stop s");
    arena.lttng_ok("destroy s");
    let log = stage.daemon.log();
    assert!(log.contains(told), "nothing failed for want of descriptors:\n{log}");
    let recorded = by_process(arena, &output);
    let whole: Vec<_> = (0..10 * (1 + LEFT.len() as i32)).collect();
    assert_eq!(recorded.get(&before.pid()), Some(&whole));
    assert_eq!(recorded.get(&late.pid()), Some(&(0..3).collect::<Vec<_>>()));
    before.finish();
    late.finish();
    stage.end();
}

fn session_daemon(stage: &Stage) -> i32 {
    stage.daemon.pid()
}

fn consumer_daemon(stage: &Stage) -> i32 {
    stage.arena.consumer()
}

#[test]
fn a_session_daemon_short_of_descriptors_loses_nothing_of_a_user() {
    shortage(session_daemon, "--buffers-uid", SESSION_DAEMON);
}

#[test]
fn a_session_daemon_short_of_descriptors_loses_nothing_of_a_process() {
    shortage(session_daemon, "--buffers-pid", SESSION_DAEMON);
}

#[test]
fn a_consumer_daemon_short_of_descriptors_loses_nothing_of_a_user() {
    shortage(consumer_daemon, "--buffers-uid", CONSUMER_DAEMON);
}

#[test]
fn a_consumer_daemon_short_of_descriptors_loses_nothing_of_a_process() {
    shortage(consumer_daemon, "--buffers-pid", CONSUMER_DAEMON);
}

#[test]
fn a_limit_with_which_nothing_works_is_told_at_the_start() {
    let arena = Arena::new();
    for limit in [24, 40] {
        let mut daemon = Daemon::spawn_after(&arena, Which::Ours, &format!("ulimit -n {limit}"));
        assert_eq!(daemon.wait().code(), Some(1), "{limit}");
        let log = daemon.log();
        let told = format!("the limit of {limit} open descriptors is too low");
        assert!(log.contains(&told) && log.contains("ulimit -n"), "{log}");
    }
}
