//! The actor of one tracing session.
//!
//! It owns the session's channels, event rules and contexts, its output and trace chunk, and its
//! buffer sets. It is asked by the registry (which found it by name); it asks applications, logging
//! agents, buffer sets, what the kernel records for it and consumer daemons, and connects relay daemons; it shows in [`SessionListings`] how it looks, and what it records and loses
//! ([`SessionFigures`]).
//!
//! ```text
//!              Start               Stop              Destroy
//!   Created ----------> Active <----------> Stopped ----------> Destroyed
//!      |                   |     Start                             ^
//!      +-------------------+---------------------------------------+
//! ```
//!
//! Commands that change the session wait in its bounded queue and run one after the other in the order in
//! which they came; queries are answered meanwhile, among them what waits in the queue
//! ([`GetQueueReport`]). Applications come and go meanwhile: one that arrives while the session is active
//! is synchronised before its `main` begins.
//!
//! A session whose consumer daemon died has lost its buffers: it can be listed and destroyed, and
//! every other command that needs the consumer answers `LTTNG_ERR_NO_USTCONSUMERD`.
//!
//! A session whose actor failed, that is, a command or a handler panicked, is started again by its owner with
//! what is left ([`SessionFailed`]), to let go of it: it can be listed and destroyed, and every other command
//! answers [`FAILED`].
//!
//! Limits: [`COMMANDS_MAX`] commands wait in the queue.

mod actor;
mod admission;
mod agents;
mod apps;
mod asked;
mod changes;
mod chunk;
mod chunk_life;
mod clear;
mod complain;
mod data_pending;
mod destroy;
mod domains;
mod error;
mod failure;
mod figures;
mod gate;
mod kernel;
mod leftover;
mod listings;
mod losses;
mod message;
mod network;
mod order;
mod output;
mod peers;
mod regenerate;
mod relayd;
mod reply;
mod request;
mod rotate;
mod rotation_pace;
mod rule_share;
mod rules;
mod save;
mod schedule;
mod shm;
mod snapshot;
mod start_stop;
mod state;
mod streams;
mod synchronise;
#[cfg(test)]
mod tests;
mod trackers;
mod unfinished;
mod viewers;

pub use actor::{COMMANDS_MAX, Session};
pub use admission::{Asked, Needs};
pub use error::FAILED;
pub use failure::{Remains, SessionFailed};
pub use figures::{ChannelLosses, Fate, KnownLosses, Outline, SessionFigures, UnderWay};
pub use listings::{FoundSession, SessionListings, ShownSession};
pub use lttngd_buffers::BUFFER_BYTES;
pub use lttngd_consumer::SampledChannel;
pub use lttngd_wire::client::{RotationSchedule, RotationSchedules};
pub use message::{
    AddContext, AddSnapshotOutput, AddTrackerValue, Clear, CommandQueue, ConsumerLost, Consumers,
    DataPending, DeleteSnapshotOutput, DescribeSession, Destroy, DestroyAtEnd, Destroyed,
    DisableChannel, DisableEvent, EnableChannel, EnableEvent, GetInclusionSet, GetQueueReport,
    GetRotationInfo, GetTrackingPolicy, KeptSession, ListChannels, ListDomains, ListEvents,
    ListRotationSchedules, ListSnapshotOutputs, Observation, PrepareDomain, RecordSnapshot,
    RegenerateMetadata, RegenerateStatedump, RemoveTrackerValue, Rotate, RotationInfo,
    RotationState, RunningCommand, Save, SessionChanged, SessionConfig, SessionDescription,
    SessionEvent, SessionObserved, SetConsumerUri, SetRotationSchedule, SetShmPath,
    SetTrackingPolicy, SnapshotOutput, SnapshotPlace, Start, Stop, TraceArchive, WatchUse,
};
pub use network::NetworkOutput;
pub use output::Output;
pub use request::{InSession, SessionRequest};
pub use streams::{ListStreams, StreamMemory, StreamSet, StreamsOwner};
