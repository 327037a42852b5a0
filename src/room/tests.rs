#![allow(clippy::unwrap_used)]

use std::{
    fs,
    io::{self, ErrorKind},
    path::{Path, PathBuf},
    sync::mpsc,
    thread,
};

use lttngd_peer::{FakeClient, alone};
use lttngd_wire::client::Command;
use tempfile::TempDir;

use super::CLIENTS;
use crate::{Config, Daemon};

/// A daemon, and its socket for clients.
fn daemon_in(directory: &TempDir) -> (Daemon, PathBuf) {
    let run_dir = directory.path().join(".lttng");
    let socket = run_dir.join("client");
    let config = Config::in_directory(run_dir);
    (Daemon::start(Config { client_socket: Some(socket.clone()), ..config }).unwrap(), socket)
}

/// What a client is told of the list of sessions; nothing when it is turned away.
fn asked(socket: &Path) -> io::Result<Option<bool>> {
    let request = FakeClient::bytes(&Command::ListSessions, |request| request);
    let reply = FakeClient::call(socket, &request)?;
    Ok(reply.map(|reply| reply.failure().is_none()))
}

fn has_thread() -> bool {
    let threads = fs::read_dir("/proc/self/task").unwrap().flatten();
    let mut names = threads.filter_map(|it| fs::read_to_string(it.path().join("comm")).ok());
    names.any(|name| name.trim_end() == CLIENTS.0.to_str().unwrap())
}

#[test]
fn the_thread_of_clients_is_there_for_them_and_ends_with_the_daemon() {
    alone(
        concat!(
            module_path!(),
            "::the_thread_of_clients_is_there_for_them_and_ends_with_the_daemon"
        ),
        || {
            let directory = TempDir::new().unwrap();
            let (daemon, socket) = daemon_in(&directory);
            assert_eq!(asked(&socket).unwrap(), Some(true));
            assert!(has_thread());
            daemon.stop();
            assert!(!has_thread(), "it was joined");
            assert!(asked(&socket).is_err(), "nobody listens");
            // Nobody needs one where there is no socket for clients.
            let config = Config::in_directory(directory.path().join(".lttng"));
            let daemon = Daemon::start(config).unwrap();
            assert!(!has_thread());
            daemon.stop();
        },
    );
}

#[test]
fn clients_that_ask_while_the_daemon_ends_are_answered_or_turned_away() {
    let directory = TempDir::new().unwrap();
    let (daemon, socket) = daemon_in(&directory);
    let (begun, begins) = mpsc::channel();
    thread::scope(|scope| {
        let clients = [(); 4].map(|()| {
            let (begun, socket) = (begun.clone(), &socket);
            scope.spawn(move || {
                loop {
                    match asked(socket) {
                        Ok(reply) => assert_ne!(reply, Some(false), "the answer is no list"),
                        // Nobody listens any more.
                        Err(error) => return assert_ne!(error.kind(), ErrorKind::WouldBlock),
                    }
                    // Who waits for the first one may have heard another.
                    let _ = begun.send(());
                }
            })
        });
        drop(begun);
        begins.recv().unwrap();
        daemon.stop();
        for client in clients {
            client.join().unwrap();
        }
    });
}
