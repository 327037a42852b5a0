//! The group of event notifiers in the tracer: its descriptors, and what is done with them on a thread that may
//! block.

use std::{
    collections::BTreeMap,
    os::fd::{AsFd, AsRawFd, OwnedFd},
    sync::Arc,
};

use lttngd_model::{
    ErrorCode, TracerToken,
    kernel::{KernelEvents, KernelNotifier, TracerError},
};
use lttngd_runas::Runas;
use lttngd_runtime::Held;
use lttngd_wire::kernel::{Call, EventNotifier, Instrumentation, KernelEvent, decode_error_count};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};

use crate::{CallError, Device, device::Calls, program};

/// Descriptors of a group: its own, that of what it tells, and that of its counters.
const DESCRIPTORS: usize = 3;
/// Those of a notifier: its own, and that of a program.
const NOTIFIER_DESCRIPTORS: usize = 2;

/// A group. It is gone from the tracer when this and what reads its notifications are dropped: that takes as long
/// as probes run that had begun, so neither is dropped last on an arbiter.
#[derive(Debug)]
pub(super) struct Group {
    device: Device,
    notifiers: BTreeMap<TracerToken, Notifier>,
    errors: OwnedFd,
    notifications: Arc<OwnedFd>,
    group: OwnedFd,
    /// Whether a place in the kernel or in a program was instrumented. The tracer leaves that so until the group
    /// goes.
    has_probed: bool,
    _held: Held,
}

#[derive(Debug)]
struct Notifier {
    descriptor: OwnedFd,
    is_of_syscalls: bool,
    _held: Held,
}

impl Group {
    /// Makes a group with so many counters of what cannot be told.
    pub(super) fn create(
        device: &Device,
        calls: &Calls<'_>,
        error_counters: u64,
    ) -> Result<Self, ErrorCode> {
        let held =
            calls.room(DESCRIPTORS).map_err(refused(ErrorCode::EventNotifierRegistration))?;
        let group = calls
            .make_of_tracer(&Call::CreateNotifierGroup)
            .map_err(refused(ErrorCode::EventNotifierRegistration))?;
        let no_notifications = refused(ErrorCode::EventNotifierGroupNotificationFd);
        let notifications = calls.make(group.as_fd(), &Call::OpenNotifications);
        let notifications = notifications.and_then(nonblocking).map_err(no_notifications)?;
        let errors = calls
            .make(group.as_fd(), &Call::CreateErrorCounters(error_counters))
            .map_err(refused(ErrorCode::EventNotifierErrorAccounting))?;
        Ok(Self {
            device: device.clone(),
            notifiers: BTreeMap::new(),
            errors,
            notifications: Arc::new(notifications),
            group,
            has_probed: false,
            _held: held,
        })
    }

    /// Where events are told. Reading does not block.
    pub(super) fn notifications(&self) -> Arc<OwnedFd> {
        Arc::clone(&self.notifications)
    }

    /// Whether it is better let go of: nobody wants to be told of anything, and something is instrumented all
    /// the same.
    pub(super) fn is_over(&self) -> bool {
        self.notifiers.is_empty() && self.has_probed
    }

    /// Makes a notifier, which tells at once.
    pub(super) fn add(
        &mut self,
        calls: &Calls<'_>,
        notifier: &KernelNotifier,
    ) -> Result<(), ErrorCode> {
        let failed = || refused(ErrorCode::KernEnableFail);
        let held = calls.room(NOTIFIER_DESCRIPTORS).map_err(failed())?;
        // Nothing is made for a place that is not there: it would stay until the group goes.
        let (program, places) = match &notifier.events {
            KernelEvents::Uprobe(probe) => placed(calls.runas(), probe)?,
            _ => (None, Vec::new()),
        };
        let (instrumentation, is_probe) = match (&notifier.events, program) {
            (_, Some(program)) => (Instrumentation::Uprobe(program), true),
            (KernelEvents::Kprobe(probe), _) => (Instrumentation::Kprobe(probe.clone()), true),
            (KernelEvents::Syscalls(site), _) => (Instrumentation::Syscall(*site), false),
            _ => (Instrumentation::Tracepoint, false),
        };
        let (token, error_counter_index) = (notifier.token, notifier.error_counter_index);
        let event = KernelEvent { name: notifier.name.clone(), instrumentation };
        let call = Call::CreateNotifier(EventNotifier { token, error_counter_index, event }.into());
        let made = calls.make(self.group.as_fd(), &call).map_err(unmade)?;
        self.has_probed |= is_probe;
        let tell = |call| calls.tell(made.as_fd(), &call);
        if let Some(filter) = &notifier.filter {
            tell(Call::Filter(filter.bytecode.clone())).map_err(|error| match error.kind() {
                TracerError::NoMemory => refused(ErrorCode::FilterNomem)(error),
                _ => refused(ErrorCode::FilterInval)(error),
            })?;
        }
        places.into_iter().try_for_each(|at| tell(Call::AddCallsite(at))).map_err(failed())?;
        let captures = notifier.captures.iter().cloned();
        captures.map(Call::Capture).try_for_each(tell).map_err(failed())?;
        tell(Call::Enable).map_err(|error| match error.kind() {
            TracerError::Exists => refused(ErrorCode::KernEventExist)(error),
            _ => refused(ErrorCode::KernEnableFail)(error),
        })?;
        let is_of_syscalls = matches!(notifier.events, KernelEvents::Syscalls(_));
        let notifier = Notifier { descriptor: made, is_of_syscalls, _held: held };
        self.notifiers.insert(token, notifier);
        Ok(())
    }

