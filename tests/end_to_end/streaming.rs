//! Sessions that stream to a relay daemon, which runs, fails, or was never there.

use rustix::process::Signal;

use super::world::{
    Answer, Connection, Consumer, Gate, Relay, Stage, Which, alone, both, eventually,
};

/// TRACE_CHUNK_EXISTS, as relay daemons are asked.
const TRACE_CHUNK_EXISTS: u32 = 21;
/// END_DATA_PENDING, the last of the questions whether all data has come.
const END_DATA_PENDING: u32 = 11;

/// Makes and starts a session; ports are not the same in every world.
fn start(stage: &mut Stage, relay: &Relay, session: &str, channel: &str) {
    stage.arena.lttng_ok(&format!("create {session} --set-url={}", relay.url()));
    stage.lttng_ok(&format!("enable-channel -u -s {session} {channel} c"));
    stage.lttng_ok(&format!("enable-event -u -s {session} -c c sample:number"));
    stage.lttng_ok(&format!("start {session}"));
}

fn streams(buffers: &str, directory: &str) {
    both(|stage| {
        let relay = Relay::start(stage);
        let mut program = stage.program();
        start(stage, &relay, "streamed", buffers);
        program.tell("number=7");
        stage.lttng_ok("stop streamed");
        stage.lttng_ok("start streamed");
        program.tell("number=5");
        stage.lttng_ok("stop streamed");
        stage.lttng_ok("destroy streamed");
        assert_eq!(stage.events_below(&relay.output).len(), 12);
        let files = super::world::trace::files(&relay.output);
        assert!(files.iter().any(|file| file.contains(directory)), "{files:?}");
        stage.note(&stage.arena.metadata(&relay.output));
        program.finish();
    });
}

#[test]
fn buffers_per_user_are_streamed() {
    streams("--buffers-uid", "/ust/uid/");
}

#[test]
fn buffers_per_process_are_streamed() {
    streams("--buffers-pid", "/ust/pid/");
}

#[test]
fn sessions_are_rotated_and_destroyed_without_each_other() {
    // Against the stock daemon the first rotation would wait for the second session.
    alone(|stage| {
        let relay = Relay::start(stage);
        let mut program = stage.program();
        for session in ["one", "two", "three"] {
            start(stage, &relay, session, "--buffers-uid");
        }
        program.tell("number=3");
        stage.lttng_ok("rotate one");
        stage.lttng_ok("rotate two");
        program.tell("number=4");
        stage.lttng_ok("rotate one");
        stage.lttng_ok("clear three");
        program.tell("number=5");
        stage.lttng_ok("destroy one");
        stage.lttng_ok("destroy three");
        stage.lttng_ok("destroy two");
        let files = super::world::trace::files(&relay.output);
        let archived = |session: &str, chunk: &str| {
            let mut archived = files.iter().filter(|file| file.contains(&format!("/{session}-")));
            archived.any(|file| file.contains("/archives/") && file.contains(&format!("-{chunk}/")))
        };
        assert!(archived("one", "0") && archived("one", "1") && archived("one", "2"), "{files:?}");
        assert!(archived("two", "0") && archived("two", "1") && !archived("three", "0"));
        // Archived chunks of one session are traces of their own.
        assert_eq!(stage.arena.events(&relay.output).len(), 12 + 12 + 5);
        program.finish();
    });
}

#[test]
fn a_rotation_is_over_when_the_relay_has_archived_it() {
    // The stock daemon does not wait for the relay daemon, but for half a second.
    alone(|stage| {
        let relay = Relay::start(stage);
        let mut program = stage.program();
        // Another session daemon's sessions are numbered by the relay daemon too.
        start(stage, &relay, "before", "--buffers-uid");
        stage.lttng_ok("destroy before");
        let control = Gate::before(stage, &relay, Connection::Control);
        let data = Gate::before(stage, &relay, Connection::Data);
        let behind = Relay { ports: [control.port, data.port, relay.ports[2]], ..relay.clone() };
        start(stage, &behind, "slow", "--buffers-uid");
        program.tell("number=3");
        data.hold(|_| true);
        let arena = &stage.arena;
        std::thread::scope(|scope| {
            let rotating = scope.spawn(|| arena.lttng("rotate slow"));
            // The stock consumer daemon asks for the trace chunk; ours for the data, before.
            let asked = || control.seen(TRACE_CHUNK_EXISTS) + control.seen(END_DATA_PENDING);
            eventually("the relay daemon is asked again", || {
                (asked() > 1 || rotating.is_finished()).then_some(())
            });
            assert!(!rotating.is_finished(), "the relay daemon has not got the data");
            data.release();
            let rotated = rotating.join().unwrap();
            assert_eq!(rotated.code, 0, "{rotated:?}");
        });
        // At once, without a further look.
        let files = super::world::trace::files(&relay.output);
        let archived = files.iter().filter(|file| file.contains("/slow-"));
        assert!(archived.clone().any(|file| file.contains("/archives/")), "{files:?}");
        assert!(!archived.clone().any(|file| file.contains("tmp")), "{files:?}");
        program.tell("number=2");
        stage.lttng_ok("destroy slow");
        assert_eq!(stage.events_below(&relay.output).len(), 5);
        program.finish();
    });
}

