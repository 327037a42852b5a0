//! Sockets that outlive a daemon.

use std::{
    collections::HashMap,
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    os::fd::{BorrowedFd, OwnedFd},
    sync::{Arc, Mutex},
};

use super::*;
use crate::handover::SocketKeeper;

/// Keeps what it is given.
#[derive(Clone, Default)]
struct Keeper(Arc<Mutex<HashMap<String, Vec<OwnedFd>>>>);

impl SocketKeeper for Keeper {
    fn keep(&self, name: &str, socket: BorrowedFd<'_>) -> io::Result<()> {
        let socket = socket.try_clone_to_owned()?;
        self.0.lock().unwrap().entry(name.to_owned()).or_default().push(socket);
        Ok(())
    }

    fn let_go(&self, name: &str) -> io::Result<()> {
        self.0.lock().unwrap().remove(name);
        Ok(())
    }
}

impl Keeper {
    fn names(&self) -> Vec<String> {
        let mut names: Vec<_> = self.0.lock().unwrap().keys().cloned().collect();
        names.sort();
        names
    }

    /// What a daemon that starts now is handed.
    fn handover(&self) -> Handover {
        let kept = self.0.lock().unwrap();
        let left = kept.iter().flat_map(|(name, sockets)| {
            sockets.iter().map(|socket| (name.clone(), socket.try_clone().unwrap()))
        });
        Handover::of(left.collect()).with_keeper(self.clone())
    }
}

fn with_all_sockets() -> (TempDir, Config) {
    let (parent, mut config) = private();
    config.health_socket = Some(config.run_dir.join("health"));
    config.notification_socket = Some(config.run_dir.join("notifications"));
    config.status_socket = Some(config.run_dir.join("status"));
    config.declare_socket = Some(config.run_dir.join("declare"));
    config.metrics = Some(MetricsAddress::Unix(config.run_dir.join("metrics")));
    config.agent_port = AgentPort::Only(0);
    (parent, config)
}

fn agents_address(config: &Config) -> SocketAddr {
    let port = fs::read_to_string(config.run_dir.join("agent.port")).unwrap();
    (std::net::Ipv4Addr::LOCALHOST, port.trim().parse().unwrap()).into()
}

#[test]
fn who_connects_while_there_is_no_daemon_waits_for_the_next() {
    let (_parent, config) = with_all_sockets();
    let keeper = Keeper::default();
    RunDir::prepare(&config, &mut keeper.handover()).unwrap().remove();
    let all = [
        "agents",
        "applications",
        "applications-11",
        "clients",
        "declare",
        "health",
        "metrics",
        "notifications",
        "status",
    ];
    assert_eq!(keeper.names(), all);
    assert!(!config.pid_file.exists() && !config.lock_file.exists(), "only sockets stay");

    let mut client = UnixStream::connect(config.client_socket.as_ref().unwrap()).unwrap();
    client.write_all(b"hello").unwrap();
    let mut app = UnixStream::connect(&config.apps_socket).unwrap();
    let mut agent = TcpStream::connect(agents_address(&config)).unwrap();
    let mut scrape = UnixStream::connect(config.run_dir.join("metrics")).unwrap();

    let mut next = RunDir::prepare(&config, &mut keeper.handover()).unwrap();
    let said = |listener: &UnixListener, expected: &[u8]| {
        // One of them was the daemon itself, which looked who listens.
        let mut said = Vec::new();
        while said.is_empty() {
            let (peer, _) = listener.accept().unwrap();
            peer.set_nonblocking(false).unwrap();
            peer.take(expected.len() as u64).read_to_end(&mut said).unwrap();
        }
        assert_eq!(said, expected);
    };
    said(&next.take_client_listener().unwrap(), b"hello");
    app.write_all(b"app").unwrap();
    said(&next.take_apps_listener().unwrap(), b"app");
    scrape.write_all(b"scrape").unwrap();
    let Some(MetricsListener::Unix(scraped)) = next.take_metrics_listener() else {
        panic!("it is a Unix socket")
    };
    said(&scraped, b"scrape");
    agent.write_all(b"agent").unwrap();
    let (mut peer, _) = next.take_agent_listener().unwrap().accept().unwrap();
    let mut text = [0; 5];
    peer.read_exact(&mut text).unwrap();
    assert_eq!(&text, b"agent");
    assert!(is_already_running(&prepare(&config)), "the next one holds the lock");
}

