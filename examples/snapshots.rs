//! A flight recorder: keeps the newest events of a running program in memory, and writes them to a
//! directory every now and then. The session daemon is inside this process: no `lttng`, no client socket.
//!
//! ```text
//! cargo run --example snapshots -- DIRECTORY PROGRAM [ARGUMENT...]
//! ```
//!
//! The program is traced with LTTng-UST. While it runs a snapshot is recorded every half second, and a
//! last one when it has ended, each in a directory of its own below `DIRECTORY`.
//!
//! As in the example `record`, the daemon takes the run directory of the user who runs it, and does
//! not start where another daemon serves that directory.

use std::{
    env,
    error::Error,
    ffi::OsString,
    path::{Path, PathBuf, absolute},
    process::{Child, Command, ExitCode},
    time::Duration,
};

use lttngd::{
    Config, Daemon, Handle,
    model::{
        BufferMode, BufferScheme, DescriptorOutput, EventDescription, SessionDescriptor,
        SessionKind, Uri,
    },
    process,
    session::RecordSnapshot,
    user_space_channel,
};

const SESSION: &str = "recorder";
const CHANNEL: &str = "newest";
/// What the buffers of each processor hold: older events make place for new ones.
const SUBBUF_SIZE_BYTES: u64 = 256 << 10;
const NUM_SUBBUF: u64 = 4;
/// Time between two snapshots.
const PERIOD: Duration = Duration::from_millis(500);
/// Longest wait of the program for the daemon to enable its events before `main` begins.
const REGISTER_TIMEOUT_MS: &str = "20000";
/// As [`RecordSnapshot::max_size_bytes`]: the limit of the output, which has none.
const OWN_LIMIT: u64 = u64::MAX;

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
    let (Some(directory), Some(program)) = (arguments.next(), arguments.next()) else {
        return Err("usage: snapshots DIRECTORY PROGRAM [ARGUMENT...]".into());
    };
    let directory = absolute(PathBuf::from(directory))?;
    let arguments: Vec<OsString> = arguments.collect();

    let daemon = Daemon::start(config.without_clients()?)?;
    let handle = daemon.handle();
    // Any runtime will do, the daemon has its own.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    runtime.block_on(async {
        start(&handle, &directory).await?;
        let mut program = Command::new(&program)
            .args(&arguments)
            .env("LTTNG_UST_REGISTER_TIMEOUT", REGISTER_TIMEOUT_MS)
            .spawn()
            .map_err(|error| format!("cannot run {}: {error}", program.display()))?;
        let outcome = record_while_running(&handle, &mut program).await;
        handle.destroy_session(SESSION).await?;
        outcome
    })?;
    daemon.stop();

    println!("snapshots are below {}", directory.display());
    println!("read one with: babeltrace2 {}/NAME", directory.display());
    Ok(())
}

/// Starts a session that writes nothing by itself.
async fn start(handle: &Handle, directory: &Path) -> Result<(), Box<dyn Error>> {
    let session = SessionDescriptor {
        kind: SessionKind::Snapshot,
        name: Some(SESSION.to_owned()),
        output: DescriptorOutput::Local(Some(Uri::Path(directory.to_path_buf()))),
    };
    handle.create_session(None, session).await?;
    let scheme = BufferScheme::PerUid;
    let mut channel = user_space_channel(CHANNEL, scheme);
    channel.attributes.mode = BufferMode::Overwrite;
    channel.attributes.subbuf_size_bytes = SUBBUF_SIZE_BYTES;
    channel.attributes.num_subbuf = NUM_SUBBUF;
    handle.enable_channel(SESSION, scheme, channel).await?;
    handle.enable_event(SESSION, CHANNEL, EventDescription::tracepoint("*")).await?;
    Ok(handle.start(SESSION).await?)
}

/// Records snapshots until the program ends, and one of what it has left in the buffers.
async fn record_while_running(handle: &Handle, program: &mut Child) -> Result<(), Box<dyn Error>> {
    let snapshot = || RecordSnapshot {
        name: String::new(),
        control_url: String::new(),
        data_url: String::new(),
        max_size_bytes: OWN_LIMIT,
    };
    let status = loop {
        tokio::time::sleep(PERIOD).await;
        let status = program.try_wait()?;
        handle.record_snapshot(SESSION, snapshot()).await?;
        if let Some(status) = status {
            break status;
        }
    };
    if status.success() { Ok(()) } else { Err(format!("the program ended with {status}").into()) }
}
