//! Why a request to a consumer daemon failed.

use lttngd_model::{Bitness, ConsumerKind};
use thiserror::Error;

/// Why a request to a consumer daemon failed.
#[derive(Clone, Debug, Error)]
pub enum ConsumerError {
    /// No binary is configured for it.
    #[error("no {0} consumer daemon is configured; name its binary with {option}", option = option(*.0))]
    NotConfigured(ConsumerKind),
    /// It could not be started.
    #[error("the {kind} consumer daemon could not be started: {reason}")]
    NotStarted {
        /// Which.
        kind: ConsumerKind,
        /// What failed.
        reason: String,
    },
    /// It is gone, or went while the request was under way.
    #[error("the consumer daemon is gone")]
    Lost,
    /// It did not answer in time.
    #[error("the consumer daemon did not answer within the deadline")]
    TimedOut,
    /// Too many requests wait for it.
    #[error("too many requests wait for the consumer daemon")]
    Busy,
    /// The session has ended: there is nothing of it any more, and nothing is made for it.
    #[error("the session has ended")]
    Ended,
    /// This process may not open as many descriptors as are needed for it, or not for this user.
    #[error(transparent)]
    NoRoom(#[from] lttngd_runtime::NoRoom),
    /// This process had no room for descriptors that the consumer daemon sent. Nothing else is wrong.
    #[error("no descriptors are left here (ulimit -n) for what the consumer daemon sent")]
    NoneLeft,
    /// It refused the request.
    #[error("the consumer daemon refused: {0}")]
    Refused(lttngd_wire::consumer::ConsumerError),
    /// It answered something else than its protocol says.
    #[error("the consumer daemon broke its protocol: {0}")]
    Protocol(String),
}

/// The option that names the binary.
fn option(kind: ConsumerKind) -> String {
    match kind {
        ConsumerKind::Ust(bitness) => format!("--consumerd{}-path", bitness.bits_per_long()),
        // It is the same program.
        ConsumerKind::Kernel => option(ConsumerKind::Ust(Bitness::Bits64)),
    }
}

impl From<lttngd_runtime::AskError> for ConsumerError {
    fn from(error: lttngd_runtime::AskError) -> Self {
        match error {
            lttngd_runtime::AskError::Gone => Self::Lost,
            lttngd_runtime::AskError::TimedOut => Self::TimedOut,
        }
    }
}
