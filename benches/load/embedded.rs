//! The daemon in a process of the bench, inside a private world.

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use lttngd::model::{DescriptorOutput, EventDescription, SessionDescriptor, SessionKind, Uri};
use lttngd::{Config, Daemon, Handle, session::RotationState};

use lttngd_world::{Arena, program};

const SESSION: &str = "rotated";

/// Rotates a session of an embedded daemon `count` times; the seconds that each rotation took, none
/// when they did not end.
pub fn in_arena(
    arena: &Arena,
    limit_s: u32,
    count: u32,
    consumer: Option<PathBuf>,
) -> Vec<Option<f64>> {
    let this = std::env::current_exe().unwrap();
    let consumer = consumer.map(|path| format!("--embedded-consumer={}", path.display()));
    let line =
        format!("{} --embedded-rotations={count} {}", this.display(), consumer.unwrap_or_default());
    let answer = arena.shell_within(limit_s, &line);
    if answer.timed_out() {
        return vec![None];
    }
    assert_eq!(answer.code, 0, "{answer:?}");
    answer.stdout.lines().map(|line| line.parse().ok()).collect()
}

/// What the process inside does.
pub fn rotations(count: u32, consumer: Option<PathBuf>) {
    let mut config = Config {
        client_socket: None,
        health_socket: None,
        ..Config::for_current_user()
            .expect("a home directory")
            .with_program(env!("CARGO_BIN_EXE_lttngd"))
    };
    if consumer.is_some() {
        config.consumerd64.binary = consumer;
    }
    let trace = std::env::current_dir().unwrap().join("embedded");
    let daemon = Daemon::start(config).expect("an embedded daemon");
    let handle = daemon.handle();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        let session = SessionDescriptor {
            kind: SessionKind::Regular,
            name: Some(SESSION.to_owned()),
            output: DescriptorOutput::Local(Some(Uri::Path(trace))),
        };
        handle.create_session(None, session).await.unwrap();
        handle
            .enable_event(SESSION, "", EventDescription::tracepoint("sample:number"))
            .await
            .unwrap();
        handle.start(SESSION).await.unwrap();
        for _ in 0..count {
            let traced = Command::new(program::traced()).arg("number=100").status().unwrap();
            assert!(traced.success(), "traced program: {traced}");
            println!("{}", rotation(&handle).await.as_secs_f64());
        }
        handle.destroy_session(SESSION).await.unwrap();
    });
    daemon.stop();
}

/// One rotation, until its archive is there.
async fn rotation(handle: &Handle) -> Duration {
    let start = Instant::now();
    let id = handle.rotate(SESSION).await.unwrap();
    loop {
        match handle.rotation_info(SESSION, id).await.unwrap().state {
            RotationState::Ongoing => tokio::time::sleep(Duration::from_millis(1)).await,
            RotationState::Completed => return start.elapsed(),
            other => panic!("the rotation ended in state {other:?}"),
        }
    }
}
