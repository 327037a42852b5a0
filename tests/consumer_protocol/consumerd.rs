//! A consumer daemon, and this process as its session daemon.

use std::fs::{self, File};
use std::io::{ErrorKind, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus, Stdio};
use std::time::Duration;

use lttngd_peer::{receive_descriptors, send_descriptors};
use lttngd_wire::consumer::{
    CHANNEL_HEAD_LEN, CHANNEL_STATUS_LEN, COUNTER_LEN, ChannelHead, ChunkReplyHead, MESSAGE_LEN,
    Message, STATUS_LEN, STREAM_SIZE_LEN, StreamHead, TraceChunkPresence,
};

use crate::commands::{Descriptors, Step};
use crate::metadata::{self, Manners};
use lttngd_world::{Arena, Consumer, eventually};

/// How long the consumer daemon is to wait for what it takes for relay daemons, in milliseconds.
const RELAY_TIMEOUT_MS: &str = "50";
/// The longest that an answer may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// First word of a healthy consumer daemon (`LTTCOMM_CONSUMERD_COMMAND_SOCK_READY`), and that of one that
/// cannot read a command.
const READY: i32 = 100;
const ERROR_RECV_CMD: i32 = 103;

/// The process. Killed when dropped.
pub struct Consumerd {
    child: Child,
    commands: UnixStream,
    errors: UnixStream,
    log: PathBuf,
    /// Where trace chunks are.
    pub output: PathBuf,
    objects: Vec<OwnedFd>,
    /// The other ends of what relay daemons' sockets are taken for.
    relays: Vec<UnixStream>,
    _monitor: OwnedFd,
}

impl Consumerd {
    /// Starts it, and shakes hands.
    pub fn start(arena: &Arena, manners: Manners) -> Consumerd {
        Consumerd::start_beside(arena, manners, |_| ())
    }

    /// The same of the kernel's.
    pub fn start_of_the_kernel(arena: &Arena) -> Consumerd {
        Consumerd::start_with(arena, "-k", Manners::Good, |_| ())
    }

    /// The same, when `others` have done something with the command socket before.
    pub fn start_beside(arena: &Arena, manners: Manners, others: impl FnOnce(&Path)) -> Consumerd {
        Consumerd::start_with(arena, "-u", manners, others)
    }

    fn start_with(
        arena: &Arena,
        kind: &str,
        manners: Manners,
        others: impl FnOnce(&Path),
    ) -> Consumerd {
        let [error, command, log, output] =
            ["error", "command", "log", "output"].map(|name| arena.file(name));
        fs::create_dir_all(output.join("uid/0/64-bit/index")).unwrap();
        let listener = UnixListener::bind(&error).unwrap();
        let child = arena
            .command(Consumer::Own.program(arena))
            .args([kind, "--consumerd-cmd-sock"])
            .arg(&command)
            .arg("--consumerd-err-sock")
            .arg(&error)
            .env("LTTNG_NETWORK_SOCKET_TIMEOUT", RELAY_TIMEOUT_MS)
            .stdout(Stdio::null())
            .stderr(File::create(&log).unwrap())
            .spawn()
            .unwrap();
        let (mut errors, _) = listener.accept().unwrap();
        errors.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut word = [0; 4];
        errors.read_exact(&mut word).unwrap();
        assert_eq!(i32::from_ne_bytes(word), READY);
        others(&command);
        let commands = UnixStream::connect(&command).unwrap();
        commands.set_read_timeout(Some(PATIENCE)).unwrap();
        commands.set_write_timeout(Some(PATIENCE)).unwrap();
        let requests = UnixStream::connect(&command).unwrap();
        std::thread::spawn(move || metadata::answer(requests, manners));
        let (monitor, samples) = rustix::pipe::pipe().unwrap();
        let (relays, objects) = (Vec::new(), Vec::new());
        let mut consumerd =
            Consumerd { child, commands, errors, log, output, objects, relays, _monitor: monitor };
        consumerd.succeeds(&Message::Init { sessiond_uuid: [7; 16] });
        consumerd.write(&Message::SetChannelMonitorPipe.encode());
        assert_eq!(consumerd.status(), 0);
        send_descriptors(&consumerd.commands, &[samples.as_fd()]).unwrap();
        assert_eq!(consumerd.status(), 0);
        consumerd
    }

