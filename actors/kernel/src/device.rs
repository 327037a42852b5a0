//! The way to the tracer: calls, on threads that may block.

use std::{
    fs::File,
    io::{self, Read},
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::Arc,
};

use lttngd_runas::Runas;
use lttngd_runtime::{Descriptors, Held, Purpose};
use lttngd_wire::kernel::{Argument, Call};

use crate::{CallError, Loaded};

/// A kernel: where modules are loaded, and where the tracer is.
///
/// Its methods block. What is behind is the machine itself ([`Machine`](crate::Machine)), or in tests one that
/// answers as a kernel does.
pub trait Kernel: Send + Sync + 'static {
    /// Loads modules, of those that are there; returns which were loaded by this, others that they need among
    /// them.
    ///
    /// # Errors
    /// When modules cannot be loaded at all.
    fn load(&self, modules: &[String]) -> io::Result<Loaded>;

    /// Unloads modules, as far as nothing else needs them.
    ///
    /// # Errors
    /// When one stays.
    fn unload(&self, modules: &Loaded) -> io::Result<()>;

    /// Opens the tracer.
    ///
    /// # Errors
    /// When it is not there.
    fn open(&self) -> io::Result<OwnedFd>;

    /// Makes an ioctl; the kernel may write to a structure that it is given. Returns the result, which is 0 or
    /// a new descriptor.
    ///
    /// # Errors
    /// What the kernel says.
    fn ioctl(
        &self,
        descriptor: BorrowedFd<'_>,
        number: u32,
        argument: &mut Argument,
    ) -> io::Result<Option<OwnedFd>>;
}

/// The tracer, open.
#[derive(Clone)]
pub struct Device {
    kernel: Arc<dyn Kernel>,
    tracer: Arc<OwnedFd>,
    /// What the descriptors of sessions are counted in.
    descriptors: Descriptors,
    /// What reads the programs of probes.
    runas: Runas,
    /// Version of its ABI.
    abi: (u32, u32),
}

/// From which ABI on the tracer tells how far a buffer is filled.
const MONITORED_SINCE: (u32, u32) = (2, 3);
/// From which on it has event notifiers.
const NOTIFIES_SINCE: (u32, u32) = (2, 6);

impl std::fmt::Debug for Device {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Device").field("tracer", &self.tracer).finish_non_exhaustive()
    }
}

impl Device {
    pub(crate) fn new(
        kernel: Arc<dyn Kernel>,
        tracer: OwnedFd,
        (descriptors, runas): (Descriptors, Runas),
        abi: (u32, u32),
    ) -> Self {
        Self { kernel, tracer: Arc::new(tracer), descriptors, runas, abi }
    }

    /// Whether the tracer tells how far a buffer is filled.
    #[must_use]
    pub fn can_be_monitored(&self) -> bool {
        self.abi >= MONITORED_SINCE
    }

    /// Whether the tracer has event notifiers.
    #[must_use]
    pub fn has_notifiers(&self) -> bool {
        self.abi >= NOTIFIES_SINCE
    }

    /// Whether this and another one are the same, opened once.
    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.tracer, &other.tracer)
    }

    /// Whether the tracer answers still: its modules may be gone, or it may have failed.
    pub(crate) async fn is_there(&self) -> bool {
        self.run(|calls| calls.ask_tracer(&Call::AbiVersion).is_ok()).await
    }

    /// Calls, which may block.
    pub(crate) fn calls(&self) -> Calls<'_> {
        let Self { kernel, tracer, descriptors, runas, .. } = self;
        Calls { kernel: &**kernel, tracer: tracer.as_fd(), descriptors, runas }
    }

    /// Does something that may block, on a thread for that.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Calls<'_>) -> T + Send + 'static,
    ) -> T {
        let this = self.clone();
        match tokio::task::spawn_blocking(move || work(&this.calls())).await {
            Ok(outcome) => outcome,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                // Works that block are not aborted but at the end of the runtime, when nobody waits.
                Err(_) => std::future::pending().await,
            },
        }
    }
}

/// Calls, on a thread that may block.
pub(crate) struct Calls<'a> {
    kernel: &'a dyn Kernel,
    tracer: BorrowedFd<'a>,
    descriptors: &'a Descriptors,
    runas: &'a Runas,
}

impl<'a> Calls<'a> {
    pub(crate) fn of(
        kernel: &'a dyn Kernel,
        tracer: BorrowedFd<'a>,
        (descriptors, runas): (&'a Descriptors, &'a Runas),
    ) -> Self {
        Self { kernel, tracer, descriptors, runas }
    }

