//! What can be wrong with a peer's bytes.

use thiserror::Error;

/// Why bytes could not be decoded. The text names the member, so that a log line is enough to find
/// the peer's fault.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum DecodeError {
    /// The bytes end before the member does.
    #[error("{what}: {needed} bytes are needed and {left} are left")]
    Truncated {
        /// The member.
        what: &'static str,
        /// Its size in bytes.
        needed: usize,
        /// What was left.
        left: usize,
    },
    /// A length or count is over its limit.
    #[error("{what}: {value} is over the limit of {limit}")]
    TooLarge {
        /// The member.
        what: &'static str,
        /// What the peer sent.
        value: u64,
        /// The limit.
        limit: u64,
    },
    /// A value has no meaning in the protocol.
    #[error("{what}: {value} has no meaning")]
    BadValue {
        /// The member.
        what: &'static str,
        /// What the peer sent.
        value: i64,
    },
    /// Text without its NUL, with one inside, or that is not UTF-8.
    #[error("{what}: not a NUL-terminated UTF-8 string of the announced length")]
    BadString {
        /// The member.
        what: &'static str,
    },
    /// Bytes follow the end.
    #[error("{what}: {left} bytes follow its end")]
    Trailing {
        /// The message.
        what: &'static str,
        /// Count of bytes.
        left: usize,
    },
}
