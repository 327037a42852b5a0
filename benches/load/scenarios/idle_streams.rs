//! What streams cost the consumer daemon while nothing happens.

use std::fs;
use std::time::Duration;

use rustix::process::{Resource, getrlimit};

use super::Run;
use crate::clients::client;
use crate::measure::{LIMIT_S, consumers, consumers_us};
use crate::table::{Row, Target, Value};
use lttngd_world::Stage;

/// Descriptors of the stock consumer daemon for each stream, with a margin.
const DESCRIPTORS_EACH: u64 = 6;

/// How long nothing happens.
const IDLE_S: u32 = 10;

/// Many streams without an event.
pub fn idle(run: &Run) -> Vec<Row> {
    let stage = run.contender.stage();
    let arena = &stage.arena;
    let application = stage.program();
    let cpus = std::thread::available_parallelism().map_or(1, usize::from) as u64;
    let allowed = getrlimit(Resource::Nofile).maximum.map_or(u64::MAX, |it| it / DESCRIPTORS_EACH);
    let streams = u64::from(run.options.streams).min(allowed) / cpus * cpus;
    // The consumer daemon is measured with all that it has for one stream already.
    let session = |name: &str, channels: u64| {
        arena.lttng_ok(&format!("create {name}"));
        client(arena, LIMIT_S, &format!("channels {channels} {name}")).expect("channels");
        arena.lttng_ok("start");
    };
    session("first", 1);
    let before_kib = own_memory_kib(&stage);
    session("idle", streams / cpus);
    let before_us = consumers_us(&stage);
    std::thread::sleep(Duration::from_secs(IDLE_S.into()));
    let spent_us = consumers_us(&stage) - before_us;
    let grown_kib = own_memory_kib(&stage) - before_kib;
    application.finish();
    let name = format!("{streams} idle streams");
    let each = |whole: f64| whole / streams as f64;
    vec![
        Row::new(
            format!("{name}: processor time of the consumer daemon, each stream and second"),
            Value::Less(each(spent_us / f64::from(IDLE_S)), "us"),
        ),
        Row::new(
            format!("{name}: memory of the consumer daemon without the buffers, each stream"),
            Value::Less(each(grown_kib), "KiB"),
        ),
    ]
}

/// Channels that are at rest.
const CHANNELS_AT_REST: u32 = 10;

/// For how long their daemons are looked at.
const REST_S: u32 = 60;

/// How often the consumer daemon may wake in a minute, when each of its channels is sampled every second.
const WAKEUPS: f64 = 70.0;

/// How often the daemons wake while nothing happens to ten channels.
pub fn at_rest(run: &Run) -> Vec<Row> {
    let stage = run.contender.stage();
    let application = stage.program();
    stage.arena.lttng_ok("create rest");
    client(&stage.arena, LIMIT_S, &format!("channels {CHANNELS_AT_REST} rest")).expect("channels");
    stage.arena.lttng_ok("start");
    let wakeups = || {
        let of_consumers: f64 = consumers(&stage).into_iter().map(waits).sum();
        [of_consumers, waits(stage.daemon.pid())]
    };
    // What the start has set in motion comes to an end first.
    std::thread::sleep(Duration::from_secs(2));
    let before = wakeups();
    std::thread::sleep(Duration::from_secs(REST_S.into()));
    let after = wakeups();
    application.finish();
    let minutes = f64::from(REST_S) / 60.0;
    let [consumer, daemon] =
        std::array::from_fn(|who| Value::Less((after[who] - before[who]) / minutes, "a minute"));
    let name = |who| format!("{CHANNELS_AT_REST} channels at rest: wake-ups of the {who} daemon");
    vec![
        Row::new(name("consumer"), consumer).target(Target::AtMost(WAKEUPS)),
        Row::new(name("session"), daemon),
    ]
}

/// How often the threads of a process have waited for something.
fn waits(pid: i32) -> f64 {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).unwrap().flatten();
    let of_thread = |thread: fs::DirEntry| {
        let status = fs::read_to_string(thread.path().join("status")).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
        line.and_then(|count| count.trim().parse::<f64>().ok()).unwrap_or(0.0)
    };
    threads.map(of_thread).sum()
}

/// Memory of the consumer daemons that they share with nobody, in KiB.
fn own_memory_kib(stage: &Stage) -> f64 {
    let own = |pid| {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let line = status.lines().find(|line| line.starts_with("RssAnon:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap()
    };
    consumers(stage).into_iter().map(own).sum()
}
