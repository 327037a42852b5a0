//! A worker with the requests to it. A thread starts the process and receives the replies; requests
//! are sent by whoever makes them, or by the thread when there is room again.

use std::{
    io,
    os::fd::{AsFd, OwnedFd},
    path::PathBuf,
    sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError},
    thread,
    time::{Duration, Instant},
};

use lttngd_model::Credentials;
use rustix::{
    event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll},
    io::Errno,
    net::{RecvFlags, SendFlags, Shutdown, shutdown},
};

use crate::{
    liveness::Look,
    operation::{Done, Operation},
    packet::{self, Attached},
    process::Process,
    protocol::{Failed, Identity, REPLY_MAX_LEN, Reply, Request},
    queue::{Queue, Refused, Waiting},
    report::{RunasReport, RunasState},
    worker::now_ns,
};

/// How long the thread looks for expired requests after the last one. A request with a shorter
/// deadline is told of it that much late.
const LINGER: Duration = Duration::from_secs(1);

/// A worker that starts, serves or is gone.
#[derive(Debug)]
pub(crate) struct Link {
    /// Set when the worker is ready.
    socket: OnceLock<OwnedFd>,
    queue: Mutex<Queue>,
    /// Wakes the thread.
    wakeup_fd: OwnedFd,
    over: Mutex<bool>,
    is_over: Condvar,
}

impl Link {
    /// Starts a worker; what is asked of it meanwhile waits.
    ///
    /// # Errors
    /// When there is no thread or descriptor for it.
    pub(crate) fn start(program: PathBuf, urgent: bool) -> io::Result<Arc<Self>> {
        Self::with(move || {
            if urgent {
                // Without the right to do so, who waits has no such priority either.
                let _ = lttngd_runtime::come_first();
            }
            let name = program.display().to_string();
            Process::start(&program, urgent).map_err(|error| {
                let text =
                    format!("cannot start {name} as the worker that acts for users: {error}");
                io::Error::new(error.kind(), text)
            })
        })
    }

    /// The same with what `start` returns. The first value is kept as long as the socket is used.
    pub(crate) fn with<P>(
        start: impl FnOnce() -> io::Result<(P, OwnedFd)> + Send + 'static,
    ) -> io::Result<Arc<Self>> {
        let link = Arc::new(Self {
            socket: OnceLock::new(),
            queue: Mutex::default(),
            wakeup_fd: eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?,
            over: Mutex::new(false),
            is_over: Condvar::new(),
        });
        let thread = thread::Builder::new().name("lttngd-runas".to_owned());
        let this = Arc::clone(&link);
        thread.spawn(move || {
            this.live(start);
            *this.over.lock().unwrap_or_else(PoisonError::into_inner) = true;
            this.is_over.notify_all();
        })?;
        Ok(link)
    }

    /// The queue is whole between any two statements, so a panic elsewhere does not matter.
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a request and sends it, as soon as it may be.
    ///
    /// # Errors
    /// [`Refused`].
    pub(crate) fn submit(&self, request: Waiting) -> Result<(), Refused> {
        let mut queue = self.queue();
        let must_wake = queue.admit(request)?;
        self.send_waiting(&mut queue);
        drop(queue);
        if must_wake {
            self.ring();
        }
        Ok(())
    }

    /// How it does.
    pub(crate) fn report(&self, deadline: Duration) -> RunasReport {
        let report = self.queue().report(deadline, Instant::now());
        match (report.state, self.socket.get()) {
            (RunasState::Running, None) => RunasReport { state: RunasState::Starting, ..report },
            _ => report,
        }
    }

    fn ring(&self) {
        // The counter is full only when the thread has been rung for already.
        let _ = rustix::io::write(&self.wakeup_fd, &1_u64.to_ne_bytes());
    }

    /// Ends the worker, and waits until it is gone or the time is over.
    pub(crate) fn end(&self, patience: Duration) {
        self.hang_up();
        let over = self.over.lock().unwrap_or_else(PoisonError::into_inner);
        let (over, _) = self
            .is_over
            .wait_timeout_while(over, patience, |over| !*over)
            .unwrap_or_else(PoisonError::into_inner);
        if !*over {
            tracing::warn!("the worker that acts for users hangs and is left");
        }
    }

    /// Lets the thread end, and with it the worker.
    pub(crate) fn hang_up(&self) {
        self.queue().close(io::ErrorKind::BrokenPipe, "the worker that acts for users was ended");
        if let Some(socket) = self.socket.get() {
            // It fails only when the other end is gone already.
            let _ = shutdown(socket, Shutdown::Both);
        }
        self.ring();
    }

