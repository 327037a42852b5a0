//! The actor of one buffer set: the ring buffers that the applications of one user (per-UID) or one
//! application (per-PID) share in one session, the ids of what is recorded into them, and the
//! metadata that describes it.
//!
//! It is asked by its session (make the channels, push, flush, rotate, close) and by the
//! applications that record into it (ids of events, enumerations and channels); it asks the consumer
//! daemon. It lives as long as its session wants, and its descriptors with it.
//!
//! ```text
//!   Prepare            Finish (per-PID application gone) or Close
//!   ---------> Open --------------------------------------------> Closed
//! ```
//!
//! Metadata: the text grows at each registration. It reaches the consumer when the session pushes it
//! or when the consumer asks; both send from the last offset that the consumer is known to have, so
//! that what one of them loses the other repeats, and no hole can arise.

mod actor;
mod ask;
mod counters;
mod error;
mod held;
mod memory;
mod message;
mod progress;
mod set;
mod shm;
mod state;
#[cfg(test)]
mod tests;

pub use actor::BufferSet;
pub use counters::counters_of;
pub use error::BuffersError;
pub use lttngd_consumer::{ChannelObject, StreamObject};
pub use memory::{BUFFER_BYTES, NoMemory, Shortage};
pub use message::{
    BufferObjects, BufferSetFailed, ChannelCounters, ChannelRequest, ChannelSize, Clear,
    ClearQuiescent, Close, Counters, Finish, Flush, IdsGiven, OpenPackets, Prepare,
    PreparedChannel, PushMetadata, Record, RegenerateMetadata, RegisterChannel,
    RegisterEnumeration, RegisterEvent, Rotate, SetKey, Sizes,
};
pub use set::{BufferSetConfig, ChannelKeys, SetOutput};
