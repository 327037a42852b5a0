//! A thousand connections at once at each socket: more than wait to be accepted, and than anybody means something by.

use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::Instant;

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};
use rustix::process::{Resource, Signal, getrlimit, setrlimit};

use super::agents::agents_address;
use super::world::{Program, Stage, Which, eventually};

/// How many at each socket.
const CROWD: usize = 1000;
/// The sockets of the run directory.
const SOCKETS: [&str; 7] = [
    "client-lttng-sessiond",
    "lttng-ust-sock-8",
    "lttng-ust-sock-11",
    "sessiond-health",
    "sessiond-notification",
    "lttngd-status",
    "lttngd-declare",
];

/// A connection, if it is taken at once.
fn connect_now(path: &Path) -> Result<OwnedFd, Errno> {
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    connect(&socket, &SocketAddrUnix::new(path)?)?;
    Ok(socket)
}

/// As many connections at each socket as are taken while nobody accepts, up to a crowd.
fn crowd_that_waits(stage: &Stage) -> Vec<OwnedFd> {
    let mut crowd = Vec::new();
    for name in SOCKETS {
        let path = stage.arena.run_directory().join(name);
        let taken: Vec<_> = (0..CROWD).map_while(|_| connect_now(&path).ok()).collect();
        println!("{name}: {} wait", taken.len());
        crowd.extend(taken);
    }
    crowd
}

/// A crowd at each socket, and at the port of agents; nobody of it says anything.
fn crowd(stage: &Stage) -> (Vec<std::os::unix::net::UnixStream>, Vec<TcpStream>) {
    std::thread::scope(|scope| {
        let unix: Vec<_> = SOCKETS
            .into_iter()
            .filter(|name| stage.arena.run_directory().join(name).exists())
            .map(|name| {
                let connect = move || (0..CROWD).map(|_| stage.arena.connect(name)).collect();
                scope.spawn(connect)
            })
            .collect();
        let agents = scope.spawn(|| {
            let address = agents_address(&stage.arena);
            let connect = || (0..CROWD).map(|_| TcpStream::connect(address).unwrap()).collect();
            stage.arena.in_network(connect)
        });
        let unix = unix
            .into_iter()
            .flat_map(|it: std::thread::ScopedJoinHandle<'_, Vec<_>>| it.join().expect("a crowd"));
        (unix.collect(), agents.join().unwrap())
    })
}

/// Another client and another program are served.
fn others_are_served(stage: &Stage, name: &str) {
    let begun = Instant::now();
    stage.arena.lttng_ok(&format!("create {name}"));
    stage.arena.lttng_ok("enable-event -u sample:number");
    stage.arena.lttng_ok("start");
    let mut program = Program::start(&stage.arena, &["number=3"]);
    assert!(program.wait().success());
    stage.arena.lttng_ok("list");
    stage.is_unconcerned(begun.elapsed());
    stage.arena.lttng_ok("stop");
    assert_eq!(stage.arena.events(&stage.arena.trace_of(name)).len(), 3);
    stage.arena.lttng_ok("destroy");
}

#[test]
fn a_thousand_connections_at_each_socket_keep_nobody_away() {
    let limit = getrlimit(Resource::Nofile);
    let enough = (SOCKETS.len() + 3) * CROWD;
    if limit.maximum.is_some_and(|maximum| maximum < 2 * enough as u64) {
        eprintln!("this needs {enough} descriptors here and there: nothing is checked");
        return;
    }
    setrlimit(Resource::Nofile, rustix::process::Rlimit { current: limit.maximum, ..limit })
        .unwrap();
    let stage = Stage::new(Which::Ours);
    others_are_served(&stage, "before");
    let before = stage.daemon.descriptors_at_rest();

    // Nobody accepts: who comes then waits, or is told to come again.
    stage.arena.signal(stage.daemon.pid(), Signal::STOP);
    let waiting = crowd_that_waits(&stage);
    let arena = &stage.arena;
    std::thread::scope(|scope| {
        let client = scope.spawn(|| arena.lttng("list"));
        let program = scope.spawn(|| Program::start(arena, &["number=1"]).wait());
        std::thread::sleep(std::time::Duration::from_millis(200));
        arena.signal(stage.daemon.pid(), Signal::CONT);
        assert_eq!(client.join().unwrap().code, 0);
        assert!(program.join().unwrap().success());
    });
    others_are_served(&stage, "overflow");
    drop(waiting);

    let crowd = crowd(&stage);
    others_are_served(&stage, "beside");
    drop(crowd);
    others_are_served(&stage, "after");
    eventually("the crowd has gone", || (stage.daemon.descriptors() <= before).then_some(()));
    stage.end();
}
