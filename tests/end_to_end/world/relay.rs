//! Relay daemons, and gates before them at which what they are sent waits.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex};

use rustix::process::Signal;

use super::{Stage, eventually};

/// A relay daemon. It ends with the arena.
#[derive(Clone)]
pub struct Relay {
    /// For control, data and live connections.
    pub ports: [u16; 3],
    /// Its output directory.
    pub output: PathBuf,
}

impl Relay {
    /// Starts one; it listens when this returns.
    pub fn start(stage: &Stage) -> Relay {
        let listeners = [(); 3].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
        let ports = listeners.map(|listener| listener.local_addr().unwrap().port());
        let output = stage.arena.file("relay");
        let [control, data, live] = ports.map(|port| format!("tcp://127.0.0.1:{port}"));
        let status = stage
            .arena
            .command("lttng-relayd")
            .args(["--daemonize", "-C", &control, "-D", &data, "-L", &live, "-o"])
            .arg(&output)
            .env("LTTNG_RELAYD_HEALTH", stage.arena.file("relay-health"))
            .status()
            .unwrap();
        assert!(status.success());
        Relay { ports, output }
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("net://127.0.0.1:{}:{}", self.ports[0], self.ports[1])
    }

    /// `text` without its ports, which are not the same in every world.
    pub fn without_ports(&self, text: &str) -> String {
        let text = text.replace(&self.ports[0].to_string(), "CONTROL");
        text.replace(&self.ports[1].to_string(), "DATA")
    }

    /// Sends a signal to the relay daemons of the arena.
    pub fn signal(stage: &Stage, signal: Signal) {
        let relays = stage.arena.processes_named("lttng-relayd");
        assert!(!relays.is_empty());
        relays.into_iter().for_each(|relay| stage.arena.signal(relay, signal));
    }

    /// Kills the relay daemons of the arena.
    pub fn kill(stage: &Stage) {
        Relay::signal(stage, Signal::KILL);
        eventually("the relay is gone", || {
            stage.arena.processes_named("lttng-relayd").is_empty().then_some(())
        });
    }
}

/// Passes on what is sent to a relay daemon, and may hold it.
pub struct Gate {
    /// Where it listens.
    pub port: u16,
    state: Arc<(Mutex<State>, Condvar)>,
}

/// What is sent on a connection: messages with a head that tells the length of the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Connection {
    /// Commands.
    Control,
    /// Packets.
    Data,
}

/// Whether a message waits, by the number of its command; packets have 0.
type Holding = Box<dyn Fn(u32) -> bool + Send>;

#[derive(Default)]
struct State {
    holding: Option<Holding>,
    seen: Vec<u32>,
    waiting: usize,
}

impl Gate {
    /// A gate before a port of a relay daemon in the arena. It is open.
    pub fn before(stage: &Stage, relay: &Relay, kind: Connection) -> Gate {
        let port = match kind {
            Connection::Control => relay.ports[0],
            Connection::Data => relay.ports[1],
        };
        let state = Arc::new((Mutex::new(State::default()), Condvar::new()));
        let passing = Arc::clone(&state);
        let port = stage.arena.in_network(move || {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
            let own = listener.local_addr().unwrap().port();
            // Threads are in the network of the one that started them.
            std::thread::spawn(move || {
                for client in listener.incoming() {
                    let (client, state) = (client.unwrap(), Arc::clone(&passing));
                    let server = TcpStream::connect((Ipv4Addr::LOCALHOST, port));
                    std::thread::spawn(move || connect(kind, client, server?, &state));
                }
            });
            own
        });
        Gate { port, state }
    }

    /// Holds these messages from now on, and what comes after them.
    pub fn hold(&self, which: impl Fn(u32) -> bool + Send + 'static) {
        self.state.0.lock().unwrap().holding = Some(Box::new(which));
    }

    /// Lets everything through again.
    pub fn release(&self) {
        self.state.0.lock().unwrap().holding = None;
        self.state.1.notify_all();
    }

    /// How often a command came to the gate.
    pub fn seen(&self, command: u32) -> usize {
        self.state.0.lock().unwrap().seen.iter().filter(|seen| **seen == command).count()
    }

    /// Waits until a message waits at the gate.
    pub fn holds_one(&self) {
        eventually("a message waits at the gate", || {
            (self.state.0.lock().unwrap().waiting > 0).then_some(())
        });
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.release();
    }
}

fn connect(
    kind: Connection,
    client: TcpStream,
    server: TcpStream,
    state: &(Mutex<State>, Condvar),
) -> io::Result<()> {
    let (mut from_server, mut to_client) = (server.try_clone()?, client.try_clone()?);
    std::thread::spawn(move || {
        let _ = io::copy(&mut from_server, &mut to_client);
        let _ = to_client.shutdown(Shutdown::Write);
    });
    // Either side may go at any time.
    let _ = pass(kind, &client, &server, state);
    server.shutdown(Shutdown::Write)
}

fn pass(
    kind: Connection,
    mut client: &TcpStream,
    mut server: &TcpStream,
    (state, changed): &(Mutex<State>, Condvar),
) -> io::Result<()> {
    let mut head = [0; 32];
    let head = &mut head[..if kind == Connection::Control { 24 } else { 32 }];
    loop {
        client.read_exact(head)?;
        let number = |at: usize| u32::from_be_bytes(head[at..at + 4].try_into().unwrap());
        let (command, len) = match kind {
            Connection::Control => (number(16), number(12)),
            Connection::Data => (0, number(24)),
        };
        let mut state = state.lock().unwrap();
        state.seen.push(command);
        state.waiting += 1;
        let held = |state: &mut State| state.holding.as_ref().is_some_and(|held| held(command));
        state = changed.wait_while(state, held).unwrap();
        state.waiting -= 1;
        drop(state);
        server.write_all(head)?;
        io::copy(&mut client.take(len.into()), &mut server)?;
    }
}
