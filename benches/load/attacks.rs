//! A process of an ordinary user that wants the daemon for itself.
//!
//! Driven by lines on its standard input, each of which it answers by one:
//!
//! ```text
//! begin   goes at it from now on until the process ends; how many connections it has then
//! ```

use std::io::{self, BufRead, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use clap::ValueEnum;
use lttngd_model::{
    Domain, Encoding, EnumerationEntry, EnumerationValue, Field, FieldType, IntegerType,
};
use lttngd_peer::{AppScript, FakeApp};
use lttngd_wire::agent::Registration;
use lttngd_wire::ust::notify::{ENUMERATION_ENTRY_COUNT_MAX, FIELD_COUNT_MAX, Request};
use lttngd_world::raw;
use nix::unistd::{Gid, Uid, setgid, setgroups, setuid};

use crate::crowd::SOCKET;

/// The user who does it, and his group.
pub const ATTACKER: u32 = 54_321;

/// Registrations of one process: more are of no use to it.
const REGISTRATIONS: usize = 16;
/// Connections of one process.
const CONNECTIONS: usize = 6000;
/// How long a connection may take before the daemon counts as one that takes no more.
const PATIENCE: Duration = Duration::from_secs(2);

/// What it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Attack {
    /// Begins large announcements and does not end them
    Begun,
    /// Announces events of many fields for channels that are not there
    Events,
    /// The same with enumerations
    Enumerations,
    /// Connects as an application and says nothing more
    Silent,
    /// Is agents that answer nothing
    Agents,
    /// Is clients that say nothing
    Clients,
    /// Registers wrongly as fast as it can
    Wrong,
    /// Has many tracepoints with long names
    Tracepoints,
}

impl Attack {
    /// Does it at the daemon of this run directory, when it is told to.
    pub fn run(self, run_directory: &Path) {
        let mut held = Held::default();
        become_ordinary(run_directory, self == Attack::Clients);
        for line in io::stdin().lock().lines().map_while(Result::ok) {
            assert_eq!(line, "begin", "not a command");
            let count = self.begin(run_directory, &mut held);
            println!("{line}: {count}");
            io::stdout().flush().unwrap();
        }
    }

    fn begin(self, run_directory: &Path, held: &mut Held) -> usize {
        let socket = run_directory.join(SOCKET);
        match self {
            Attack::Begun => {
                held.register(&socket, &AppScript::default);
                let bytes = enumeration();
                for fake in &held.fakes {
                    // It may be closed meanwhile.
                    let _ = fake.write_notify(&bytes[..bytes.len() - 1]);
                }
            }
            Attack::Events => held.repeat(&socket, &event()),
            Attack::Enumerations => held.repeat(&socket, &enumeration()),
            Attack::Silent => held.connect(|| UnixStream::connect(&socket).map(OwnedFd::from)),
            Attack::Agents => {
                let port = std::fs::read_to_string(run_directory.join("agent.port")).unwrap();
                let port: u16 = port.trim().parse().unwrap();
                let hello = Registration { domain: Domain::Jul, pid: std::process::id() }.encode();
                held.connect(|| {
                    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
                    stream.write_all(&hello)?;
                    Ok(stream.into())
                });
            }
            Attack::Clients => {
                let socket = run_directory.join("client-lttng-sessiond");
                held.connect(|| UnixStream::connect(&socket).map(OwnedFd::from));
            }
            Attack::Wrong => {
                let registration = raw::Registration::new(0).with(MAJOR_AT, 1);
                std::thread::spawn(move || {
                    loop {
                        register_wrongly(&socket, &registration.0);
                    }
                });
            }
            Attack::Tracepoints => held.register(&socket, &with_tracepoints),
        }
        held.fakes.len() + held.connections.len()
    }
}

/// Where a registration has the version.
const MAJOR_AT: usize = 4;

/// Makes the process one of the attacker, of the group that may be a client when it is `member` of it.
fn become_ordinary(run_directory: &Path, member: bool) {
    let socket = run_directory.join("client-lttng-sessiond").metadata();
    let group = socket.map_or(ATTACKER, |socket| socket.gid());
    let groups = if member { vec![Gid::from_raw(group)] } else { Vec::new() };
    setgroups(&groups).unwrap();
    setgid(Gid::from_raw(ATTACKER)).unwrap();
    setuid(Uid::from_raw(ATTACKER)).unwrap();
}

/// What the process keeps.
#[derive(Default)]
struct Held {
    fakes: Vec<FakeApp>,
    connections: Vec<OwnedFd>,
}

impl Held {
    /// As many registrations as one process may have.
    fn register(&mut self, socket: &Path, script: &dyn Fn() -> AppScript) {
        for _ in 0..REGISTRATIONS {
            let Ok(fake) = FakeApp::connect(socket, script()) else { return };
            self.fakes.push(fake);
        }
    }

    /// Sends the same on all notify sockets, again and again.
    fn repeat(&mut self, socket: &Path, bytes: &[u8]) {
        self.register(socket, &AppScript::default);
        for fake in self.fakes.drain(..) {
            let bytes = bytes.to_vec();
            std::thread::spawn(move || {
                while fake.write_notify(&bytes).is_ok() && fake.answer().is_some() {}
            });
        }
    }

    /// Connects as often as it can.
    fn connect(&mut self, connect: impl Fn() -> io::Result<OwnedFd>) {
        for _ in 0..CONNECTIONS {
            let begun = Instant::now();
            let Ok(connection) = connect() else { return };
            self.connections.push(connection);
            if begun.elapsed() > PATIENCE {
                return;
            }
        }
    }
}

/// Registers, and waits until that is refused.
fn register_wrongly(socket: &Path, bytes: &[u8]) {
    let Ok(mut stream) = UnixStream::connect(socket) else { return };
    // The daemon may close before it has all.
    let _ = stream.write_all(bytes).and_then(|()| stream.shutdown(Shutdown::Write));
    let _ = stream.read(&mut [0; 1]);
}

fn integer() -> IntegerType {
    IntegerType {
        size_bits: 32,
        signed: true,
        reverse_byte_order: false,
        base: 10,
        encoding: Encoding::None,
        alignment_bits: 8,
    }
}

/// An event with as many fields as there may be, for a channel that is not there.
fn event() -> Vec<u8> {
    let field = |number| Field { name: format!("f{number}"), kind: FieldType::Integer(integer()) };
    let event = Request::Event {
        session_objd: 1,
        channel_objd: 77,
        name: "p:large".to_owned(),
        loglevel: 13,
        signature: "void".to_owned(),
        fields: (0..FIELD_COUNT_MAX).map(field).collect(),
        model_emf_uri: None,
    };
    event.encode()
}

/// An enumeration with as many entries as there may be, for a session that is not there.
fn enumeration() -> Vec<u8> {
    let value = |number: usize| EnumerationValue { value: number as u64, signed: false };
    let entry = |number| EnumerationEntry {
        start: value(number),
        end: value(number),
        label: format!("e{number}"),
        auto: false,
    };
    let enumeration = Request::Enumeration {
        session_objd: 99,
        name: "large".to_owned(),
        entries: (0..ENUMERATION_ENTRY_COUNT_MAX).map(entry).collect(),
    };
    enumeration.encode()
}

/// An application with as many tracepoints as are taken from one.
fn with_tracepoints() -> AppScript {
    const TRACEPOINTS: usize = 1 << 16;

    let tracepoint = |number| (format!("provider:{number:0>200}"), 13);
    AppScript { tracepoints: (0..TRACEPOINTS).map(tracepoint).collect(), ..AppScript::default() }
}
