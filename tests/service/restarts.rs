//! Nobody is refused while the daemon is restarted.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::UnixStream;
use std::process::{Child, Stdio};
use std::{fs, path::Path};

use lttngd_world::{Arena, Daemon, Program, Service, eventually};
use rustix::process::Signal;

/// What is kept of a daemon with all its sockets.
const ALL: [&str; 8] = [
    "agents",
    "applications",
    "applications-11",
    "clients",
    "declare",
    "health",
    "notifications",
    "status",
];

/// Starts a daemon whose sockets are kept, and waits until they are.
fn start(arena: &Arena, service: &mut Service) -> Daemon {
    let daemon = Daemon::spawn_as_service(arena, service, &["--keep-sockets"]);
    service.hears("READY=1");
    let mut names: Vec<_> = service.kept.iter().map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ALL);
    daemon
}

/// Ends it, and waits until it has: nobody is there but the service manager.
fn end(arena: &Arena, mut daemon: Daemon, signal: Signal) {
    arena.signal(daemon.pid(), signal);
    let status = daemon.wait();
    assert_eq!(status.success(), signal == Signal::TERM, "{status}");
    arena.consumers_end();
}

fn begun(arena: &Arena, options: &str) -> Child {
    let mut command = arena.command("lttng");
    let command = command.args(options.split(' ')).stdout(Stdio::piped()).stderr(Stdio::null());
    command.spawn().unwrap()
}

fn output(client: Child) -> String {
    let output = client.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn asks_health(socket: &Path) -> UnixStream {
    let mut client = UnixStream::connect(socket).unwrap();
    client.write_all(&[0; 4]).unwrap();
    client
}

#[test]
fn who_comes_while_there_is_no_daemon_is_served_by_the_next() {
    let arena = Arena::new();
    let mut service = Service::new(&arena, None);
    let daemon = start(&arena, &mut service);
    // One that was there before follows as well.
    let before = Program::ready(&arena);
    let port = fs::read_to_string(arena.run_directory().join("agent.port")).unwrap();
    end(&arena, daemon, Signal::TERM);

    let list = begun(&arena, "--no-sessiond list --userspace");
    let create = begun(&arena, "--no-sessiond create waited --no-output");
    let come = Program::start(&arena, &["-"]);
    let mut health = asks_health(&arena.run_directory().join("sessiond-health"));
    let port: u16 = port.trim().parse().unwrap();
    let _agent = arena.in_network(|| TcpStream::connect((Ipv4Addr::LOCALHOST, port))).unwrap();

    let daemon = start(&arena, &mut service);
    output(list);
    output(create);
    assert!(arena.lttng_ok("list").contains("waited"));
    health.read_exact(&mut [0; 8]).unwrap();
    eventually("both programs are registered", || {
        let listed = arena.lttng_ok("list --userspace");
        [&before, &come]
            .iter()
            .all(|it| listed.contains(&format!("PID: {}", it.pid())))
            .then_some(())
    });
    end(&arena, daemon, Signal::TERM);
    let socket = fs::symlink_metadata(arena.run_directory().join("client-lttng-sessiond"));
    assert!(socket.unwrap().file_type().is_socket());
}

#[test]
fn a_daemon_that_was_killed_has_left_its_sockets() {
    let arena = Arena::new();
    let mut service = Service::new(&arena, None);
    let daemon = start(&arena, &mut service);
    end(&arena, daemon, Signal::KILL);
    let list = begun(&arena, "--no-sessiond list");
    let daemon = start(&arena, &mut service);
    output(list);
    // Sockets that were left serve a daemon with other options too, as far as they are its.
    end(&arena, daemon, Signal::TERM);
    let other = arena.file("other-clients");
    let options = ["--keep-sockets", "--client-sock", other.to_str().unwrap()];
    let _daemon = Daemon::spawn_as_service(&arena, &service, &options);
    service.hears("READY=1");
    drop(UnixStream::connect(&other).unwrap());
    assert_eq!(service.kept.len(), ALL.len());
}

#[test]
fn a_service_after_which_nobody_keeps_anything_starts_anew() {
    let arena = Arena::new();
    let mut service = Service::new(&arena, None);
    let daemon = start(&arena, &mut service);
    end(&arena, daemon, Signal::TERM);
    service.kept.clear();
    assert_ne!(arena.lttng("--no-sessiond list").code, 0, "nobody is there to wait for");
    let _daemon = start(&arena, &mut service);
    arena.lttng_ok("--no-sessiond list");
}
