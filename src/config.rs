//! What a daemon is started with: plain data, filled in by the binary from its command line,
//! environment and files, or by an embedding program.

mod consumerd;
mod metrics;

use std::fs;
use std::io;
use std::ops::RangeInclusive;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

use crate::ClientVersion;

pub use consumerd::ConsumerdConfig;
pub use metrics::{MetricsAddress, NoMetricsAddress};

/// The run directory of the system's daemon, which runs as root.
pub const SYSTEM_RUN_DIR: &str = "/var/run/lttng";
/// The group whose members may command the system's daemon, unless another is named.
pub const DEFAULT_TRACING_GROUP: &str = "tracing";
/// How long an application's socket may keep the daemon waiting, unless told otherwise.
pub const DEFAULT_APP_SOCKET_TIMEOUT: Duration = Duration::from_secs(5);
/// Most threads of actors.
pub const ACTOR_THREADS_MAX: u16 = 64;
/// The TCP ports that are tried for agents, unless told otherwise.
const AGENT_PORTS: RangeInclusive<u16> = 5345..=5354;
/// Counters in the error count map of event notifiers, unless told otherwise.
pub const DEFAULT_EVENT_NOTIFIER_ERROR_BUFFER_SIZE: u16 = 4096;

pub(crate) const CLIENT_SOCKET: &str = "client-lttng-sessiond";
/// Where health checks are answered.
const HEALTH_SOCKET: &str = "sessiond-health";
/// Where it is told what goes on inside.
const STATUS_SOCKET: &str = "lttngd-status";
/// Where sessions are declared.
const DECLARE_SOCKET: &str = "lttngd-declare";
/// Where notifications of triggers are told.
const NOTIFICATION_SOCKET: &str = "sessiond-notification";
const APPS_SOCKET: &str = "lttng-ust-sock-8";
const NEWER_APPS_SOCKET: &str = "lttng-ust-sock-11";
const PID_FILE: &str = "lttng-sessiond.pid";
const LOCK_FILE: &str = "lttng-sessiond.lck";
const WAIT_SHM_NAME: &str = "/lttng-ust-wait-8";
const NEWER_WAIT_SHM_NAME: &str = "/lttng-ust-wait-11";
/// The directory below a user's home that holds run directory, configuration and saved sessions.
const HOME_SUBDIR: &str = ".lttng";
/// Saved sessions that are loaded at start: below that directory, and for the whole system.
const AUTOLOAD_SUBDIR: &str = "sessions/auto";
const SYSTEM_AUTOLOAD_DIR: &str = "/etc/lttng/sessions/auto";

