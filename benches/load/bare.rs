//! What a registration costs whoever answers it: a process that does on the sockets of applications what every
//! session daemon has to do there, and nothing else. What a daemon spends above that is its own.
//!
//! It is one thread. All that it sends is written down before an application comes; of an application it knows
//! how far it is. It goes the way of the fewest round trips: whatever the protocol lets all sessions ask at a
//! time goes together, and only a byte with descriptors begins a call of its own, since an application receives
//! it so.

mod listing;

pub use listing::{BareListing, answer as answer_lists};

use lttngd_wire::ust::Abi;
use std::collections::HashMap;
use std::fs;
use std::io::{IoSlice, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use lttngd::model::LogLevelRule;
use lttngd_runtime::peer_credentials;
use lttngd_wire::ust::command::{Command, REPLY_LEN, ROOT_HANDLE};
use lttngd_wire::ust::notify::{Answer, HeaderType, Kind};
use lttngd_wire::ust::registration::{REGISTRATION_LEN, Registration, SocketKind};
use lttngd_world::{Arena, Program, eventually};
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::fs::MemfdFlags;
use rustix::io::Errno;
use rustix::net::{
    RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketFlags, accept_with,
};

use crate::crowd::SOCKET;
use crate::measure::SECOND_US;
use crate::simulated::TRACEPOINT;

/// Size in bytes of what describes a channel to an application.
const IMAGE_LEN: usize = 920;
/// Size in bytes of a stream's memory, as it is told. Nobody maps it.
const MEMORY_LEN: u64 = 1 << 20;
/// Most bytes that are received at once; more than all sessions are answered in a step.
const RECEIVED_MAX: usize = 1 << 16;
/// Most sockets that are looked at before the next look at all.
const EVENTS_MAX: usize = 1024;
/// What the listening sockets are known by, where others have their place: that of applications, and that of who
/// asks for one more event rule.
const LISTENER: u64 = u64::MAX;
const RULES: u64 = u64::MAX - 1;
/// How many event rules may be added.
const RULES_MAX: u32 = 10;
/// How long it waits when more descriptors are sent and not received than the system allows.
const PAUSE: Duration = Duration::from_millis(1);

/// That process, in a world where there is no daemon. It ends with this.
pub struct Bare {
    program: Program,
    rules: PathBuf,
}

impl Bare {
    /// What its rows say.
    pub const ROW: &str = "processor time of a program that answers as much and does nothing else";

    /// One that listens, and whose applications are recorded by that many sessions.
    pub fn new(arena: &Arena, sessions: u32) -> Bare {
        let socket = arena.run_directory().join(SOCKET);
        let mut command = arena.command(std::env::current_exe().unwrap());
        command.arg("--bare").arg(&socket).args(["--bare-sessions", &sessions.to_string()]);
        let program = Program::spawn(command);
        eventually("it listens", || socket.exists().then_some(()));
        Bare { program, rules: rules_socket(&socket) }
    }

    /// Its process id.
    pub fn pid(&self) -> i32 {
        self.program.pid()
    }

    /// One more event rule for every application, of at most ten: the time until all have it, in microseconds.
    pub fn enable_rule(&self) -> f64 {
        let since = Instant::now();
        let mut socket = UnixStream::connect(&self.rules).unwrap();
        socket.read_exact(&mut [0]).expect("all applications have the rule");
        since.elapsed().as_secs_f64() * SECOND_US
    }
}

/// Where event rules are asked for, of one where applications come to `path`.
fn rules_socket(path: &Path) -> PathBuf {
    path.with_extension("rules")
}

/// Answers the applications that come to the socket `path`, each of which is recorded by that many sessions, until
/// it is killed.
pub fn answer(path: &Path, sessions: u32) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let epoll = epoll::create(CreateFlags::CLOEXEC).unwrap();
    let listen = |path: &Path, known_by| {
        let listener = UnixListener::bind(path).unwrap();
        listener.set_nonblocking(true).unwrap();
        epoll::add(&epoll, &listener, EventData::new_u64(known_by), EventFlags::IN).unwrap();
        listener
    };
    let rules = listen(&rules_socket(path), RULES);
    let listener = listen(path, LISTENER);
    let (_reader, wakeup) = rustix::pipe::pipe().unwrap();
    let memory = rustix::fs::memfd_create("bare", MemfdFlags::CLOEXEC).unwrap();
    let (sockets, halves) = (Vec::new(), HashMap::new());
    let steps = steps(sessions);
    let mut bare = Answerer { epoll, sockets, halves, steps, memory, wakeup, asked: None };
    loop {
        let mut space = [MaybeUninit::<Event>::uninit(); EVENTS_MAX];
        let (events, _) = epoll::wait(&bare.epoll, &mut space, None).unwrap();
        for event in events {
            match event.data.u64() {
                LISTENER => bare.accept(&listener),
                RULES => bare.add_rule(rules.accept().unwrap().0),
                at => bare.receive(at as usize),
            }
        }
    }
}

