//! The connections of `liblttng-ctl` clients: each is read whole, with payload and descriptors,
//! before it is answered, and each in a task of its own, so that a silent client costs a descriptor
//! and nobody's time.
//!
//! A connection is one request and one reply. Its uid and gid come from the socket. Nothing is
//! decided here but the order of checks that the protocol prescribes; the work is done through a
//! [`Handle`](lttngd_handle::Handle) that acts for the client.
//!
//! Each user has a share of connections and of memory for requests (`shares.rs`), and root's clients find room
//! whatever others do.
//!
//! Clients of LTTng 2.13 to 2.16 are served, each in its own form of the protocol (`recognition.rs`).
//!
//! Who comes alone is served in the actors' thread, those who come at the same time are not (`places.rs`).
//!
//! Limits: [`CONNECTIONS_MAX`] connections, [`REQUEST_DEADLINE`] for a whole request,
//! [`REPLY_DEADLINE`] for taking the reply.

mod answering;
mod at_once;
mod attached;
mod connection;
mod dispatch;
mod heard;
mod listener;
mod listers;
mod lists;
mod overdue;
mod places;
mod recognition;
mod replies;
mod send;
mod shares;
#[cfg(test)]
mod tests;
mod turns;

pub use answering::Answering;
pub use listener::CONNECTIONS_MAX;
pub use lttngd_wire::client::Dialect;
pub use places::{Apart, Near};
pub use send::{REPLY_DEADLINE, REQUEST_DEADLINE};
