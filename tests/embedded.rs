//! The daemon as a library in a process of the test: no `lttng`, no client socket, handles in many
//! threads and on any asynchronous runtime, real programs recorded and read with babeltrace2.
//!
//! A test that records executes itself once more inside an arena, where the run directory of the user
//! is a private one.
#![allow(clippy::unwrap_used)]

use std::{
    env, fs,
    net::Ipv4Addr,
    path::{Path, PathBuf},
    pin::pin,
    process::Command,
    sync::Arc,
    task::{Context, Poll, Wake, Waker},
    thread::{self, Thread},
    time::Duration,
};

use lttngd::{
    AgentPort, Config, Daemon, Handle, StartError,
    model::{
        BufferScheme, Credentials, DescriptorOutput, Domain, ErrorCode, EventDescription,
        LogLevelRule, SessionDescriptor, SessionKind, Uri,
    },
    session::{
        AddSnapshotOutput, DeleteSnapshotOutput, RecordSnapshot, RotationState, TraceArchive,
    },
    user_space_channel,
};
use lttngd_peer::{AgentScript, FakeAgent, eventually};
use lttngd_world::{
    Arena,
    inside::{in_arena, inside},
    program::traced,
};
use tempfile::TempDir;

/// What is the consumer daemon.
const PROGRAM: &str = env!("CARGO_BIN_EXE_lttngd");

/// The daemon of this process's user, without a client socket.
fn users_daemon() -> (Daemon, PathBuf) {
    let config = Config::for_current_user().unwrap().with_program(PROGRAM);
    let config = Config { client_socket: None, ..config };
    let run_dir = config.run_dir.clone();
    (Daemon::start(config).unwrap(), run_dir)
}

/// A daemon in a directory of its own.
fn daemon_in(directory: &TempDir) -> Result<Daemon, StartError> {
    Daemon::start(Config::in_directory(directory.path().join(".lttng")).with_program(PROGRAM))
}

fn session(name: &str, trace: &Path) -> SessionDescriptor {
    SessionDescriptor {
        kind: SessionKind::Regular,
        name: Some(name.to_owned()),
        output: DescriptorOutput::Local(Some(Uri::Path(trace.to_path_buf()))),
    }
}

/// Runs the sample program, see `tests/apps/traced.c`.
fn run(commands: &[&str]) {
    let status = Command::new(traced()).args(commands).status().unwrap();
    assert!(status.success(), "traced program: {status}");
}

/// The names of the sample's events below `trace`.
fn recorded(arena: &Arena, trace: &Path) -> Vec<String> {
    arena.events(trace).into_iter().map(|event| event.name).collect()
}

/// Runs a future on nothing but this thread: no timers, no sockets, no tokio.
fn on_a_bare_thread<T>(future: impl Future<Output = T>) -> T {
    struct Unpark(Thread);

    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }

    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(value) => return value,
            Poll::Pending => thread::park(),
        }
    }
}

/// Runs a future on a tokio runtime of its own.
fn on_tokio<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(future)
}

async fn end(handle: &Handle, name: &str) {
    handle.stop(name).await.unwrap();
    while handle.data_pending(name).await.unwrap() {
        thread::sleep(Duration::from_millis(5));
    }
    for channel in handle.list_channels(name).await.unwrap() {
        assert_eq!((channel.discarded_events, channel.lost_packets), (0, 0), "{}", channel.name);
    }
    handle.destroy_session(name).await.unwrap();
}

#[test]
fn handles_can_go_anywhere() {
    fn is_free<T: Clone + Send + Sync + 'static>() {}
    fn can_move<T: Send>(_: &T) {}

    is_free::<Handle>();
    let directory = TempDir::new().unwrap();
    let daemon = daemon_in(&directory).unwrap();
    let handle = daemon.handle();
    // A multi-threaded runtime moves futures between its threads.
    can_move(&handle.create_session(None, session("s", Path::new("/s"))));
    can_move(&handle.enable_event("s", "", EventDescription::tracepoint("*")));
    can_move(&handle.start("s"));
    can_move(&handle.stop("s"));
    can_move(&handle.data_pending("s"));
    can_move(&handle.list_channels("s"));
    can_move(&handle.destroy_session("s"));
    can_move(&handle.list_sessions());
}

const LEVELS: [&str; 4] = ["sample:alarm", "sample:caution", "sample:ordinary", "sample:detail"];

