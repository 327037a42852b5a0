//! A process of an ordinary user that wants a daemon for itself.
//!
//! Driven by lines on its standard input, each of which it answers by one, on descriptor 3:
//!
//! ```text
//! begin   goes at it from now on until the process ends; how many connections it has then
//! ```

use lttngd_wire::ust::Abi;
use std::{
    env, fs,
    io::{self, BufRead, Read, Write},
    net::{Ipv4Addr, Shutdown, TcpStream},
    os::{
        fd::OwnedFd,
        unix::{fs::MetadataExt, net::UnixStream},
    },
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use lttngd_model::{DescriptorOutput, Domain, ErrorCode, SessionDescriptor, SessionKind};
use lttngd_wire::{
    agent::{Command, LOGGERS_MAX, LOGGERS_MAX_LEN, Registration, encode_loggers},
    client,
    ust::{command::UstError, notify::Answer},
};
use nix::unistd::{Gid, Uid, setgid, setgroups, setuid};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, socket_with};

use crate::{
    AgentAct, AgentRequest, AgentScript, AppAct, AppRequest, AppScript, FakeAgent, FakeApp,
    FakeClient,
    app::{connect_in_a_child, enumeration, large_enumeration, large_event, registration},
    waiting::PATIENCE,
};

/// The user who does it, and his group.
pub const ATTACKER: u32 = 54_321;

/// The environment of the process: what it does, and the run directory of the daemon.
const ATTACK: &str = "LTTNGD_TEST_ATTACK";
const ATTACKED: &str = "LTTNGD_TEST_ATTACKED";
/// Where it answers.
const ANSWERS: &str = "/proc/self/fd/3";

/// Names in the run directory.
const APPLICATIONS: &str = "lttng-ust-sock-8";
const CLIENTS: &str = "client-lttng-sessiond";
const AGENTS: &str = "agent.port";

/// Registrations of one process: more are of no use to it.
const REGISTRATIONS: usize = 16;
/// Connections of one process.
const CONNECTIONS: usize = 6000;
/// Registrations that it makes by as many others, where it wants more.
const REGISTRATIONS_OF_OTHERS: usize = 4000;
/// The number of the command with which an application announces what it has.
const ENABLE: u32 = 0x80;
/// The first session that an application has.
const SESSION: u32 = 1;
/// How many of these may be refused one after the other before it has all that it gets.
const REFUSALS: usize = 20;
/// Agents that list.
const LISTING_AGENTS: usize = 16;
/// Sessions.
const SESSIONS: usize = 16_000;
/// How long a connection may take before the daemon counts as one that takes no more.
const TAKES_NO_MORE: Duration = Duration::from_secs(2);
/// How long it goes on taking more at most.
const ENOUGH: Duration = Duration::from_secs(15);
/// How late a slow application answers: sooner than it counts as one that does not.
const LATE: Duration = Duration::from_secs(3);

/// What it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attack {
    /// Begins large announcements and does not end them.
    Begun,
    /// Announces events of many fields for channels that are not there.
    Events,
    /// The same with enumerations.
    Enumerations,
    /// Announces for sessions that are there all enumerations that it may.
    Announced,
    /// Connects as an application and says nothing more.
    Silent,
    /// Registers as often as it can, by many processes, and does all that it is told.
    Registrations,
    /// Answers each request late.
    Slow,
    /// Is agents that answer nothing.
    Agents,
    /// Is agents that answer a listing with as much as they can.
    Loggers,
    /// Is clients that say nothing.
    Clients,
    /// Is a client that makes sessions.
    Sessions,
    /// Registers wrongly as fast as it can.
    Wrong,
    /// Has many tracepoints with long names.
    Tracepoints,
}

/// All of them, by the names of their variants.
const ALL: [Attack; 13] = {
    use Attack::*;
    [
        Begun,
        Events,
        Enumerations,
        Announced,
        Silent,
        Registrations,
        Slow,
        Agents,
        Loggers,
        Clients,
        Sessions,
        Wrong,
        Tracepoints,
    ]
};

