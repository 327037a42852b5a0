//! The run directory: who may enter it, the lock that keeps a second daemon out, the listening
//! sockets, the consumers' directories and the pid file.
//!
//! | entry | mode | of root's daemon |
//! | --- | --- | --- |
//! | the directory | 0700 when made here | 0755 root:tracing |
//! | lock file | 0660 less the umask | |
//! | client socket | 0660 | root:tracing |
//! | notification socket | 0660 | root:tracing |
//! | status socket | 0660 | root:tracing |
//! | socket for declared sessions | 0660 | root:tracing |
//! | socket for metrics, wherever it is | 0660 | root:tracing |
//! | application sockets | 0666 | |
//! | agents' port file | 0644 | |
//! | consumers' directories | 0750 less the umask | root:tracing |
//! | pid file | 0644 | |
//!
//! Everything but the directory itself goes when the daemon does: `lttng-relayd` may be using it. Listening sockets that
//! are handed on to the next daemon ([`Handover`]) stay, and the agents' port file with theirs.

mod agent_port;
mod leftovers;
mod listener;
mod lock;
mod metrics_place;
mod sockets;
#[cfg(test)]
mod tests;

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::net::TcpListener;
use std::os::fd::AsFd;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt, chown};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use lttngd_status::MetricsListener;
use nix::{libc, unistd::Group};

use self::leftovers::Leftovers;
use self::sockets::Sockets;
use crate::config::{CLIENT_SOCKET, Config, ConsumerdConfig, SYSTEM_RUN_DIR};
use crate::error::StartError;
use crate::handover::{
    AGENTS, APPLICATIONS, CLIENTS, DECLARE, HEALTH, Handover, METRICS, NEWER_APPLICATIONS,
    NOTIFICATIONS, STATUS,
};

/// Connections that may wait to be accepted on the client socket
/// (`LTTNG_SESSIOND_COMM_MAX_LISTEN`).
const CLIENT_BACKLOG: i32 = 64;
/// Connections that may wait to be accepted on the notification socket.
const NOTIFICATION_BACKLOG: i32 = 64;
/// Connections that may wait to be accepted on the status socket.
const STATUS_BACKLOG: i32 = 64;
/// The same on the socket at which sessions are declared.
const DECLARE_BACKLOG: i32 = 64;
/// Most health checks that wait to be accepted.
const HEALTH_BACKLOG: i32 = 64;
/// Registrations that may wait to be accepted. Each process of a large start-up makes two at once,
/// and the system may allow less.
const APPS_BACKLOG: i32 = 4096;

/// A run directory in use. Dropping it removes what the daemon put there.
#[derive(Debug)]
pub(crate) struct RunDir {
    client_listener: Option<UnixListener>,
    apps_listener: Option<UnixListener>,
    newer_apps_listener: Option<UnixListener>,
    health_listener: Option<UnixListener>,
    notification_listener: Option<UnixListener>,
    status_listener: Option<UnixListener>,
    declare_listener: Option<UnixListener>,
    metrics_listener: Option<MetricsListener>,
    agent_listener: Option<TcpListener>,
    /// Removed before the lock below is let go.
    leftovers: Leftovers,
    _lock: File,
}