#[test]
fn agents_are_served_where_a_port_is_given() {
    let directory = TempDir::new().unwrap();
    let run_dir = directory.path().join(".lttng");
    let agent_port = AgentPort::Only(0);
    let config = Config { agent_port, ..Config::in_directory(&run_dir) };
    let daemon = Daemon::start(config).unwrap();
    let handle = daemon.handle();
    let port = fs::read_to_string(run_dir.join("agent.port")).unwrap();
    let address = (Ipv4Addr::LOCALHOST, port.trim_end().parse().unwrap()).into();
    let agent = FakeAgent::connect(address, AgentScript::answering(Domain::Python)).unwrap();
    on_tokio(async {
        handle.create_session(None, session("s", Path::new("/s"))).await.unwrap();
        let rule = EventDescription::tracepoint("app").at_log_level(LogLevelRule::Range(30));
        handle.enable_agent_event("s", Domain::Python, rule).await.unwrap();
        let listed = handle.list_agent_events("s", Domain::Python).await.unwrap();
        let filter = "(logger_name == \"app\") && (int_loglevel >= 30)";
        assert_eq!(listed[0].filter_expression.as_deref(), Some(filter));
        eventually("the agent has the rule", || agent.enabled() == ["app"]).await;
        let every = EventDescription::of_any_kind("");
        handle.disable_agent_event("s", Domain::Python, every).await.unwrap();
    });
    assert_eq!(agent.enabled(), [""; 0]);
    daemon.stop();
    drop(agent);

    let without = daemon_in(&directory).unwrap();
    let listed = on_a_bare_thread(without.handle().list_tracepoints(Some(Domain::Jul)));
    assert_eq!(listed, Err(ErrorCode::AgentTracingDisabled));
}

#[test]
fn programs_are_recorded_by_handles_on_different_runtimes() {
    match inside() {
        Some(traces) => record_on_different_runtimes(&traces),
        None => {
            in_arena("programs_are_recorded_by_handles_on_different_runtimes", |arena, traces| {
                let numbers = ["sample:number"; 3];
                let all = [&numbers[..], &LEVELS, &LEVELS].concat();
                assert_eq!(recorded(arena, &traces.join("all")), all);
                assert_eq!(recorded(arena, &traces.join("severe")), LEVELS[..2]);
            })
        }
    }
}