    /// What the system says of its process and of each of its threads (`status`).
    pub fn statuses(&self) -> Vec<String> {
        let threads = fs::read_dir(format!("/proc/{}/task", self.child.id())).unwrap().flatten();
        // One may end meanwhile.
        threads.filter_map(|thread| fs::read_to_string(thread.path().join("status")).ok()).collect()
    }

    /// Count of descriptors that it has open.
    pub fn descriptors(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.child.id())).unwrap().count()
    }

    /// The same, when it changes no more.
    pub fn settled_descriptors(&self) -> usize {
        let (mut count, mut same) = (self.descriptors(), 0);
        eventually("the count of descriptors settles", || {
            let now = self.descriptors();
            same = if now == count { same + 1 } else { 0 };
            count = now;
            (same > 10).then_some(count)
        })
    }

    /// Sends a command that a status answers, which must be success.
    pub fn succeeds(&mut self, message: &Message) {
        self.write(&message.encode());
        assert_eq!(self.status(), 0, "{message:?}");
    }

    /// Sends a command with a descriptor, which must be taken.
    pub fn takes(&mut self, message: &Message, descriptor: BorrowedFd<'_>) {
        self.succeeds(message);
        send_descriptors(&self.commands, &[descriptor]).unwrap();
        assert_eq!(self.status(), 0, "{message:?}");
    }

    /// Sends bytes.
    pub fn write(&mut self, bytes: &[u8]) {
        self.commands.write_all(bytes).unwrap_or_else(|error| self.fails(&error));
    }

    fn read<const LEN: usize>(&mut self) -> [u8; LEN] {
        let mut bytes = [0; LEN];
        self.commands.read_exact(&mut bytes).unwrap_or_else(|error| self.fails(&error));
        bytes
    }

    fn fails<T>(&self, error: &std::io::Error) -> T {
        panic!("the command socket: {error}\n{}", self.log())
    }

    fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Reads a status, which must be one.
    pub fn status(&mut self) -> i32 {
        let status = i32::from_ne_bytes(self.read::<STATUS_LEN>());
        let is_known = matches!(status, 0 | 59 | 100..=130 | 170);
        assert!(is_known, "{status} is no code of a consumer daemon");
        status
    }

    /// Performs a step with all that belongs to it, and reads what the protocol has as its answer.
    pub fn perform(&mut self, step: &Step) {
        self.write(&step.bytes);
        match Message::decode(&step.bytes) {
            Ok(message) => self.exchange(&message, step.descriptors),
            Err(_) => self.read_refusal(step.number()),
        }
    }

    /// What comes for a command that is none.
    fn read_refusal(&mut self, number: u32) {
        match number {
            6 => assert_eq!(self.read::<STATUS_LEN>(), [0; 4]),
            7 => drop(self.read::<CHANNEL_STATUS_LEN>()),
            17 | 18 => drop(self.read::<COUNTER_LEN>()),
            24 => self.read_chunk_reply(),
            4 | 5 | 8..=14 | 19..=23 | 25..=27 => assert_ne!(self.status(), 0),
            _ => {}
        }
    }

    fn read_chunk_reply(&mut self) {
        let head = ChunkReplyHead::decode(&self.read::<{ ChunkReplyHead::LEN }>()).unwrap();
        let mut path = vec![0; head.path_length as usize];
        self.commands.read_exact(&mut path).unwrap();
    }

    fn exchange(&mut self, message: &Message, descriptors: Descriptors) {
        match message {
            Message::AddChannel(_) | Message::AddStream { .. } | Message::StreamsSent { .. } => {}
            Message::AddRelaydSocket(_)
            | Message::SetChannelMonitorPipe
            | Message::CreateTraceChunk { relayd_id: None, .. } => {
                assert_eq!(self.status(), 0);
                self.send(message, descriptors);
                self.status();
            }
            Message::PushMetadata { len, .. } => {
                if self.status() == 0 && *len > 0 {
                    self.write(&vec![b'x'; usize::try_from(*len).unwrap()]);
                    self.status();
                }
            }
            Message::GetChannel { .. } => {
                if self.status() == 0 {
                    self.read_object();
                    assert_eq!(self.status(), 0);
                }
            }
            Message::DataPending { .. } => {
                let pending = i32::from_ne_bytes(self.read::<STATUS_LEN>());
                assert!(matches!(pending, 0 | 1), "{pending}");
            }
            Message::AskChannelCreation(_) => drop(self.read::<CHANNEL_STATUS_LEN>()),
            Message::DiscardedEvents { .. } | Message::LostPackets { .. } => {
                self.read::<COUNTER_LEN>();
            }
            Message::CloseTraceChunk { .. } => self.read_chunk_reply(),
            Message::TraceChunkExists { .. } => {
                let answer = self.read::<STATUS_LEN>();
                let code = i32::from_ne_bytes(answer);
                let is_known = matches!(code, 100..=130);
                assert!(TraceChunkPresence::decode(&answer).is_ok() || is_known, "{code}");
            }
            _ => drop(self.status()),
        }
    }

    /// Sends the descriptors of a command, or what else is to come in their place.
    fn send(&mut self, message: &Message, descriptors: Descriptors) {
        let directory = File::open(&self.output).unwrap();
        let (ours, theirs) = UnixStream::pair().unwrap();
        let right: OwnedFd = match message {
            Message::AddRelaydSocket(_) => theirs.into(),
            Message::SetChannelMonitorPipe => rustix::pipe::pipe().unwrap().1,
            _ => directory.into(),
        };
        let sent: Vec<OwnedFd> = match descriptors {
            Descriptors::Right | Descriptors::Closed => vec![right],
            Descriptors::Garbage => {
                (&ours).write_all(&[0x5a; 100]).unwrap();
                vec![right]
            }
            Descriptors::None => Vec::new(),
            Descriptors::Two => vec![right.try_clone().unwrap(), right],
            Descriptors::File => vec![File::open("/dev/null").unwrap().into()],
        };
        if !matches!(descriptors, Descriptors::Closed) {
            self.relays.push(ours);
        }
        match sent.as_slice() {
            [] => self.write(&[0]),
            sent => {
                let sent: Vec<BorrowedFd<'_>> = sent.iter().map(AsFd::as_fd).collect();
                send_descriptors(&self.commands, &sent).unwrap();
            }
        }
    }

    fn read_object(&mut self) {
        let head = ChannelHead::decode(&self.read::<CHANNEL_HEAD_LEN>()).unwrap();
        let mut image = vec![0; usize::try_from(head.image_len).unwrap()];
        self.commands.read_exact(&mut image).unwrap();
        self.objects.extend(receive_descriptors(&self.commands).unwrap());
        while let Some(len) = StreamHead::decode_size(&self.read::<STREAM_SIZE_LEN>()).unwrap() {
            StreamHead::decode_number(len, &self.read::<4>()).unwrap();
            self.objects.extend(receive_descriptors(&self.commands).unwrap());
        }
    }

    /// Fetches a channel, which must be there.
    pub fn fetch(&mut self, message: &Message) {
        let before = self.objects.len();
        self.perform(&Step { bytes: message.encode(), ..Step::default() });
        assert!(self.objects.len() > before, "{message:?}");
    }

    /// Closes the descriptors of channels, as applications and a session daemon do that have no use for
    /// them, and of relay daemons.
    pub fn drop_objects(&mut self) {
        self.objects.clear();
        self.relays.clear();
    }

    /// Leaves it between two commands. It ends well.
    pub fn end(mut self) {
        self.commands.shutdown(std::net::Shutdown::Both).unwrap();
        let status = self.wait();
        assert_eq!(status.code(), Some(0), "{}", self.log());
    }

    /// Leaves it after `len` bytes of a command. It tells, and ends.
    pub fn end_within_a_command(mut self, len: usize) {
        assert!((1..MESSAGE_LEN).contains(&len));
        self.write(&vec![0; len]);
        self.commands.shutdown(std::net::Shutdown::Both).unwrap();
        let mut word = [0; 4];
        self.errors.read_exact(&mut word).unwrap();
        assert_eq!(i32::from_ne_bytes(word), ERROR_RECV_CMD);
        assert!(!self.wait().success());
    }

    fn wait(&mut self) -> ExitStatus {
        let status = eventually("the consumer daemon ends", || self.child.try_wait().unwrap());
        let log = self.log();
        assert!(!log.contains("panicked"), "{log}");
        let closed = self.errors.read(&mut [0]);
        assert!(
            matches!(closed, Ok(0)) || closed.is_err_and(|e| e.kind() != ErrorKind::WouldBlock)
        );
        status
    }
}

impl Drop for Consumerd {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Bytes of the files below a directory.
pub fn bytes_below(directory: &Path) -> u64 {
    let files = lttngd_world::trace::files(directory);
    files.iter().map(|file| fs::metadata(directory.join(file)).unwrap().len()).sum()
}