impl RunDir {
    /// Makes and occupies the run directory of `config`. What this call has made goes again when it
    /// fails; sockets of `handover` stay. It does for what a daemon is nothing without: the directory, the lock, the sockets of
    /// clients and applications, and the directory of the consumer of its own word size. What it can
    /// do without is an error in the log.
    ///
    /// # Errors
    ///
    /// [`StartError::AlreadyRunning`] when another daemon answers on the client socket or holds the
    /// lock, [`StartError::Path`] when an entry cannot be made as it must be.
    pub(crate) fn prepare(config: &Config, handover: &mut Handover) -> Result<Self, StartError> {
        let mut leftovers = Leftovers::default();
        if make_dir(&config.run_dir, 0o700)? {
            leftovers.dir(&config.run_dir);
        }
        look_for_another(config, handover)?;
        let lock = lock::acquire(&config.lock_file)?;
        leftovers.file(&config.lock_file);

        let group = config.is_root.then(|| tracing_group_id(&config.tracing_group));
        open_to(group, &config.run_dir)?;
        prepare_consumerd_dirs(config, group, &mut leftovers)?;
        prepare_health_dirs(config, &mut leftovers)
            .unwrap_or_else(|error| tracing::warn!(%error, "lttng-consumerd of LTTng, if it is to be started, may not be"));
        let left_port = metrics_place::left_port(config.metrics.as_ref(), handover);
        let mut sockets = Sockets { leftovers: &mut leftovers, handover: &mut *handover, group };
        let client_listener = match &config.client_socket {
            Some(path) => Some(sockets.listen_for_group(CLIENTS, path, (0o660, CLIENT_BACKLOG))?),
            None => None,
        };
        let mut listen_if_wanted = |name, path: Option<&PathBuf>, rights, without: &'static str| {
            let listener = sockets.listen_for_group(name, path?, rights);
            listener.inspect_err(|error| tracing::error!(%error, "{without}")).ok()
        };
        let path = config.health_socket.as_ref();
        let rights = (if group.is_some() { 0o660 } else { 0o755 }, HEALTH_BACKLOG);
        let health_listener =
            listen_if_wanted(HEALTH, path, rights, "the daemon's health cannot be asked");
        let (path, rights) = (config.notification_socket.as_ref(), (0o660, NOTIFICATION_BACKLOG));
        let notification_listener =
            listen_if_wanted(NOTIFICATIONS, path, rights, "nobody is notified of triggers");
        let (path, rights) = (config.status_socket.as_ref(), (0o660, STATUS_BACKLOG));
        let status_listener =
            listen_if_wanted(STATUS, path, rights, "nobody is told what goes on inside");
        let (path, rights) = (config.declare_socket.as_ref(), (0o660, DECLARE_BACKLOG));
        let declare_listener = listen_if_wanted(DECLARE, path, rights, "no session is declared");
        let metrics_listener =
            metrics_place::listen(config.metrics.as_ref(), left_port, |path, backlog, without| {
                listen_if_wanted(METRICS, path, (0o660, backlog), without)
            });
        let apps_listener =
            sockets.listen(APPLICATIONS, &config.apps_socket, (0o666, APPS_BACKLOG))?;
        let newer_apps_listener = listen_for_newer(&mut sockets, config);
        let agent_listener =
            agent_port::listen(config.agent_port, &config.run_dir, &mut leftovers, handover);
        write_pid_file(&config.pid_file, &mut leftovers)
            .unwrap_or_else(|error| tracing::error!(%error, "the daemon runs without a pid file"));

