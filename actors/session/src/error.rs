//! What clients are told of failures further down.

use lttngd_buffers::BuffersError;
use lttngd_consumer::ConsumerError;
use lttngd_model::ErrorCode;
use lttngd_relayd::RelaydError;
use lttngd_runtime::NotRun;

/// The code for a consumer daemon that failed, where `refused` is the command's own code for a
/// refusal.
pub(crate) fn consumer_code(error: &ConsumerError, refused: ErrorCode) -> ErrorCode {
    match error {
        ConsumerError::Lost
        | ConsumerError::NotStarted { .. }
        | ConsumerError::NotConfigured(_) => ErrorCode::NoUstconsumerd,
        ConsumerError::Ended => ErrorCode::SessNotFound,
        ConsumerError::TimedOut
        | ConsumerError::Busy
        | ConsumerError::NoDescriptors(_)
        | ConsumerError::NoneLeft
        | ConsumerError::Refused(_)
        | ConsumerError::Protocol(_) => refused,
    }
}

/// The same for a buffer set.
pub(crate) fn buffers_code(error: &BuffersError, refused: ErrorCode) -> ErrorCode {
    match error {
        BuffersError::Consumer(error) => consumer_code(error, refused),
        BuffersError::Directory { .. } => ErrorCode::CreateDirFail,
        BuffersError::Closed | BuffersError::Busy => refused,
    }
}

/// What every command but a few answers in a session whose actor failed: a fault of this daemon, for which
/// `liblttng-ctl` has no other code.
pub const FAILED: ErrorCode = ErrorCode::Fatal;

/// The code for a relay daemon that could not be connected.
pub(crate) fn relayd_code(error: &RelaydError) -> ErrorCode {
    match error {
        RelaydError::Address(_) | RelaydError::TwoMachines { .. } => ErrorCode::Invalid,
        RelaydError::Version(_) => ErrorCode::RelaydVersionFail,
        RelaydError::Session(_) => ErrorCode::EnableConsumerFail,
        RelaydError::Unreachable { .. }
        | RelaydError::TimedOut { .. }
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
