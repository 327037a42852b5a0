//! Records a program with a session daemon inside this process: no `lttng`, no client socket.
//!
//! ```text
//! cargo run --example record -- [DIRECTORY [PROGRAM [ARGUMENT...]]]
//! ```
//!
//! The trace goes to `DIRECTORY/trace`, by default below a new directory of the system's temporary
//! one. Without a `PROGRAM` the one of the demo is compiled and run.
//!
//! Applications look for a session daemon in two places only: `/var/run/lttng`, which is root's, and
//! `$LTTNG_HOME/.lttng` (else `$HOME/.lttng`). The daemon in here therefore takes the run directory of
//! the user who runs it, without the socket for clients, and does not start where a daemon serves that
//! directory already. A user other than root who has one running gives this one a place of its own by
//! `LTTNG_HOME=/some/directory`.
//!
//! `Config::in_directory` takes any directory; one named `.lttng` is found by programs that are started
//! with its parent as `LTTNG_HOME`.

use std::{
    env,
    error::Error,
    ffi::OsString,
    fs,
    path::{Path, PathBuf, absolute},
    process::{Command, ExitCode},
    time::Duration,
};

use lttngd::{
    Config, Daemon, Handle,
    model::{
        BufferScheme, ChannelListing, DescriptorOutput, EventDescription, SessionDescriptor,
        SessionKind, Uri,
    },
    process, user_space_channel,
};

const SESSION: &str = "record";
const CHANNEL: &str = "events";
/// Longest wait of the program for the daemon to enable its events before `main` begins.
const REGISTER_TIMEOUT_MS: &str = "20000";

fn main() -> Result<ExitCode, Box<dyn Error>> {
    // The daemon starts this program once more for its consumer daemon.
    if let Some(end) = process::assume_role() {
        return Ok(end);
    }
    let config = Config::for_current_user()?.with_program(process::own_program());
    run(config, env::args_os().skip(1))?;
    Ok(ExitCode::SUCCESS)
}

/// Does what the command line asks for, with a daemon that is started with `config`.
pub fn run(
    config: Config,
    mut arguments: impl Iterator<Item = OsString>,
) -> Result<(), Box<dyn Error>> {
    let directory = match arguments.next() {
        Some(directory) => absolute(PathBuf::from(directory))?,
        None => env::temp_dir().join(format!("lttngd-record-{}", std::process::id())),
    };
    fs::create_dir_all(&directory)?;
    let program = match arguments.next() {
        Some(program) => program,
        None => demo_program(&directory)?,
    };
    let arguments: Vec<OsString> = arguments.collect();

    let daemon = Daemon::start(config.without_clients()?)?;
    let handle = daemon.handle();
    let trace = directory.join("trace");
    let program = || run_program(&program, &arguments);
    // Any runtime will do, the daemon has its own.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    let channels = runtime.block_on(record(&handle, &trace, program))?;
    daemon.stop();

    println!("trace: {}", trace.display());
    for channel in channels {
        println!(
            "channel {}: {} events discarded, {} packets lost",
            channel.name, channel.discarded_events, channel.lost_packets
        );
    }
    println!("read it with: babeltrace2 {}", trace.display());
    Ok(())
}

/// The life of one session, around a `program`.
async fn record(
    handle: &Handle,
    trace: &Path,
    program: impl FnOnce() -> Result<(), Box<dyn Error>>,
) -> Result<Vec<ChannelListing>, Box<dyn Error>> {
    let session = SessionDescriptor {
        kind: SessionKind::Regular,
        name: Some(SESSION.to_owned()),
        output: DescriptorOutput::Local(Some(Uri::Path(trace.to_path_buf()))),
    };
    handle.create_session(None, session).await?;
    let scheme = BufferScheme::PerUid;
    handle.enable_channel(SESSION, scheme, user_space_channel(CHANNEL, scheme)).await?;
    handle.enable_event(SESSION, CHANNEL, EventDescription::tracepoint("*")).await?;
    handle.start(SESSION).await?;

    let outcome = program();

    // Also when the program failed: what it recorded until then may say why.
    handle.stop(SESSION).await?;
    while handle.data_pending(SESSION).await? {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let channels = handle.list_channels(SESSION).await?;
    handle.destroy_session(SESSION).await?;
    outcome.map(|()| channels)
}

/// Runs the program to its end. The daemon has threads of its own and needs none of ours meanwhile.
fn run_program(program: &OsString, arguments: &[OsString]) -> Result<(), Box<dyn Error>> {
    let status = Command::new(program)
        .args(arguments)
        .env("LTTNG_UST_REGISTER_TIMEOUT", REGISTER_TIMEOUT_MS)
        .status()
        .map_err(|error| format!("cannot run {}: {error}", program.display()))?;
    if !status.success() {
        return Err(format!("{} ended with {status}", program.display()).into());
    }
    Ok(())
}

/// Compiles the program of the demo.
fn demo_program(directory: &Path) -> Result<OsString, Box<dyn Error>> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("demo");
    let program = directory.join("hello");
    let status = Command::new("cc")
        .arg("-I")
        .arg(&source)
        .arg("-o")
        .arg(&program)
        .arg(source.join("hello.c"))
        .args(["-llttng-ust", "-ldl"])
        .status()
        .map_err(|error| format!("cannot run cc: {error}; install gcc or name a program"))?;
    if !status.success() {
        return Err("the demo's program does not compile: install liblttng-ust-dev".into());
    }
    Ok(program.into())
}
