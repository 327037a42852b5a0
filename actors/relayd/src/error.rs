//! Why there is no connection to a relay daemon.

use std::{io, net::SocketAddr, time::Duration};

use lttngd_consumer::ConsumerError;
use lttngd_model::ConsumerKind;
use lttngd_users::ShareTaken;
use lttngd_wire::{
    DecodeError,
    relay::{RelayRefusal, ReplyError, Version},
};
use thiserror::Error;

/// Why consumer daemons have no connection to a relay daemon.
#[derive(Debug, Error)]
pub enum ConnectError {
    /// There is none.
    #[error(transparent)]
    Relayd(#[from] RelaydError),
    /// A consumer daemon did not take it.
    #[error("the {kind} consumer daemon does not take the relay daemon: {source}")]
    Consumer {
        /// Which.
        kind: ConsumerKind,
        /// Why.
        source: ConsumerError,
    },
    /// It was given up meanwhile, or failed for whoever wanted it first.
    #[error("the connection to the relay daemon was given up")]
    GivenUp,
    /// Too many commands wait for it.
    #[error("too many commands wait for the relay daemon")]
    Busy,
    /// Its actor failed.
    #[error("the connection to the relay daemon failed in the session daemon: see its log")]
    Failed,
}

/// Why there is no connection to a relay daemon.
#[derive(Debug, Error)]
pub enum RelaydError {
    /// The address is none, or not one of the family that was named, or the name was not found.
    #[error(
        "{0:?} is no address, or not one of the family that was named, nor the name of a machine that is found"
    )]
    Address(String),
    /// He who asked has as many names looked up as he may.
    #[error("too many names of machines are being looked up: {0}")]
    Names(ShareTaken),
    /// There is no thread for it.
    #[error("the name of a machine cannot be looked up: {0}")]
    Thread(io::Error),
    /// Control and data connections would lead apart.
    #[error(
        "control and data connections lead to one relay daemon, not to {control:?} and {data:?}"
    )]
    TwoMachines {
        /// Where control connections would lead.
        control: String,
        /// Where data connections would lead.
        data: String,
    },
    /// It does not answer there.
    #[error("no relay daemon at {address}: {source}; is lttng-relayd running there?")]
    Unreachable {
        /// Where.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// It did not answer before, and has not since.
    #[error(
        "the relay daemon at {address} is silent: what it was asked before is not answered yet"
    )]
    Silent {
        /// Where.
        address: SocketAddr,
    },
    /// It did not answer in time.
    #[error("the relay daemon at {address} did not answer within {deadline:?}")]
    TimedOut {
        /// Where.
        address: SocketAddr,
        /// How long was waited.
        deadline: Duration,
    },
    /// It closed the connection, or the connection broke.
    #[error("the connection to the relay daemon at {address} broke: {source}")]
    Broken {
        /// Where.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// It speaks another protocol.
    #[error("the relay daemon speaks version {}.{} of the protocol, which is not 2", .0.major, .0.minor)]
    Version(Version),
    /// It refused to tell its configuration.
    #[error("the relay daemon's configuration is not known: {0}")]
    Configuration(ReplyError),
    /// It refused the session.
    #[error("the relay daemon refused the session: {0}")]
    Session(ReplyError),
}

impl RelaydError {
    pub(crate) fn malformed_session(error: DecodeError) -> Self {
        Self::Session(ReplyError::Malformed(error))
    }

    /// The refusal, if it is one.
    #[must_use]
    pub fn refusal(&self) -> Option<RelayRefusal> {
        match self {
            Self::Configuration(ReplyError::Refused(refusal))
            | Self::Session(ReplyError::Refused(refusal)) => Some(*refusal),
            _ => None,
        }
    }
}
