//! A consumer daemon. Its process is a script that only waits; the protocol is spoken by a thread of
//! the test, which the script tells its process id and arguments through a pipe.

mod exchange;

use std::{
    collections::HashMap,
    fs::{File, OpenOptions},
    io::{BufRead, BufReader, Read, Write},
    os::{
        fd::OwnedFd,
        unix::{
            fs::{OpenOptionsExt, PermissionsExt},
            net::{UnixListener, UnixStream},
        },
    },
    path::PathBuf,
    sync::{Arc, Mutex},
    thread::JoinHandle,
};

use lttngd_consumer::ConsumerConfig;
use lttngd_model::{Bitness, ChannelKey, ChunkId, ConsumerKind};
use lttngd_wire::consumer::{ConsumerError, MESSAGE_LEN, Message, MetadataRequest};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::{Gate, PATIENCE};

/// What the consumer does with a command.
#[derive(Clone, Debug)]
pub enum ConsumerAct {
    /// What the stock consumer does.
    Answer,
    /// The same, when the gate opens.
    Late(Gate),
    /// Refuses it.
    Refuse(ConsumerError),
    /// Answers these bytes, whatever they are.
    Bytes(Vec<u8>),
    /// Answers GET_CHANNEL with that many streams, or for others as [`ConsumerAct::Answer`].
    Streams(u32),
    /// Answers SET_CHANNEL_MONITOR_PIPE as our own consumer daemon, whose samples tell packets.
    TellPackets,
    /// Answers nothing, now and later.
    Silent,
    /// Dies.
    Die,
    /// Closes its error socket, as one that fails does, answers, and does not die.
    Falter,
}

/// What the consumer does when it is started.
#[derive(Clone, Copy, Debug)]
pub enum Greeting {
    /// Announces that it is ready.
    Ready,
    /// Announces something else.
    Says(i32),
    /// Connects, and says nothing.
    Silent,
    /// Does not connect.
    Absent,
    /// Ends.
    Exit,
}

type Act = Box<dyn FnMut(&Message) -> ConsumerAct + Send>;
type Greet = Box<dyn FnMut(usize) -> Greeting + Send>;

/// How a consumer behaves.
pub struct ConsumerScript {
    /// How its start number so and so goes, counted from 0.
    pub greet: Greet,
    /// What it does with a command, INIT and SET_CHANNEL_MONITOR_PIPE included.
    pub act: Act,
}

impl Default for ConsumerScript {
    fn default() -> Self {
        Self::new(|_| ConsumerAct::Answer)
    }
}

impl ConsumerScript {
    /// One that starts well and does what `act` says.
    #[must_use]
    pub fn new(act: impl FnMut(&Message) -> ConsumerAct + Send + 'static) -> Self {
        Self { greet: Box::new(|_| Greeting::Ready), act: Box::new(act) }
    }

    /// One that does `act` with commands of this number.
    #[must_use]
    pub fn at(number: u32, act: ConsumerAct) -> Self {
        Self::new(move |message| match message.number() == number {
            true => act.clone(),
            false => ConsumerAct::Answer,
        })
    }

    /// One whose starts go so.
    #[must_use]
    pub fn greeting(greet: impl FnMut(usize) -> Greeting + Send + 'static) -> Self {
        Self { greet: Box::new(greet), ..Self::default() }
    }
}

/// What the consumer got on its metadata socket.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct MetadataPush {
    /// The metadata channel.
    pub key: ChannelKey,
    /// Where in the text it begins.
    pub offset: u64,
    /// Version of the text.
    pub version: u64,
    /// The text.
    pub bytes: Vec<u8>,
}

#[derive(Debug, Default)]
pub(crate) struct Record {
    messages: Mutex<Vec<Message>>,
    starts: Mutex<Vec<String>>,
    texts: Mutex<HashMap<ChannelKey, Vec<u8>>>,
    faults: Mutex<Vec<String>>,
    metadata: Mutex<Option<UnixStream>>,
    monitor: Mutex<Option<File>>,
    directories: Mutex<Vec<(ChunkId, OwnedFd)>>,
    kernel_streams: Mutex<Vec<(ChannelKey, OwnedFd)>>,
    process: Mutex<Option<Pid>>,
}

/// A consumer daemon that can be started.
pub struct FakeConsumer {
    directory: TempDir,
    calls: File,
    record: Arc<Record>,
    thread: Option<JoinHandle<()>>,
}