        // From here on the directory is the user's, whatever becomes of this daemon.
        leftovers.keep(&config.run_dir);
        let mut rundir = Self {
            client_listener,
            apps_listener: Some(apps_listener),
            newer_apps_listener,
            health_listener,
            notification_listener,
            status_listener,
            declare_listener,
            metrics_listener,
            agent_listener,
            leftovers,
            _lock: lock,
        };
        rundir.hand_on(config, handover);
        Ok(rundir)
    }

    /// Hands the listening sockets on. What is in the file system of those that outlive the daemon stays there.
    fn hand_on(&mut self, config: &Config, handover: &mut Handover) {
        let port_file = config.run_dir.join(agent_port::PORT_FILE);
        let unix = [
            (CLIENTS, &self.client_listener, config.client_socket.as_ref()),
            (APPLICATIONS, &self.apps_listener, Some(&config.apps_socket)),
            (NEWER_APPLICATIONS, &self.newer_apps_listener, Some(&config.newer_apps_socket)),
            (HEALTH, &self.health_listener, config.health_socket.as_ref()),
            (NOTIFICATIONS, &self.notification_listener, config.notification_socket.as_ref()),
            (STATUS, &self.status_listener, config.status_socket.as_ref()),
            (DECLARE, &self.declare_listener, config.declare_socket.as_ref()),
        ];
        let unix =
            unix.map(|(name, listener, path)| (name, listener.as_ref().map(AsFd::as_fd), path));
        let agents = (AGENTS, self.agent_listener.as_ref().map(AsFd::as_fd), Some(&port_file));
        for (name, listener, path) in unix.into_iter().chain([agents]) {
            if let (Some(listener), Some(path)) = (listener, path)
                && handover.hand_on(name, listener)
            {
                self.leftovers.keep(path);
            }
        }
        if let Some(listener) = &self.metrics_listener {
            let (socket, path) = metrics_place::parts(listener, config.metrics.as_ref());
            if handover.hand_on(METRICS, socket)
                && let Some(path) = path
            {
                self.leftovers.keep(path);
            }
        }
        handover.let_go_of_the_rest();
    }

    /// The socket for clients: listening, non-blocking. `None` when the configuration has none or
    /// it has been taken.
    pub(crate) fn take_client_listener(&mut self) -> Option<UnixListener> {
        self.client_listener.take()
    }

    /// The socket for applications: listening, non-blocking. `None` when it has been taken.
    pub(crate) fn take_apps_listener(&mut self) -> Option<UnixListener> {
        self.apps_listener.take()
    }

    /// The socket for applications of LTTng-UST 2.15 and newer: listening, non-blocking. `None` when it could not be
    /// made or has been taken.
    pub(crate) fn take_newer_apps_listener(&mut self) -> Option<UnixListener> {
        self.newer_apps_listener.take()
    }

    /// The socket for health checks: listening, non-blocking. `None` when the configuration has none
    /// or it has been taken.
    pub(crate) fn take_health_listener(&mut self) -> Option<UnixListener> {
        self.health_listener.take()
    }

    /// The socket for notifications: listening, non-blocking. `None` when the configuration has none or it
    /// has been taken.
    pub(crate) fn take_notification_listener(&mut self) -> Option<UnixListener> {
        self.notification_listener.take()
    }

    /// The socket for those who look at the daemon: listening, non-blocking. `None` when the configuration has none or
    /// it has been taken.
    pub(crate) fn take_status_listener(&mut self) -> Option<UnixListener> {
        self.status_listener.take()
    }

    /// The socket at which sessions are declared: listening, non-blocking. `None` when the configuration has none or it has
    /// been taken.
    pub(crate) fn take_declare_listener(&mut self) -> Option<UnixListener> {
        self.declare_listener.take()
    }

    /// Where metrics are scraped: listening. `None` when the configuration has no such place, it could not be had or has
    /// been taken.
    pub(crate) fn take_metrics_listener(&mut self) -> Option<MetricsListener> {
        self.metrics_listener.take()
    }

    /// The port for agents: listening. `None` when the configuration has none, none was free or it has
    /// been taken.
    pub(crate) fn take_agent_listener(&mut self) -> Option<TcpListener> {
        self.agent_listener.take()
    }

    /// Removes everything the daemon put into the directory, and then lets the next one in. To be
    /// called when consumers have ended and the wait page says that no daemon is there.
    pub(crate) fn remove(self) {
        drop(self);
    }
}

/// Looks whether another daemon serves the run directory. A stock one in the background holds no lock: its client socket
/// alone gives it away, also to a daemon that will not have one.
fn look_for_another(config: &Config, handover: &Handover) -> Result<(), StartError> {
    let usual = config.run_dir.join(CLIENT_SOCKET);
    let place = config.client_socket.as_ref().unwrap_or(&usual);
    let is_left = config.client_socket.is_some() && handover.has(CLIENTS);
    if !is_left && listener::is_alive(place)? {
        return Err(StartError::AlreadyRunning);
    }
    Ok(())
}

/// The socket for applications of LTTng-UST 2.15 and newer, without which the daemon is of use.
fn listen_for_newer(sockets: &mut Sockets<'_>, config: &Config) -> Option<UnixListener> {
    let rights = (0o666, APPS_BACKLOG);
    let listener = sockets.listen(NEWER_APPLICATIONS, &config.newer_apps_socket, rights);
    let listener = listener.inspect_err(|error| {
        tracing::error!(%error, "applications of LTTng-UST 2.15 and newer are not recorded");
    });
    listener.ok()
}

/// Lets everybody pass through root's directory, which is the group's as well.
fn open_to(group: Option<u32>, run_dir: &Path) -> Result<(), StartError> {
    if let Some(gid) = group {
        set_mode(run_dir, 0o755)?;
        give_to_group(run_dir, gid);
    }
    Ok(())
}

/// Makes a directory in an existing one; `false` when it is there already.
fn make_dir(path: &Path, mode: u32) -> Result<bool, StartError> {
    match DirBuilder::new().mode(mode).create(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(false),
        Err(error) => Err(StartError::path("create the directory", path)(error)),
    }
}

/// Makes the directories of the consumers. A daemon without the one of its own word size records
/// no application; it can do without the others, of which root's daemon has the kernel's.
fn prepare_consumerd_dirs(
    config: &Config,
    group: Option<u32>,
    leftovers: &mut Leftovers,
) -> Result<(), StartError> {
    let is_own_64 = usize::BITS == 64;
    for (consumerd, is_own) in [(&config.consumerd64, is_own_64), (&config.consumerd32, !is_own_64)]
    {
        match prepare_consumerd_dir(consumerd, group, leftovers) {
            Err(error) if !is_own => {
                tracing::error!(%error, "applications of the other word size are not recorded");
            }
            prepared => prepared?,
        }
    }
    if config.is_root
        && let Err(error) = prepare_consumerd_dir(&config.kconsumerd, group, leftovers)
    {
        tracing::error!(%error, "the kernel is not recorded");
    }
    Ok(())
}

