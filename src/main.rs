//! `lttngd`, the session daemon: takes the place of `lttng-sessiond` 2.13.

mod background;
mod clock_plugin;
mod declare;
mod inherited;
mod look;
mod options;
mod papers;
mod service;
mod termination;

use std::error::Error;
use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

use lttngd::process::{self, limits, logging, memory, signals};
use lttngd::{Daemon, DaemonFailed, Handle};

use self::background::Readiness;
use self::options::{Invocation, Options, Process, Surroundings};
use self::service::{ServiceManager, sockets};
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
    if declare::is_meant(&args) {
        return declare::main(&args, Process.is_setuid());
    }
    if papers::is_meant(&args) {
        return papers::main(&args);
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
    let service = service_manager(&options);
    let mut handover = sockets::left(&options, &Process);
    if let Some(service) = service.as_ref().filter(|_| options.keep_sockets) {
        handover = handover.with_keeper(service.as_keeper()?);
    }
    let mut daemon = Daemon::start_with_sockets(options.config, handover)?;
    if let Err(error) = memory::give_back(&daemon.handle()) {
        tracing::warn!(%error, "memory of those that have left is kept");
    }
    if let Err(error) = readiness.announce() {
        tracing::warn!(%error, "cannot tell that the daemon is ready");
    }
    if let Some(service) = &service {
        service.ready();
    }
    let handle = daemon.handle();
    let ended = termination.wait_beside(failure(&mut daemon, &handle, service.as_ref()));
    if let Ok(signal) = ended {
        tracing::info!(signal, "ends");
    }
    if let Some(service) = &service {
        service.stopping();
    }
    daemon.stop();
    ended.map(drop).map_err(Into::into)
}

/// Who runs this process as a service. A daemon in the background is nobody's: who started it was told when it was
/// ready, by the end of the process in the foreground.
fn service_manager(options: &Options) -> Option<ServiceManager> {
    let found = if options.detach.is_none() { ServiceManager::find(&Process) } else { Ok(None) };
    let service = found.unwrap_or_else(|error| {
        tracing::warn!(%error, "the service manager is told nothing");
        None
    });
    if service.is_none() && options.keep_sockets {
        tracing::warn!(
            "nobody keeps the sockets: no service manager runs this daemon in the foreground"
        );
    }
    service
}

/// Waits until the daemon fails; meanwhile the service manager is told how it does.
async fn failure(
    daemon: &mut Daemon,
    handle: &Handle,
    service: Option<&ServiceManager>,
) -> DaemonFailed {
    let Some(service) = service else { return daemon.failed().await };
    tokio::select! {
        failed = daemon.failed() => failed,
        never = service.attend(handle) => match never {},
    }
}
