//! Relay daemons that refuse, lie, fall silent, break off or die.

use rustix::process::Signal;

use super::super::world::{
    Connection, Consumer, Daemon, Fault, Gate, Program, Relay, Stage, Which, eventually,
};
use super::{Bystander, numbers, own};

/// Commands by which sessions are streamed: `enum lttcomm_relayd_command`.
const ADD_STREAM: u32 = 1;
const SEND_METADATA: u32 = 6;
const STREAMS_SENT: u32 = 16;
const SEND_INDEX: u32 = 13;
const BEGIN_DATA_PENDING: u32 = 10;
const CREATE_TRACE_CHUNK: u32 = 19;
const CLOSE_TRACE_CHUNK: u32 = 20;
const ROTATE_STREAMS: u32 = 18;

/// A relay daemon behind gates.
struct Gated {
    control: Gate,
    data: Gate,
    url: String,
}

impl Gated {
    fn before(stage: &Stage, relay: &Relay) -> Gated {
        let control = Gate::before(stage, relay, Connection::Control);
        let data = Gate::before(stage, relay, Connection::Data);
        let url = format!("net://127.0.0.1:{}:{}", control.port, data.port);
        Gated { control, data, url }
    }
}

/// A session that streams to a relay daemon with which all is well.
struct Healthy(Relay);

impl Healthy {
    fn start(stage: &Stage) -> Healthy {
        let relay = Relay::named(stage, "healthy");
        start(stage, "healthy", &relay.url());
        Healthy(relay)
    }

    /// It has recorded all that `program` did, and ends.
    fn finish(self, stage: &Stage, program: Program, events: usize) {
        stage.arena.lttng_ok("destroy healthy");
        assert_eq!(numbers(&stage.arena, &self.0.output).len(), events);
        program.finish();
    }
}

/// Starts a session; what the commands answer is theirs where its relay daemon is at fault.
fn start(stage: &Stage, session: &str, url: &str) {
    for command in [
        format!("create {session} --set-url={url}"),
        format!("enable-channel -u -s {session} --subbuf-size=16k --num-subbuf=8 c"),
        format!("enable-event -u -s {session} -c c sample:number"),
        format!("start {session}"),
    ] {
        stage.arena.lttng(&command);
    }
}

/// Our daemons, which do not wait for relay daemons for long.
pub(super) fn impatient() -> Stage {
    let mut stage = own();
    stage.daemon.kill();
    stage.arena.consumers_end();
    let consumer = Consumer::Own.option(&stage.arena);
    let environment = [("LTTNG_NETWORK_SOCKET_TIMEOUT", "2000")];
    stage.daemon = Daemon::start_with(&stage.arena, Which::Ours, &[&consumer], &environment);
    stage
}

/// Has each of the faults happen at each of the commands.
fn faults(faults: &[Fault], commands: &[u32]) {
    let stage = impatient();
    let mut bystander = Bystander::start(&stage);
    let healthy = Healthy::start(&stage);
    let consumer = stage.arena.consumer();
    let mut program = stage.program();
    let mut events = 0;
    for fault in faults {
        for command in commands.iter().copied() {
            // Another one each time: relay daemons of 2.13 do not survive all of it.
            let relay = Relay::named(&stage, &format!("relay-{events}"));
            let gated = Gated::before(&stage, &relay);
            gated.control.spoil(move |it| it == command, fault.clone());
            start(&stage, "victim", &gated.url);
            for end in ["rotate victim", "stop victim", "destroy victim"] {
                program.tell("number=10");
                events += 10;
                stage.arena.lttng(end);
            }
            eventually("the session is destroyed", || {
                (!stage.arena.lttng_ok("list").contains("victim")).then_some(())
            });
            bystander.go_on();
        }
    }
    let relay = Relay::start(&stage);
    start(&stage, "next", &relay.url());
    stage.arena.lttng_ok("destroy next");
    assert_eq!(stage.arena.consumer(), consumer, "the consumer daemon lives");
    eventually("only the healthy session is connected", || {
        (stage.arena.connections(consumer) == 2).then_some(())
    });
    healthy.finish(&stage, program, events);
    bystander.finish(&stage);
    stage.end();
}

#[test]
fn connections_that_are_reset() {
    let at = [CREATE_TRACE_CHUNK, ADD_STREAM, STREAMS_SENT, SEND_METADATA, SEND_INDEX];
    faults(&[Fault::Reset], &at);
    faults(&[Fault::Reset], &[BEGIN_DATA_PENDING, ROTATE_STREAMS, CLOSE_TRACE_CHUNK]);
}

#[test]
fn refusals() {
    // LTTNG_ERR_UNK, where the code is the whole answer or the end of it.
    let refusal = [0, 0, 0, 10].repeat(3);
    faults(&[Fault::Answer(refusal)], &[ADD_STREAM]);
    let refusal = vec![0, 0, 0, 10];
    faults(&[Fault::Answer(refusal)], &[CREATE_TRACE_CHUNK, SEND_INDEX, ROTATE_STREAMS]);
}

#[test]
fn garbage() {
    let garbage = Fault::Answer(vec![0xa5; 5000]);
    faults(&[garbage], &[CREATE_TRACE_CHUNK, ADD_STREAM, SEND_INDEX, CLOSE_TRACE_CHUNK]);
}

