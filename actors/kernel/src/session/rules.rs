//! Making event rules in the tracer, on a thread that may block.

use std::{
    fs::File,
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
};

use lttngd_model::{
    Binary, ErrorCode, EventKind, ProbeLocation, UserspaceProbe,
    kernel::{FailedPart, Failure, KernelRule, TracerError},
};
use lttngd_runtime::Held;
use lttngd_wire::kernel::{Call, EmissionSite, Instrumentation, KernelEvent};

use super::objects::{StepFailed, in_part, refused};
use crate::{CallError, device::Calls, elf};

/// A rule. The program of a probe is kept by whoever lists it.
#[derive(Debug)]
pub(super) struct Rule {
    pub(super) descriptor: OwnedFd,
    _held: Held,
}

/// Descriptors of a rule: its own, and that of a program.
const DESCRIPTORS: usize = 2;

/// Makes a rule, and lets it record.
pub(super) fn create_rule(
    calls: &Calls<'_>,
    channel: BorrowedFd<'_>,
    rule: &KernelRule,
) -> Result<Rule, StepFailed> {
    let held = calls.room(DESCRIPTORS).map_err(|error| refused(&error))?;
    let probe = || rule.probe.clone().unwrap_or_default();
    let program = match rule.kind {
        EventKind::UserspaceProbe => Some(program(rule.userspace_probe.as_ref())?),
        _ => None,
    };
    let instrumentation = match (rule.kind, &program) {
        (_, Some((binary, _))) => Instrumentation::Uprobe(binary.as_fd().as_raw_fd()),
        (EventKind::Probe, _) => Instrumentation::Kprobe(probe()),
        (EventKind::Function, _) => Instrumentation::Kretprobe(probe()),
        (EventKind::FunctionEntry, _) => Instrumentation::Function,
        (EventKind::Syscall, _) => Instrumentation::Syscall(EmissionSite::EntryExit),
        _ => Instrumentation::Tracepoint,
    };
    let event = KernelEvent { name: rule.name.clone(), instrumentation };
    let made = calls.make(channel, &Call::CreateEvent(Box::new(event)));
    let made = made.map_err(|error| refused(&error))?;
    let failed = |part| move |error: CallError| in_part(part, &error);
    if let Some(filter) = &rule.filter {
        let filter = Call::Filter(filter.bytecode.clone());
        calls.tell(made.as_fd(), &filter).map_err(failed(FailedPart::Filter))?;
    }
    if let Some((binary, location)) = &program {
        for place in places(binary, location)? {
            let callsite = Call::AddCallsite(place);
            calls.tell(made.as_fd(), &callsite).map_err(failed(FailedPart::Callsite))?;
        }
    }
    calls.tell(made.as_fd(), &Call::Enable).map_err(failed(FailedPart::Enable))?;
    Ok(Rule { descriptor: made, _held: held })
}

/// The program of a probe, and where in it that stands.
fn program(probe: Option<&UserspaceProbe>) -> Result<(&Binary, ProbeLocation), StepFailed> {
    let told = probe.and_then(|probe| probe.binary.as_ref().zip(probe.location()));
    told.ok_or_else(|| {
        let reason = "the program of the probe was not opened, or the place in it is not told";
        nowhere(ErrorCode::ProbeLocationInval, reason.to_owned())
    })
}

/// The places of a probe in the file of a program.
fn places(binary: &Binary, location: &ProbeLocation) -> Result<Vec<u64>, StepFailed> {
    let nowhere = |error: elf::ElfError| {
        nowhere(error.code(), format!("{}: {error}", location.binary_path()))
    };
    let file = binary.as_fd().try_clone_to_owned().map_err(|error| nowhere(error.into()))?;
    elf::places(&File::from(file), location).map_err(nowhere)
}

fn nowhere(code: ErrorCode, reason: String) -> StepFailed {
    let part = FailedPart::Location(code);
    (Failure { part, error: TracerError::Missing }, reason)
}