/// What a daemon is started with. Every path is absolute.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Config {
    /// Serve all users as the system's daemon: the run directory belongs to `root` and the tracing
    /// group and can be searched by everybody, and the wait page is the one all applications
    /// look at. Otherwise everything belongs to the daemon's own user alone.
    pub is_root: bool,
    /// The user's home directory: where a session without an output path is written and where saved
    /// sessions are looked for. `None` when the user has none.
    pub home: Option<PathBuf>,
    /// Holds sockets, pid file and the consumers' directories. Made when missing, its parent is not.
    pub run_dir: PathBuf,
    /// Where `liblttng-ctl` programs connect; `None` opens no such socket: only the embedding
    /// program commands the daemon then.
    pub client_socket: Option<PathBuf>,
    /// The program, a process of which makes the files of other users' sessions for root's daemon, see
    /// [`Config::with_program`]. `None` refuses such sessions an output; a daemon of another user
    /// needs none.
    pub program: Option<PathBuf>,
    /// Where health checks are answered; `None` for no such socket.
    pub health_socket: Option<PathBuf>,
    /// Where `liblttng-ctl` programs subscribe to notifications of triggers; `None` for no such socket.
    pub notification_socket: Option<PathBuf>,
    /// Where it is told what goes on inside ([`Status`](crate::Status)), as `lttngd status` asks; `None` for no such
    /// socket.
    pub status_socket: Option<PathBuf>,
    /// Where sessions are declared, as `lttngd apply` does; `None` for no such socket. It is served where the status socket
    /// is.
    pub declare_socket: Option<PathBuf>,
    /// Where metrics are scraped as OpenMetrics text; `None` for nowhere. Whoever may connect there reads the names of all
    /// sessions and channels, and what every user holds.
    pub metrics: Option<MetricsAddress>,
    /// Where applications of LTTng-UST 2.12 to 2.14 register. They look for `lttng-ust-sock-8` in
    /// `/var/run/lttng` and in `$LTTNG_HOME/.lttng` (else `$HOME/.lttng`).
    pub apps_socket: PathBuf,
    /// The same of LTTng-UST 2.15 and newer, which look for `lttng-ust-sock-11`.
    pub newer_apps_socket: PathBuf,
    /// The version of LTTng of clients of which nothing else tells it: neither their `liblttng-ctl`, nor what they
    /// asked before, nor the form of what they ask. `None` refuses what could mean two things.
    pub unknown_client_version: Option<ClientVersion>,
    /// POSIX shared memory name of the page on which applications of LTTng-UST 2.12 to 2.14 wait for a daemon.
    pub wait_shm_name: String,
    /// The same of LTTng-UST 2.15 and newer.
    pub newer_wait_shm_name: String,
    /// Receives the daemon's process id and a newline.
    pub pid_file: PathBuf,
    /// Locked while the daemon lives, so that no second one uses the run directory.
    pub lock_file: PathBuf,
    /// The consumer of applications with 64-bit longs.
    pub consumerd64: ConsumerdConfig,
    /// The consumer of applications with 32-bit longs.
    pub consumerd32: ConsumerdConfig,
    /// The consumer of the kernel tracer.
    pub kconsumerd: ConsumerdConfig,
    /// The group whose members may command the system's daemon.
    pub tracing_group: String,
    /// How long to wait for an application to take or answer a message; `None` waits for ever.
    pub app_socket_timeout: Option<Duration>,
    /// How long to wait for a relay daemon to take or answer a message; `None` for 30 s while
    /// it is connected, and no limit afterwards.
    pub network_socket_timeout: Option<Duration>,
    /// How much is logged, 0 to 3: the number of `-v` given.
    pub verbose: u8,
    /// Start consumers with `--verbose`.
    pub verbose_consumer: bool,
    /// Log nothing, and start consumers with `--quiet`.
    pub quiet: bool,
    /// Do without the kernel domain.
    pub no_kernel: bool,
    /// Load sessions from this file or directory at start instead of [`Config::autoload`].
    pub load_path: Option<PathBuf>,
    /// Load the sessions of these directories at start. Those that are not there, or belong to
    /// another user when the daemon is not root, are passed over.
    pub autoload: Vec<PathBuf>,
    /// Have the sessions and triggers that there are when the daemon is stopped made again by the next daemon of the same
    /// [`Config::run_dir`] that has this set, as they are written down there.
    pub keep_sessions: bool,
    /// How many threads actors have, 1 to [`ACTOR_THREADS_MAX`]: with more than one the actors of applications live in the
    /// others, those of one process in one of them.
    pub actor_threads: u16,
    /// The TCP port of this machine that logging agents (JUL, log4j, Python) connect to, which they find
    /// in the file `agent.port` of the run directory. Without one that is free the daemon does without
    /// agents.
    pub agent_port: AgentPort,
    /// Counters in the error count map of kernel event notifiers.
    pub event_notifier_error_buffer_size_kernel: u16,
    /// Counters in the error count map of user space event notifiers.
    pub event_notifier_error_buffer_size_userspace: u16,
    /// The plugin that gives the trace clock; `None` for the monotonic clock.
    pub clock_plugin: Option<ClockPluginConfig>,
    /// Kernel probe modules to load instead of the built-in list, comma separated.
    pub kmod_probes: Option<String>,
    /// Kernel probe modules to load besides, comma separated.
    pub extra_kmod_probes: Option<String>,
}

/// A TCP port for logging agents. Every process of the machine can connect to it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum AgentPort {
    /// None: no agent is served.
    Closed,
    /// The first free one of 5345 to 5354.
    FirstFree,
    /// This one, or with 0 any that is free.
    Only(u16),
}

impl AgentPort {
    /// The ports to try, one after the other.
    pub(crate) fn candidates(self) -> RangeInclusive<u16> {
        match self {
            Self::Closed => RangeInclusive::new(1, 0),
            Self::FirstFree => AGENT_PORTS,
            Self::Only(port) => port..=port,
        }
    }
}