#[test]
fn a_relay_that_is_not_there_or_is_none() {
    both(|stage| {
        stage.lttng_ok("create nobody --set-url=net://127.0.0.1:3:4");
        stage.lttng("enable-event -u sample:number");
        stage.lttng("enable-channel -u c");
        stage.lttng("list");
        let relay = Relay::start(stage);
        let viewers = relay.ports[2];
        let url = format!("create viewers --set-url=net://127.0.0.1:{viewers}:{}", relay.ports[1]);
        stage.arena.lttng_ok(&url);
        stage.lttng("enable-event -u sample:number");
        stage.lttng("destroy viewers");
        stage.lttng("destroy nobody");
    });
}

#[test]
fn a_relay_that_dies() {
    both(|stage| {
        let relay = Relay::start(stage);
        let mut program = stage.program();
        start(stage, &relay, "orphan", "--buffers-uid");
        program.tell("number=3");
        Relay::kill(stage);
        program.tell("number=3");
        // What the relay daemon has not confirmed is told as lost here, once that is noticed, and not there.
        assert_eq!(stage.arena.lttng("stop orphan").code, 0);
        // When the consumer has noticed decides whether this tells a failure; it ends at once either way.
        let destroyed = stage.arena.lttng("destroy orphan");
        assert!(destroyed.took.as_secs() < 5, "{destroyed:?}");
        stage.lttng_ok("list");
        // Others are as well as ever.
        stage.lttng_ok("create local");
        stage.lttng_ok("enable-event -u sample:number");
        stage.lttng_ok("start");
        program.tell("number=2");
        stage.lttng_ok("stop");
        assert_eq!(stage.events("local").len(), 2);
        stage.lttng_ok("destroy");
        program.finish();
    });
}

#[test]
fn nobody_waits_for_a_silent_relay() {
    let environment = [("LTTNG_NETWORK_SOCKET_TIMEOUT", "4000")];
    let mut stage = Stage::new(Which::Ours);
    stage.daemon.kill();
    stage.daemon = super::world::Daemon::start_with(&stage.arena, Which::Ours, &[], &environment);
    let relay = Relay::start(&stage);
    Relay::signal(&stage, Signal::STOP);
    stage.arena.lttng_ok(&format!("create silent --set-url={}", relay.url()));
    let arena = &stage.arena;
    let (refused, others) = std::thread::scope(|scope| {
        let waiting = scope.spawn(|| arena.lttng("enable-event -u -s silent sample:number"));
        let others: Vec<Answer> =
            ["create other", "list", "enable-event -u -s other a", "destroy other"]
                .map(|command| arena.lttng(command))
                .into();
        assert!(!waiting.is_finished(), "others were served while one waited");
        (waiting.join().unwrap(), others)
    });
    others.iter().for_each(|answer| assert_eq!(answer.code, 0, "{answer:?}"));
    assert_ne!(refused.code, 0, "{refused:?}");
    assert!(refused.took.as_secs() < 20, "{refused:?}");
    Relay::signal(&stage, Signal::CONT);
    stage.lttng_ok("enable-event -u -s silent sample:number");
    stage.lttng_ok("start silent");
    stage.lttng_ok("destroy silent");
    stage.end();
}

#[test]
fn nobody_waits_for_a_relay_that_stands_still() {
    // Of the stock consumer daemon all sessions share one connection, which it serves in one thread: what
    // waits for a relay daemon there holds up everybody.
    let mut stage = Stage::with_consumer(Which::Ours, Consumer::Own, &[]);
    let relay = Relay::start(&stage);
    let mut program = stage.program();
    start(&mut stage, &relay, "far", "--buffers-uid");
    program.tell("number=3");
    Relay::signal(&stage, Signal::STOP);
    let arena = &stage.arena;
    let destroyed = std::thread::scope(|scope| {
        // The consumer daemon waits for the relay daemon with this.
        let waiting = scope.spawn(|| arena.lttng("destroy far"));
        for command in ["create near", "enable-event -u -s near sample:number", "start near"] {
            arena.lttng_ok(command);
        }
        program.tell("number=2");
        arena.lttng_ok("stop near");
        assert!(!waiting.is_finished(), "another session was served while one waited");
        Relay::signal(&stage, Signal::CONT);
        waiting.join().unwrap()
    });
    assert_eq!(destroyed.code, 0, "{destroyed:?}");
    assert_eq!(stage.events("near").len(), 2);
    assert_eq!(stage.events_below(&relay.output).len(), 3);
    stage.lttng_ok("destroy near");
    program.finish();
    stage.end();
}