impl Attack {
    /// The environment of a process that is to do it to the daemon of this run directory.
    #[must_use]
    pub fn environment(self, run_directory: &str) -> [(&'static str, String); 2] {
        [(ATTACK, format!("{self:?}")), (ATTACKED, run_directory.to_owned())]
    }

    /// What this process is to do, as its environment says, and where.
    #[must_use]
    pub fn asked() -> Option<(Attack, PathBuf)> {
        let name = env::var(ATTACK).ok()?;
        let attack = ALL.into_iter().find(|it| format!("{it:?}") == name);
        Some((attack.unwrap(), env::var_os(ATTACKED).unwrap().into()))
    }

    /// Does it at the daemon of this run directory, when it is told to.
    pub fn run(self, run_directory: &Path) {
        let mut answers = fs::File::options().write(true).open(ANSWERS).unwrap();
        let mut held = Held::default();
        become_ordinary(run_directory, matches!(self, Attack::Clients | Attack::Sessions));
        for line in io::stdin().lock().lines().map_while(Result::ok) {
            assert_eq!(line, "begin", "not a command");
            let count = self.begin(run_directory, &mut held);
            writeln!(answers, "{line}: {count}").unwrap();
        }
    }

    fn begin(self, run_directory: &Path, held: &mut Held) -> usize {
        let socket = run_directory.join(APPLICATIONS);
        match self {
            Attack::Begun => {
                held.register(&socket, &AppScript::default);
                let bytes = large_enumeration().encode(Abi::V9);
                for fake in &held.fakes {
                    // It may be closed meanwhile.
                    let _ = fake.write_notify(&bytes[..bytes.len() - 1]);
                }
            }
            Attack::Events => return held.repeat(&socket, &large_event().encode(Abi::V9)),
            Attack::Enumerations => {
                return held.repeat(&socket, &large_enumeration().encode(Abi::V9));
            }
            Attack::Announced => held.announce(&socket),
            Attack::Silent => held.connect(|| UnixStream::connect(&socket).map(OwnedFd::from)),
            Attack::Registrations => held.register_as_many(&socket),
            Attack::Slow => held.register(&socket, &slow),
            Attack::Agents => held.connect(|| silent_agent(run_directory)),
            Attack::Loggers => held.list(run_directory),
            Attack::Clients => {
                let socket = run_directory.join(CLIENTS);
                held.connect(|| UnixStream::connect(&socket).map(OwnedFd::from));
            }
            Attack::Sessions => return create_sessions(&run_directory.join(CLIENTS)),
            Attack::Wrong => {
                std::thread::spawn(move || {
                    loop {
                        register_wrongly(&socket);
                    }
                });
            }
            Attack::Tracepoints => held.register(&socket, &with_tracepoints),
        }
        held.fakes.len() + held.agents.len() + held.connections.len()
    }
}

/// Makes the process one of the attacker, of the group that may be a client when it is `member` of it.
fn become_ordinary(run_directory: &Path, member: bool) {
    let socket = run_directory.join(CLIENTS).metadata();
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
    agents: Vec<FakeAgent>,
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

    /// As many as there may be, each by a process of its own, all of which are registered to the end.
    fn register_as_many(&mut self, socket: &Path) {
        let address = SocketAddrUnix::new(socket).unwrap();
        let (begun, mut refused) = (Instant::now(), 0);
        let goes_on = |count, refused| {
            count < REGISTRATIONS_OF_OTHERS && refused < REFUSALS && begun.elapsed() < ENOUGH
        };
        while goes_on(self.fakes.len(), refused) {
            let Some(fake) = by_a_child(&address) else { return };
            if fake.is_served(TAKES_NO_MORE) {
                refused = 0;
                self.fakes.push(fake);
            } else {
                refused += 1;
            }
        }
    }

    /// Sends the same on all notify sockets, again and again. How many these are.
    fn repeat(&mut self, socket: &Path, bytes: &[u8]) -> usize {
        // They announce nothing of their own accord, whose answers would be others.
        self.register(socket, &|| AppScript::refusing(ENABLE, UstError::NoSys));
        let count = self.fakes.len();
        for fake in self.fakes.drain(..) {
            let bytes = bytes.to_vec();
            std::thread::spawn(move || {
                while fake.write_notify(&bytes).is_ok() && fake.answer().is_some() {}
            });
        }
        count
    }

    /// Announces enumerations for the session that an application has, until it is refused or that is enough.
    fn announce(&mut self, socket: &Path) {
        let Ok(fake) = FakeApp::connect(socket, AppScript::default()) else { return };
        let begun = Instant::now();
        // Once it has announced the session's channel and events of its own accord.
        while fake.asked().len() < 2 && begun.elapsed() < PATIENCE {
            std::thread::sleep(Duration::from_millis(1));
        }
        let mut bytes = enumeration(SESSION, "all_0").encode(Abi::V9);
        let name_at = bytes.windows(5).position(|name| name == b"all_0").unwrap();
        let begun = Instant::now();
        for number in b'a'..=b'z' {
            bytes[name_at + 4] = number;
            let is_taken = fake.write_notify(&bytes).is_ok()
                && matches!(fake.answer(), Some(Answer::Enumeration { ret_code: 0, .. }));
            if !is_taken || begun.elapsed() > ENOUGH {
                break;
            }
        }
        self.fakes.push(fake);
    }

    /// Agents whose loggers are as many and as long as they may be.
    fn list(&mut self, run_directory: &Path) {
        let address = (Ipv4Addr::LOCALHOST, agents_port(run_directory)).into();
        let listings = [true, false].map(|is_taken| Arc::new(longest_listing(is_taken)));
        for number in 0..LISTING_AGENTS {
            let listing = Arc::clone(&listings[number % listings.len()]);
            let act = move |request: &AgentRequest| match request.command {
                Command::List => AgentAct::Bytes(listing.to_vec()),
                _ => AgentAct::Answer,
            };
            let Ok(agent) = FakeAgent::connect(address, AgentScript::new(Domain::Jul, act)) else {
                return;
            };
            self.agents.push(agent);
        }
    }

    /// Connects as often as it can.
    fn connect(&mut self, connect: impl Fn() -> io::Result<OwnedFd>) {
        let began = Instant::now();
        for _ in 0..CONNECTIONS {
            let begun = Instant::now();
            let Ok(connection) = connect() else { return };
            self.connections.push(connection);
            if begun.elapsed() > TAKES_NO_MORE || began.elapsed() > ENOUGH {
                return;
            }
        }
    }
}

/// An application of another process; nothing when this one can have no more, or the daemon takes none.
fn by_a_child(address: &SocketAddrUnix) -> Option<FakeApp> {
    let socket = || {
        let flags = SocketFlags::CLOEXEC;
        socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None).ok()
    };
    let sockets = [socket()?, socket()?];
    if !connect_in_a_child(address, &sockets, &registration()) {
        return None;
    }
    let [command, notify] = sockets.map(UnixStream::from);
    FakeApp::over(command, notify, AppScript::default()).ok()
}

