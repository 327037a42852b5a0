//! Parts of the daemon that fail by a fault of their own, a panic in the middle of what they do, each kind
//! of actor in turn; and the rest of the daemon, which goes on: another session records all the while.
//!
//! Each test executes itself once more inside an arena, and has the daemon in that process.
#![allow(clippy::unwrap_used)]
// There are no points at which to fail in other builds.
#![cfg(debug_assertions)]

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    os::unix::net::UnixStream,
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
        trigger::{Action, Condition, Trigger},
    },
};
use lttngd_peer::{AgentScript, AppScript, FakeAgent, FakeApp, FakeClient};
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
    /// The session "next" records four events, and all ends.
    fn records_next(mut self) {
        block_on(self.handle.start("next")).unwrap();
        self.program.tell("number=4");
        block_on(self.handle.stop("next")).unwrap();
        block_on(self.handle.destroy_session("next")).unwrap();
        self.program.finish();
        self.daemon.stop();
    }

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
        let other = program();
        eventually("its actor fails", || has_failed().then_some(()));
        // It lives on, and its library registers once more, sooner or later.
        other.finish();
    });
}

/// Where agents register with the daemon of this run directory.
fn agent_port(run_dir: &Path) -> SocketAddr {
    let port = fs::read_to_string(run_dir.join("agent.port")).unwrap();
    (Ipv4Addr::LOCALHOST, port.trim_end().parse().unwrap()).into()
}

