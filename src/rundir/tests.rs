#![allow(clippy::unwrap_used)]

mod handover;

use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;
use tempfile::TempDir;

use lttngd_status::MetricsListener;

use super::*;
use crate::config::{AgentPort, MetricsAddress};

/// A configuration with a client socket in a directory of its own, whose parent exists.
fn private() -> (TempDir, Config) {
    let parent = tempfile::tempdir().unwrap();
    let run_dir = parent.path().join("run");
    let mut config = Config::in_directory(&run_dir);
    config.client_socket = Some(run_dir.join("client-lttng-sessiond"));
    (parent, config)
}

/// One that takes nothing over and hands nothing on.
fn prepare(config: &Config) -> Result<RunDir, StartError> {
    RunDir::prepare(config, &mut Handover::default())
}

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().mode() & 0o7777
}

fn entries(dir: &Path) -> Vec<PathBuf> {
    let mut entries: Vec<PathBuf> =
        fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into()).collect();
    entries.sort();
    entries
}

#[test]
fn agents_are_told_their_port() {
    let (_parent, config) = private();
    let mut dir = prepare(&config).unwrap();
    assert!(dir.take_agent_listener().is_none(), "none is wanted");
    let port_file = config.run_dir.join("agent.port");
    assert!(!port_file.exists());
    dir.remove();

    let (_parent, mut config) = private();
    let port_file = config.run_dir.join("agent.port");
    config.agent_port = AgentPort::Only(0);
    let mut dir = prepare(&config).unwrap();
    let listener = dir.take_agent_listener().unwrap();
    let address = listener.local_addr().unwrap();
    assert!(address.ip().is_loopback());
    assert_eq!(fs::read_to_string(&port_file).unwrap(), format!("{}\n", address.port()));
    assert_eq!(mode(&port_file), 0o644);
    dir.remove();
    assert!(!port_file.exists());

    // The port is busy: the daemon does without agents.
    for (wanted, available) in [(address.port(), false), (0, true)] {
        let (_parent, mut config) = private();
        config.agent_port = AgentPort::Only(wanted);
        let mut dir = prepare(&config).unwrap();
        assert_eq!(dir.take_agent_listener().is_some(), available);
        assert_eq!(config.run_dir.join("agent.port").exists(), available);
    }
}

#[test]
fn metrics_have_the_place_that_is_named_unless_it_is_somebodys() {
    let (parent, mut config) = private();
    let place = parent.path().join("metrics");
    config.metrics = Some(MetricsAddress::Unix(place.clone()));
    let mut dir = prepare(&config).unwrap();
    let listener = dir.take_metrics_listener();
    assert!(listener.is_some() && mode(&place) == 0o660, "{listener:?}");

    let (_parent, mut other) = private();
    other.metrics = Some(MetricsAddress::Unix(place.clone()));
    let mut second = prepare(&other).unwrap();
    assert!(second.take_metrics_listener().is_none(), "another listens there");
    second.remove();
    assert!(place.exists(), "it is not the second's");
    dir.remove();
    assert!(!place.exists());

    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    other.metrics = Some(MetricsAddress::Tcp(taken.local_addr().unwrap()));
    let mut third = prepare(&other).unwrap();
    assert!(third.take_metrics_listener().is_none(), "its port is taken");
    third.remove();
}

fn is_already_running(result: &Result<RunDir, StartError>) -> bool {
    matches!(result, Err(StartError::AlreadyRunning))
}

#[test]
fn entries_have_their_modes_and_go_at_the_end() {
    let (_parent, config) = private();
    let client_socket = config.client_socket.clone().unwrap();
    let dir = prepare(&config).unwrap();

    assert_eq!(mode(&config.run_dir), 0o700);
    assert_eq!(mode(&client_socket), 0o660);
    assert_eq!(mode(&config.apps_socket), 0o666);
    assert_eq!(mode(&config.pid_file), 0o644);
    assert_eq!(mode(&config.lock_file) & !0o660, 0);
    for consumerd in [&config.consumerd64, &config.consumerd32] {
        assert_eq!(mode(&consumerd.dir) & !0o750, 0);
        assert_eq!(mode(&consumerd.dir) & 0o700, 0o700);
        assert!(consumerd.dir.is_dir());
    }
    assert!(!config.kconsumerd.dir.exists(), "root's daemon alone records the kernel");
    let pid = fs::read_to_string(&config.pid_file).unwrap();
    assert_eq!(pid, format!("{}\n", std::process::id()));

    // What consumers leave behind goes too, what others put there stays.
    let _error = UnixListener::bind(&config.consumerd64.err_sock).unwrap();
    let _command = UnixListener::bind(&config.consumerd64.cmd_sock).unwrap();
    fs::write(config.run_dir.join("relayd"), "").unwrap();
    dir.remove();
    assert_eq!(entries(&config.run_dir), [Path::new("relayd")]);
}

