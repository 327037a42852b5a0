//! The actor of one consumer daemon (`lttng-consumerd`).
//!
//! It owns the child process and its sockets, of which each has an actor of its own in this room:
//! *command* (strictly one request in flight; our own consumer daemon takes a connection for each session
//! besides), *error* (the child's last words), *metadata* (on which the child asks) and the *monitor* pipe.
//! It is asked by sessions and buffer sets; it asks nobody. Upwards it tells [`ConsumerExited`], to the owner
//! of a channel [`ChannelSampled`], and to that of a metadata channel [`MetadataRequested`] and
//! [`MetadataAccepted`].
//!
//! ```text
//!                                                    exit, error code,
//!        EnsureRunning             handshake done     broken socket, Stop
//!   Idle -------------> Starting -----------------> Running ------------> Ending
//!    ^                     |                                                |
//!    +---------------------+------------------------------------------------+
//!      exec or handshake failed                      the process is gone
//! ```
//!
//! A consumer that dies is reported once; the next [`EnsureRunning`] starts another. Requests that
//! were under way answer [`ConsumerError::Lost`].
//!
//! The mailbox of a command socket's actor is the order of its exchanges; it stands still while one is
//! under way. This actor only passes requests on to it, and never waits for it: whether a session has ended
//! meanwhile, and who is told what of a channel, the sockets' actors ask here. So an end does not wait for an
//! exchange either: the connection's descriptor, which is here, is shut down. A socket whose actor fails is one that is
//! broken.
//!
//! Who asks waits until the socket has answered nothing for the deadline of the configuration; then it is set
//! aside, and with a process that does not run all of its sockets: nobody waits for it before it answers.
//!
//! Limits: [`REQUESTS_MAX`] requests wait for the command sockets, a handshake takes at most
//! [`HANDSHAKE_DEADLINE`].

mod actor;
mod channels;
mod command;
mod ended;
mod error;
mod error_socket;
mod exchange;
mod hearing;
mod life;
mod link;
mod message;
mod metadata;
mod process;
mod reader;
mod remains;
mod reports;
mod requests;
mod samples;
mod sockets;
mod state_report;
#[cfg(test)]
mod tests;
mod told;

pub use actor::{Consumer, HANDSHAKE_DEADLINE, REQUESTS_MAX};
pub use error::ConsumerError;
pub use lttngd_wire::consumer::{AddChannel, CloseCommand, TraceChunkPresence};
pub use message::{
    AddKernelChannel, AddKernelStreams, AddRelayd, ChannelObject, ChannelSampled, ChunkPlace,
    ClearChannel, ClearQuiescentChannel, CloseMetadata, CloseTraceChunk, ConsumerExited,
    CreateChannel, CreateMetadata, CreateTraceChunk, DataPending, DestroyChannel, DestroyRelayd,
    DiscardedEvents, EndSampling, EndSession, EnsureRunning, FlushChannel, KernelChannelTaken,
    KernelStream, LostPackets, MetadataAccepted, MetadataRequested, MetadataSource, MetadataText,
    OpenChannelPackets, PushMetadata, RecordChannel, RotateChannel, Running, SampledChannel, Stop,
    StreamObject, TraceChunkExists,
};
pub use process::ConsumerConfig;
pub use remains::Remains;
pub use state_report::{ConsumerPhase, ConsumerReport, ReportConsumer, SocketReport};
