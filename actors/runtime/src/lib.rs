//! The thin shell around actix that every actor crate shares: asks with deadlines, events told
//! upwards, turns for commands that must not overlap, Unix sockets that carry descriptors, and
//! directories made with their owner's rights.
//!
//! It knows nothing of LTTng. The facts about actix that the project rests on are tests of this
//! crate, so that an upgrade that changes one is seen.

mod ask;
mod backoff;
mod outlet;
mod owner;
mod peer;
mod turns;

#[cfg(test)]
mod tests;

pub use ask::{AskError, ask};
pub use backoff::Backoff;
pub use outlet::Outlet;
pub use owner::{as_owner, make_directory_below, make_root_directory};
pub use peer::{DESCRIPTORS_MAX, Peer, PeerCredentials, PeerError, peer_credentials};
pub use turns::{Turn, Turns, TurnsFull};
