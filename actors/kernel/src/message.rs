//! What the tracer's actor and those of its sessions are asked.

use actix::Message;
use lttngd_buffers::SetOutput;
use lttngd_model::{
    ErrorCode, EventListing, SessionId,
    kernel::{Done, Plan},
};

use crate::{Device, TracerUnavailable};

/// Has the tracer opened, unless it is: its modules are loaded, and its version is looked at.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "Result<Device, TracerUnavailable>")]
pub struct EnsureReady;

/// The tracepoints that the tracer knows (LIST_TRACEPOINTS).
///
/// Errors: those of [`EnsureReady`], `KernListFail`.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "Result<Vec<EventListing>, ErrorCode>")]
pub struct ListKernelTracepoints;

/// The system calls that the tracer knows by name (LIST_SYSCALLS).
///
/// Errors: as [`ListKernelTracepoints`].
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "Result<Vec<EventListing>, ErrorCode>")]
pub struct ListKernelSyscalls;

/// Lets go of the tracer, which nobody uses any more, and unloads the modules that were loaded for it.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct Release;

/// Has the session made in the tracer, unless it is there.
///
/// Errors: those of [`EnsureReady`], `KernSessFail`.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "Result<Device, ErrorCode>")]
pub struct Open;

/// Has the tracer do what a command asks for.
///
/// Errors: none of its own: what became of each step stands in the reply.
#[derive(Clone, Debug, Message)]
#[rtype(result = "Result<Done, ErrorCode>")]
pub struct Apply {
    /// What it is to do.
    pub plan: Plan,
}

/// Has the tracer record what the session wants, or nothing. The first time the consumer daemon is given the
/// streams.
///
/// Errors: the code that a start or a stop answers: `KernMetaFail`, `KernStreamFail`, `KernStartFail`,
/// `KernStopFail`.
#[derive(Clone, Debug, Message)]
#[rtype(result = "Result<(), ErrorCode>")]
pub struct SetRecording {
    /// Whether it records.
    pub active: bool,
    /// Where streams are written that the consumer daemon does not have yet.
    pub output: SetOutput,
}

/// Has the tracer record its state again (REGENERATE_STATEDUMP).
///
/// Errors: `RegenStatedumpFail`, `RegenStatedumpNomem`.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "Result<(), ErrorCode>")]
pub struct Statedump;

/// A channel has buffers that nobody reads: those of processors that came.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct BuffersCame {
    pub(crate) channel: u32,
}

/// The actor of a kernel session failed. What it had in the tracer is gone, and the consumer daemon reads to
/// its end what it has.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct KernelSessionFailed {
    /// Of which session.
    pub session: SessionId,
}
