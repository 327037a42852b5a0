//! Why an agent did not do what it was asked.

use std::io;

use lttngd_runtime::AskError;
use lttngd_users::ShareTaken;
use lttngd_wire::{DecodeError, agent::Refusal};
use thiserror::Error;

use crate::link::LIST_DEADLINE;

/// Why an agent did not do what it was asked.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum AgentError {
    /// It is gone.
    #[error("the agent is gone")]
    Gone,
    /// It does not answer. What was asked is done when it does.
    #[error("the agent does not answer")]
    TimedOut,
    /// It refused.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// It lists more than there is memory for in the share of its user.
    #[error(transparent)]
    TooMuch(#[from] ShareTaken),
}

impl From<AskError> for AgentError {
    fn from(error: AskError) -> Self {
        match error {
            AskError::Gone => Self::Gone,
            AskError::TimedOut => Self::TimedOut,
        }
    }
}

/// Why an agent cannot be talked to any more.
#[derive(Debug, Error)]
pub(crate) enum Broken {
    #[error("the agent closed the connection")]
    Closed,
    #[error("the agent sent data that nothing asked for")]
    Unsolicited,
    #[error("the agent began a listing and did not end it within {} s", LIST_DEADLINE.as_secs())]
    Unended,
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error(transparent)]
    Protocol(#[from] DecodeError),
}
