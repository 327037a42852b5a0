//! Relay daemons: their connections, what waits for their replies, and the streams that go there.
//!
//! [`Relays`] is told what to send and what came; what is to be done then to streams, snapshots and
//! metadata, of which it knows nothing, it gives as [`Effect`]s.
//!
//! ```text
//!   orders, packets, text ---> Relays ---> commands, packets ---> sockets
//!                                |  ^
//!                     effects <--+  +--- outcomes <-------------- sockets
//! ```

mod additions;
mod answers;
mod chunks;
mod connections;
mod effect;
mod packets;
mod parking;
mod pending;
mod recorded_text;
mod state;
mod streams;
#[cfg(test)]
mod tests;
mod text;
mod unwritten;

pub(super) use self::{
    additions::{AfterAddition, StreamName},
    connections::Relays,
    effect::{Effect, LostRelay},
    pending::OpenStreams,
    recorded_text::RecordedText,
    streams::NewRemoteStream,
};