#[test]
fn both_sockets_can_be_connected_to() {
    let (_parent, config) = private();
    let mut dir = prepare(&config).unwrap();
    let listeners = [
        (config.client_socket.clone().unwrap(), dir.take_client_listener().unwrap()),
        (config.apps_socket.clone(), dir.take_apps_listener().unwrap()),
    ];
    for (path, listener) in &listeners {
        let waiting = listener.accept().unwrap_err();
        assert_eq!(waiting.kind(), io::ErrorKind::WouldBlock);
        let _peer = UnixStream::connect(path).unwrap();
        listener.accept().unwrap();
    }
    assert!(dir.take_client_listener().is_none());
    assert!(dir.take_apps_listener().is_none());
}

#[test]
fn a_live_daemon_is_detected_by_its_socket_and_left_alone() {
    let (_parent, config) = private();
    // As `lttng-sessiond --daemonize`, which keeps no lock.
    fs::create_dir(&config.run_dir).unwrap();
    let client_socket = config.client_socket.as_ref().unwrap();
    let _live = UnixListener::bind(client_socket).unwrap();

    let refused = prepare(&config);
    assert!(is_already_running(&refused), "{refused:?}");
    assert_eq!(refused.unwrap_err().to_string(), "A session daemon is already running.");
    assert_eq!(entries(&config.run_dir), [client_socket.file_name().unwrap()]);
}

#[test]
fn a_daemon_that_does_not_accept_is_alive_too() {
    let (_parent, config) = private();
    fs::create_dir(&config.run_dir).unwrap();
    let path = config.client_socket.as_ref().unwrap();
    let mut leftovers = Leftovers::default();
    let _busy = listener::bind(path, 0o600, &mut leftovers).unwrap().listen(0).unwrap();
    let _waiting = UnixStream::connect(path).unwrap();
    assert!(is_already_running(&prepare(&config)));
}

#[test]
fn a_second_daemon_in_this_process_is_kept_out_by_the_lock() {
    let (_parent, mut config) = private();
    config.client_socket = None;
    let first = prepare(&config).unwrap();
    let before = entries(&config.run_dir);
    assert!(is_already_running(&prepare(&config)));
    assert_eq!(entries(&config.run_dir), before);
    first.remove();
    prepare(&config).unwrap();
}

#[test]
fn the_lock_and_a_stock_daemons_lock_exclude_each_other() {
    let (_parent, config) = private();
    let dir = prepare(&config).unwrap();
    let file = OpenOptions::new().write(true).open(&config.lock_file).unwrap();
    let write_lock = libc::flock {
        l_type: libc::F_WRLCK as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: 0,
        l_len: 0,
        l_pid: 0,
    };
    assert!(fcntl(&file, FcntlArg::F_SETLK(&write_lock)).is_err());
    dir.remove();

    let file = File::create(&config.lock_file).unwrap();
    fcntl(&file, FcntlArg::F_SETLK(&write_lock)).unwrap();
    assert!(is_already_running(&prepare(&config)));
    assert!(config.lock_file.exists());
}

#[test]
fn what_a_killed_daemon_left_is_taken_over() {
    let (_parent, config) = private();
    fs::create_dir(&config.run_dir).unwrap();
    fs::create_dir(&config.consumerd64.dir).unwrap();
    drop(UnixListener::bind(config.client_socket.as_ref().unwrap()).unwrap());
    drop(UnixListener::bind(&config.apps_socket).unwrap());
    fs::write(&config.pid_file, "999999999\nand more\n").unwrap();
    fs::write(&config.lock_file, "").unwrap();

    let dir = prepare(&config).unwrap();
    let pid = fs::read_to_string(&config.pid_file).unwrap();
    assert_eq!(pid, format!("{}\n", std::process::id()));
    dir.remove();
    assert_eq!(entries(&config.run_dir), Vec::<PathBuf>::new());
}

#[test]
fn what_a_killed_daemon_of_root_left_of_the_kernels_consumer_is_taken_over() {
    let (_parent, mut config) = private();
    config.is_root = true;
    let kernels = &config.kconsumerd;
    fs::create_dir(&config.run_dir).unwrap();
    fs::create_dir(&kernels.dir).unwrap();
    for socket in [&kernels.err_sock, &kernels.cmd_sock] {
        drop(UnixListener::bind(socket).unwrap());
    }
    let dir = prepare(&config).unwrap();
    assert_eq!(mode(&kernels.dir) & 0o700, 0o700);
    dir.remove();
    assert_eq!(entries(&config.run_dir), Vec::<PathBuf>::new());
}

