//! Sessions that stream to a relay daemon, which runs, fails, or was never there.

use std::net::TcpListener;
use std::path::PathBuf;

use rustix::process::Signal;

use super::world::{Answer, Stage, Which, alone, both, eventually};

/// A relay daemon. It ends with the arena.
struct Relay {
    ports: [u16; 3],
    output: PathBuf,
}

impl Relay {
    /// Starts one; it listens when this returns.
    fn start(stage: &Stage) -> Relay {
        let listeners = [(); 3].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
        let ports = listeners.map(|listener| listener.local_addr().unwrap().port());
        let output = stage.arena.file("relay");
        let [control, data, live] = ports.map(|port| format!("tcp://127.0.0.1:{port}"));
        let status = stage
            .arena
            .command("lttng-relayd")
            .args(["--daemonize", "-C", &control, "-D", &data, "-L", &live, "-o"])
            .arg(&output)
            .env("LTTNG_RELAYD_HEALTH", stage.arena.file("relay-health"))
            .status()
            .unwrap();
        assert!(status.success());
        Relay { ports, output }
    }

    /// Options of `lttng create` for a session that streams there.
    fn url(&self) -> String {
        format!("--set-url=net://127.0.0.1:{}:{}", self.ports[0], self.ports[1])
    }

    fn signal(stage: &Stage, signal: Signal) {
        let relays = stage.arena.processes_named("lttng-relayd");
        assert!(!relays.is_empty());
        relays.into_iter().for_each(|relay| stage.arena.signal(relay, signal));
    }
}

/// Makes and starts a session; ports are not the same in every world.
fn start(stage: &mut Stage, relay: &Relay, session: &str, channel: &str) {
    stage.arena.lttng_ok(&format!("create {session} {}", relay.url()));
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
        Relay::signal(stage, Signal::KILL);
        eventually("the relay is gone", || {
            stage.arena.processes_named("lttng-relayd").is_empty().then_some(())
        });
        program.tell("number=3");
        stage.lttng_ok("stop orphan");
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
    stage.arena.lttng_ok(&format!("create silent {}", relay.url()));
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
