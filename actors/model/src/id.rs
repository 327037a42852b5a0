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
    /// A tracing session. Counted from 0 in a daemon's life and never reused.
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
