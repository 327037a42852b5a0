//! Gates before relay daemons: what they are sent waits there, or is answered by something else.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use super::{Relay, Stage, eventually};

/// The number of VERSION, whose payload is a major and a minor number.
const VERSION: u32 = 5;

/// Passes on what is sent to a relay daemon, and may hold it or do something else with it.
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

/// What becomes of a message that does not reach the relay daemon.
#[derive(Clone, Debug)]
pub enum Fault {
    /// A part of it is taken, and the connection is reset.
    Reset,
    /// These bytes are its answer, after which nothing more is answered.
    Answer(Vec<u8>),
}

/// Whether a message is meant, by the number of its command; packets have 0.
type Choice = Box<dyn Fn(u32) -> bool + Send>;

#[derive(Default)]
struct State {
    holding: Option<Choice>,
    spoiling: Option<(Choice, Fault)>,
    /// The minor version that the relay daemon is told to speak.
    minor: Option<u32>,
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

    /// Has the relay daemon speak version 2.`minor` on connections that are made later.
    pub fn speak(&self, minor: u32) {
        self.state.0.lock().unwrap().minor = Some(minor);
    }

    /// Keeps these messages from the relay daemon from now on.
    pub fn spoil(&self, which: impl Fn(u32) -> bool + Send + 'static, fault: Fault) {
        self.state.0.lock().unwrap().spoiling = Some((Box::new(which), fault));
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
    let minor = state.0.lock().unwrap().minor.filter(|_| kind == Connection::Control);
    std::thread::spawn(move || {
        if let Some(minor) = minor {
            // The first reply tells the relay daemon's own version, whatever it was told.
            let _ = pass_version(&from_server, &to_client, minor);
        }
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
        let minor = state.minor.filter(|_| kind == Connection::Control && command == VERSION);
        let spoiling = state.spoiling.as_ref().filter(|(which, _)| which(command));
        let fault = spoiling.map(|(_, fault)| fault.clone());
        drop(state);
        if let Some(fault) = fault {
            return spoil(client, len, fault);
        }
        server.write_all(head)?;
        if let Some(minor) = minor {
            pass_version(client, server, minor)?;
        } else {
            io::copy(&mut client.take(len.into()), &mut server)?;
        }
    }
}

/// Passes a version on, with another minor number.
fn pass_version(mut from: &TcpStream, mut to: &TcpStream, minor: u32) -> io::Result<()> {
    let mut version = [0; 8];
    from.read_exact(&mut version)?;
    version[4..].copy_from_slice(&minor.to_be_bytes());
    to.write_all(&version)
}

fn spoil(mut client: &TcpStream, len: u32, fault: Fault) -> io::Result<()> {
    match fault {
        Fault::Reset => {
            io::copy(&mut client.take(u64::from(len) / 2), &mut io::sink())?;
            rustix::net::sockopt::set_socket_linger(client, Some(Duration::ZERO))?;
            client.shutdown(Shutdown::Read)
        }
        Fault::Answer(bytes) => {
            client.write_all(&bytes)?;
            // Until the other side has enough of it.
            io::copy(&mut client, &mut io::sink()).map(drop)
        }
    }
}