    fn send_waiting(&self, queue: &mut Queue) {
        let Some(socket) = self.socket.get() else { return };
        let now = Instant::now();
        while let Some((id, request)) = queue.next(now) {
            queue.begins(now);
            match send(socket, id, &request, now) {
                Ok(()) => queue.sent(id, request),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return queue.put_back(request);
                }
                // When the worker is gone the thread sees it as well.
                Err(error) => queue.refused(request, error),
            }
        }
    }

    /// The life of the thread.
    fn live<P>(&self, start: impl FnOnce() -> io::Result<(P, OwnedFd)>) {
        let (_process, socket) = match start() {
            Ok(started) => started,
            Err(error) => {
                tracing::error!("{error}");
                return self.queue().close(error.kind(), &error.to_string());
            }
        };
        let socket = self.socket.get_or_init(|| socket);
        self.send_waiting(&mut self.queue());
        if let Err(error) = self.receive(socket) {
            tracing::error!(%error, "the worker that acts for users ended");
        }
        let text = "the worker that acts for users ended; it may have done what was asked";
        self.queue().close(io::ErrorKind::BrokenPipe, text);
        let _ = shutdown(socket, Shutdown::Both);
    }

    /// Receives replies until [`Link::hang_up`].
    ///
    /// # Errors
    /// What the worker did wrong.
    fn receive(&self, socket: &OwnedFd) -> io::Result<()> {
        let mut lingered = false;
        loop {
            let rest = {
                let mut queue = self.queue();
                if queue.is_closed() {
                    return Ok(());
                }
                let now = Instant::now();
                queue.expire(now);
                if queue.look(now) == Some(Look::Ask) {
                    ask_whether_it_runs(socket, queue.ask(now))?;
                }
                let rest = queue.rest(now, LINGER, lingered);
                match queue.look(now) {
                    Some(Look::Gone) => {
                        return Err(io::Error::new(io::ErrorKind::TimedOut, "it does not run"));
                    }
                    Some(Look::At(at)) => {
                        let left = at.saturating_duration_since(now);
                        Some(rest.map_or(left, |rest| rest.min(left)))
                    }
                    Some(Look::Ask) | None => rest,
                }
            };
            let (replied, rung) = wait(socket, &self.wakeup_fd, rest)?;
            if rung {
                // It only has to be silent again.
                let _ = rustix::io::read(&self.wakeup_fd, &mut [0; 8]);
            }
            lingered = !replied && !rung;
            loop {
                let mut buffer = [0; REPLY_MAX_LEN];
                match packet::receive(socket, &mut buffer, RecvFlags::DONTWAIT) {
                    Ok((0, _)) if self.queue().is_closed() => return Ok(()),
                    Ok((0, _)) | Err(Errno::CONNRESET) => return Err(Errno::PIPE.into()),
                    Ok((len, descriptors)) => self.take_reply(&buffer[..len], descriptors)?,
                    Err(Errno::AGAIN) => break,
                    Err(errno) => return Err(errno.into()),
                }
            }
        }
    }

    fn take_reply(&self, bytes: &[u8], attached: Attached) -> io::Result<()> {
        let reply = Reply::decode(bytes).map_err(io::Error::other)?;
        let outcome = match (reply.outcome, attached) {
            // Only this request fails.
            (Ok(_), Err(errno)) => Err(errno.into()),
            (Ok(places), Ok(descriptors)) => Ok(done(places, descriptors)?),
            (Err(_), Ok(descriptors)) if !descriptors.is_empty() => {
                return Err(Errno::PROTO.into());
            }
            (Err(failed), _) => Err(error_of(failed)),
        };
        let mut queue = self.queue();
        if queue.heard(reply.id, Instant::now()) {
            return Ok(());
        }
        if !queue.replied(reply.id, outcome) {
            return Err(io::Error::other("it answers what was not asked"));
        }
        self.send_waiting(&mut queue);
        Ok(())
    }
}

/// What was done, as a reply tells it.
///
/// # Errors
/// `EPROTO` when that is more than one thing.
fn done(places: Vec<u64>, mut descriptors: Vec<OwnedFd>) -> io::Result<Done> {
    match (descriptors.pop(), descriptors.is_empty(), places.is_empty()) {
        (None, _, true) => Ok(Done::Nothing),
        (None, _, false) => Ok(Done::Places(places)),
        (Some(opened), true, true) => Ok(Done::Opened(opened)),
        (Some(_), ..) => Err(Errno::PROTO.into()),
    }
}

fn error_of(Failed { errno, reason }: Failed) -> io::Error {
    let error = io::Error::from_raw_os_error(i32::try_from(errno).unwrap_or_default());
    if reason.is_empty() { error } else { io::Error::new(error.kind(), reason) }
}

/// Asks the worker for something whose deadline has passed, which it answers at once without doing it, whatever its
/// other threads wait for.
fn ask_whether_it_runs(socket: &OwnedFd, id: u64) -> io::Result<()> {
    let credentials = Credentials {
        uid: rustix::process::geteuid().as_raw(),
        gid: rustix::process::getegid().as_raw(),
    };
    let question = Request {
        id,
        deadline_ns: 0,
        identity: Arc::new(Identity { credentials, groups: Vec::new() }),
        operation: Operation::<()>::OpenDirectory("/".into()),
    };
    match packet::send(socket, &question.encode()?, &[], SendFlags::DONTWAIT) {
        // It has not even taken what it was sent before.
        Ok(()) | Err(Errno::AGAIN) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}

fn send(socket: &OwnedFd, id: u64, request: &Waiting, now: Instant) -> io::Result<()> {
    let left = request.deadline.saturating_duration_since(now);
    let left_ns = u64::try_from(left.as_nanos()).unwrap_or(u64::MAX);
    let descriptors: Vec<_> =
        request.operation.descriptors().into_iter().map(|descriptor| descriptor.as_fd()).collect();
    let packet = Request {
        id,
        deadline_ns: now_ns().saturating_add(left_ns),
        identity: Arc::clone(&request.identity),
        operation: request.operation.clone(),
    };
    Ok(packet::send(socket, &packet.encode()?, &descriptors, SendFlags::DONTWAIT)?)
}

/// Waits for the socket or a wake-up: which of them it was.
fn wait(socket: &OwnedFd, wakeup_fd: &OwnedFd, rest: Option<Duration>) -> io::Result<(bool, bool)> {
    // A time that does not fit is as good as none.
    let rest = rest.and_then(|rest| Timespec::try_from(rest).ok());
    let mut both = [PollFd::new(socket, PollFlags::IN), PollFd::new(wakeup_fd, PollFlags::IN)];
    match poll(&mut both, rest.as_ref()) {
        Ok(_) | Err(Errno::INTR) => {}
        Err(errno) => return Err(errno.into()),
    }
    Ok((!both[0].revents().is_empty(), !both[1].revents().is_empty()))
}
