//! Parts of the daemon that fail by a fault of their own, a panic in the middle of what they do, each kind
//! of actor in turn; and the rest of the daemon, which goes on: another session records all the while.
//!
//! Each test executes itself once more inside an arena, and has the daemon in that process.
#![allow(clippy::unwrap_used)]
// There are no points at which to fail in other builds.
#![cfg(debug_assertions)]

use std::{
    fs,
    net::{Ipv4Addr, TcpListener},
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use futures::{StreamExt, executor::block_on};
use lttngd::{
    AgentPort, Config, Daemon, Event, Handle, Subscription,
    model::{
        AddressFamily, DescriptorOutput, Domain, ErrorCode, EventDescription, NetworkUri,
        SessionDescriptor, SessionKind, StreamKind, Uri,
    },
};
use lttngd_peer::{AgentScript, FakeAgent, FakeClient};
use lttngd_runtime::fail_point::{fail_at, has_failed};
use lttngd_wire::client::Command as Request;
use lttngd_world::{
    Arena, Program, eventually,
    inside::{in_arena, inside},
    program::traced,
};
use tempfile::TempDir;

/// What is the consumer daemon.
const PROGRAM: &str = env!("CARGO_BIN_EXE_lttngd");
/// Name of the session that records all the while.
const GOOD: &str = "good";
const BAD: &str = "bad";

/// A daemon with a session that records a program.
struct Inside {
    daemon: Daemon,
    handle: Handle,
    run_dir: PathBuf,
    traces: PathBuf,
    program: Program,
}

/// A program that does what it is told, and is registered.
fn program() -> Program {
    let mut command = Command::new(traced());
    command.arg("-").env("LTTNG_UST_REGISTER_TIMEOUT", "20000");
    let mut program = Program::spawn(command);
    program.tell("pid");
    program
}

fn descriptor(name: &str, output: Uri) -> SessionDescriptor {
    SessionDescriptor {
        kind: SessionKind::Regular,
        name: Some(name.to_owned()),
        output: DescriptorOutput::Local(Some(output)),
    }
}

impl Inside {
    fn new(traces: PathBuf) -> Self {
        let config = Config::for_current_user().unwrap().with_program(PROGRAM);
        let config = Config { agent_port: AgentPort::Only(0), ..config };
        let run_dir = config.run_dir.clone();
        let daemon = Daemon::start(config).unwrap();
        let (handle, program) = (daemon.handle(), program());
        let mut inside = Self { daemon, handle, run_dir, traces, program };
        inside.session(GOOD);
        block_on(inside.handle.start(GOOD)).unwrap();
        inside.program.tell("number=2");
        inside
    }

    /// A session that is not started.
    fn session(&self, name: &str) {
        let descriptor = descriptor(name, Uri::Path(self.traces.join(name)));
        let rule = EventDescription::tracepoint("sample:number");
        block_on(async {
            self.handle.create_session(None, descriptor).await.unwrap();
            self.handle.enable_event(name, "", rule).await.unwrap();
        });
    }

    /// Has the next one fail that comes to `point`, by `act`; it does.
    fn failing<T>(&self, point: &str, act: impl Future<Output = T>) -> T {
        fail_at(point);
        let outcome = block_on(act);
        eventually(point, || has_failed().then_some(()));
        outcome
    }

    /// The session that records has lost nothing, a new one is as any, and the daemon ends in order.
    fn the_rest_goes_on(mut self) {
        self.program.tell("number=3");
        self.session("next");
        block_on(self.handle.start("next")).unwrap();
        self.program.tell("number=4");
        for name in [GOOD, "next"] {
            block_on(self.handle.stop(name)).unwrap();
            block_on(self.handle.destroy_session(name)).unwrap();
        }
        assert_eq!(block_on(self.handle.list_sessions()).unwrap(), []);
        self.program.finish();
        self.daemon.stop();
        let left: Vec<_> = fs::read_dir(self.run_dir).unwrap().flatten().collect();
        assert!(left.is_empty(), "{left:?}");
    }

    /// The session of a command that failed can be destroyed, whatever that answers.
    fn destroy_bad(&self) {
        let _ = block_on(self.handle.destroy_session(BAD));
        let listed = block_on(self.handle.list_sessions()).unwrap();
        assert_eq!(listed.iter().map(|it| it.name.as_str()).collect::<Vec<_>>(), [GOOD]);
    }
}

fn count(arena: &Arena, trace: &Path) -> usize {
    arena.events(trace).iter().filter(|event| event.name == "sample:number").count()
}

/// Runs `test` inside an arena, and looks outside what was recorded.
fn while_another_records(name: &str, test: impl FnOnce(&mut Inside)) {
    if let Some(traces) = inside() {
        let mut inside = Inside::new(traces);
        test(&mut inside);
        return inside.the_rest_goes_on();
    }
    in_arena(name, |arena, traces| {
        assert_eq!(count(arena, &traces.join(GOOD)), 9);
        assert_eq!(count(arena, &traces.join("next")), 4);
    });
}

#[test]
fn a_session_fails_in_the_middle_of_its_start() {
    while_another_records("a_session_fails_in_the_middle_of_its_start", |inside| {
        inside.session(BAD);
        let handle = inside.handle.clone();
        let started = inside.failing("Session start", handle.start(BAD));
        assert_eq!(started, Err(ErrorCode::Fatal));
        assert_eq!(block_on(handle.stop(BAD)), Err(ErrorCode::Fatal));
        assert_eq!(block_on(handle.list_sessions()).unwrap().len(), 2, "it can be listed");
        inside.destroy_bad();
    });
}

#[test]
fn a_buffer_set_fails_while_its_channels_are_made() {
    while_another_records("a_buffer_set_fails_while_its_channels_are_made", |inside| {
        inside.session(BAD);
        let handle = inside.handle.clone();
        let _ = inside.failing("BufferSet prepare", handle.start(BAD));
        inside.destroy_bad();
    });
}

#[test]
fn an_application_fails_in_the_middle_of_a_request() {
    while_another_records("an_application_fails_in_the_middle_of_a_request", |_| {
        // The program that is recorded waits for its command socket no more than others do: the one that
        // fails is a second one, which registers while the point is armed.
        fail_at("App request");
        let mut other = program();
        eventually("its actor fails", || has_failed().then_some(()));
        assert_eq!(other.tell("number=1"), 0, "it lives on, and is not recorded");
        other.finish();
    });
}

#[test]
fn an_agent_fails_in_the_middle_of_a_command() {
    while_another_records("an_agent_fails_in_the_middle_of_a_command", |inside| {
        let port = fs::read_to_string(inside.run_dir.join("agent.port")).unwrap();
        let address = (Ipv4Addr::LOCALHOST, port.trim_end().parse().unwrap()).into();
        let agent = || FakeAgent::connect(address, AgentScript::answering(Domain::Jul)).unwrap();
        let first = agent();
        inside.session(BAD);
        let handle = inside.handle.clone();
        eventually("the agent is registered", || (!first.numbers().is_empty()).then_some(()));
        let rule = || EventDescription::tracepoint("logger");
        let enable = handle.enable_agent_event(BAD, Domain::Jul, rule());
        // An agent that is gone has nothing to refuse.
        let _ = inside.failing("Agent command", enable);
        eventually("its connection is closed", || first.has_ended().then_some(()));
        let second = agent();
        eventually("another has the rule", || (second.enabled() == ["logger"]).then_some(()));
        inside.destroy_bad();
        drop(second);
    });
}

#[test]
fn a_relay_connection_fails_while_it_is_made() {
    while_another_records("a_relay_connection_fails_while_it_is_made", |inside| {
        // They are accepted by the system, and nobody says a word.
        let silent = [StreamKind::Control, StreamKind::Data]
            .map(|stream| (stream, TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap()));
        let uris = silent.each_ref().map(|(stream, listener)| {
            Uri::Network(NetworkUri {
                family: AddressFamily::V4,
                address: Ipv4Addr::LOCALHOST.to_string(),
                port: listener.local_addr().unwrap().port(),
                stream: *stream,
                subdir: String::new(),
            })
        });
        let handle = inside.handle.clone();
        let [control, data] = uris;
        let descriptor = SessionDescriptor {
            kind: SessionKind::Regular,
            name: Some(BAD.to_owned()),
            output: DescriptorOutput::Network(Some(Box::new((control, data)))),
        };
        block_on(handle.create_session(None, descriptor)).unwrap();
        let rule = EventDescription::tracepoint("sample:number");
        let enabled =
            inside.failing("RelayConnection hand_over", handle.enable_event(BAD, "", rule));
        assert_eq!(enabled, Err(ErrorCode::RelaydConnectFail));
        inside.destroy_bad();
    });
}

#[test]
fn a_client_connection_fails_in_the_middle_of_a_command() {
    while_another_records("a_client_connection_fails_in_the_middle_of_a_command", |inside| {
        inside.session(BAD);
        let socket = inside.run_dir.join("client-lttng-sessiond");
        let start = FakeClient::bytes(&Request::StartTrace, |request| request.in_session(BAD));
        fail_at("Client command");
        let reply = FakeClient::call(&socket, &start).unwrap();
        assert!(reply.is_none(), "its connection is closed without a word");
        assert!(has_failed());
        // The next one is served.
        let reply = FakeClient::call(&socket, &start).unwrap().unwrap();
        assert_eq!(reply.failure(), None);
        inside.destroy_bad();
    });
}

/// The next event of this kind.
fn wait_for(events: &mut Subscription, meant: impl Fn(&Event) -> bool) {
    while !meant(&block_on(events.next()).unwrap()) {}
}

#[test]
fn the_socket_of_a_consumer_fails_in_the_middle_of_an_exchange() {
    let name = "the_socket_of_a_consumer_fails_in_the_middle_of_an_exchange";
    let Some(traces) = inside() else {
        return in_arena(name, |arena, traces| {
            assert_eq!(count(arena, &traces.join("next")), 4);
        });
    };
    let mut inside = Inside::new(traces);
    let handle = inside.handle.clone();
    let mut events = block_on(handle.subscribe(64)).unwrap();
    inside.session(BAD);
    // A consumer that is gone: what it recorded for is lost, and can be listed and destroyed.
    let _ = inside.failing("CommandSocket exchange", handle.start(BAD));
    wait_for(&mut events, |event| matches!(event, Event::ConsumerLost { .. }));
    let _ = block_on(handle.destroy_session(BAD));
    assert_eq!(block_on(handle.stop(GOOD)), Err(ErrorCode::NoUstconsumerd));
    assert_eq!(block_on(handle.destroy_session(GOOD)), Err(ErrorCode::NoUstconsumerd));
    // The next one is another consumer's, for the same program.
    inside.session("next");
    block_on(handle.start("next")).unwrap();
    inside.program.tell("number=4");
    block_on(handle.stop("next")).unwrap();
    block_on(handle.destroy_session("next")).unwrap();
    inside.program.finish();
    inside.daemon.stop();
}

#[test]
fn a_registry_that_fails_ends_the_daemon_and_the_owner_knows() {
    let directory = TempDir::new().unwrap();
    let run_dir = directory.path().join(".lttng");
    let config = || Config::in_directory(&run_dir).with_program(PROGRAM);
    let mut daemon = Daemon::start(config()).unwrap();
    let handle = daemon.handle();
    let mut events = block_on(handle.subscribe(8)).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let well = runtime
        .block_on(async { tokio::time::timeout(Duration::from_millis(50), daemon.failed()).await });
    assert!(well.is_err(), "nothing failed yet");
    fail_at("Registry create_session");
    let output = Uri::Path(directory.path().join("t"));
    let created = block_on(handle.create_session(None, descriptor("s", output)));
    assert_eq!(created, Err(ErrorCode::Fatal));
    let failure = block_on(daemon.failed());
    assert!(failure.to_string().contains("registry"), "{failure}");
    assert_eq!(block_on(events.next()), None);
    assert_eq!(block_on(handle.list_sessions()), Err(ErrorCode::Fatal));
    daemon.stop();
    let left: Vec<_> = fs::read_dir(&run_dir).unwrap().flatten().map(|it| it.file_name()).collect();
    assert!(left.is_empty(), "{left:?}");
    // Its place is free.
    Daemon::start(config()).unwrap().stop();
}
