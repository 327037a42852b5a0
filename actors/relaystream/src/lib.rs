//! Streams to a relay daemon, as a consumer daemon sends them: commands on the control socket, packets
//! on the data socket. No actor, no runtime and no clock: the caller watches the sockets, tells the
//! time, and is never made to wait.
//!
//! ```text
//!                  queue(command) -> Ticket             offer_packet(stream, packet)
//!                        |                                        |
//!               commands not sent yet                  at most one packet partly sent
//!                        |                                        |
//!   on_control_ready() --+--> control socket     on_data_ready()  +--> data socket
//!                        |
//!      commands in flight, in order of their replies
//!                        |
//!                  next_outcome() -> (Ticket, reply or why there is none)
//! ```
//!
//! * Commands are pipelined: a relay daemon does them in their order and answers in the same order.
//!   The index of a packet is queued behind the packet and nobody waits for its reply.
//! * A packet that the data socket takes in part is offered again, the same one, when the socket takes
//!   more; until then no other packet can go. If its stream has to let go of it before, [`keep_rest`]
//!   copies what is left.
//! * A packet may also be given as pages that nobody reads ([`offer_pages`]); what is left of one that
//!   its stream lets go of has to be read then.
//! * [`ready_for_packet`] says when the relay daemon is behind; a stream then keeps its packets, which
//!   its own counters of losses show.
//! * What a relay daemon of an older version does not know is left out, as the stock consumer daemon
//!   does (see [`RelayConnection::queue`]).
//! * A connection on which something is due and nothing moves for the time of [`RelayLimits`] is dead,
//!   and so is one whose peer breaks the protocol. A dead one fails every ticket; it stays dead.
//!
//! A connection should not be dropped before [`is_idle`]: closing a socket with an unread reply resets
//! it, and the relay daemon then gives its streams up where they are.
//!
//! [`keep_rest`]: RelayConnection::keep_rest
//! [`offer_pages`]: RelayConnection::offer_pages
//! [`ready_for_packet`]: RelayConnection::ready_for_packet
//! [`is_idle`]: RelayConnection::is_idle

mod connection;
mod control;
mod data;
mod error;
mod stream;
#[cfg(test)]
mod tests;
mod watchdog;

pub use connection::{Interest, RelayConnection, RelayLimits};
pub use control::{
    COMMANDS_MAX, COMMANDS_UNSENT_MAX_BYTES, CONTROL_UNSENT_MAX_BYTES, INDEXES_IN_FLIGHT_MAX,
    Outcome, Ticket,
};
pub use data::{CONTENT_VIEWS_MAX, SendError};
pub use error::{CommandError, Fault, OfferError, QueueError};
pub use stream::{Offered, RelayStream};
