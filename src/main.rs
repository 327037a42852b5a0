//! `lttngd`, the session daemon: takes the place of `lttng-sessiond` 2.13.

mod background;
mod clock_plugin;
mod look;
mod options;
mod termination;

use std::error::Error;
use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

use lttngd::Daemon;
use lttngd::process::{self, limits, logging, memory, signals};

use self::background::Readiness;
use self::options::{Invocation, Options, Process, Surroundings};
use self::termination::Termination;

fn main() -> ExitCode {
    signals::settle();
    let args: Vec<OsString> = std::env::args_os().collect();
    if let Some(library) = clock_plugin::library(&args) {
        // The daemon sees the process end, and says so.
        return match clock_plugin::serve(library) {
            Ok(()) => ExitCode::SUCCESS,
            Err(_) => ExitCode::FAILURE,
        };
    }
    if let Some(end) = process::assume_role_with(clock_plugin::consumers_clock) {
        return end;
    }
    if look::is_meant(&args) {
        return look::main(&args, Process.is_setuid());
    }
    let options = match options::parse(&args, &Process) {
        Ok(Invocation::Start(options)) => *options,
        Ok(Invocation::Print(text)) => {
            return match std::io::stdout().write_all(text.as_bytes()) {
                Ok(()) => ExitCode::SUCCESS,
                Err(_) => ExitCode::FAILURE,
            };
        }
        Err(error) => {
            // Without options there is no log. Nothing is left to do when this cannot be written.
            let _ = writeln!(std::io::stderr(), "{error}");
            return ExitCode::FAILURE;
        }
    };
    logging::start(options.config.verbose, options.config.quiet);
    let result = if options.detach.is_some() && options.readiness_fd.is_none() {
        background::start(&args).map_err(Into::into)
    } else {
        run(options, &args)
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Is the daemon, from its start to the signal that ends it, or to a failure that does.
fn run(options: Options, args: &[OsString]) -> Result<(), Box<dyn Error>> {
    for notice in &options.notices {
        tracing::warn!("{notice}");
    }
    memory::keep_some();
    memory::share_one_heap();
    let mut termination = Termination::catch()?;
    let readiness = Readiness::new(&options, args.first())?;
    match limits::raise_descriptors() {
        Ok(limit) => tracing::debug!(?limit, "limit of open descriptors"),
        Err(error) => tracing::warn!(%error, "cannot raise the limit of open descriptors"),
    }
    let mut daemon = Daemon::start(options.config)?;
    if let Err(error) = memory::give_back(&daemon.handle()) {
        tracing::warn!(%error, "memory of those that have left is kept");
    }
    if let Err(error) = readiness.announce() {
        tracing::warn!(%error, "cannot tell that the daemon is ready");
    }
    let ended = termination.wait_beside(daemon.failed());
    if let Ok(signal) = ended {
        tracing::info!(signal, "ends");
    }
    daemon.stop();
    ended.map(drop).map_err(Into::into)
}