impl FakeConsumer {
    /// A consumer that nobody has started yet.
    #[must_use]
    pub fn new(script: ConsumerScript) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let fifo = directory.path().join("calls");
        let mode = rustix::fs::Mode::from_raw_mode(0o600);
        rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, mode, 0).unwrap();
        // Open for both, so that it has no end.
        let calls = OpenOptions::new().read(true).write(true).open(&fifo).unwrap();
        let shell = format!(
            "#!/bin/sh\necho \"$$ $*\" > '{}'\nexec sleep 60 > /dev/null 2>&1\n",
            fifo.display()
        );
        let binary = directory.path().join("consumerd");
        let mut file =
            OpenOptions::new().write(true).create_new(true).mode(0o700).open(&binary).unwrap();
        file.write_all(shell.as_bytes()).unwrap();
        file.set_permissions(std::fs::Permissions::from_mode(0o700)).unwrap();
        drop(file);
        let record = Arc::new(Record::default());
        let thread = {
            let end = Life {
                calls: BufReader::new(calls.try_clone().unwrap()),
                command: directory.path().join("command"),
                error: directory.path().join("error"),
                script,
                record: Arc::clone(&record),
            };
            std::thread::spawn(move || end.run())
        };
        Self { directory, calls, record, thread: Some(thread) }
    }

    /// Its program.
    #[must_use]
    pub fn binary(&self) -> PathBuf {
        self.directory.path().join("consumerd")
    }

    /// Its command socket.
    #[must_use]
    pub fn command_socket(&self) -> PathBuf {
        self.directory.path().join("command")
    }

    /// Its error socket.
    #[must_use]
    pub fn error_socket(&self) -> PathBuf {
        self.directory.path().join("error")
    }

    /// How a daemon starts it.
    #[must_use]
    pub fn config(&self) -> ConsumerConfig {
        ConsumerConfig {
            deadline: PATIENCE * 3,
            descriptors: lttngd_runtime::Descriptors::unlimited(),
            kind: ConsumerKind::Ust(Bitness::Bits64),
            binary: Some(self.binary()),
            libdir: None,
            command_socket: self.command_socket(),
            error_socket: self.error_socket(),
            home: None,
            group: "tracing".to_owned(),
            verbose: false,
            quiet: false,
            clock_plugin: None,
            sessiond_uuid: [7; 16],
        }
    }

    /// The commands so far, of all its lives.
    #[must_use]
    pub fn messages(&self) -> Vec<Message> {
        self.record.messages.lock().unwrap().clone()
    }

    /// Their numbers.
    #[must_use]
    pub fn numbers(&self) -> Vec<u32> {
        self.record.messages.lock().unwrap().iter().map(Message::number).collect()
    }

    /// Count of commands of this number so far.
    #[must_use]
    pub fn count(&self, number: u32) -> usize {
        self.numbers().iter().filter(|n| **n == number).count()
    }

    /// The arguments of each start.
    #[must_use]
    pub fn starts(&self) -> Vec<String> {
        self.record.starts.lock().unwrap().clone()
    }

    /// The metadata text of a channel.
    #[must_use]
    pub fn text(&self, key: ChannelKey) -> String {
        let texts = self.record.texts.lock().unwrap();
        String::from_utf8(texts.get(&key).cloned().unwrap_or_default()).unwrap()
    }

    /// Writes an empty file of this name to the trace chunk that was made last and not closed. `false`
    /// without one.
    #[must_use]
    pub fn write_to_chunk(&self, name: &str) -> bool {
        let directories = self.record.directories.lock().unwrap();
        let Some((_, directory)) = directories.last() else { return false };
        let flags = rustix::fs::OFlags::CREATE | rustix::fs::OFlags::WRONLY;
        let mode = rustix::fs::Mode::from_raw_mode(0o600);
        rustix::fs::openat(directory, name, flags, mode).is_ok()
    }

    /// How many streams of the kernel it has.
    #[must_use]
    pub fn kernel_streams(&self) -> usize {
        self.record.kernel_streams.lock().unwrap().len()
    }

    /// The channel of each of them.
    #[must_use]
    pub fn kernel_streams_of(&self) -> Vec<ChannelKey> {
        self.record.kernel_streams.lock().unwrap().iter().map(|(key, _)| *key).collect()
    }

    /// Closes the streams of the kernel, as a consumer daemon does that finds them at their ends.
    pub fn close_kernel_streams(&self) {
        self.record.kernel_streams.lock().unwrap().clear();
    }

    /// What the daemon did wrong.
    #[must_use]
    pub fn faults(&self) -> Vec<String> {
        self.record.faults.lock().unwrap().clone()
    }

    /// Its process, while one runs.
    #[must_use]
    pub fn process(&self) -> Option<Pid> {
        *self.record.process.lock().unwrap()
    }

    /// Asks on the metadata socket, as its own threads do, and says `status` of the answer's head
    /// and 0 of the text. Blocks. `None` when the daemon closes instead of answering.
    pub fn asker(
        &self,
    ) -> impl FnOnce(MetadataRequest, i32) -> Option<MetadataPush> + Send + 'static {
        let record = Arc::clone(&self.record);
        move |request, status| exchange::ask_metadata(&record, &request, status)
    }

    /// Writes anything to the metadata socket.
    pub fn write_metadata_socket(&self, bytes: &[u8]) {
        let socket = self.record.metadata.lock().unwrap();
        socket.as_ref().unwrap().write_all(bytes).unwrap();
    }

    /// Writes anything to the monitor pipe.
    pub fn write_monitor_pipe(&self, bytes: &[u8]) {
        let pipe = self.record.monitor.lock().unwrap();
        pipe.as_ref().unwrap().write_all(bytes).unwrap();
    }

    /// Closes the monitor pipe.
    pub fn close_monitor_pipe(&self) {
        *self.record.monitor.lock().unwrap() = None;
    }

    /// Kills its process.
    pub fn kill(&self) {
        self.record.kill();
    }
}