/// Makes a consumer's directory. One that a killed daemon left is taken over.
fn prepare_consumerd_dir(
    consumerd: &ConsumerdConfig,
    group: Option<u32>,
    leftovers: &mut Leftovers,
) -> Result<(), StartError> {
    make_dir(&consumerd.dir, 0o750)?;
    leftovers.dir(&consumerd.dir);
    leftovers.socket(&consumerd.err_sock);
    leftovers.socket(&consumerd.cmd_sock);
    if let Some(gid) = group {
        give_to_group(&consumerd.dir, gid);
    }
    Ok(())
}

/// The stock consumer puts its health socket where the user's daemon has its run directory, whatever
/// it is told, and does not start without that. Only root's place is fixed; see
/// `ConsumerConfig::home` for the others.
fn prepare_health_dirs(config: &Config, leftovers: &mut Leftovers) -> Result<(), StartError> {
    let system = Path::new(SYSTEM_RUN_DIR);
    if !rustix::process::geteuid().is_root() || config.run_dir == system {
        return Ok(());
    }
    let kernel = config.is_root.then_some(&config.kconsumerd);
    let all = [&config.consumerd64, &config.consumerd32].into_iter().chain(kernel);
    let names = all.map(|daemon| daemon.dir.file_name());
    let mut places: Vec<_> = vec![(system.to_path_buf(), 0o755)];
    places.extend(names.flatten().map(|name| (system.join(name), 0o750)));
    for (path, mode) in &places {
        if make_shared_dir(path, *mode)? {
            leftovers.dir(path);
        }
    }
    Ok(())
}

/// Tries at making a directory in one that other daemons remove when they end.
const SHARED_DIR_TRIES_MAX: usize = 100;

/// Makes a directory below the one that all of root's daemons share. Another one that ends just now
/// takes away the empty directory in which this one is to be.
fn make_shared_dir(path: &Path, mode: u32) -> Result<bool, StartError> {
    let mut tries = 0..SHARED_DIR_TRIES_MAX;
    loop {
        match make_dir(path, mode) {
            Err(StartError::Path { source, .. })
                if source.kind() == io::ErrorKind::NotFound && tries.next().is_some() =>
            {
                if let Some(parent) = path.parent() {
                    make_dir(parent, 0o755)?;
                }
            }
            made => return made,
        }
    }
}

/// Gives an entry to the tracing group. Where that cannot be, as where root has no right to give
/// files away, it is root's alone.
fn give_to_group(path: &Path, gid: u32) -> bool {
    let given = chown(path, Some(0), Some(gid));
    if let Err(error) = &given {
        tracing::error!(path = ?path, gid, %error, "it cannot be given to the tracing group: only root can use it");
    }
    given.is_ok()
}

fn set_mode(path: &Path, mode: u32) -> Result<(), StartError> {
    fs::set_permissions(path, Permissions::from_mode(mode))
        .map_err(StartError::path("set the permissions of", path))
}

fn write_pid_file(path: &Path, leftovers: &mut Leftovers) -> Result<(), StartError> {
    let mut file = OpenOptions::new()
        .create(true)
        .write(true)
        .truncate(true)
        .mode(0o644)
        // A fifo without a reader would keep the daemon waiting for one.
        .custom_flags(libc::O_NONBLOCK)
        .open(path)
        .map_err(StartError::path("create the pid file", path))?;
    leftovers.file(path);
    set_mode(path, 0o644)?;
    writeln!(file, "{}", std::process::id()).map_err(StartError::path("write the pid file", path))
}

/// The tracing group's id, or root's when there is no such group.
fn tracing_group_id(name: &str) -> u32 {
    match Group::from_name(name) {
        Ok(Some(group)) => group.gid.as_raw(),
        Ok(None) => {
            tracing::warn!(group = name, "No tracing group detected: only root can use the daemon");
            0
        }
        Err(error) => {
            tracing::warn!(group = name, %error, "cannot look the tracing group up: only root can use the daemon");
            0
        }
    }
}
