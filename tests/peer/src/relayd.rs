//! A relay daemon, as far as a session daemon talks to one.

use std::{
    io::{self, Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
};

use lttngd_model::RelaySessionId;
use lttngd_wire::relay::{
    Command, Configuration, CreateSession, HEADER_LEN, Header, SessionHead, Version,
};

use crate::Gate;

/// Reads a command from a control connection and answers it as a relay daemon of a minor version that
/// gives `session_id` to sessions. What it was; `None` at the end, and for an old relay daemon's
/// session, of which nothing is told.
pub fn answer_as_relayd(stream: &mut TcpStream, minor: u32, session_id: u64) -> Option<Command> {
    let command = read(stream, minor)?;
    answer(stream, command.as_ref(), minor, session_id).unwrap();
    command
}

fn read(stream: &mut TcpStream, minor: u32) -> Option<Option<Command>> {
    let mut head = [0; HEADER_LEN];
    stream.read_exact(&mut head).ok()?;
    let header = Header::decode(&head).unwrap();
    let mut payload = vec![0; usize::try_from(header.data_size).unwrap()];
    stream.read_exact(&mut payload).ok()?;
    Some(Command::decode(header.command, &payload, minor).unwrap())
}

fn answer(
    stream: &mut TcpStream,
    command: Option<&Command>,
    minor: u32,
    session_id: u64,
) -> io::Result<()> {
    let reply = match command {
        Some(Command::Version(_)) => Version { major: 2, minor }.encode(),
        Some(Command::GetConfiguration) => Configuration { clear_allowed: true }.encode(),
        Some(Command::CreateSession(_)) | None => {
            SessionHead::encode(RelaySessionId(session_id), "h/s", minor)
        }
    };
    stream.write_all(&reply)
}

/// Minor version of a relay daemon of today.
const MINOR: u32 = 13;

/// A relay daemon on this machine that numbers sessions from 1.
pub struct FakeRelayd {
    control: SocketAddr,
    data: TcpListener,
    record: Arc<Record>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Record {
    ended: AtomicBool,
    sessions: Mutex<Vec<CreateSession>>,
}

impl FakeRelayd {
    /// One of 2.13 that answers at once.
    #[must_use]
    pub fn new() -> Self {
        Self::of(MINOR)
    }

    /// The same of another minor version.
    #[must_use]
    pub fn of(minor: u32) -> Self {
        let gate = Gate::default();
        gate.open();
        Self::start(minor, gate)
    }

    /// One of 2.13 that answers nothing until the gate opens.
    #[must_use]
    pub fn behind(gate: Gate) -> Self {
        Self::start(MINOR, gate)
    }

    fn start(minor: u32, gate: Gate) -> Self {
        let [control, data] =
            [(); 2].map(|()| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap());
        let address = control.local_addr().unwrap();
        let record = Arc::new(Record::default());
        let kept = Arc::clone(&record);
        let thread = std::thread::spawn(move || {
            for stream in control.incoming() {
                if kept.ended.load(Ordering::Relaxed) {
                    return;
                }
                let (stream, record, gate) = (stream.unwrap(), Arc::clone(&kept), gate.clone());
                std::thread::spawn(move || serve(stream, minor, &record, &gate));
            }
        });
        Self { control: address, data, record, thread: Some(thread) }
    }

    /// Its URL.
    #[must_use]
    pub fn url(&self) -> String {
        let data = self.data.local_addr().unwrap().port();
        format!("net://{}:{}:{data}", self.control.ip(), self.control.port())
    }

    /// The sessions that were announced to it.
    #[must_use]
    pub fn sessions(&self) -> Vec<CreateSession> {
        self.record.sessions.lock().unwrap().clone()
    }
}

impl Default for FakeRelayd {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for FakeRelayd {
    fn drop(&mut self) {
        self.record.ended.store(true, Ordering::Relaxed);
        // Wakes the thread that accepts.
        drop(TcpStream::connect(self.control));
        drop(self.thread.take().map(JoinHandle::join));
    }
}

/// Serves a control connection to its end, which the other side may choose at any time.
fn serve(mut stream: TcpStream, minor: u32, record: &Record, gate: &Gate) {
    while let Some(command) = read(&mut stream, minor) {
        gate.pass();
        let mut sessions = record.sessions.lock().unwrap();
        if let Some(Command::CreateSession(session)) = &command {
            sessions.push((**session).clone());
        }
        let id = sessions.len() as u64;
        drop(sessions);
        if answer(&mut stream, command.as_ref(), minor, id).is_err() {
            return;
        }
    }
}
