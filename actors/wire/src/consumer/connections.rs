//! More connections to the command socket, and packets in samples: extensions of the protocol between our own halves,
//! which neither says to the stock one. See `docs/protocols/consumer-connections.md`.

use super::ConsumerError;

/// The environment variable by which a session daemon offers that it can make use of them.
pub const CONNECTIONS_OFFER: &str = "LTTNGD_CONSUMER_CONNECTIONS";

/// The status that answers INIT, in place of 0, when the consumer daemon takes them.
pub const TAKES_CONNECTIONS: ConsumerError = ConsumerError(0x4c54_4401);

/// The environment variable by which a session daemon asks for packets in the samples of the monitor pipe.
pub const PACKETS_OFFER: &str = "LTTNGD_CONSUMER_PACKETS";

/// The status that answers SET_CHANNEL_MONITOR_PIPE, in place of 0, when the samples have them.
pub const TELLS_PACKETS: ConsumerError = ConsumerError(0x4c54_4402);