#[test]
fn an_agent_fails_in_the_middle_of_a_command() {
    while_another_records("an_agent_fails_in_the_middle_of_a_command", |inside| {
        let address = agent_port(&inside.run_dir);
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

/// A session that streams to sockets which the system accepts, and where nobody says a word.
fn streamed(name: &str) -> ([TcpListener; 2], SessionDescriptor) {
    let silent = [(); 2].map(|()| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap());
    let kinds = [StreamKind::Control, StreamKind::Data].into_iter();
    let uri = |(listener, stream): (&TcpListener, StreamKind)| {
        Uri::Network(NetworkUri {
            family: AddressFamily::V4,
            address: Ipv4Addr::LOCALHOST.to_string(),
            port: listener.local_addr().unwrap().port(),
            stream,
            subdir: String::new(),
        })
    };
    let mut uris = silent.iter().zip(kinds).map(uri);
    let both = (uris.next().unwrap(), uris.next().unwrap());
    let descriptor = SessionDescriptor {
        kind: SessionKind::Regular,
        name: Some(name.to_owned()),
        output: DescriptorOutput::Network(Some(Box::new(both))),
    };
    (silent, descriptor)
}

#[test]
fn a_relay_connection_fails_while_it_is_made() {
    while_another_records("a_relay_connection_fails_while_it_is_made", |inside| {
        let (_silent, descriptor) = streamed(BAD);
        let handle = inside.handle.clone();
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
        // The next one is served. The session may have had the first one's command by then.
        let reply = FakeClient::call(&socket, &start).unwrap().unwrap();
        assert!(
            matches!(reply.failure(), None | Some(ErrorCode::TraceAlreadyStarted)),
            "{reply:?}"
        );
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
    a_consumer_is_gone(name, "CommandSocket exchange");
}

#[test]
fn a_consumer_fails_in_the_middle_of_a_command() {
    a_consumer_is_gone("a_consumer_fails_in_the_middle_of_a_command", "Consumer request");
}

/// The next consumer daemon records, when who has the one of now fails that comes to `point`.
fn a_consumer_is_gone(name: &str, point: &str) {
    let Some(traces) = inside() else {
        return in_arena(name, |arena, traces| {
            assert_eq!(count(arena, &traces.join("next")), 4);
        });
    };
    let inside = Inside::new(traces);
    let handle = inside.handle.clone();
    let mut events = block_on(handle.subscribe(64)).unwrap();
    inside.session(BAD);
    // A consumer that is gone: what it recorded for is lost, and can be listed and destroyed.
    let _ = inside.failing(point, handle.start(BAD));
    wait_for(&mut events, |event| matches!(event, Event::ConsumerLost { .. }));
    let _ = block_on(handle.destroy_session(BAD));
    assert_eq!(block_on(handle.stop(GOOD)), Err(ErrorCode::NoUstconsumerd));
    assert_eq!(block_on(handle.destroy_session(GOOD)), Err(ErrorCode::NoUstconsumerd));
    // The next one is another consumer's, for the same program.
    inside.session("next");
    inside.records_next();
}

#[test]
fn a_consumer_fails_before_its_process_runs() {
    let name = "a_consumer_fails_before_its_process_runs";
    let Some(traces) = inside() else {
        return in_arena(name, |arena, traces| {
            assert_eq!(count(arena, &traces.join("next")), 4);
        });
    };
    let config = Config::for_current_user().unwrap().with_program(PROGRAM);
    let config = Config { agent_port: AgentPort::Only(0), ..config };
    let run_dir = config.run_dir.clone();
    let daemon = Daemon::start(config).unwrap();
    let (handle, program) = (daemon.handle(), program());
    let inside = Inside { daemon, handle: handle.clone(), run_dir, traces, program };
    let mut events = block_on(handle.subscribe(64)).unwrap();
    let descriptor = descriptor("next", Uri::Path(inside.traces.join("next")));
    block_on(handle.create_session(None, descriptor)).unwrap();
    let rule = EventDescription::tracepoint("sample:number");
    for point in ["Consumer start", "Consumer handshake"] {
        let refused = inside.failing(point, handle.enable_event("next", "", rule.clone()));
        assert_eq!(refused, Err(ErrorCode::UstConsumer64Fail), "{point}");
        wait_for(&mut events, |event| matches!(event, Event::ConsumerLost { .. }));
    }
    // Nothing was recorded that could be lost.
    block_on(handle.enable_event("next", "", rule)).unwrap();
    inside.records_next();
}

/// A daemon of its own directory ends when the part of it fails that comes to `point` by `act`; its owner
/// knows by `said` which that was, and its place is free.
fn ends_the_daemon<T>(point: &str, said: &str, act: impl FnOnce(&Path, &Handle) -> T) {
    let directory = TempDir::new().unwrap();
    let run_dir = directory.path().join(".lttng");
    let config = || {
        let config = Config::in_directory(&run_dir).with_program(PROGRAM);
        let client_socket = Some(run_dir.join("client"));
        Config { agent_port: AgentPort::Only(0), client_socket, ..config }
    };
    let mut daemon = Daemon::start(config()).unwrap();
    let handle = daemon.handle();
    let mut events = block_on(handle.subscribe(8)).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let well = runtime
        .block_on(async { tokio::time::timeout(Duration::from_millis(50), daemon.failed()).await });
    assert!(well.is_err(), "nothing failed yet");
    fail_at(point);
    let peer = act(&run_dir, &handle);
    let failure = block_on(daemon.failed());
    assert!(failure.to_string().contains(said), "{failure}");
    // What happened before is told.
    while block_on(events.next()).is_some() {}
    eventually("nobody answers any more", || {
        (block_on(handle.list_sessions()) == Err(ErrorCode::Fatal)).then_some(())
    });
    daemon.stop();
    drop(peer);
    let left: Vec<_> = fs::read_dir(&run_dir).unwrap().flatten().map(|it| it.file_name()).collect();
    assert!(left.is_empty(), "{left:?}");
    Daemon::start(config()).unwrap().stop();
}

#[test]
fn a_kernel_tracer_that_fails_ends_the_daemon_and_the_owner_knows() {
    let name = "a_kernel_tracer_that_fails_ends_the_daemon_and_the_owner_knows";
    let Some(_) = inside() else { return in_arena(name, |_, _| ()) };
    let config = || Config {
        agent_port: AgentPort::Only(0),
        ..Config::for_current_user().unwrap().with_program(PROGRAM)
    };
    assert!(config().is_root);
    // It is opened at once.
    fail_at("Tracer open");
    let mut daemon = Daemon::start(config()).unwrap();
    let failure = block_on(daemon.failed());
    assert!(failure.to_string().contains("kernel tracer"), "{failure}");
    assert!(has_failed());
    daemon.stop();
    Daemon::start(config()).unwrap().stop();
}

#[test]
fn a_registry_that_fails_ends_the_daemon_and_the_owner_knows() {
    ends_the_daemon("Registry create_session", "registry", |run_dir, handle| {
        let output = Uri::Path(run_dir.join("t"));
        let created = block_on(handle.create_session(None, descriptor("s", output)));
        assert_eq!(created, Err(ErrorCode::Fatal));
    });
}

#[test]
fn a_failure_of_who_knows_the_applications_ends_the_daemon_and_the_owner_knows() {
    ends_the_daemon("Apps register", "actor of applications", |run_dir, _| {
        FakeApp::connect(&run_dir.join("lttng-ust-sock-8"), AppScript::default()).unwrap()
    });
}

#[test]
fn a_failure_of_who_knows_the_agents_ends_the_daemon_and_the_owner_knows() {
    ends_the_daemon("Agents register", "actor of agents", |run_dir, _| {
        let script = AgentScript::answering(Domain::Jul);
        FakeAgent::connect(agent_port(run_dir), script).unwrap()
    });
}

#[test]
fn a_failure_of_who_accepts_applications_ends_the_daemon_and_the_owner_knows() {
    ends_the_daemon("application accepted", "sockets for applications", |run_dir, _| {
        UnixStream::connect(run_dir.join("lttng-ust-sock-8")).unwrap()
    });
}

#[test]
fn a_failure_of_who_accepts_clients_ends_the_daemon_and_the_owner_knows() {
    ends_the_daemon("client accepted", "socket for clients", |run_dir, _| {
        UnixStream::connect(run_dir.join("client")).unwrap()
    });
}

#[test]
fn a_failure_of_who_has_the_triggers_ends_the_daemon_and_the_owner_knows() {
    ends_the_daemon("Triggers register", "actor of triggers", |_, handle| {
        let condition = Condition::RotationOngoing { session: "s".to_owned() };
        let trigger = Trigger::new(handle.requester().uid, condition, Action::notify());
        let registered = block_on(handle.register_trigger(trigger));
        assert_eq!(registered.err(), Some(ErrorCode::Fatal));
    });
}

#[test]
fn a_failure_of_who_counts_relay_connections_ends_the_daemon_and_the_owner_knows() {
    ends_the_daemon("Relayds open", "actor of relay connections", |_, handle| {
        let (_silent, descriptor) = streamed(BAD);
        block_on(handle.create_session(None, descriptor)).unwrap();
        let rule = EventDescription::tracepoint("sample:number");
        let enabled = block_on(handle.enable_event(BAD, "", rule));
        // Which of the two is told depends on how far the daemon's end is by then.
        let told = [ErrorCode::RelaydConnectFail, ErrorCode::Fatal];
        assert!(enabled.is_err_and(|code| told.contains(&code)), "{enabled:?}");
    });
}
