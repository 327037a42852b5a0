//! An application traced with LTTng-UST: both its sockets.

mod announced;
mod child;
mod notifiers;
mod objects;
mod serve;

use lttngd_wire::ust::Abi;
use std::{
    io::{self, Read, Write},
    net::Shutdown,
    os::{fd::OwnedFd, unix::net::UnixStream},
    path::Path,
    sync::{Arc, Mutex},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use lttngd_wire::ust::{
    command::{Command, FieldEntry, UstError},
    notify::{Answer, KIND_LEN, Kind, Request},
    registration::{Alignments, Registration, SocketKind},
};

pub use announced::{enumeration, integer, integer_field, large_enumeration, large_event};
pub use child::connect_in_a_child;
pub use notifiers::Notifiers;
pub use objects::{Objects, Trouble};
pub use serve::{VERSION, announcement, follows, refusal};

use crate::Gate;

/// The number of the command that lets `main` begin.
const REGISTER_DONE: u32 = 0x44;

/// A request that the application got, with all that followed it.
#[derive(Clone, Debug)]
pub struct AppRequest {
    /// Which, counted from 0 for the tracer version.
    pub index: usize,
    /// The object.
    pub handle: u32,
    /// The command.
    pub command: Command,
    /// Bytes that followed.
    pub payload: Vec<u8>,
    /// Count of descriptors that followed.
    pub descriptors: usize,
}

/// What the application does with a request.
#[derive(Clone, Debug)]
pub enum AppAct {
    /// What LTTng-UST does.
    Answer,
    /// The same, when the gate opens.
    Late(Gate),
    /// Refuses it, and has done nothing.
    Refuse(UstError),
    /// Answers in the name of another object.
    WrongHandle,
    /// Answers this, whatever it is.
    Bytes(Vec<u8>),
    /// Answers as [`AppAct::Answer`], but that many bytes only, and then closes both sockets.
    Cut(usize),
}

type Act = Box<dyn FnMut(&AppRequest) -> AppAct + Send>;

/// How an application behaves.
pub struct AppScript {
    /// What it says of itself; the kind of socket is filled in.
    pub registration: Registration,
    /// Its tracepoints.
    pub tracepoints: Vec<(String, i32)>,
    /// Their fields.
    pub fields: Vec<FieldEntry>,
    /// What it does.
    pub act: Act,
}

impl Default for AppScript {
    fn default() -> Self {
        Self::new(|_| AppAct::Answer)
    }
}

impl AppScript {
    /// An application of LTTng-UST 2.13 that does what `act` says.
    #[must_use]
    pub fn new(act: impl FnMut(&AppRequest) -> AppAct + Send + 'static) -> Self {
        Self {
            registration: registration(),
            tracepoints: Vec::new(),
            fields: Vec::new(),
            act: Box::new(act),
        }
    }

    /// An application that refuses each command of this number.
    #[must_use]
    pub fn refusing(number: u32, error: UstError) -> Self {
        Self::new(move |request| match request.command.number() == number {
            true => AppAct::Refuse(error),
            false => AppAct::Answer,
        })
    }
}

/// What an application of LTTng-UST 2.13 in this process says of itself.
#[must_use]
pub fn registration() -> Registration {
    Registration {
        major: 9,
        minor: 0,
        pid: std::process::id(),
        ppid: 1,
        uid: rustix::process::geteuid().as_raw(),
        gid: rustix::process::getegid().as_raw(),
        bits_per_long: 64,
        alignments: Alignments::PACKED,
        socket: SocketKind::Command,
        name: "fake-app".to_owned(),
    }
}

/// What an application has seen.
#[derive(Debug, Default)]
pub(crate) struct Record {
    pub(crate) requests: Mutex<Vec<AppRequest>>,
    /// What it asked on its own while a session was enabled, and the answers.
    pub(crate) asked: Mutex<Vec<(Request, Option<Answer>)>>,
    /// What the daemon did that LTTng-UST does not take.
    pub(crate) faults: Mutex<Vec<String>>,
    /// Count of objects that it still has.
    pub(crate) objects: Mutex<usize>,
    /// What it got for event notifiers.
    pub(crate) notifiers: Mutex<Notifiers>,
}

impl Record {
    /// Keeps descriptors that are used later.
    pub(crate) fn keep(&self, command: &Command, received: Vec<OwnedFd>) {
        let mut notifiers = self.notifiers.lock().unwrap();
        match command {
            Command::EventNotifierGroupCreate => {
                notifiers.pipe = received.into_iter().next().map(|pipe| Arc::new(pipe.into()));
            }
            Command::CounterCpu { .. } => {
                notifiers
                    .counters
                    .extend(received.into_iter().map(|memory| Arc::new(memory.into())));
            }
            _ => {}
        }
    }
}

/// A running application.
pub struct FakeApp {
    record: Arc<Record>,
    command: UnixStream,
    notify: UnixStream,
    thread: Option<JoinHandle<()>>,
}

impl FakeApp {
    /// Registers at the socket `path`: command socket, then notify socket. What is wrong with the
    /// registration the daemon has to find.
    ///
    /// # Errors
    /// When the socket is not there, or closes during the registration.
    pub fn connect(path: &Path, script: AppScript) -> io::Result<Self> {
        let command = Self::half(path, &script.registration, SocketKind::Command)?;
        let notify = Self::half(path, &script.registration, SocketKind::Notify)?;
        Self::over(command, notify, script)
    }

    /// One registered connection.
    ///
    /// # Errors
    /// As [`FakeApp::connect`].
    pub fn half(
        path: &Path,
        registration: &Registration,
        socket: SocketKind,
    ) -> io::Result<UnixStream> {
        let mut stream = UnixStream::connect(path)?;
        stream.write_all(&Registration { socket, ..registration.clone() }.encode())?;
        Ok(stream)
    }

    /// An application whose connections are registered.
    ///
    /// # Errors
    /// When there are too many descriptors.
    pub fn over(command: UnixStream, notify: UnixStream, script: AppScript) -> io::Result<Self> {
        let record = Arc::new(Record::default());
        let ends = (command.try_clone()?, notify.try_clone()?);
        let thread = {
            let record = Arc::clone(&record);
            std::thread::spawn(move || serve::serve(ends, script, &record))
        };
        Ok(Self { record, command, notify, thread: Some(thread) })
    }

    /// The requests so far.
    #[must_use]
    pub fn requests(&self) -> Vec<AppRequest> {
        self.record.requests.lock().unwrap().clone()
    }

    /// The numbers of the commands so far.
    #[must_use]
    pub fn commands(&self) -> Vec<u32> {
        self.record.requests.lock().unwrap().iter().map(|r| r.command.number()).collect()
    }

    /// Whether it has got a command of this number.
    #[must_use]
    pub fn has_got(&self, number: u32) -> bool {
        self.commands().contains(&number)
    }

    /// Whether the daemon has let its `main` begin, when it has or has closed the connection, or after a time.
    #[must_use]
    pub fn is_served(&self, within: Duration) -> bool {
        let begun = Instant::now();
        let waits = |is_served: bool| !is_served && !self.has_ended() && begun.elapsed() < within;
        loop {
            let is_served = self.has_got(REGISTER_DONE);
            if !waits(is_served) {
                return is_served;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Whether a connection is closed.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Count of bytes that it was sent and has not read yet.
    ///
    /// # Panics
    /// When the system call fails.
    #[must_use]
    pub fn unread(&self) -> usize {
        rustix::io::ioctl_fionread(&self.command).unwrap() as usize
    }

    /// What it asked while a session was enabled, and the answers.
    #[must_use]
    pub fn asked(&self) -> Vec<(Request, Option<Answer>)> {
        self.record.asked.lock().unwrap().clone()
    }

    /// What the daemon did wrong.
    #[must_use]
    pub fn faults(&self) -> Vec<String> {
        self.record.faults.lock().unwrap().clone()
    }

    /// Count of objects that were made and not released.
    #[must_use]
    pub fn objects(&self) -> usize {
        *self.record.objects.lock().unwrap()
    }

    /// What it got for event notifiers.
    #[must_use]
    pub fn notifiers(&self) -> Notifiers {
        self.record.notifiers.lock().unwrap().clone()
    }

    /// Asks on the notify socket; `None` when the daemon closes it instead of answering.
    #[must_use]
    pub fn ask(&self, request: &Request) -> Option<Answer> {
        ask(&self.notify, request)
    }

    /// Writes anything to the notify socket.
    ///
    /// # Errors
    /// When the daemon has closed it.
    pub fn write_notify(&self, bytes: &[u8]) -> io::Result<()> {
        (&self.notify).write_all(bytes)
    }

    /// Count of bytes that were written to the notify socket and not read yet.
    ///
    /// # Panics
    /// When the system call fails.
    #[must_use]
    pub fn notify_unread(&self) -> usize {
        // `SIOCOUTQ`: what is not read yet still takes memory of this end.
        const OUTQ: rustix::ioctl::Opcode = 0x5411;
        // SAFETY: this request writes one `int`, for which `Getter` has the place.
        let unread = unsafe {
            rustix::ioctl::ioctl(&self.notify, rustix::ioctl::Getter::<OUTQ, i32>::new())
        };
        usize::try_from(unread.unwrap()).unwrap()
    }

    /// The next answer on the notify socket; `None` when the daemon closes it instead.
    #[must_use]
    pub fn answer(&self) -> Option<Answer> {
        answer(&self.notify)
    }

    /// Waits until the daemon closes the notify socket.
    pub fn expect_notify_closed(&self) {
        let mut rest = Vec::new();
        // A reset is an end as well.
        let _ = (&self.notify).read_to_end(&mut rest);
    }

    /// Dies.
    pub fn die(&mut self) {
        for socket in [&self.command, &self.notify] {
            let _ = socket.shutdown(Shutdown::Both);
        }
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

impl Drop for FakeApp {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.die();
        }
    }
}

/// One request and its answer on a notify socket.
pub(crate) fn ask(mut socket: &UnixStream, request: &Request) -> Option<Answer> {
    socket.write_all(&request.encode(Abi::V9)).ok()?;
    answer(socket)
}

fn answer(mut socket: &UnixStream) -> Option<Answer> {
    let mut bytes = vec![0; KIND_LEN];
    socket.read_exact(&mut bytes).ok()?;
    let kind = Kind::from_raw(u32::from_ne_bytes(bytes.clone().try_into().unwrap())).unwrap();
    bytes.resize(Answer::len(kind, Abi::V9), 0);
    socket.read_exact(&mut bytes[KIND_LEN..]).ok()?;
    Some(Answer::decode(&bytes, Abi::V9).unwrap())
}