#[test]
fn the_port_for_metrics_is_taken_over_where_it_is_wanted() {
    let (_parent, mut config) = private();
    config.metrics = Some(MetricsAddress::Tcp((std::net::Ipv4Addr::LOCALHOST, 0).into()));
    let keeper = Keeper::default();
    let port = |rundir: &mut RunDir| match rundir.take_metrics_listener() {
        Some(MetricsListener::Tcp(listener)) => listener.local_addr().unwrap(),
        _ => panic!("it is a port"),
    };
    let mut first = RunDir::prepare(&config, &mut keeper.handover()).unwrap();
    let address = port(&mut first);
    first.remove();
    let waiting = TcpStream::connect(address).unwrap();
    let mut next = RunDir::prepare(&config, &mut keeper.handover()).unwrap();
    assert_eq!(port(&mut next), address);
    next.remove();
    drop(waiting);
    // Another place is wanted now: the one before is let go.
    config.metrics = Some(MetricsAddress::Unix(config.run_dir.join("metrics")));
    let mut other = RunDir::prepare(&config, &mut keeper.handover()).unwrap();
    assert!(matches!(other.take_metrics_listener(), Some(MetricsListener::Unix(_))));
    assert!(TcpStream::connect(address).is_err(), "nobody listens there any more");
}

#[test]
fn what_a_daemon_was_handed_stays_without_a_keeper_too() {
    let (_parent, config) = with_all_sockets();
    let keeper = Keeper::default();
    RunDir::prepare(&config, &mut keeper.handover()).unwrap().remove();
    let mut left = Vec::new();
    for (name, sockets) in keeper.0.lock().unwrap().drain() {
        left.extend(sockets.into_iter().map(|socket| (name.clone(), socket)));
    }
    RunDir::prepare(&config, &mut Handover::of(left)).unwrap().remove();
    assert!(config.client_socket.unwrap().exists());
    assert!(config.run_dir.join("agent.port").exists());
}

#[test]
fn a_socket_that_nobody_can_reach_is_made_anew() {
    let (_parent, config) = with_all_sockets();
    let path = config.client_socket.clone().unwrap();
    let gone: fn(&Path) = |path| fs::remove_file(path).unwrap();
    let replaced: fn(&Path) = |path| {
        fs::remove_file(path).unwrap();
        drop(UnixListener::bind(path).unwrap());
    };
    for deafen in [gone, replaced] {
        let keeper = Keeper::default();
        RunDir::prepare(&config, &mut keeper.handover()).unwrap().remove();
        deafen(&path);
        let mut next = RunDir::prepare(&config, &mut keeper.handover()).unwrap();
        assert_eq!(keeper.0.lock().unwrap()["clients"].len(), 1, "the old one is let go");
        let _client = UnixStream::connect(&path).unwrap();
        next.take_client_listener().unwrap().accept().unwrap();
    }
}

#[test]
fn another_daemon_that_came_since_is_left_alone() {
    let (_parent, config) = with_all_sockets();
    let path = config.client_socket.clone().unwrap();
    let keeper = Keeper::default();
    RunDir::prepare(&config, &mut keeper.handover()).unwrap().remove();
    fs::remove_file(&path).unwrap();
    // It is as another process for whoever asks who listens.
    let mut other = std::process::Command::new("perl")
        .args(["-MSocket", "-e", OTHER])
        .arg(&path)
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn();
    let Ok(other) = &mut other else {
        eprintln!("no other process listens: there is no perl");
        return;
    };
    other.stdout.take().unwrap().read_exact(&mut [0]).unwrap();
    assert!(is_already_running(&RunDir::prepare(&config, &mut keeper.handover())));
    drop(other.stdin.take());
    other.wait().unwrap();
    RunDir::prepare(&config, &mut keeper.handover()).unwrap();
}

/// Listens at its argument until its input ends.
const OTHER: &str = r#"
    socket(S, PF_UNIX, SOCK_STREAM, 0) && bind(S, pack_sockaddr_un($ARGV[0])) && listen(S, 5) or die;
    $| = 1;
    print "L";
    <STDIN>;
"#;

#[test]
fn what_is_no_listening_socket_of_the_daemons_is_let_go() {
    let (_parent, config) = with_all_sockets();
    let keeper = Keeper::default();
    let (connected, _other) = UnixStream::pair().unwrap();
    let elsewhere = TcpListener::bind("127.0.0.1:0").unwrap();
    let file = File::open("/dev/null").unwrap();
    let wrong: [(&str, OwnedFd); 5] = [
        ("clients", connected.into()),
        ("applications", file.try_clone().unwrap().into()),
        ("status", elsewhere.try_clone().unwrap().into()),
        ("agents", file.into()),
        ("others", elsewhere.into()),
    ];
    for (name, socket) in wrong {
        keeper.0.lock().unwrap().insert(name.to_owned(), vec![socket]);
    }
    let _dir = RunDir::prepare(&config, &mut keeper.handover()).unwrap();
    let _client = UnixStream::connect(config.client_socket.as_ref().unwrap()).unwrap();
    let all = [
        "agents",
        "applications",
        "applications-11",
        "clients",
        "declare",
        "health",
        "metrics",
        "notifications",
        "status",
    ];
    assert_eq!(keeper.names(), all);
    assert!(keeper.0.lock().unwrap().values().all(|sockets| sockets.len() == 1));
}