#[test]
fn half_an_answer() {
    faults(&[Fault::Answer(vec![0, 0])], &[ADD_STREAM, SEND_INDEX]);
}

#[test]
fn a_data_connection_that_is_reset_within_a_packet() {
    let stage = impatient();
    let bystander = Bystander::start(&stage);
    let healthy = Healthy::start(&stage);
    let relay = Relay::start(&stage);
    let gated = Gated::before(&stage, &relay);
    let mut program = stage.program();
    start(&stage, "victim", &gated.url);
    gated.data.spoil(|_| true, Fault::Reset);
    program.tell("number=1000");
    stage.arena.lttng_ok("stop victim");
    stage.arena.lttng("destroy victim");
    assert!(!stage.arena.lttng_ok("list").contains("victim"));
    healthy.finish(&stage, program, 1000);
    bystander.finish(&stage);
    stage.end();
}

/// The relay daemon goes to the next trace chunk by packets that come, and those were cleared.
#[test]
fn a_clear_while_packets_wait_for_a_slow_relay_and_nothing_is_recorded_later() {
    let stage = own();
    let relay = Relay::start(&stage);
    let gated = Gated::before(&stage, &relay);
    let mut program = stage.program();
    start(&stage, "victim", &gated.url);
    stage.arena.lttng_ok("enable-event -u -s victim -c c sample:bulk");
    for clear in 1..=3 {
        gated.data.hold(|_| true);
        // More than sockets and buffers hold.
        program.tell("bulk=20000");
        let rotated = gated.control.seen(ROTATE_STREAMS);
        std::thread::scope(|scope| {
            let cleared = scope.spawn(|| stage.arena.lttng_ok("clear victim"));
            eventually("its streams are to go to the next trace chunk", || {
                (gated.control.seen(ROTATE_STREAMS) > rotated).then_some(())
            });
            gated.data.release();
            cleared.join().unwrap();
        });
        if clear == 2 {
            stage.arena.lttng_ok("rotate victim");
        }
    }
    program.tell("number=10");
    stage.arena.lttng_ok("stop victim");
    stage.arena.lttng_ok("destroy victim");
    assert_eq!(numbers(&stage.arena, &relay.output).len(), 10);
    program.finish();
    stage.end();
}

#[test]
fn old_versions() {
    for minor in [4, 8, 10, 11, 12] {
        let stage = own();
        let relay = Relay::start(&stage);
        let control = Gate::before(&stage, &relay, Connection::Control);
        control.speak(minor);
        let mut program = stage.program();
        let url = format!("net://127.0.0.1:{}:{}", control.port, relay.ports[1]);
        start(&stage, "old", &url);
        program.tell("number=30");
        stage.arena.lttng_ok("stop old");
        stage.arena.lttng_ok("destroy old");
        assert_eq!(numbers(&stage.arena, &relay.output).len(), 30, "2.{minor}");
        program.finish();
        stage.end();
    }
}

#[test]
fn a_relay_that_is_stopped_while_it_gets_packets() {
    let stage = impatient();
    let mut bystander = Bystander::start(&stage);
    let relay = Relay::start(&stage);
    let consumer = stage.arena.consumer();
    start(&stage, "victim", &relay.url());
    let mut program = stage.program();
    program.tell("number=100");
    Relay::signal(&stage, Signal::STOP);
    // More than sockets and buffers hold.
    program.tell("bulk=10");
    program.tell("number=100000");
    bystander.go_on();
    for command in ["rotate victim", "stop victim", "destroy victim"] {
        stage.arena.lttng(command);
    }
    Relay::signal(&stage, Signal::CONT);
    eventually("the session is destroyed", || {
        (!stage.arena.lttng_ok("list").contains("victim")).then_some(())
    });
    assert_eq!(stage.arena.consumer(), consumer, "the consumer daemon lives");
    eventually("nothing is connected any more", || {
        (stage.arena.connections(consumer) == 0).then_some(())
    });
    program.finish();
    bystander.finish(&stage);
    stage.end();
}

#[test]
fn a_relay_that_dies_while_data_is_pending() {
    let stage = own();
    let bystander = Bystander::start(&stage);
    let relay = Relay::start(&stage);
    let gated = Gated::before(&stage, &relay);
    let consumer = stage.arena.consumer();
    start(&stage, "victim", &gated.url);
    let mut program = stage.program();
    gated.data.hold(|_| true);
    program.tell("number=1000");
    let arena = &stage.arena;
    std::thread::scope(|scope| {
        let stopping = scope.spawn(|| arena.lttng("stop victim"));
        eventually("somebody asks whether data is pending", || {
            (gated.control.seen(BEGIN_DATA_PENDING) > 0).then_some(())
        });
        Relay::kill(&stage);
        gated.data.release();
        let stopped = stopping.join().unwrap();
        assert_eq!(stopped.code, 0, "{stopped:?}");
    });
    stage.arena.lttng("destroy victim");
    eventually("the session is destroyed", || {
        (!stage.arena.lttng_ok("list").contains("victim")).then_some(())
    });
    assert_eq!(stage.arena.consumer(), consumer, "the consumer daemon lives");
    eventually("nothing is connected any more", || {
        (stage.arena.connections(consumer) == 0).then_some(())
    });
    program.finish();
    bystander.finish(&stage);
    stage.end();
}
