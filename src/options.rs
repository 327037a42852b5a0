//! The command line, the environment and the configuration files, and how they combine into a
//! [`Config`]: built in < environment < configuration files < command line.
//!
//! What is asked of the process and of the system comes in as [`Surroundings`], so that a test can
//! have its own.

mod environment;
mod file;
mod number;
mod settings;
#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::io;
use std::os::fd::RawFd;
use std::path::{Path, PathBuf};

use lttngd::Config;
use lttngd::config::HomeUnknown;
use lttngd::process::{own_program, read_regular_file, read_to_limit};

pub use self::settings::{READINESS_FD, command};

/// The configuration file of the whole system.
const SYSTEM_CONFIG_FILE: &str = "/etc/lttng/lttng.conf";
/// Largest configuration file, in bytes.
const CONFIG_FILE_MAX_LEN: u64 = 1 << 20;
/// The user's configuration file, below the home directory.
const HOME_CONFIG_FILE: &str = ".lttng/lttng.conf";

/// What options depend on besides the command line.
pub trait Surroundings {
    /// The value of an environment variable.
    fn variable(&self, name: &str) -> Option<OsString>;
    /// The content of a configuration file where there usually is one.
    fn read_file(&self, path: &Path) -> io::Result<String>;
    /// The content of one that somebody named, which may be a pipe.
    fn read_named_file(&self, path: &Path) -> io::Result<String> {
        self.read_file(path)
    }
    /// Whether the daemon runs as root.
    fn is_root(&self) -> bool;
    /// Whether the rights of the process come from its file instead of its caller, who then must
    /// not choose paths.
    fn is_setuid(&self) -> bool;
    /// The home directory that the user database has for the user.
    fn home_in_user_database(&self) -> Option<PathBuf>;
    /// What relative paths start from.
    fn working_dir(&self) -> PathBuf;
}

/// This process and the system it runs on.
pub struct Process;

impl Surroundings for Process {
    fn variable(&self, name: &str) -> Option<OsString> {
        std::env::var_os(name)
    }

    fn read_file(&self, path: &Path) -> io::Result<String> {
        text(read_regular_file(path, CONFIG_FILE_MAX_LEN)?)
    }

    fn read_named_file(&self, path: &Path) -> io::Result<String> {
        text(read_to_limit(std::fs::File::open(path)?, CONFIG_FILE_MAX_LEN)?)
    }

    fn is_root(&self) -> bool {
        rustix::process::getuid().is_root()
    }

    fn is_setuid(&self) -> bool {
        rustix::process::getuid() != rustix::process::geteuid()
            || rustix::process::getgid() != rustix::process::getegid()
    }

    fn home_in_user_database(&self) -> Option<PathBuf> {
        lttngd::config::home_in_user_database()
    }

    fn working_dir(&self) -> PathBuf {
        // A directory that is gone cannot be named; the paths it would begin are refused later.
        std::env::current_dir().unwrap_or_default()
    }
}

/// What the command line asks for.
#[derive(Debug)]
pub enum Invocation {
    /// Print this text and end: help or version.
    Print(String),
    /// Start a daemon.
    Start(Box<Options>),
}

/// How the daemon runs when not in the foreground.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Detach {
    /// Standard input, output and error go to `/dev/null` (`--daemonize`).
    Daemonize,
    /// They are kept (`--background`, which wins over `--daemonize`).
    Background,
}

/// How to start a daemon.
#[derive(Debug)]
pub struct Options {
    /// What it is started with.
    pub config: Config,
    /// Leave the foreground.
    pub detach: Option<Detach>,
    /// Tell the parent process by `SIGUSR1` when ready.
    pub sig_parent: bool,
    /// Leave listening sockets with the service manager.
    pub keep_sockets: bool,
    /// In the process that has left the foreground: where to tell the one that waits in it.
    pub readiness_fd: Option<RawFd>,
    /// What the user should know about settings that were refused.
    pub notices: Vec<String>,
}

/// Why the daemon cannot be started as asked.
#[derive(Debug, thiserror::Error)]
pub enum OptionsError {
    /// The command line is wrong; the text is complete.
    #[error("{0}")]
    CommandLine(String),
    /// The file of `--config` cannot be read.
    #[error("cannot read the configuration file {}: {source}", path.display())]
    ConfigFile {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// There is no place for the run directory.
    #[error(transparent)]
    HomeUnknown(#[from] HomeUnknown),
}

/// Reads the command line `args` (its first element is the program's name), the environment and the
/// configuration files.
///
/// # Errors
///
/// When an option is unknown or its value is wrong, the file of `--config` cannot be read, or a user
/// has no home directory. What is wrong in the environment or in a file is a notice only, as it is
/// for `lttng-sessiond`.
pub fn parse(args: &[OsString], around: &dyn Surroundings) -> Result<Invocation, OptionsError> {
    let mut notices = Vec::new();
    let command_line = match settings::from_args(args, around.is_setuid(), &mut notices) {
        Ok(settings) => settings,
        Err(error) if error.use_stderr() => {
            return Err(OptionsError::CommandLine(error.render().to_string()));
        }
        Err(text) => return Ok(Invocation::Print(text.render().to_string())),
    };

    let working_dir = around.working_dir();
    let home = environment::home(around).map(|home| working_dir.join(home));
    let mut settings = environment::settings(around, &mut notices);
    for content in
        config_files(command_line.config.as_deref(), home.as_deref(), around, &mut notices)?
    {
        settings = file::lay_over(settings, &content, around.is_setuid(), &mut notices);
    }
    let settings = command_line.over(settings);

    let mut config = Config::for_user(around.is_root(), home)?.with_program(own_program());
    environment::set_timeouts(&mut config, around, &mut notices);
    environment::set_clock_plugin(&mut config, around);
    let options = Options {
        detach: match (settings.background, settings.daemonize) {
            (true, _) => Some(Detach::Background),
            (false, true) => Some(Detach::Daemonize),
            (false, false) => None,
        },
        sig_parent: settings.sig_parent,
        keep_sockets: settings.keep_sockets,
        readiness_fd: settings.readiness_fd,
        config: settings.apply_to(config, &working_dir),
        notices,
    };
    Ok(Invocation::Start(Box::new(options)))
}

fn text(content: Vec<u8>) -> io::Result<String> {
    String::from_utf8(content).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

/// The contents of the configuration files there are, the one with the last word last.
fn config_files(
    named: Option<&Path>,
    home: Option<&Path>,
    around: &dyn Surroundings,
    notices: &mut Vec<String>,
) -> Result<Vec<String>, OptionsError> {
    let usual = [Some(PathBuf::from(SYSTEM_CONFIG_FILE)), home.map(|h| h.join(HOME_CONFIG_FILE))];
    let mut contents = Vec::new();
    for path in usual.into_iter().flatten() {
        match around.read_file(&path) {
            Ok(content) => contents.push(content),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => notices.push(format!("{} is ignored: {error}", path.display())),
        }
    }
    if let Some(named) = named {
        let path = around.working_dir().join(named);
        match around.read_named_file(&path) {
            Ok(content) => contents.push(content),
            Err(source) => return Err(OptionsError::ConfigFile { path, source }),
        }
    }
    Ok(contents)
}
