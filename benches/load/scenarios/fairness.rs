//! Create, list and destroy of one client, beside peers of others that do not answer.

use std::net::{Ipv4Addr, TcpListener};
use std::time::Duration;

use rustix::process::Signal;

use super::Run;
use crate::clients::{client, client_on};
use crate::measure::{MILLISECOND_US, median_us};
use crate::table::{Row, Target, Value};
use lttngd_world::{Program, Stage, eventually};

/// How long a client that may never be answered is waited for.
const LIMIT_S: u32 = 12;

/// How often they are done where they are quick.
const OFTEN: u32 = 500;

/// How many times as long as alone they may take.
const TIMES_ALONE: f64 = 2.0;

/// Alone, with the daemon on the client's processor and on another: the scheduler chooses one of them by
/// chance and stays with it, and the other takes half as long again.
pub fn alone(run: &Run) -> Vec<Row> {
    let stage = run.contender.stage();
    let mut rows = Vec::new();
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    for (processor, place) in
        ["one processor", "two processors"].into_iter().take(processors).enumerate()
    {
        let line = format!("taskset -a -p -c {processor} {}", stage.daemon.pid());
        let answer = stage.arena.shell_within(LIMIT_S, &line);
        assert_eq!(answer.code, 0, "{line}: {answer:?}");
        let name = format!("alone, daemon and client on {place}");
        rows.push(Row::new(name, short(&stage, Some(0))));
    }
    rows
}

/// Beside a client that says nothing.
pub fn beside_a_silent_client(run: &Run) -> Vec<Row> {
    let stage = run.contender.stage();
    let _silent = stage.arena.connect("client-lttng-sessiond");
    vec![Row::new("beside a silent client", short(&stage, None))]
}

/// While another client enables an event and starts its session, with a stopped application. The mean:
/// the stock daemon answers until the first of the two commands comes to the application.
pub fn beside_a_stopped_application(run: &Run) -> Vec<Row> {
    let stage = run.contender.stage();
    let mut application = Program::ready(&stage.arena);
    let arena = &stage.arena;
    let alone = mean(&stage);
    arena.lttng_ok("create slow --no-output");
    arena.lttng_ok("enable-channel -u channel0");
    arena.signal(application.pid(), Signal::STOP);
    let value = std::thread::scope(|scope| {
        scope.spawn(|| {
            arena.lttng("enable-event -u -s slow -c channel0 sample:number");
            arena.lttng("start slow");
        });
        // The other client's request must be under way.
        std::thread::sleep(Duration::from_millis(300));
        mean(&stage)
    });
    arena.signal(application.pid(), Signal::CONT);
    application.kill();
    let name = "beside a stopped application";
    vec![
        Row::new(format!("{name}, mean"), value),
        Row::new(format!("{name}, of its time alone"), value.times(alone))
            .target(Target::AtMost(TIMES_ALONE)),
    ]
}

/// While a relay daemon has accepted another client's session and does not answer.
pub fn beside_a_silent_relay(run: &Run) -> Vec<Row> {
    let stage = run.contender.stage();
    let arena = &stage.arena;
    let alone = short(&stage, None);
    let relays = arena.in_network(|| [(); 2].map(|()| listen()));
    let [control, data] = relays.each_ref().map(|relay| relay.local_addr().unwrap().port());
    arena.lttng_ok(&format!("create far --set-url=net://127.0.0.1:{control}:{data}"));
    let value = std::thread::scope(|scope| {
        // Given up when the world ends.
        scope.spawn(|| arena.lttng_within(LIMIT_S + 3, "enable-event -u -s far sample:number"));
        let _connection = eventually("the relay daemon is asked", || relays[0].accept().ok());
        short(&stage, None)
    });
    vec![
        Row::new("beside a silent relay daemon", value),
        Row::new("beside a silent relay daemon, of its time alone", value.times(alone))
            .target(Target::AtMost(TIMES_ALONE)),
    ]
}

/// A port of a relay daemon that accepts connections and does not answer.
fn listen() -> TcpListener {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.set_nonblocking(true).unwrap();
    listener
}

/// The mean time of many times create, list and destroy.
fn mean(stage: &Stage) -> Value {
    match times_us(stage, None, OFTEN) {
        Some(times_us) => {
            let sum: f64 = times_us.iter().sum();
            Value::Less(sum / times_us.len() as f64 / MILLISECOND_US, "ms")
        }
        None => Value::NoAnswer(LIMIT_S),
    }
}

/// The median time of create, list and destroy, done often by a client on this processor, if that is not
/// to be chosen; of the first one, if that has no answer.
fn short(stage: &Stage, processor: Option<u32>) -> Value {
    let times = times_us(stage, processor, 1).and_then(|_| times_us(stage, processor, OFTEN));
    let Some(times_us) = times else { return Value::NoAnswer(LIMIT_S) };
    Value::Less(median_us(&times_us) / MILLISECOND_US, "ms")
}

/// The times of create, list and destroy, done `count` times.
fn times_us(stage: &Stage, processor: Option<u32>, count: u32) -> Option<Vec<f64>> {
    let arguments = format!("short {count}");
    match processor {
        Some(processor) => client_on(&stage.arena, processor, LIMIT_S, &arguments),
        None => client(&stage.arena, LIMIT_S, &arguments),
    }
}