    /// Makes the notifiers of a group that was lost.
    pub(super) fn restore(&mut self, calls: &Calls<'_>, notifiers: &[Arc<KernelNotifier>]) {
        for notifier in notifiers {
            if let Err(code) = self.add(calls, notifier) {
                let token = notifier.token;
                tracing::error!(%token, name = notifier.name, %code, "events of a trigger are told no more");
            }
        }
    }

    /// Ends a notifier, and has its counter begin anew.
    pub(super) fn remove(
        &mut self,
        calls: &Calls<'_>,
        token: TracerToken,
        error_counter_index: u64,
    ) {
        let Some(notifier) = self.notifiers.remove(&token) else { return };
        let ended = calls.tell(notifier.descriptor.as_fd(), &Call::Disable);
        drop(notifier);
        let cleared = calls.tell(self.errors.as_fd(), &Call::ClearErrors(error_counter_index));
        if let Err(error) = ended.and(cleared) {
            // What it tells yet is of a trigger that is gone, and a notifier that takes the counter clears it.
            tracing::warn!(%token, %error, "an event notifier is not ended as it is to be");
        }
    }

    /// How many events could not be told.
    pub(super) fn errors(&self, calls: &Calls<'_>, index: u64) -> Result<u64, ErrorCode> {
        let answer = calls.ask(self.errors.as_fd(), &Call::SumErrors(index));
        let answer = answer.map_err(refused(ErrorCode::Unk))?;
        decode_error_count(&answer).map_err(|error| {
            tracing::error!(index, %error, "how many events the kernel could not tell is not known");
            ErrorCode::Unk
        })
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // A group that goes while one tells of system calls has the tracer write into memory that it has freed:
        // lttng-modules up to 2.13 free their table of system calls before they take the notifiers out of it.
        let calls = self.device.calls();
        for (token, notifier) in &self.notifiers {
            if notifier.is_of_syscalls
                && let Err(error) = calls.tell(notifier.descriptor.as_fd(), &Call::Disable)
            {
                tracing::error!(%token, %error, "an event notifier of system calls goes while it tells");
            }
        }
    }
}

/// The program of a probe, as the tracer takes it during a call, and the places in it.
fn placed(
    runas: &Runas,
    probe: &lttngd_model::UserspaceProbe,
) -> Result<(Option<i32>, Vec<u64>), ErrorCode> {
    let found = program::program(Some(probe)).and_then(|(binary, location)| {
        let places = program::places(runas, binary, &location)?;
        Ok((Some(binary.as_fd().as_raw_fd()), places))
    });
    found.map_err(|program::Nowhere { reason, .. }| {
        tracing::warn!(reason, "an event notifier is placed nowhere");
        ErrorCode::KernEnableFail
    })
}

fn nonblocking(descriptor: OwnedFd) -> Result<OwnedFd, CallError> {
    let flags = fcntl_getfl(&descriptor);
    let set = flags.and_then(|flags| fcntl_setfl(&descriptor, flags | OFlags::NONBLOCK));
    set.map_err(|error| CallError {
        doing: "tell of events without blocking",
        error: error.into(),
    })?;
    Ok(descriptor)
}

fn unmade(error: CallError) -> ErrorCode {
    let code = match error.kind() {
        TracerError::Exists => ErrorCode::KernEventExist,
        TracerError::NotImplemented => ErrorCode::KernEventEnosys,
        _ => ErrorCode::KernEnableFail,
    };
    refused(code)(error)
}

/// Why the tracer refuses is in the log; clients get a code.
fn refused(code: ErrorCode) -> impl FnOnce(CallError) -> ErrorCode {
    move |error| {
        tracing::warn!(%error, %code, "the kernel tracer does not do what a trigger needs");
        code
    }
}