/// What is sent to an application at once, and how many bytes it answers before the next step.
#[derive(Default)]
struct Step {
    parts: Vec<Part>,
    answered_len: usize,
    /// Whether it is taken when somebody asks for it, and not as soon as the one before is answered.
    is_asked_for: bool,
}

/// What goes in one call: the first of its bytes carries that many descriptors.
#[derive(Default)]
struct Part {
    bytes: Vec<u8>,
    descriptors: usize,
}

impl Step {
    fn ask(&mut self, handle: u32, command: &Command) {
        if self.parts.is_empty() {
            self.parts.push(Part::default());
        }
        command.append(handle, &mut self.parts.last_mut().unwrap().bytes);
        self.answered_len += REPLY_LEN;
    }

    /// A byte with descriptors.
    fn attach(&mut self, descriptors: usize) {
        self.parts.push(Part { bytes: vec![0], descriptors });
    }
}

/// The steps of a registration. An application numbers its objects as they are made.
fn steps(sessions: u32) -> Vec<Step> {
    let [mut version, mut made, mut channels, mut streams, mut switched, mut done] =
        [(); 6].map(|()| Step::default());
    version.ask(ROOT_HANDLE, &Command::TracerVersion);
    for number in 1..=sessions {
        let [session, channel, event] = [0, 1, 2].map(|kind| kind * sessions + number);
        made.ask(ROOT_HANDLE, &Command::Session);
        channels.ask(session, &Command::Channel { len: IMAGE_LEN as u64, owner_id: 0 });
        channels.parts.last_mut().unwrap().bytes.extend([0; IMAGE_LEN]);
        channels.attach(1);
        let processors = std::thread::available_parallelism().unwrap().get() as u32;
        for stream_nr in 0..processors {
            streams.ask(channel, &Command::Stream { len: MEMORY_LEN, stream_nr });
            streams.attach(2);
        }
        let (name, loglevel) = (TRACEPOINT.to_owned(), LogLevelRule::All);
        streams.ask(channel, &Command::Event { name, loglevel, token: 0 });
        switched.ask(event, &Command::Enable);
        switched.ask(session, &Command::Enable);
        switched.ask(ROOT_HANDLE, &Command::WaitQuiescent);
    }
    done.ask(ROOT_HANDLE, &Command::RegisterDone);
    let mut steps = vec![version, made, channels, streams, switched, done];
    steps.retain(|step| step.answered_len > 0);
    steps.extend((0..RULES_MAX).filter(|_| sessions > 0).flat_map(|rule| more(sessions, rule)));
    steps
}

/// The steps of one more event rule, of no tracepoint that is there, in the first session.
fn more(sessions: u32, rule: u32) -> [Step; 2] {
    let mut made = Step { is_asked_for: true, ..Step::default() };
    let mut switched = Step::default();
    let name = format!("absent:rule_{rule}");
    made.ask(sessions + 1, &Command::Event { name, loglevel: LogLevelRule::All, token: 0 });
    switched.ask(3 * sessions + 1 + rule, &Command::Enable);
    [made, switched]
}

/// A connection of an application.
#[derive(Clone, Copy)]
enum Connection {
    /// It is one of this process, and has not said which.
    Begun(u32),
    /// How far it is: a step, and how many bytes of its answers have come.
    Command {
        step: usize,
        received: usize,
    },
    Notify,
}

struct Answerer {
    epoll: OwnedFd,
    sockets: Vec<Option<(OwnedFd, Connection)>>,
    /// Processes that have one connection, and where that is if it is the command socket.
    halves: HashMap<u32, Option<usize>>,
    steps: Vec<Step>,
    memory: OwnedFd,
    wakeup: OwnedFd,
    /// Who asked for an event rule, and how many applications do not have it yet.
    asked: Option<(UnixStream, usize)>,
}

impl Answerer {
    fn accept(&mut self, listener: &UnixListener) {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        while let Ok(socket) = accept_with(listener, flags) {
            let place = EventData::new_u64(self.sockets.len() as u64);
            epoll::add(&self.epoll, &socket, place, EventFlags::IN).unwrap();
            let pid = peer_credentials(&socket).unwrap().pid;
            self.sockets.push(Some((socket, Connection::Begun(pid))));
        }
    }

