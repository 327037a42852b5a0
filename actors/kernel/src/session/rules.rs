//! Making event rules in the tracer, on a thread that may block.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use lttngd_model::{
    EventKind,
    kernel::{FailedPart, Failure, KernelRule, TracerError},
    trigger::EmissionSite,
};
use lttngd_runtime::Held;
use lttngd_wire::kernel::{Call, Instrumentation, KernelEvent};

use super::objects::{StepFailed, in_part, refused};
use crate::{
    CallError,
    device::Calls,
    program::{Nowhere, places, program},
};

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
        EventKind::UserspaceProbe => Some(program(rule.userspace_probe.as_ref()).map_err(nowhere)?),
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
        for place in places(calls.runas(), binary, location).map_err(nowhere)? {
            let callsite = Call::AddCallsite(place);
            calls.tell(made.as_fd(), &callsite).map_err(failed(FailedPart::Callsite))?;
        }
    }
    calls.tell(made.as_fd(), &Call::Enable).map_err(failed(FailedPart::Enable))?;
    Ok(Rule { descriptor: made, _held: held })
}

fn nowhere(Nowhere { code, reason }: Nowhere) -> StepFailed {
    let part = FailedPart::Location(code);
    (Failure { part, error: TracerError::Missing }, reason)
}
