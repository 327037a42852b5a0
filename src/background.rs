//! Leaving the foreground (`--daemonize`, `--background`) and telling whoever waits that the daemon
//! is ready.
//!
//! The process that the user started executes the same program once more and waits until that one,
//! the daemon, is ready. A `fork` alone would do for a process without threads only. The two share
//! a pipe: a byte means ready, its end without a byte that the daemon has died.

#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitStatus};

use lttngd::process::own_program;
use nix::libc;
use rustix::fs::{FileType, fstat};
use rustix::io::{Errno, FdFlags, fcntl_setfd};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, Signal, getppid, kill_process, setsid};

use crate::inherited::{self, FIRST_OTHER_FD};
use crate::options::{Detach, Options, READINESS_FD};

/// What the daemon writes into the pipe when ready.
const READY: u8 = b'R';

/// Why a daemon did not come up in the background.
#[derive(Debug, thiserror::Error)]
pub enum BackgroundError {
    /// It could not be started or prepared.
    #[error("cannot {action}: {source}")]
    System {
        /// What was attempted.
        action: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// It ended before it was ready, and has said why.
    #[error("the daemon ended before it was ready: {0}")]
    Died(ExitStatus),
}

fn failed(action: &'static str) -> impl FnOnce(io::Error) -> BackgroundError {
    move |source| BackgroundError::System { action, source }
}

/// Starts the command line `args` once more, as a daemon in the background, and waits until that is
/// ready.
///
/// # Errors
///
/// When it cannot be started or ends before it is ready.
pub fn start(args: &[OsString]) -> Result<(), BackgroundError> {
    let mut command = Command::new(own_program());
    if let Some(name) = args.first() {
        command.arg0(name);
    }
    start_as(command, args.get(1..).unwrap_or_default())
}

fn start_as(mut command: Command, args: &[OsString]) -> Result<(), BackgroundError> {
    let (ready, announce) =
        pipe_with(PipeFlags::CLOEXEC).map_err(|e| failed("open a pipe")(e.into()))?;
    if let Err(error) = keep_from_children(FIRST_OTHER_FD) {
        tracing::warn!(%error, "the daemon inherits all open descriptors");
    }
    fcntl_setfd(&announce, FdFlags::empty()).map_err(|e| failed("pass a pipe on")(e.into()))?;
    let mut daemon = command
        .arg(format!("--{READINESS_FD}={}", announce.as_raw_fd()))
        .args(args)
        .spawn()
        .map_err(failed("start the daemon in the background"))?;
    drop(announce);
    match File::from(ready).read_exact(&mut [0]) {
        Ok(()) => Ok(()),
        Err(_) => {
            let status = daemon.wait().map_err(failed("wait for the daemon"))?;
            Err(BackgroundError::Died(status))
        }
    }
}

/// Closes every descriptor from `first` on when another program is executed.
fn keep_from_children(first: RawFd) -> io::Result<()> {
    let flags = libc::CLOSE_RANGE_CLOEXEC as libc::c_int;
    // SAFETY: with this flag the call closes nothing and touches no memory.
    let result = unsafe { libc::close_range(first as libc::c_uint, libc::c_uint::MAX, flags) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Who waits for this daemon to be ready.
#[derive(Debug)]
pub enum Readiness {
    /// Nobody.
    Untold,
    /// The parent process, told by `SIGUSR1` (`--sig-parent`). The parent is the one at the start
    /// of the daemon; it is never told twice.
    Parent(Pid),
    /// The process that waits in the foreground, told through a pipe. It ends then, which is what
    /// its own parent sees, so `--sig-parent` adds nothing.
    Foreground {
        /// The pipe.
        announce: File,
        /// What becomes of standard input, output and error.
        detach: Option<Detach>,
    },
}

impl Readiness {
    /// Finds out who waits; in the background process, also leaves the session of the terminal and
    /// the working directory.
    ///
    /// # Errors
    ///
    /// When the descriptor of the command line is not the pipe it must be, or the process cannot
    /// leave the foreground.
    pub fn new(options: &Options, name: Option<&OsString>) -> Result<Self, BackgroundError> {
        let Some(fd) = options.readiness_fd else {
            let parent = if options.sig_parent { getppid() } else { None };
            return Ok(parent.map_or(Self::Untold, Self::Parent));
        };
        let announce =
            inherited_pipe(fd).map_err(failed("use the descriptor of --readiness-fd"))?;
        setsid().map_err(|errno| failed("start a session of processes")(errno.into()))?;
        std::env::set_current_dir("/").map_err(failed("change to the directory /"))?;
        if let Some(name) = name {
            name_process(Path::new(name));
        }
        Ok(Self::Foreground { announce: announce.into(), detach: options.detach })
    }

    /// Tells that the daemon is ready. Until then a daemon in the background has reported its
    /// errors on the terminal.
    ///
    /// # Errors
    ///
    /// When standard input, output and error cannot be let go. That nobody waits any more is none.
    pub fn announce(self) -> io::Result<()> {
        match self {
            Self::Untold => Ok(()),
            Self::Parent(parent) => match kill_process(parent, Signal::USR1) {
                Ok(()) | Err(Errno::SRCH) => Ok(()),
                Err(errno) => Err(errno.into()),
            },
            Self::Foreground { mut announce, detach } => {
                let left = match detach {
                    Some(Detach::Daemonize) => leave_standard_streams(),
                    _ => Ok(()),
                };
                // The daemon is ready also where it cannot let its streams go, as without /dev/null.
                match announce.write_all(&[READY]) {
                    Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error),
                    _ => left,
                }
            }
        }
    }
}

fn leave_standard_streams() -> io::Result<()> {
    let null = File::options().read(true).write(true).open("/dev/null")?;
    rustix::stdio::dup2_stdin(&null)?;
    rustix::stdio::dup2_stdout(&null)?;
    rustix::stdio::dup2_stderr(&null)?;
    Ok(())
}

/// Takes over a pipe that the program was started with.
fn inherited_pipe(fd: RawFd) -> io::Result<OwnedFd> {
    let pipe = inherited::descriptor(fd)?;
    if FileType::from_raw_mode(fstat(&pipe)?.st_mode) != FileType::Fifo {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a pipe"));
    }
    Ok(pipe)
}

/// Gives the process the name that it would have if it had been executed by its path, for `ps` and
/// `pgrep`.
fn name_process(program: &Path) {
    let name = program.file_name().and_then(|name| std::ffi::CString::new(name.as_bytes()).ok());
    if let Some(Err(error)) = name.map(|name| rustix::thread::set_name(&name)) {
        tracing::debug!(%error, "cannot name the process");
    }
}
