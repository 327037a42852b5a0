//! Connections to relay daemons (`lttng-relayd`), as far as a session daemon has them: it connects,
//! agrees on a version, announces the session, and hands both sockets to a consumer daemon.
//!
//! [`Relayds`] owns what is counted for all of them: network sequence indexes, and the session ids that
//! relay daemons are expected to give. It opens connections: each is a [`RelayConnection`], an actor that
//! whoever wanted it asks to [`Connect`] and to [`GiveUp`]. Both are asked by sessions; they ask consumer
//! daemons, and tell the session when an actor of a connection failed.
//!
//! ```text
//!             control: connect    VERSION, GET_CONFIGURATION     data: connect,
//!                                 (from 2.12), CREATE_SESSION    ADD_RELAYD_SOCKET
//!   Connecting -----------> Negotiating -----------> Announced -----------> HandedOver
//!     ^  ^                     | another id than expected |  for the next      |
//!     |  +---------------------+                          |  consumer daemon   |
//!     +---------------------------------------------------+                    |
//!   any of them -- failed, GiveUp --> GivenUp -- DESTROY_RELAYD --> Closed <---+
//!                                                     the consumer daemons lost it
//! ```
//!
//! While a connection is made its mailbox goes on: it is given up at once, whatever a relay daemon makes
//! it wait for. A relay daemon that gave the session another id than was announced is connected anew, see
//! `session_id`.
//!
//! One that did not answer in time is set aside: whoever wants it gets an error at once, until something comes by
//! the connection on which it owes an answer, or that ends.
//!
//! Limits: each step takes at most [`DEFAULT_DEADLINE`], or what is configured, all that make one consumer daemon's
//! connections twice that; [`WAITING_MAX`] commands wait for one connection.

mod connection;
mod error;
mod handshake;
mod host;
mod ledger;
mod message;
mod progress;
mod receivers;
mod relayds;
mod session_id;
mod silent;
#[cfg(test)]
mod tests;
mod waits;

pub use connection::{RelayConnection, WAITING_MAX};
pub use error::{ConnectError, RelaydError};
pub use handshake::{DEFAULT_DEADLINE, RelaydConfig, RelaydTarget};
pub use host::{Names, look_up};
pub use lttngd_wire::relay::Version;
pub use message::{
    Announcement, Connect, ConnectionFailed, ConnectionLost, GiveUp, HandedOver, Held, LookUp,
    Open, Opened, RelayReport, ReportRelays, Stands,
};
pub use relayds::Relayds;
