//! Why a buffer set could not do what it was asked.

use lttngd_consumer::ConsumerError;
use lttngd_runtime::{AskError, NotRun};
use thiserror::Error;

use crate::NoMemory;

/// Why a buffer set could not do what it was asked.
#[derive(Clone, Debug, Error)]
pub enum BuffersError {
    /// The consumer daemon failed.
    #[error(transparent)]
    Consumer(#[from] ConsumerError),
    /// The set was closed before.
    #[error("the buffers are closed")]
    Closed,
    /// Too many requests wait.
    #[error("too many requests wait for the buffers")]
    Busy,
    /// A directory of the trace could not be made.
    #[error("directory {path:?} could not be made: {reason}")]
    Directory {
        /// Relative to the trace.
        path: String,
        /// What the system said.
        reason: String,
    },
    /// There is no memory for them.
    #[error(transparent)]
    NoMemory(#[from] NoMemory),
    /// The consumer daemon makes buffers of another layout than was asked.
    #[error(
        "the consumer daemon has no buffers for applications of LTTng-UST 2.15 and newer, which lttngd's own has"
    )]
    Layout,
    /// The kernel tracer did not do what it was told.
    #[error("{0}")]
    Tracer(String),
}

impl BuffersError {
    /// Whether a channel that failed so says nothing of others.
    pub(crate) fn is_of_one_channel(&self) -> bool {
        use ConsumerError::{NoRoom, NoneLeft, Refused};
        matches!(
            self,
            Self::Consumer(NoRoom(_) | NoneLeft | Refused(_))
                | Self::Directory { .. }
                | Self::NoMemory(_)
        )
    }
}

impl From<NotRun> for BuffersError {
    fn from(error: NotRun) -> Self {
        match error {
            NotRun::Full => Self::Busy,
            NotRun::Ended => Self::Closed,
        }
    }
}

impl From<AskError> for BuffersError {
    fn from(error: AskError) -> Self {
        match error {
            AskError::Gone => Self::Closed,
            AskError::TimedOut => Self::Consumer(ConsumerError::TimedOut),
        }
    }
}
