//! More connections to the command socket: an extension of the protocol between our own halves, which
//! neither says to the stock one. See `docs/protocols/consumer-connections.md`.

use super::ConsumerError;

/// The environment variable by which a session daemon offers that it can make use of them.
pub const CONNECTIONS_OFFER: &str = "LTTNGD_CONSUMER_CONNECTIONS";

/// The status that answers INIT, in place of 0, when the consumer daemon takes them.
pub const TAKES_CONNECTIONS: ConsumerError = ConsumerError(0x4c54_4401);