    fn receive(&mut self, at: usize) {
        let Some((socket, connection)) = &self.sockets[at] else { return };
        let mut space = [MaybeUninit::uninit(); RECEIVED_MAX];
        let bytes = match rustix::net::recv(socket, &mut space, RecvFlags::DONTWAIT) {
            Ok(((bytes @ [_, ..], _), _)) => &*bytes,
            Err(Errno::AGAIN | Errno::INTR) => return,
            // It has ended.
            _ => {
                self.sockets[at] = None;
                return;
            }
        };
        match *connection {
            Connection::Begun(pid) => self.registered(at, pid, &bytes[..REGISTRATION_LEN]),
            Connection::Command { step, received } => self.answered(at, (step, received), bytes),
            Connection::Notify => self.asked(at, bytes),
        }
    }

    fn place(&mut self, at: usize, connection: Connection) {
        let (_, place) = self.sockets[at].as_mut().unwrap();
        *place = connection;
    }

    fn registered(&mut self, at: usize, pid: u32, bytes: &[u8]) {
        let kind = Registration::decode(bytes).unwrap().socket;
        let (connection, command) = match kind {
            SocketKind::Command => (Connection::Command { step: 0, received: 0 }, Some(at)),
            SocketKind::Notify => (Connection::Notify, None),
        };
        self.place(at, connection);
        match self.halves.remove(&pid) {
            None => {
                self.halves.insert(pid, command);
            }
            Some(first) => self.send(command.or(first).unwrap(), 0),
        }
    }

    fn answered(&mut self, at: usize, (step, before): (usize, usize), bytes: &[u8]) {
        const RET_CODE_AT: std::ops::Range<usize> = 8..12;

        let next = before.next_multiple_of(REPLY_LEN) - before;
        for reply in bytes.get(next..).unwrap_or_default().chunks(REPLY_LEN) {
            let code = reply.get(RET_CODE_AT);
            assert!(code.is_none_or(|code| code == [0; 4]), "an application refuses a request");
        }
        let received = before + bytes.len();
        if received < self.steps[step].answered_len {
            return self.place(at, Connection::Command { step, received });
        }
        self.place(at, Connection::Command { step: step + 1, received: 0 });
        match self.steps.get(step + 1) {
            Some(next) if !next.is_asked_for => self.send(at, step + 1),
            _ => self.rests(),
        }
    }

    fn add_rule(&mut self, asker: UnixStream) {
        let mut asked = 0;
        for at in 0..self.sockets.len() {
            if let Some((_, Connection::Command { step, .. })) = self.sockets[at] {
                self.send(at, step);
                asked += 1;
            }
        }
        self.asked = Some((asker, asked));
    }

    /// An application has answered all that was to be asked of it.
    fn rests(&mut self) {
        if let Some((asker, waited_for)) = &mut self.asked {
            *waited_for -= 1;
            if *waited_for == 0 {
                asker.write_all(&[0]).unwrap();
                self.asked = None;
            }
        }
    }

    fn asked(&mut self, at: usize, bytes: &[u8]) {
        let kind = Kind::from_raw(u32::from_ne_bytes(bytes[..4].try_into().unwrap())).unwrap();
        let answer = match kind {
            Kind::Event => Answer::Event { ret_code: 0, event_id: 0 },
            Kind::Channel => {
                Answer::Channel { ret_code: 0, chan_id: 0, header_type: HeaderType::Compact }
            }
            Kind::Enumeration => panic!("the event has no enumeration"),
        };
        let (socket, _) = self.sockets[at].as_ref().unwrap();
        send(socket, &answer.encode(Abi::V9), &[]);
    }

    fn send(&self, at: usize, step: usize) {
        let (socket, _) = self.sockets[at].as_ref().unwrap();
        let descriptors = [self.memory.as_fd(), self.wakeup.as_fd()];
        for part in &self.steps[step].parts {
            send(socket, &part.bytes, &descriptors[descriptors.len() - part.descriptors..]);
        }
    }
}

/// Sends all of `bytes`, for which there is room: an application has read what it has answered.
fn send(socket: &OwnedFd, bytes: &[u8], descriptors: &[BorrowedFd<'_>]) {
    const FLAGS: SendFlags = SendFlags::DONTWAIT.union(SendFlags::NOSIGNAL);

    loop {
        let sent = if descriptors.is_empty() {
            rustix::net::send(socket, bytes, FLAGS)
        } else {
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
            let mut control = SendAncillaryBuffer::new(&mut space);
            assert!(control.push(SendAncillaryMessage::ScmRights(descriptors)));
            rustix::net::sendmsg(socket, &[IoSlice::new(bytes)], &mut control, FLAGS)
        };
        match sent {
            Err(Errno::TOOMANYREFS) => std::thread::sleep(PAUSE),
            // It has ended, which is seen when it is received from.
            Err(Errno::PIPE | Errno::CONNRESET) => return,
            sent => return assert_eq!(sent.unwrap(), bytes.len(), "there is room for all"),
        }
    }
}