    /// What reads the programs of probes.
    pub(crate) fn runas(&self) -> &'a Runas {
        self.runas
    }

    /// Takes the places in the budget of descriptors that a session is to have, before they are made.
    pub(crate) fn room(&self, count: usize) -> Result<Held, CallError> {
        let taken = self.descriptors.take(Purpose::Channels, count);
        let doing = "have more descriptors";
        taken.map_err(|error| CallError { doing, error: io::Error::other(error) })
    }

    /// Makes a call that makes nothing.
    pub(crate) fn tell(&self, to: BorrowedFd<'_>, call: &Call) -> Result<(), CallError> {
        self.answer(to, call).map(drop)
    }

    /// Makes a call that is answered in its structure.
    pub(crate) fn ask(&self, to: BorrowedFd<'_>, call: &Call) -> Result<Vec<u8>, CallError> {
        let (_, argument) = self.answer(to, call)?;
        Ok(argument.bytes().to_vec())
    }

    /// The same of the tracer itself.
    pub(crate) fn ask_tracer(&self, call: &Call) -> Result<Vec<u8>, CallError> {
        self.ask(self.tracer, call)
    }

    /// Waits until no probe runs that began before. A failure is in the log: it says nothing of what was done.
    pub(crate) fn wait_quiescent(&self) {
        if let Err(error) = self.ask_tracer(&Call::WaitQuiescent) {
            tracing::warn!(%error, "probes that had begun may still be running");
        }
    }

    /// Makes a call that makes a descriptor.
    pub(crate) fn make(&self, to: BorrowedFd<'_>, call: &Call) -> Result<OwnedFd, CallError> {
        let (made, _) = self.answer(to, call)?;
        made.ok_or_else(|| CallError {
            doing: doing(call),
            error: io::ErrorKind::InvalidData.into(),
        })
    }

    /// The same of the tracer itself.
    pub(crate) fn make_of_tracer(&self, call: &Call) -> Result<OwnedFd, CallError> {
        self.make(self.tracer, call)
    }

    /// The text of one of the tracer's lists.
    pub(crate) fn list(&self, call: &Call) -> Result<String, CallError> {
        let mut text = String::new();
        let read = File::from(self.make_of_tracer(call)?).read_to_string(&mut text);
        read.map_err(|error| CallError { doing: doing(call), error })?;
        Ok(text)
    }

    fn answer(
        &self,
        to: BorrowedFd<'_>,
        call: &Call,
    ) -> Result<(Option<OwnedFd>, Argument), CallError> {
        let failed = |error| CallError { doing: doing(call), error };
        let unknown = || failed(io::ErrorKind::Unsupported.into());
        let mut argument = call.argument().ok_or_else(unknown)?;
        let made = self.kernel.ioctl(to, call.number(), &mut argument).map_err(failed)?;
        Ok((made, argument))
    }
}

/// What a call is to do, for log messages.
fn doing(call: &Call) -> &'static str {
    match call {
        Call::CreateSession => "make a session",
        Call::TracerVersion | Call::AbiVersion => "tell its version",
        Call::ListTracepoints => "list tracepoints",
        Call::WaitQuiescent => "wait for running probes",
        Call::ListSyscalls => "list system calls",
        Call::CreateMetadata(_) => "make a metadata channel",
        Call::CreateChannel(_) => "make a channel",
        Call::Start => "start",
        Call::Stop => "stop",
        Call::TrackPid(_) | Call::UntrackPid(_) | Call::Track(..) | Call::Untrack(..) => {
            "track processes so"
        }
        Call::RegenerateMetadata => "write its metadata anew",
        Call::Statedump => "record its state",
        Call::SetName(_) | Call::SetCreationTime(_) => "take a session's name or time",
        Call::OpenStream => "open a stream",
        Call::CreateEvent(_) => "make an event rule",
        Call::AddContext(_) => "add a context",
        Call::Enable => "enable",
        Call::Disable => "disable",
        Call::Filter(_) => "take a filter",
        Call::AddCallsite(_) => "record at a place of a program",
        Call::Capture(_) => "take a value of each event",
        Call::CreateNotifierGroup => "make a group of event notifiers",
        Call::CreateErrorCounters(_) => "count events that it cannot tell",
        Call::CreateNotifier(_) => "make an event notifier",
        Call::OpenNotifications => "tell of events",
        Call::SumErrors(_) => "say how many events it could not tell",
        Call::ClearErrors(_) => "count anew what it cannot tell",
        Call::Flush => "close a packet",
    }
}