fn agents_port(run_directory: &Path) -> u16 {
    fs::read_to_string(run_directory.join(AGENTS)).unwrap().trim().parse().unwrap()
}

fn silent_agent(run_directory: &Path) -> io::Result<OwnedFd> {
    let registration = Registration { domain: Domain::Jul, pid: std::process::id() };
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, agents_port(run_directory)))?;
    stream.write_all(&registration.encode())?;
    Ok(stream.into())
}

/// The longest listing that is taken, or one of as many empty names as its bytes would hold.
fn longest_listing(is_taken: bool) -> Vec<u8> {
    let each = (LOGGERS_MAX_LEN / LOGGERS_MAX) as usize - 1;
    let names: Vec<String> = (0..LOGGERS_MAX).map(|number| format!("{number:0>each$}")).collect();
    let mut bytes = encode_loggers(&names);
    if !is_taken {
        let names_at = bytes.len() - LOGGERS_MAX_LEN as usize;
        bytes[names_at..].fill(0);
        bytes[names_at - size_of::<u32>()..names_at]
            .copy_from_slice(&LOGGERS_MAX_LEN.to_be_bytes());
    }
    bytes
}

/// Makes sessions until one is refused; how many that are.
fn create_sessions(socket: &Path) -> usize {
    let begun = Instant::now();
    let is_made = |number: &usize| {
        let descriptor = SessionDescriptor {
            kind: SessionKind::Regular,
            name: Some(format!("idle-{number}")),
            output: DescriptorOutput::None,
        };
        let command = client::Command::CreateSession { home: None, descriptor };
        let reply = FakeClient::call(socket, &FakeClient::bytes(&command, |request| request));
        matches!(reply, Ok(Some(reply)) if reply.code == ErrorCode::OK) && begun.elapsed() < ENOUGH
    };
    (0..SESSIONS).take_while(is_made).count()
}

/// Registers, and waits until that is refused.
fn register_wrongly(socket: &Path) {
    let registration = lttngd_wire::ust::registration::Registration { major: 1, ..registration() };
    let Ok(mut stream) = UnixStream::connect(socket) else { return };
    // The daemon may close before it has all.
    let sent = stream.write_all(&registration.encode());
    let _ = sent.and_then(|()| stream.shutdown(Shutdown::Write));
    let _ = stream.read(&mut [0; 1]);
}

/// An application with some tracepoints that is late with each answer, and never silent.
fn slow() -> AppScript {
    let tracepoint = |number| (format!("slow:{number}"), 13);
    let act = |_: &AppRequest| {
        std::thread::sleep(LATE);
        AppAct::Answer
    };
    AppScript { tracepoints: (0..1000).map(tracepoint).collect(), ..AppScript::new(act) }
}

/// An application with as many tracepoints as are taken from one.
fn with_tracepoints() -> AppScript {
    const TRACEPOINTS: usize = 1 << 16;

    let tracepoint = |number| (format!("provider:{number:0>200}"), 13);
    AppScript { tracepoints: (0..TRACEPOINTS).map(tracepoint).collect(), ..AppScript::default() }
}
