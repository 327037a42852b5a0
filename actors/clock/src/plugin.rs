//! A clock plugin, seen from the daemon.

use std::{
    io,
    os::{
        fd::{AsFd, OwnedFd},
        unix::process::CommandExt,
    },
    path::Path,
    process::{Child, Command, Stdio},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use lttngd_metadata::tsdl::Clock;
use rustix::{
    io::{Errno, retry_on_intr},
    net::{
        AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, send, socketpair,
        sockopt::{Timeout, set_socket_timeout},
    },
};
use thiserror::Error;

use super::{REPORT_MAX_LEN, Report};

/// First argument of a program that shall load a plugin, whose path is the second.
pub const READER_OPTION: &str = "--clock-plugin-reader";
/// The one request: measure the clock. A [`Report`] is the answer.
pub const REQUEST: [u8; 1] = [b'M'];
/// Longest wait for a plugin to be loaded.
const START_DEADLINE: Duration = Duration::from_secs(10);
/// Longest wait for a measurement, which takes microseconds.
const ANSWER_DEADLINE: Duration = Duration::from_secs(2);
/// Environment that a program that loads a plugin is started without: LTTng-UST, on which the plugin
/// may depend, would load such plugins itself.
const PLUGIN_VARIABLES: [&str; 2] = ["LTTNG_UST_CLOCK_PLUGIN", "LTTNG_UST_GETCPU_PLUGIN"];
/// How long LTTng-UST keeps a program from going on while it looks for session daemons, in
/// milliseconds.
const REGISTER_TIMEOUT: (&str, &str) = ("LTTNG_UST_REGISTER_TIMEOUT", "0");
/// Name of the process.
const PROCESS_NAME: &str = "lttng-ust-clock";

/// Why there is no trace clock.
#[derive(Debug, Error)]
pub enum ClockPluginError {
    /// The process for the plugin does not start.
    #[error("cannot start {program} for the clock plugin {library}: {source}")]
    NotStarted {
        /// Its program.
        program: String,
        /// The plugin.
        library: String,
        /// What the system said.
        source: io::Error,
    },
    /// The plugin gives a clock that the daemon cannot follow.
    #[error("the clock plugin {library} {reason}; correct it or unset LTTNG_UST_CLOCK_PLUGIN")]
    Unusable {
        /// The plugin.
        library: String,
        /// What it does.
        reason: String,
    },
}

/// A clock override plugin of LTTng-UST (`include/lttng/ust-clock.h`), loaded into a process of its
/// own: it is foreign code, and what it links against would make the daemon a traced application.
///
/// The process runs the program of this daemon, started with [`READER_OPTION`] and the plugin's
/// path. Its standard input is a `SOCK_SEQPACKET` socket, on which it answers each [`REQUEST`] with
/// a [`Report`]. It ends when the socket does.
#[derive(Debug)]
pub struct ClockPlugin {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// `None` once it is lost: without a measurement the clock does not become another.
    process: Option<Process>,
    last: Clock,
}

#[derive(Debug)]
struct Process {
    child: Child,
    socket: OwnedFd,
}

impl ClockPlugin {
    /// Loads the plugin `library` (a path, or a name for the dynamic linker to look for) into a
    /// process of `program`. `None` when it does not override the clock, which is logged.
    ///
    /// # Errors
    ///
    /// See [`ClockPluginError`].
    pub fn start(program: &Path, library: &Path) -> Result<Option<Self>, ClockPluginError> {
        let name = library.display().to_string();
        let process =
            Process::start(program, library).map_err(|source| ClockPluginError::NotStarted {
                program: program.display().to_string(),
                library: name.clone(),
                source,
            })?;
        let unusable = |reason| ClockPluginError::Unusable { library: name.clone(), reason };
        match process.ask(START_DEADLINE).map_err(unusable)? {
            Report::Clock(last) => {
                tracing::info!(
                    library = name,
                    clock = last.name,
                    freq_hz = last.freq_hz,
                    "clock plugin"
                );
                Ok(Some(Self { state: Mutex::new(State { process: Some(process), last }) }))
            }
            Report::Unused(reason) => {
                tracing::error!(
                    library = name,
                    reason,
                    "the clock plugin is not used; the trace clock is the monotonic one"
                );
                Ok(None)
            }
            Report::Unusable(reason) => Err(unusable(format!("is of no use: {reason}"))),
        }
    }

    /// Measures the clock; blocks.
    pub(super) fn sample(&self) -> Clock {
        let mut state = self.state();
        let Some(process) = &state.process else { return state.last.clone() };
        let answer = match process.ask(ANSWER_DEADLINE) {
            Ok(Report::Clock(clock)) => Ok(clock),
            Ok(Report::Unused(reason) | Report::Unusable(reason)) => Err(reason),
            Err(reason) => Err(reason),
        };
        match answer {
            Ok(clock) => state.last = clock,
            Err(reason) => {
                // A late answer would be taken for that to the next request.
                state.process = None;
                tracing::error!(
                    clock = state.last.name,
                    reason,
                    "the clock plugin is lost; traces keep the last measurement until the daemon is started again"
                );
            }
        }
        state.last.clone()
    }

    /// The last measurement.
    pub(super) fn last(&self) -> Clock {
        self.state().last.clone()
    }

    /// The state is whole between any two statements, so a panic elsewhere does not matter.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Process {
    fn start(program: &Path, library: &Path) -> io::Result<Self> {
        let flags = SocketFlags::CLOEXEC;
        let (socket, theirs) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?;
        let mut command = Command::new(program);
        for variable in PLUGIN_VARIABLES {
            command.env_remove(variable);
        }
        let child = command
            .env(REGISTER_TIMEOUT.0, REGISTER_TIMEOUT.1)
            .arg0(PROCESS_NAME)
            .arg(READER_OPTION)
            .arg(library)
            .stdin(Stdio::from(theirs))
            // A signal for our terminal's foreground group must not end it before us.
            .process_group(0)
            .spawn()?;
        Ok(Self { child, socket })
    }

    /// Has the clock measured. The error says what the plugin does instead.
    fn ask(&self, deadline: Duration) -> Result<Report, String> {
        self.exchange(deadline).map_err(|errno| match errno {
            Errno::AGAIN => "does not answer".to_owned(),
            Errno::PIPE | Errno::CONNRESET => "ends the process that loads it".to_owned(),
            Errno::PROTO => "writes on a socket that is not its own".to_owned(),
            other => format!("cannot be asked: {other}"),
        })
    }

    fn exchange(&self, deadline: Duration) -> Result<Report, Errno> {
        set_socket_timeout(&self.socket, Timeout::Recv, Some(deadline))?;
        retry_on_intr(|| send(&self.socket, &REQUEST, SendFlags::NOSIGNAL | SendFlags::DONTWAIT))?;
        let mut buffer = vec![0; REPORT_MAX_LEN];
        let (length, _) =
            retry_on_intr(|| recv(self.socket.as_fd(), &mut buffer[..], RecvFlags::empty()))?;
        if length == 0 {
            return Err(Errno::PIPE);
        }
        buffer.truncate(length);
        Report::decode(&buffer).ok_or(Errno::PROTO)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // A plugin that hangs does not see the end of the socket. Both calls fail only when the
        // process is gone and waited for.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
