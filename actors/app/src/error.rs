//! Why an application did not do what it was asked.

use lttngd_runtime::{AskError, PeerError};
use lttngd_users::ShareTaken;
use lttngd_wire::ust::command::UstError;
use thiserror::Error;

/// Why an application did not do what it was asked.
#[derive(Clone, Debug, Error)]
pub enum AppError {
    /// It is gone.
    #[error("the application is gone")]
    Gone,
    /// It does not answer. What was asked is done when it does.
    #[error("the application does not answer")]
    TimedOut,
    /// It refused.
    #[error(transparent)]
    Refused(#[from] UstError),
    /// It lists more than there is memory for in the share of its user.
    #[error(transparent)]
    TooMuch(#[from] ShareTaken),
}

impl From<AskError> for AppError {
    fn from(error: AskError) -> Self {
        match error {
            AskError::Gone => Self::Gone,
            AskError::TimedOut => Self::TimedOut,
        }
    }
}

/// Why an application cannot be talked to any more.
#[derive(Debug, Error)]
pub(crate) enum Broken {
    #[error(transparent)]
    Peer(#[from] PeerError),
    #[error("{0}")]
    Protocol(String),
}

impl From<lttngd_wire::DecodeError> for Broken {
    fn from(error: lttngd_wire::DecodeError) -> Self {
        Self::Protocol(error.to_string())
    }
}
