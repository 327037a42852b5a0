//! The worker: the process, or for tests the threads, that serves a daemon's requests.

use std::{
    ffi::CStr,
    fs::File,
    io,
    os::fd::{AsFd, OwnedFd},
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    thread,
};

use nix::sys::signal::{SigSet, Signal};
use rustix::{
    io::Errno,
    net::{RecvFlags, SendFlags},
    process::Gid,
    time::{ClockId, clock_gettime},
};

use crate::{
    IN_FLIGHT_MAX, PROGRAM,
    confine::{self, close_others},
    operation::Done,
    packet::{self, Attached},
    process::URGENT,
    protocol::{Failed, HELLO, HELLO_MAX_LEN, Identity, REQUEST_MAX_LEN, Reply, Request},
    queue::Outcome,
};

/// Bytes of a thread's stack: a request's buffer is on the heap, directories are removed in frames of
/// their own.
const STACK_LEN: usize = 256 << 10;
const FIRST_FREE_FD: i32 = 3;
const PROCESS_NAME: &CStr = c"lttngd-runas";

/// Whether the command line `args` means this role.
#[must_use]
pub fn is_meant(args: &[std::ffi::OsString]) -> bool {
    match args {
        [program] => program == PROGRAM,
        [program, urgent] => program == PROGRAM && urgent == URGENT,
        _ => false,
    }
}

/// Is the worker until the daemon closes the socket that is standard input.
pub fn main() -> ExitCode {
    let Ok(socket) = take_standard_input() else { return ExitCode::FAILURE };
    // It only makes the process easier to tell from others.
    let _ = rustix::thread::set_name(PROCESS_NAME);
    if std::env::args_os().nth(1).is_some() {
        // Without the right to do so, what waits for it has no such priority either.
        let _ = lttngd_runtime::come_first_with_children();
    }
    let confined = confine::confine();
    let reason = confined.as_ref().err().map_or("", String::as_str);
    let mut hello = [HELLO, reason.as_bytes()].concat();
    hello.truncate(HELLO_MAX_LEN);
    let sent = packet::send(&socket, &hello, &[], SendFlags::empty());
    if confined.is_err() || sent.is_err() {
        return ExitCode::FAILURE;
    }
    serve(socket);
    // With this the process ends, also when a thread hangs in a file system.
    ExitCode::SUCCESS
}

/// Moves the socket away from standard input and lets everything else go that was inherited.
fn take_standard_input() -> io::Result<OwnedFd> {
    close_others(FIRST_FREE_FD)?;
    let socket = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdin(), FIRST_FREE_FD)?;
    let null = File::options().read(true).write(true).open("/dev/null")?;
    rustix::stdio::dup2_stdin(&null)?;
    rustix::stdio::dup2_stdout(&null)?;
    rustix::stdio::dup2_stderr(&null)?;
    rustix::process::umask(rustix::fs::Mode::empty());
    rustix::process::chdir("/")?;
    // The daemon needs it for longer than the service does that ends with these signals.
    let mut signals = SigSet::empty();
    signals.extend([Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP]);
    signals.thread_block()?;
    Ok(socket)
}

/// Serves requests until the other end of the socket is gone, or says what is no request.
pub(crate) fn serve(socket: OwnedFd) {
    let (end, ended) = mpsc::channel();
    let is_root = rustix::process::geteuid().is_root();
    let pool = Arc::new(Pool { socket, is_root, idle: 0.into(), threads: 0.into(), end });
    pool.start_thread();
    // A sender is left only where a thread is.
    drop(pool);
    let _ = ended.recv();
}

/// Threads that take requests from the socket. There is always one that waits for the next, up to
/// the count of requests that a daemon makes at a time.
struct Pool {
    socket: OwnedFd,
    /// Whether the process may take others' rights.
    is_root: bool,
    idle: AtomicUsize,
    threads: AtomicUsize,
    end: mpsc::Sender<()>,
}

impl Pool {
    fn start_thread(self: &Arc<Self>) {
        // One more than may hang, which answers whether the worker runs.
        let count = |threads| (threads <= IN_FLIGHT_MAX).then_some(threads + 1);
        if self.threads.fetch_update(Ordering::Relaxed, Ordering::Relaxed, count).is_err() {
            return;
        }
        self.idle.fetch_add(1, Ordering::Relaxed);
        let pool = Arc::clone(self);
        let thread = thread::Builder::new().stack_size(STACK_LEN).name("runas".to_owned());
        if thread.spawn(move || pool.work()).is_err() {
            // Requests wait for the threads that there are.
            self.idle.fetch_sub(1, Ordering::Relaxed);
            self.threads.fetch_sub(1, Ordering::Relaxed);
        }
    }

