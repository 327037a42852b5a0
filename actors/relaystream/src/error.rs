//! What can go wrong with a connection.

use std::{fmt, io, time::Duration};

use lttngd_model::StreamKind;
use lttngd_wire::{DecodeError, relay::RelayRefusal};
use thiserror::Error;

/// Why a connection is dead.
#[derive(Debug, Error)]
pub enum Fault {
    /// The relay daemon closed one of the two sockets.
    #[error("the relay daemon closed the {} connection", Name(.0))]
    Closed(StreamKind),
    /// A socket failed.
    #[error("the {} connection to the relay daemon failed: {source}", Name(.socket))]
    Broken {
        /// Which one.
        socket: StreamKind,
        /// What the system said.
        source: io::Error,
    },
    /// Nothing moved while something was due.
    #[error(
        "the relay daemon took and answered nothing on the {} connection for {} s",
        Name(.socket),
        .timeout.as_secs_f32()
    )]
    Stalled {
        /// Which connection.
        socket: StreamKind,
        /// For how long.
        timeout: Duration,
    },
    /// A reply is none.
    #[error("the relay daemon answered what is no reply: {0}")]
    Malformed(#[from] DecodeError),
    /// Bytes came that no command asked for.
    #[error("the relay daemon sent on the {} connection what nothing asked for", Name(.0))]
    Unasked(StreamKind),
    /// An index was refused, after which a relay daemon closes the connection.
    #[error("the relay daemon refused the index of a packet: {0}")]
    IndexRefused(RelayRefusal),
}

struct Name<'a>(&'a StreamKind);

impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            StreamKind::Control => "control",
            StreamKind::Data => "data",
        })
    }
}

/// Why a command has no success.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum CommandError {
    /// The relay daemon refused.
    #[error(transparent)]
    Refused(#[from] RelayRefusal),
    /// The connection died before the reply came: see [`fault`](crate::RelayConnection::fault).
    #[error("the connection to the relay daemon is gone")]
    Gone,
    /// It was not sent: too much waits already.
    #[error("too many commands wait for the relay daemon")]
    Full,
}

/// Why a command was not queued.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum QueueError {
    /// So much waits already that the command has to be queued later.
    #[error("too many commands wait for the relay daemon")]
    Full,
    /// The connection is dead: see [`fault`](crate::RelayConnection::fault).
    #[error("the connection to the relay daemon is gone")]
    Gone,
    /// The relay daemon's version does not have the command, and there is no doing without.
    #[error("relay daemons of version 2.{minor} cannot do that, which came with 2.{since_minor}")]
    Unsupported {
        /// Version of the connection.
        minor: u32,
        /// Version with the command.
        since_minor: u32,
    },
    /// The name or path of a stream is longer than the protocol has room for.
    #[error("the name or path of a stream has {len} bytes of at most {limit}")]
    TooLong {
        /// Its length.
        len: usize,
        /// The limit.
        limit: usize,
    },
}

/// Why a packet was not taken.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum OfferError {
    /// The connection is dead: see [`fault`](crate::RelayConnection::fault).
    #[error("the connection to the relay daemon is gone")]
    Gone,
    /// The packet's memory could not be read. Nothing of it was sent, or zeros follow what was.
    #[error("the memory of a packet cannot be read")]
    Unreadable,
    /// The packet is larger than a header can say.
    #[error("a packet of {0} bytes is too large for a relay daemon")]
    TooLarge(usize),
}