/// A clock override plugin of LTTng-UST.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ClockPluginConfig {
    /// The plugin: a path, or a name without `/` for the dynamic linker to look for. Applications
    /// must be started with the same one in `LTTNG_UST_CLOCK_PLUGIN`.
    pub library: PathBuf,
    /// The program `lttngd`, a process of which loads the plugin: an embedding program does not
    /// export what plugins call.
    pub program: PathBuf,
}

/// The user has no home directory, so there is no place for the run directory.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("Can't get HOME directory for sockets creation: set LTTNG_HOME or HOME")]
pub struct HomeUnknown;

impl Config {
    /// A private daemon with everything in `run_dir`, no socket for `liblttng-ctl` programs and no port
    /// for agents. An
    /// application registers with it when started with `LTTNG_HOME` set to `run_dir`'s parent, if
    /// `run_dir` is named `.lttng`.
    #[must_use]
    pub fn in_directory(run_dir: impl Into<PathBuf>) -> Self {
        let run_dir = run_dir.into();
        Self {
            is_root: false,
            home: None,
            client_socket: None,
            program: None,
            health_socket: None,
            notification_socket: None,
            status_socket: None,
            declare_socket: None,
            metrics: None,
            unknown_client_version: None,
            apps_socket: run_dir.join(APPS_SOCKET),
            newer_apps_socket: run_dir.join(NEWER_APPS_SOCKET),
            wait_shm_name: format!("{WAIT_SHM_NAME}-{}", rustix::process::getuid().as_raw()),
            newer_wait_shm_name: format!(
                "{NEWER_WAIT_SHM_NAME}-{}",
                rustix::process::getuid().as_raw()
            ),
            pid_file: run_dir.join(PID_FILE),
            lock_file: run_dir.join(LOCK_FILE),
            consumerd64: ConsumerdConfig::for_bits(&run_dir, 64),
            consumerd32: ConsumerdConfig::for_bits(&run_dir, 32),
            kconsumerd: ConsumerdConfig::for_kernel(&run_dir),
            tracing_group: DEFAULT_TRACING_GROUP.to_owned(),
            app_socket_timeout: Some(DEFAULT_APP_SOCKET_TIMEOUT),
            network_socket_timeout: None,
            verbose: 0,
            verbose_consumer: false,
            quiet: false,
            no_kernel: false,
            load_path: None,
            autoload: Vec::new(),
            keep_sessions: false,
            actor_threads: 1,
            agent_port: AgentPort::Closed,
            event_notifier_error_buffer_size_kernel: DEFAULT_EVENT_NOTIFIER_ERROR_BUFFER_SIZE,
            event_notifier_error_buffer_size_userspace: DEFAULT_EVENT_NOTIFIER_ERROR_BUFFER_SIZE,
            clock_plugin: None,
            kmod_probes: None,
            extra_kmod_probes: None,
            run_dir,
        }
    }

    /// How many threads applications have for themselves.
    pub(crate) fn app_threads(&self) -> usize {
        usize::from(self.actor_threads.clamp(1, ACTOR_THREADS_MAX) - 1)
    }

    /// Has what else the daemon needs run by `program`, which takes its roles by
    /// [`assume_role`](crate::process::assume_role): [`Config::program`], and the consumer daemons
    /// of applications and of the kernel, which else are the installed one of LTTng, if there is one.
    #[must_use]
    pub fn with_program(mut self, program: impl Into<PathBuf>) -> Self {
        let program = program.into();
        self.program = Some(program.clone());
        self.kconsumerd.binary = Some(program.clone());
        let consumerd = self.consumerd_of(usize::BITS);
        consumerd.binary = Some(program);
        consumerd.libdir = None;
        self
    }

    /// Whether the consumer daemon of 64-bit applications is [`Config::program`], which makes buffers of 32-bit ones as
    /// well.
    #[must_use]
    pub fn has_own_consumer(&self) -> bool {
        self.program.is_some() && self.consumerd64.binary == self.program
    }

