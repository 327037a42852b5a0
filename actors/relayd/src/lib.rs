//! Connections to relay daemons (`lttng-relayd`), as far as a session daemon has them: it connects,
//! agrees on a version, announces the session, and hands both sockets to a consumer daemon.
//!
//! There is no actor here: a connection lives for one exchange in the task of the session that wants
//! it, and nobody else waits for it. What is owned for longer is the count of connections
//! ([`NetIndexes`]) and what is known of relay daemons' numbers ([`ExpectedSessionIds`]).
//!
//! ```text
//!   control: connect -> VERSION -> GET_CONFIGURATION (from 2.12) -> CREATE_SESSION
//!   data:    connect
//! ```
//!
//! A relay daemon that gave the session another id than was announced is connected anew, see
//! [`ExpectedSessionIds`].
//!
//! Limits: each step takes at most [`DEFAULT_DEADLINE`], or what is configured.

mod connection;
mod error;
mod host;
mod index;
mod session_id;
#[cfg(test)]
mod tests;

pub use connection::{DEFAULT_DEADLINE, Relayd, RelaydConfig, RelaydTarget};
pub use error::RelaydError;
pub use host::look_up;
pub use index::NetIndexes;
pub use lttngd_wire::relay::{CreateSession, Version};
pub use session_id::ExpectedSessionIds;