#[test]
fn a_failure_leaves_nothing_behind() {
    let (parent, mut config) = private();
    config.apps_socket = parent.path().join("missing/socket");
    let error = prepare(&config).unwrap_err();
    assert!(error.to_string().contains("missing/socket"), "{error}");
    assert!(!config.run_dir.exists());

    fs::create_dir(&config.run_dir).unwrap();
    prepare(&config).unwrap_err();
    assert_eq!(entries(&config.run_dir), Vec::<PathBuf>::new());
}

#[test]
fn what_the_daemon_can_do_without_does_not_end_it() {
    let (parent, mut config) = private();
    config.pid_file = parent.path().join("missing/pid");
    config.health_socket = Some(parent.path().join("missing/health"));
    config.consumerd32.dir = parent.path().join("missing/consumerd32");
    config.agent_port = AgentPort::Only(0);
    fs::create_dir(&config.run_dir).unwrap();
    fs::create_dir(config.run_dir.join("agent.port")).unwrap();
    let mut dir = prepare(&config).unwrap();
    assert!(dir.take_health_listener().is_none());
    assert!(dir.take_agent_listener().is_none());
    assert!(dir.take_client_listener().is_some());
    assert!(dir.take_apps_listener().is_some());
    assert!(!parent.path().join("missing").exists());
}

#[test]
fn nobody_is_waited_for_to_read_the_pid_file() {
    let (parent, mut config) = private();
    config.pid_file = parent.path().join("fifo");
    let mode = nix::sys::stat::Mode::from_bits_truncate(0o600);
    nix::unistd::mkfifo(&config.pid_file, mode).unwrap();
    prepare(&config).unwrap();
}

#[test]
fn nobody_is_waited_for_at_the_files_of_the_run_directory() {
    let (_parent, mut config) = private();
    config.agent_port = AgentPort::Only(0);
    fs::create_dir(&config.run_dir).unwrap();
    let mode = nix::sys::stat::Mode::from_bits_truncate(0o600);
    nix::unistd::mkfifo(&config.run_dir.join("agent.port"), mode).unwrap();
    let mut dir = prepare(&config).unwrap();
    assert!(dir.take_agent_listener().is_none(), "agents cannot be told of it");
    dir.remove();

    let (_parent, config) = private();
    fs::create_dir(&config.run_dir).unwrap();
    nix::unistd::mkfifo(&config.run_dir.join("lttng-sessiond.lck"), mode).unwrap();
    assert!(matches!(prepare(&config), Err(StartError::Path { .. })));
}

#[test]
fn the_parent_directory_is_not_made() {
    let parent = tempfile::tempdir().unwrap();
    let config = Config::in_directory(parent.path().join("missing/run"));
    assert!(matches!(prepare(&config), Err(StartError::Path { .. })));
    assert!(!parent.path().join("missing").exists());
}

#[test]
fn only_a_socket_is_replaced() {
    let (parent, mut config) = private();
    let precious = parent.path().join("precious");
    fs::write(&precious, "data").unwrap();
    config.client_socket = Some(precious.clone());
    let error = prepare(&config).unwrap_err();
    assert!(error.to_string().contains("not a socket"), "{error}");
    assert_eq!(fs::read_to_string(&precious).unwrap(), "data");
}

#[test]
fn a_path_too_long_for_a_socket_is_an_error() {
    let (_parent, mut config) = private();
    config.apps_socket = config.run_dir.join("x".repeat(108));
    assert!(matches!(prepare(&config), Err(StartError::Path { .. })));
    assert!(!config.run_dir.exists());
}

#[test]
fn roots_directory_belongs_to_the_tracing_group() {
    if !rustix::process::getuid().is_root() {
        // Only root can give files away.
        return;
    }
    let (_parent, mut config) = private();
    config.is_root = true;
    // A group that exists wherever root does.
    config.tracing_group = "daemon".to_owned();
    let gid = Group::from_name("daemon").unwrap().unwrap().gid.as_raw();
    let _dir = prepare(&config).unwrap();
    let client_socket = config.client_socket.clone().unwrap();
    let consumerds = [&config.consumerd64, &config.consumerd32, &config.kconsumerd];
    let directories = consumerds.map(|consumerd| &consumerd.dir);
    for path in [&config.run_dir, &client_socket].into_iter().chain(directories) {
        let metadata = fs::symlink_metadata(path).unwrap();
        assert_eq!((metadata.uid(), metadata.gid()), (0, gid), "{}", path.display());
    }
    assert_eq!(mode(&config.run_dir), 0o755);
    assert_eq!(mode(&client_socket), 0o660);
    assert!(fs::symlink_metadata(&config.apps_socket).unwrap().file_type().is_socket());

    assert_eq!(tracing_group_id("no-such-group"), 0);
}
