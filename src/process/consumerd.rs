//! The role of a consumer daemon: what [`lttngd_consumerd`] is in a process of its own.

use std::ffi::{CStr, OsString};
use std::io::Write;
use std::process::ExitCode;

use lttngd_consumerd::{ConsumerdError, Options, PacketClock};
use lttngd_runas::Runas;

use super::{ReadClock, limits, logging, memory, own_program, signals};

/// What the process is called in listings, whatever the program is.
const PROCESS_NAME: &CStr = c"lttng-consumerd";
/// The level that `--verbose` stands for.
const VERBOSE: u8 = 3;

/// Is the consumer daemon of the command line `args`. Its clock is not looked for when the rights of the
/// process come from its file instead of its caller, whose choice the clock is.
pub(super) fn main(args: &[OsString], clock: impl FnOnce() -> Option<ReadClock>) -> ExitCode {
    signals::settle();
    let is_setuid = rustix::process::getuid() != rustix::process::geteuid()
        || rustix::process::getgid() != rustix::process::getegid();
    let options = match Options::parse_from_args(args, is_setuid) {
        Ok(options) => options,
        Err(error) => {
            let text = error.render().to_string();
            let failed = error.use_stderr();
            // There is no log yet. Nothing is left to do when this cannot be written.
            let _ = if failed {
                std::io::stderr().write_all(text.as_bytes())
            } else {
                std::io::stdout().write_all(text.as_bytes())
            };
            return if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS };
        }
    };
    logging::start(if options.verbose { VERBOSE } else { 0 }, options.quiet);
    // It only makes the process easier to tell from others.
    let _ = rustix::thread::set_name(PROCESS_NAME);
    let clock = if is_setuid { None } else { clock() };
    match run(&options, clock.map_or_else(PacketClock::default, PacketClock::plugin)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options, clock: PacketClock) -> Result<(), ConsumerdError> {
    memory::keep_some();
    if let Err(error) = limits::raise_descriptors() {
        tracing::warn!(%error, "cannot raise the limit of open descriptors");
    }
    // Before there are threads: rights are a thread's.
    if options.kernel
        && rustix::process::geteuid().is_root()
        && let Err(error) = lttngd_runas::keep_file_rights()
    {
        tracing::warn!(error, "the kernel's consumer daemon keeps rights that it does not need");
    }
    let runas = Runas::urgent(Some(own_program()));
    lttngd_consumerd::run(options, clock, runas)
}
