//! What clients are told of failures further down.

use lttngd_buffers::BuffersError;
use lttngd_consumer::ConsumerError;
use lttngd_model::{ErrorCode, Tracer};
use lttngd_relayd::RelaydError;
use lttngd_runtime::NotRun;
use thiserror::Error;

/// The code for a consumer daemon that failed, where `refused` is the command's own code for a
/// refusal.
pub(crate) fn consumer_code(
    tracer: Tracer,
    error: &ConsumerError,
    refused: ErrorCode,
) -> ErrorCode {
    match error {
        ConsumerError::Lost
        | ConsumerError::NotStarted { .. }
        | ConsumerError::NotConfigured(_) => no_consumer(tracer),
        ConsumerError::Ended => ErrorCode::SessNotFound,
        ConsumerError::TimedOut
        | ConsumerError::Busy
        | ConsumerError::NoRoom(_)
        | ConsumerError::NoneLeft
        | ConsumerError::Refused(_)
        | ConsumerError::Protocol(_) => refused,
    }
}

/// The code for a tracer's consumer daemon that is not there.
pub(crate) fn no_consumer(tracer: Tracer) -> ErrorCode {
    match tracer {
        Tracer::Ust => ErrorCode::NoUstconsumerd,
        Tracer::Kernel => ErrorCode::NoKernconsumerd,
    }
}

/// A buffer set of a tracer failed.
#[derive(Debug, Error)]
#[error("{error}")]
pub(crate) struct SetFailure {
    pub(crate) tracer: Tracer,
    pub(crate) error: BuffersError,
}

impl SetFailure {
    /// The code, where `refused` is the command's own for a refusal.
    pub(crate) fn code(&self, refused: ErrorCode) -> ErrorCode {
        match &self.error {
            BuffersError::Consumer(error) => consumer_code(self.tracer, error, refused),
            error => buffers_code(error, refused),
        }
    }
}

/// The same as [`consumer_code`] for a buffer set of applications.
pub(crate) fn buffers_code(error: &BuffersError, refused: ErrorCode) -> ErrorCode {
    match error {
        BuffersError::Consumer(error) => consumer_code(Tracer::Ust, error, refused),
        BuffersError::Directory { .. } => ErrorCode::CreateDirFail,
        BuffersError::NoMemory(_) => ErrorCode::Nomem,
        BuffersError::Tracer(_)
        | BuffersError::Layout
        | BuffersError::Closed
        | BuffersError::Busy => refused,
    }
}

/// What every command but a few answers in a session whose actor failed: a fault of this daemon, for which
/// `liblttng-ctl` has no other code.
pub const FAILED: ErrorCode = ErrorCode::Fatal;

/// The code for a relay daemon that could not be connected.
pub(crate) fn relayd_code(error: &RelaydError) -> ErrorCode {
    match error {
        // The stock daemon waits for its turn with every name.
        RelaydError::Names(_) | RelaydError::Thread(_) => ErrorCode::Nomem,
        RelaydError::Address(_) | RelaydError::TwoMachines { .. } => ErrorCode::Invalid,
        RelaydError::Version(_) => ErrorCode::RelaydVersionFail,
        RelaydError::Session(_) => ErrorCode::EnableConsumerFail,
        RelaydError::Unreachable { .. }
        | RelaydError::TimedOut { .. }
        | RelaydError::Silent { .. }
        | RelaydError::Broken { .. }
        | RelaydError::Configuration(_) => ErrorCode::RelaydConnectFail,
    }
}

/// Why a command did not do what it was to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Refused(ErrorCode);

impl From<ErrorCode> for Refused {
    fn from(code: ErrorCode) -> Self {
        Self(code)
    }
}

impl From<NotRun> for Refused {
    fn from(not_run: NotRun) -> Self {
        match not_run {
            NotRun::Full => Self(ErrorCode::Fatal),
            NotRun::Ended => Self(FAILED),
        }
    }
}

impl From<Refused> for ErrorCode {
    fn from(refused: Refused) -> Self {
        refused.0
    }
}