    fn work(self: &Arc<Self>) {
        let mut buffer = vec![0; REQUEST_MAX_LEN];
        loop {
            let received = packet::receive(&self.socket, &mut buffer, RecvFlags::empty());
            let Ok((len @ 1.., attached)) = received else { break };
            if self.idle.fetch_sub(1, Ordering::Relaxed) == 1 {
                self.start_thread();
            }
            let Ok(request) = Request::decode(&buffer[..len]) else { break };
            let id = request.id;
            let Some(outcome) = self.perform(request, attached) else { break };
            if self.answer(id, outcome).is_err() {
                break;
            }
            self.idle.fetch_add(1, Ordering::Relaxed);
        }
        // Nobody waits any more when another thread said so before.
        let _ = self.end.send(());
    }

    /// Does what is asked; `None` when the count of descriptors is not that of the operation.
    fn perform(&self, request: Request<()>, attached: Attached) -> Option<Outcome> {
        let Request { deadline_ns, identity, operation, .. } = request;
        let descriptors = match attached {
            Ok(descriptors) => descriptors,
            Err(errno) => return Some(Err(errno.into())),
        };
        let mut descriptors = descriptors.into_iter().map(Arc::new);
        let operation = operation.try_map(|()| descriptors.next())?;
        if descriptors.next().is_some() {
            return None;
        }
        if now_ns() >= deadline_ns {
            return Some(Err(Errno::TIMEDOUT.into()));
        }
        Some(self.take_rights(&identity).and_then(|()| operation.perform()))
    }

    /// Gives this thread the rights of a user; it keeps them until the next request.
    fn take_rights(&self, Identity { credentials, groups }: &Identity) -> io::Result<()> {
        if !self.is_root {
            let is_own = rustix::process::geteuid().as_raw() == credentials.uid;
            return if is_own { Ok(()) } else { Err(Errno::PERM.into()) };
        }
        let groups: Vec<Gid> = groups.iter().copied().map(Gid::from_raw).collect();
        rustix::thread::set_thread_groups(&groups)?;
        let (uid, gid) = (credentials.uid.into(), credentials.gid.into());
        nix::unistd::setfsgid(gid);
        nix::unistd::setfsuid(uid);
        // They do not tell failures; asking for what cannot be tells what holds.
        let taken = nix::unistd::setfsgid(u32::MAX.into()) == gid
            && nix::unistd::setfsuid(u32::MAX.into()) == uid;
        if taken { Ok(()) } else { Err(Errno::PERM.into()) }
    }

    fn answer(&self, id: u64, outcome: Outcome) -> Result<(), Errno> {
        let send = |outcome, opened: Option<&OwnedFd>| {
            let reply = Reply { id, outcome }.encode();
            let opened = opened.map(AsFd::as_fd);
            packet::send(&self.socket, &reply, opened.as_slice(), SendFlags::empty())
        };
        let opened = match outcome {
            Ok(Done::Opened(opened)) => opened,
            Ok(Done::Nothing) => return send(Ok(Vec::new()), None),
            Ok(Done::Places(places)) => return send(Ok(places), None),
            Err(error) => return send(Err(failed(&error)), None),
        };
        match send(Ok(Vec::new()), Some(&opened)) {
            // Descriptors on their way are limited as well.
            Err(refused) => send(Err(failed(&refused.into())), None),
            sent => sent,
        }
    }
}

/// Why something was not done. What the system does not say is told besides.
fn failed(error: &io::Error) -> Failed {
    let errno = match (Errno::from_io_error(error), error.kind()) {
        (Some(errno), _) => return Failed { errno: number(errno), reason: String::new() },
        (None, io::ErrorKind::NotFound) => Errno::NOENT,
        (None, io::ErrorKind::InvalidData) => Errno::INVAL,
        (None, _) => Errno::IO,
    };
    Failed { errno: number(errno), reason: error.to_string() }
}

fn number(errno: Errno) -> u32 {
    errno.raw_os_error().unsigned_abs()
}

/// Nanoseconds of `CLOCK_MONOTONIC`, which all processes share.
pub(crate) fn now_ns() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec.unsigned_abs() * 1_000_000_000 + now.tv_nsec.unsigned_abs()
}