impl Drop for FakeConsumer {
    fn drop(&mut self) {
        self.record.kill();
        if std::thread::panicking() {
            return;
        }
        self.calls.write_all(b"\n").unwrap();
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

impl Record {
    fn kill(&self) {
        if let Some(pid) = self.process.lock().unwrap().take() {
            // It fails only when the daemon has killed it already.
            let _ = kill_process(pid, Signal::KILL);
        }
        self.kernel_streams.lock().unwrap().clear();
        if let Some(metadata) = self.metadata.lock().unwrap().take() {
            let _ = metadata.shutdown(std::net::Shutdown::Both);
        }
    }
}

/// The thread's own.
struct Life {
    calls: BufReader<File>,
    command: PathBuf,
    error: PathBuf,
    script: ConsumerScript,
    record: Arc<Record>,
}

impl Life {
    fn run(mut self) {
        for start in 0.. {
            let mut call = String::new();
            self.calls.read_line(&mut call).unwrap();
            let Some((pid, arguments)) = call.trim_end().split_once(' ') else { return };
            *self.record.process.lock().unwrap() = Pid::from_raw(pid.parse().unwrap());
            self.record.starts.lock().unwrap().push(arguments.to_owned());
            let greeting = (self.script.greet)(start);
            if matches!(greeting, Greeting::Absent) {
                continue;
            }
            // Nothing of it fails but for the daemon's giving up.
            let _ = self.live(greeting);
            self.record.kill();
        }
    }

    fn live(&mut self, greeting: Greeting) -> std::io::Result<()> {
        let word = match greeting {
            Greeting::Ready => ConsumerError::COMMAND_SOCK_READY.0,
            Greeting::Says(word) => word,
            Greeting::Silent => {
                let mut error = UnixStream::connect(&self.error)?;
                return error.read_to_end(&mut Vec::new()).map(drop);
            }
            Greeting::Absent | Greeting::Exit => return Ok(()),
        };
        if self.command.exists() {
            std::fs::remove_file(&self.command)?;
        }
        let listener = UnixListener::bind(&self.command)?;
        let mut error = UnixStream::connect(&self.error)?;
        error.write_all(&word.to_ne_bytes())?;
        if !matches!(greeting, Greeting::Ready) {
            return error.read_to_end(&mut Vec::new()).map(drop);
        }
        let (mut command, _) = listener.accept()?;
        *self.record.metadata.lock().unwrap() = Some(listener.accept()?.0);
        drop(listener);
        let mut bytes = vec![0; MESSAGE_LEN];
        loop {
            command.read_exact(&mut bytes)?;
            let message = match Message::decode(&bytes) {
                Ok(message) => message,
                Err(fault) => {
                    self.record.faults.lock().unwrap().push(fault.to_string());
                    return Ok(());
                }
            };
            self.record.messages.lock().unwrap().push(message.clone());
            match (self.script.act)(&message) {
                ConsumerAct::Die => return Ok(()),
                ConsumerAct::Silent => return command.read_to_end(&mut Vec::new()).map(drop),
                ConsumerAct::Falter => {
                    error.shutdown(std::net::Shutdown::Both)?;
                    exchange::answer(&mut command, &message, &self.record, 2)?;
                }
                ConsumerAct::Late(gate) => {
                    gate.pass();
                    exchange::answer(&mut command, &message, &self.record, 2)?;
                }
                ConsumerAct::Answer => {
                    exchange::answer(&mut command, &message, &self.record, 2)?;
                }
                ConsumerAct::Streams(count) => {
                    exchange::answer(&mut command, &message, &self.record, count)?;
                }
                ConsumerAct::TellPackets => exchange::tell_packets(&mut command, &self.record)?,
                ConsumerAct::Refuse(code) => exchange::refuse(&mut command, &message, code)?,
                ConsumerAct::Bytes(bytes) => command.write_all(&bytes)?,
            }
        }
    }
}