fn record_on_different_runtimes(traces: &Path) {
    let (daemon, run_dir) = users_daemon();
    assert!(!run_dir.join("client-lttng-sessiond").exists());

    thread::scope(|scope| {
        let handle = daemon.handle();
        scope.spawn(move || {
            on_tokio(async {
                handle.create_session(None, session("all", &traces.join("all"))).await.unwrap();
                let rule = EventDescription::tracepoint("sample:*").excluding(["sample:f*"]);
                handle.enable_event("all", "", rule).await.unwrap();
                handle.start("all").await.unwrap();
            });
        });
        let handle = daemon.handle();
        scope.spawn(move || {
            on_a_bare_thread(async {
                let descriptor = session("severe", &traces.join("severe"));
                handle.create_session(None, descriptor).await.unwrap();
                let channel = user_space_channel("mine", BufferScheme::PerPid);
                handle.enable_channel("severe", BufferScheme::PerPid, channel).await.unwrap();
                // Up to LTTNG_UST_TRACEPOINT_LOGLEVEL_WARNING.
                let rule =
                    EventDescription::tracepoint("sample:*").at_log_level(LogLevelRule::Range(4));
                handle.enable_event("severe", "mine", rule).await.unwrap();
                handle.start("severe").await.unwrap();
            });
        });
    });
    run(&["number=3", "fields=2", "levels=1"]);

    // A rule that changes while its session is active.
    let handle = daemon.handle();
    on_a_bare_thread(async {
        let rule = EventDescription::of_any_kind("sample:*");
        handle.disable_event("severe", "mine", rule).await.unwrap();
        let mut sessions: Vec<_> =
            handle.list_sessions().await.unwrap().into_iter().map(|s| (s.name, s.active)).collect();
        sessions.sort();
        assert_eq!(sessions, [("all".to_owned(), true), ("severe".to_owned(), true)]);
    });
    run(&["levels=1"]);

    thread::scope(|scope| {
        let handle = daemon.handle();
        scope.spawn(move || on_a_bare_thread(end(&handle, "all")));
        let handle = daemon.handle();
        scope.spawn(move || on_tokio(end(&handle, "severe")));
    });
    daemon.stop();
    let left: Vec<_> = fs::read_dir(run_dir).unwrap().flatten().map(|e| e.file_name()).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn programs_find_a_daemon_in_a_directory_by_lttng_home() {
    let Some(traces) = inside() else {
        return in_arena("programs_find_a_daemon_in_a_directory_by_lttng_home", |arena, traces| {
            assert_eq!(recorded(arena, &traces.join("t")), ["sample:number"; 5]);
        });
    };
    let home = PathBuf::from(env::var_os("LTTNG_HOME").unwrap());
    let daemon =
        Daemon::start(Config::in_directory(home.join(".lttng")).with_program(PROGRAM)).unwrap();
    let handle = daemon.handle();
    on_tokio(async {
        handle.create_session(None, session("s", &traces.join("t"))).await.unwrap();
        handle.enable_event("s", "", EventDescription::tracepoint("*")).await.unwrap();
        handle.start("s").await.unwrap();
        run(&["number=5"]);
        end(&handle, "s").await;
    });
    daemon.stop();
}

#[test]
fn a_rule_with_a_filter_records_what_the_filter_says() {
    let Some(traces) = inside() else {
        return in_arena("a_rule_with_a_filter_records_what_the_filter_says", |arena, traces| {
            let fields: Vec<_> =
                arena.events(&traces.join("t")).into_iter().map(|event| event.fields).collect();
            assert_eq!(
                fields,
                ["{ number = 3, text = \"hello\" }", "{ number = 4, text = \"hello\" }"]
            );
        });
    };
    let (daemon, _) = users_daemon();
    let handle = daemon.handle();
    on_tokio(async {
        handle.create_session(None, session("s", &traces.join("t"))).await.unwrap();
        let filter = "number >= 3 && number < 5 && text == \"h*o\"";
        let rule = EventDescription::tracepoint("sample:number").filtered_by(filter).unwrap();
        handle.enable_event("s", "", rule).await.unwrap();
        let listed = handle.list_events("s", "channel0").await.unwrap();
        assert_eq!(listed[0].filter_expression.as_deref(), Some(filter));
        handle.start("s").await.unwrap();
        run(&["number=10"]);
        end(&handle, "s").await;
    });
    daemon.stop();
    let error = EventDescription::tracepoint("*").filtered_by("number + 1").unwrap_err();
    assert_eq!(ErrorCode::from(error), ErrorCode::FilterInval);
}

#[test]
fn many_threads_use_one_daemon_at_once() {
    const THREADS: usize = 8;
    const LIVES: usize = 5;

    let Some(traces) = inside() else {
        return in_arena("many_threads_use_one_daemon_at_once", |arena, traces| {
            for number in 0..THREADS {
                for life in 0..LIVES {
                    // Each life records its own program, and may record those of others.
                    let trace = traces.join(format!("s{number}-{life}"));
                    let own = format!("\"s{number}-{life}\"");
                    let events = arena.events(&trace);
                    let count = events.iter().filter(|event| event.fields.contains(&own)).count();
                    assert_eq!(count, 2, "{events:?}");
                }
            }
        });
    };
    let (daemon, _) = users_daemon();
    thread::scope(|scope| {
        for number in 0..THREADS {
            let (handle, traces) = (daemon.handle(), &traces);
            scope.spawn(move || {
                for life in 0..LIVES {
                    let name = format!("s{number}-{life}");
                    let work = async {
                        handle.create_session(None, session(&name, &traces.join(&name))).await?;
                        let rule = EventDescription::tracepoint("sample:number");
                        handle.enable_event(&name, "", rule).await?;
                        handle.start(&name).await
                    };
                    match number % 2 {
                        0 => on_tokio(work).unwrap(),
                        _ => on_a_bare_thread(work).unwrap(),
                    }
                    run(&[&format!("text={name}"), "number=2"]);
                    on_a_bare_thread(end(&handle, &name));
                }
            });
        }
    });
    let left = on_tokio(daemon.handle().list_sessions()).unwrap();
    assert!(left.is_empty(), "{left:?}");
    daemon.stop();
}

#[test]
fn a_handle_acts_for_whom_it_is_told() {
    let directory = TempDir::new().unwrap();
    let daemon = daemon_in(&directory).unwrap();
    let handle = daemon.handle();
    let own = rustix::process::geteuid().as_raw();
    let stranger = handle.acting_for(Credentials { uid: own + 1, gid: own + 1 });
    on_tokio(async {
        let descriptor = session("mine", &directory.path().join("t"));
        handle.create_session(None, descriptor).await.unwrap();
        assert_eq!(stranger.start("mine").await, Err(ErrorCode::Eperm));
        assert_eq!(stranger.list_sessions().await.unwrap(), []);
        assert_eq!(handle.start("mine").await, Err(ErrorCode::NoChannel));
        assert_eq!(handle.list_sessions().await.unwrap().len(), 1);
    });
}

#[test]
fn what_nobody_serves_answers_as_the_client_library_does() {
    let directory = TempDir::new().unwrap();
    let daemon = daemon_in(&directory).unwrap();
    let handle = daemon.handle();
    on_tokio(async {
        handle.create_session(None, session("s", &directory.path().join("t"))).await.unwrap();
        assert_eq!(handle.calibrate(), Err(ErrorCode::Und));
        assert_eq!(handle.register_consumer("s", Some(Domain::Ust)).await, Err(ErrorCode::Und));
        let missing = handle.register_consumer("other", Some(Domain::Ust)).await;
        assert_eq!(missing, Err(ErrorCode::SessNotFound));
        let kernel = handle.register_consumer("s", Some(Domain::Kernel)).await;
        assert!(matches!(kernel, Err(ErrorCode::KernNa | ErrorCode::NeedRootSessiond)));
    });
}

#[test]
fn rotations_snapshots_and_clearing_by_their_methods() {
    let Some(traces) = inside() else {
        return in_arena("rotations_snapshots_and_clearing_by_their_methods", |arena, traces| {
            assert_eq!(recorded(arena, &traces.join("rotated/archives")), ["sample:number"; 5]);
            assert_eq!(recorded(arena, &traces.join("snapshots")), ["sample:number"; 7]);
        });
    };
    let (daemon, _) = users_daemon();
    let handle = daemon.handle();
    on_tokio(async {
        handle.create_session(None, session("r", &traces.join("rotated"))).await.unwrap();
        handle.enable_event("r", "", EventDescription::tracepoint("sample:*")).await.unwrap();
        handle.start("r").await.unwrap();
        run(&["number=3"]);
        handle.clear("r").await.unwrap();
        run(&["number=5"]);
        let id = handle.rotate("r").await.unwrap();
        let info = loop {
            match handle.rotation_info("r", id).await.unwrap() {
                info if info.state == RotationState::Ongoing => {
                    thread::sleep(Duration::from_millis(5));
                }
                info => break info,
            }
        };
        assert_eq!(info.state, RotationState::Completed);
        let Some(TraceArchive::Local(archive)) = info.archive else { panic!("{info:?}") };
        assert!(archive.starts_with(traces.join("rotated")), "{}", archive.display());
        end(&handle, "r").await;

        let descriptor = SessionDescriptor {
            kind: SessionKind::Snapshot,
            name: Some("s".to_owned()),
            output: DescriptorOutput::None,
        };
        handle.create_session(None, descriptor).await.unwrap();
        handle.enable_event("s", "", EventDescription::tracepoint("sample:*")).await.unwrap();
        handle.start("s").await.unwrap();
        run(&["number=7"]);
        let output = AddSnapshotOutput {
            name: "o".to_owned(),
            max_size_bytes: 0,
            control_url: traces.join("snapshots").display().to_string(),
            data_url: String::new(),
        };
        let id = handle.add_snapshot_output("s", output).await.unwrap();
        let listed = handle.list_snapshot_outputs("s").await.unwrap();
        assert_eq!((listed.len(), listed[0].id, listed[0].name.as_str()), (1, id, "o"));
        let own = RecordSnapshot {
            name: String::new(),
            control_url: String::new(),
            data_url: String::new(),
            max_size_bytes: u64::MAX,
        };
        handle.record_snapshot("s", own.clone()).await.unwrap();
        let output = DeleteSnapshotOutput { id, name: String::new() };
        handle.delete_snapshot_output("s", output).await.unwrap();
        assert_eq!(handle.record_snapshot("s", own).await, Err(ErrorCode::SnapshotFail));
        handle.destroy_session("s").await.unwrap();
    });
    daemon.stop();
}

#[test]
fn daemons_share_a_process_but_not_a_directory() {
    let (one, other) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let first = daemon_in(&one).unwrap();
    let again = daemon_in(&one);
    assert!(matches!(again, Err(StartError::AlreadyRunning)), "{again:?}");
    let second = daemon_in(&other).unwrap();
    on_tokio(async {
        let descriptor = session("s", &one.path().join("t"));
        first.handle().create_session(None, descriptor.clone()).await.unwrap();
        second.handle().create_session(None, descriptor).await.unwrap();
    });
    drop(first);
    // Its place is free again.
    daemon_in(&one).unwrap().stop();
    assert_eq!(on_tokio(second.handle().list_sessions()).unwrap().len(), 1);
}

#[test]
fn a_handle_of_a_daemon_that_ended_says_so() {
    let directory = TempDir::new().unwrap();
    let daemon = daemon_in(&directory).unwrap();
    let handle = daemon.handle();
    daemon.stop();
    assert_eq!(on_tokio(handle.list_sessions()), Err(ErrorCode::Fatal));
    assert_eq!(on_a_bare_thread(handle.start("s")), Err(ErrorCode::Fatal));
}
