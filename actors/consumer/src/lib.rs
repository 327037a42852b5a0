//! The actor of one consumer daemon (`lttng-consumerd`) of the user-space domain.
//!
//! It owns the child process and its sockets: *command* (strictly one request in flight; our own
//! consumer daemon takes a connection for each session besides), *error* (the child's last words) and
//! *metadata* (on which the child asks). It is asked by sessions and
//! buffer sets; it asks nobody. Upwards it tells [`ConsumerExited`], to the owner of a channel
//! [`ChannelSampled`], and to that of a metadata channel [`MetadataRequested`] and
//! [`MetadataAccepted`].
//!
//! ```text
//!            EnsureRunning            handshake done
//!   Idle ------------------> Starting ---------------> Running
//!    ^                          |                         |
//!    +--------------------------+-------------------------+
//!      exec or handshake failed      exit, error code, broken socket, Stop
//! ```
//!
//! A consumer that dies is reported once; the next [`EnsureRunning`] starts another. Requests that
//! were under way answer [`ConsumerError::Lost`].
//!
//! Limits: [`REQUESTS_MAX`] requests wait for the command socket, a handshake takes at most
//! [`HANDSHAKE_DEADLINE`].

mod actor;
mod channels;
mod ended;
mod error;
mod link;
mod links;
mod live;
mod message;
mod metadata;
mod process;
mod samples;
#[cfg(test)]
mod tests;

pub use actor::{Consumer, HANDSHAKE_DEADLINE, REQUESTS_MAX};
pub use error::ConsumerError;
pub use lttngd_wire::consumer::CloseCommand;
pub use message::{
    AddRelayd, ChannelObject, ChannelSampled, ChunkPlace, ClearChannel, ClearQuiescentChannel,
    CloseMetadata, CloseTraceChunk, ConsumerExited, CreateChannel, CreateMetadata,
    CreateTraceChunk, DataPending, DestroyRelayd, DiscardedEvents, EndSampling, EndSession,
    EnsureRunning, FlushChannel, LostPackets, MetadataAccepted, MetadataRequested, MetadataSource,
    MetadataText, OpenChannelPackets, PushMetadata, RecordChannel, RotateChannel, Running, Stop,
    StreamObject, TraceChunkExists,
};
pub use process::ConsumerConfig;
