//! Records what the kernel's scheduler does and what a program logs itself, on one timeline: for root, where the
//! kernel has LTTng's tracer.
//!
//! ```text
//! cargo run --example timeline -- DIRECTORY PROGRAM [ARGUMENT...]
//! ```
//!
//! The trace goes to `DIRECTORY`, of which `kernel` is what the kernel recorded and `ust` what the program did.
//! `babeltrace2 DIRECTORY` reads both, in the order of time.
//!
//! As in the example `record`, the daemon takes the run directory of the user who runs it, and does not start
//! where another daemon serves that directory.

use std::{
    env,
    error::Error,
    ffi::OsString,
    path::{Path, PathBuf, absolute},
    process::{Command, ExitCode},
    time::Duration,
};

use lttngd::{
    Config, Daemon, Handle, kernel_channel,
    model::{
        Context, ContextKind, DescriptorOutput, EventDescription, SessionDescriptor, SessionKind,
        Uri,
    },
    process,
};

const SESSION: &str = "timeline";
const CHANNEL: &str = "scheduling";
/// What is recorded of the kernel: who runs when, and which programs begin and end.
const KERNEL_EVENTS: [&str; 3] = ["sched_switch", "sched_process_exec", "sched_process_exit"];
/// Longest wait of the program for the daemon to enable its events before `main` begins.
const REGISTER_TIMEOUT_MS: &str = "20000";

fn main() -> Result<ExitCode, Box<dyn Error>> {
    // The daemon starts this program once more for each of its consumer daemons.
    if let Some(end) = process::assume_role() {
        return Ok(end);
    }
    let mut arguments = env::args_os().skip(1);
    let (Some(directory), Some(program)) = (arguments.next(), arguments.next()) else {
        return Err("name a directory for the trace, and a program".into());
    };
    let config = Config::for_current_user()?.with_program(process::own_program());
    let trace = absolute(PathBuf::from(directory))?;
    let daemon = Daemon::start(config.without_clients()?)?;
    let mut command = Command::new(program);
    command.args(arguments.collect::<Vec<OsString>>());
    command.env("LTTNG_UST_REGISTER_TIMEOUT", REGISTER_TIMEOUT_MS);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    let recorded = runtime.block_on(record(&daemon.handle(), &trace, command));
    daemon.stop();
    recorded?;
    println!("read it with: babeltrace2 {}", trace.display());
    Ok(ExitCode::SUCCESS)
}

/// The life of one session, around a program.
async fn record(handle: &Handle, trace: &Path, mut program: Command) -> Result<(), Box<dyn Error>> {
    let session = SessionDescriptor {
        kind: SessionKind::Regular,
        name: Some(SESSION.to_owned()),
        output: DescriptorOutput::Local(Some(Uri::Path(trace.to_path_buf()))),
    };
    handle.create_session(None, session).await?;
    handle.enable_kernel_channel(SESSION, kernel_channel(CHANNEL)).await?;
    for name in KERNEL_EVENTS {
        let event = EventDescription::tracepoint(name);
        handle.enable_kernel_event(SESSION, CHANNEL, event).await?;
    }
    handle.add_kernel_context(SESSION, CHANNEL, Context::Plain(ContextKind::Tid)).await?;
    handle.enable_event(SESSION, "", EventDescription::tracepoint("*")).await?;
    handle.start(SESSION).await?;

    let outcome = program.status();

    // Also when the program failed: what it recorded until then may say why.
    handle.stop(SESSION).await?;
    while handle.data_pending(SESSION).await? {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    handle.destroy_session(SESSION).await?;
    let status = outcome?;
    if status.success() { Ok(()) } else { Err(format!("the program ended with {status}").into()) }
}
