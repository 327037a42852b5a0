//! What the processes of a daemon do that are its own alone: their log, their limits, and how each
//! finds out which of them it is.
//!
//! A program that embeds the daemon becomes what else the daemon needs, the consumer daemon and the
//! worker that makes files of other users, when it calls [`assume_role`] first of all and names itself
//! by [`Config::with_program`]:
//!
//! ```no_run
//! use std::process::ExitCode;
//!
//! use lttngd::{Config, process};
//!
//! fn main() -> ExitCode {
//!     if let Some(end) = process::assume_role() {
//!         return end;
//!     }
//!     let config = Config::in_directory("/tmp/mine/.lttng").with_program(process::own_program());
//!     // Daemon::start(config) and so on.
//! #   drop(config);
//!     ExitCode::SUCCESS
//! }
//! ```
//!
//! [`Config::with_program`]: crate::Config::with_program

mod consumerd;
pub mod limits;
pub mod logging;
pub mod memory;
mod regular_file;
pub mod signals;
pub(crate) mod time_zone;

use std::{ffi::OsString, os::unix::ffi::OsStrExt, path::PathBuf, process::ExitCode};

pub use regular_file::{read_regular_file, read_to_limit};

/// The program that this process runs, wherever it stands and also after it was replaced there.
pub const OWN_PROGRAM: &str = "/proc/self/exe";

/// The path at which this process finds its own program: [`OWN_PROGRAM`], or, where there is no
/// `/proc`, as in a sandbox, the path by which it was executed.
#[must_use]
pub fn own_program() -> PathBuf {
    let usual = PathBuf::from(OWN_PROGRAM);
    if usual.exists() {
        return usual;
    }
    let executed = rustix::param::linux_execfn().to_bytes();
    std::path::absolute(std::ffi::OsStr::from_bytes(executed)).unwrap_or(usual)
}

/// Reads the clock of traces.
pub type ReadClock = Box<dyn Fn() -> u64 + Send + Sync>;

/// Is what this process was started to be, if a daemon started it: returns then with what the process
/// is to end with. `None` when it is nothing but itself. Its consumer daemon knows the monotonic clock
/// alone.
#[must_use]
pub fn assume_role() -> Option<ExitCode> {
    assume_role_with(|| None)
}

/// Like [`assume_role`]; the consumer daemon reads the clock that `clock` finds, unless there is none.
#[must_use]
pub fn assume_role_with(clock: impl FnOnce() -> Option<ReadClock>) -> Option<ExitCode> {
    let args: Vec<OsString> = std::env::args_os().collect();
    if lttngd_runas::is_meant(&args) {
        return Some(lttngd_runas::main());
    }
    lttngd_consumerd::is_meant(&args).then(|| consumerd::main(&args, clock))
}
