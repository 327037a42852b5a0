//! Identifiers. Each is a newtype so that one kind cannot be passed for another.

use std::fmt;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
        pub struct $name(pub u64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

id!(
    /// A tracing session. Never reused in a daemon's life.
    SessionId
);
id!(
    /// A channel as a consumer daemon knows it. Unique per daemon, never 0, never reused.
    ChannelKey
);
id!(
    /// A trace chunk of a session. Counted from 0.
    ChunkId
);
id!(
    /// A connection to a relay daemon as consumer daemons know it (`net_seq_idx`). Unique per daemon,
    /// counted from 2, never reused.
    NetIndex
);
id!(
    /// A session as a relay daemon knows it, which gave it this number.
    RelaySessionId
);
id!(
    /// A stream as a relay daemon knows it, which gave it this number.
    RelayStreamHandle
);
id!(
    /// What a tracer says of an event that it notifies: which condition's rule matched. Never reused in a
    /// daemon's life.
    TracerToken
);