    /// The same for a daemon that only this program commands: without the socket for `liblttng-ctl` programs.
    /// Makes the directory above [`Config::run_dir`] when it is missing.
    ///
    /// # Errors
    ///
    /// When a daemon has that socket already: a stock one holds no lock that would keep this one out, and both would
    /// take each other's applications. When the directory cannot be made.
    pub fn without_clients(mut self) -> io::Result<Self> {
        if let Some(socket) = self.client_socket.take()
            && UnixStream::connect(&socket).is_ok()
        {
            let text = format!("a session daemon serves {} already", socket.display());
            return Err(io::Error::new(io::ErrorKind::AddrInUse, text));
        }
        self.declare_socket = None;
        if let Some(parent) = self.run_dir.parent() {
            fs::create_dir_all(parent)?;
        }
        Ok(self)
    }

    fn consumerd_of(&mut self, bits: u32) -> &mut ConsumerdConfig {
        if bits == 32 { &mut self.consumerd32 } else { &mut self.consumerd64 }
    }

    /// What `lttng-sessiond` has built in for root (`is_root`) or for a user whose home directory
    /// is `home`: the daemon that the `lttng` command line finds.
    ///
    /// # Errors
    ///
    /// When a user other than root has no home.
    pub fn for_user(is_root: bool, home: Option<PathBuf>) -> Result<Self, HomeUnknown> {
        let run_dir = match &home {
            _ if is_root => PathBuf::from(SYSTEM_RUN_DIR),
            Some(home) => home.join(HOME_SUBDIR),
            None => return Err(HomeUnknown),
        };
        let client_socket = Some(run_dir.join(CLIENT_SOCKET));
        let health_socket = Some(run_dir.join(HEALTH_SOCKET));
        let notification_socket = Some(run_dir.join(NOTIFICATION_SOCKET));
        let status_socket = Some(run_dir.join(STATUS_SOCKET));
        let declare_socket = Some(run_dir.join(DECLARE_SOCKET));
        let user = home.as_ref().map(|home| home.join(HOME_SUBDIR).join(AUTOLOAD_SUBDIR));
        let autoload = user.into_iter().chain([PathBuf::from(SYSTEM_AUTOLOAD_DIR)]).collect();
        let mut config = Self {
            is_root,
            home,
            client_socket,
            health_socket,
            notification_socket,
            status_socket,
            declare_socket,
            autoload,
            agent_port: AgentPort::FirstFree,
            ..Self::in_directory(run_dir)
        };
        if is_root {
            WAIT_SHM_NAME.clone_into(&mut config.wait_shm_name);
            NEWER_WAIT_SHM_NAME.clone_into(&mut config.newer_wait_shm_name);
        }
        Ok(config)
    }

    /// [`Config::for_user`] for the user of this process. The home directory is the environment's
    /// `LTTNG_HOME`, else its `HOME`, else the user database's.
    ///
    /// # Errors
    ///
    /// When a user other than root has no home.
    pub fn for_current_user() -> Result<Self, HomeUnknown> {
        let home = ["LTTNG_HOME", "HOME"]
            .into_iter()
            .filter_map(std::env::var_os)
            .find(|value| !value.is_empty())
            .map(PathBuf::from)
            .or_else(home_in_user_database);
        Self::for_user(rustix::process::getuid().is_root(), home)
    }
}

/// The home directory that the user database has for the user of this process.
#[must_use]
pub fn home_in_user_database() -> Option<PathBuf> {
    let user = nix::unistd::User::from_uid(nix::unistd::getuid()).ok()??;
    (!user.dir.as_os_str().is_empty()).then_some(user.dir)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::os::unix::net::UnixListener;

    use super::*;

    #[test]
    fn a_daemon_without_clients_is_not_started_beside_one_that_serves_some() {
        let home = tempfile::tempdir().unwrap();
        let user = || Config::for_user(false, Some(home.path().to_path_buf())).unwrap();
        fs::create_dir(home.path().join(HOME_SUBDIR)).unwrap();
        let other = UnixListener::bind(user().client_socket.unwrap()).unwrap();
        let error = user().without_clients().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
        drop(other);
        assert_eq!(
            user().without_clients().unwrap().client_socket,
            None,
            "nobody serves it any more"
        );
    }

    #[test]
    fn a_daemon_without_clients_finds_the_directory_in_which_its_own_is_made() {
        let place = tempfile::tempdir().unwrap();
        let home = place.path().join("a/home");
        Config::for_user(false, Some(home.clone())).unwrap().without_clients().unwrap();
        assert!(home.is_dir());
    }
}
