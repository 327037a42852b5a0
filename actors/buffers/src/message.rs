//! What a buffer set is asked.

use std::{sync::Arc, time::Duration};

use actix::{Addr, Message};
use lttngd_consumer::{ChannelObject, CloseMetadata, Consumer, ConsumerError, EndSampling};
use lttngd_metadata::{
    tsdl::{Clock, HeaderType},
    ustregistry::{Enumeration, EventRegistration, KnownIds, RegistryError},
};
use lttngd_model::{
    Bitness, BufferLayout, ChannelAttributes, ChannelKey, ChunkId, Field, NetIndex, SessionId,
};
use lttngd_runtime::ask;

use crate::{BuffersError, SetOutput};

/// A channel that the set must have.
#[derive(Clone, Debug)]
pub struct ChannelRequest {
    /// The session's number of it.
    pub index: u32,
    /// Name.
    pub name: String,
    /// Attributes, resolved.
    pub attributes: ChannelAttributes,
}

/// Makes the channels that are missing, then the metadata channel, and returns all objects.
#[derive(Debug, Message)]
#[rtype(result = "Result<Arc<BufferObjects>, BuffersError>")]
pub struct Prepare {
    /// The session's channels.
    pub channels: Vec<ChannelRequest>,
    /// Attributes of the metadata channel.
    pub metadata: ChannelAttributes,
    /// Where the consumer writes what is made now. A set may be asked for what it lacks long after it was made,
    /// and after its session went on to another chunk.
    pub output: SetOutput,
}

/// The objects of a set.
#[derive(Clone, Debug, Default)]
pub struct BufferObjects {
    /// Its data channels.
    pub channels: Vec<PreparedChannel>,
}

impl BufferObjects {
    /// The channel that the session numbers `index`.
    #[must_use]
    pub fn channel(&self, index: u32) -> Option<&PreparedChannel> {
        self.channels.iter().find(|channel| channel.index == index)
    }
}

/// A data channel of a set.
#[derive(Clone, Debug)]
pub struct PreparedChannel {
    /// The session's number of it.
    pub index: u32,
    /// Its id in the trace.
    pub id: u32,
    /// What applications get.
    pub object: Arc<ChannelObject>,
}

/// Gives an event its id, and its description to the metadata when it is new.
#[derive(Debug, Message)]
#[rtype(result = "Result<u32, RegistryError>")]
pub struct RegisterEvent {
    /// Id of the channel in the trace.
    pub channel_id: u32,
    /// The event.
    pub event: EventRegistration,
}

/// Gives an enumeration its id.
#[derive(Debug, Message)]
#[rtype(result = "Result<u64, RegistryError>")]
pub struct RegisterEnumeration {
    /// The enumeration.
    pub enumeration: Enumeration,
}

/// Tells what contexts an application records in a channel.
#[derive(Debug, Message)]
#[rtype(result = "Result<HeaderType, RegistryError>")]
pub struct RegisterChannel {
    /// Id of the channel in the trace.
    pub channel_id: u32,
    /// Context fields.
    pub context: Vec<Field>,
}

macro_rules! commands {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Message)]
        #[rtype(result = "Result<(), BuffersError>")]
        pub struct $name;
    )*};
}

commands! {
    /// Gives the consumer the text that it does not have yet.
    PushMetadata;
    /// Produces a packet in every stream and marks it quiescent; applications must not record now.
    Flush;
    /// Unmarks the streams, before applications record again.
    ClearQuiescent;
    /// Opens a packet in the streams that have none.
    OpenPackets;
    /// Moves all streams to the session's current chunk, or to none: data first, metadata last.
    Rotate;
    /// Throws away what the buffers hold; applications must not record now.
    Clear;
    /// Ends the metadata channel and lets go of all descriptors.
    Close;
}

/// Begins the metadata anew with a new measurement of the clock, and gives it to the consumer.
#[derive(Clone, Debug, Message)]
#[rtype(result = "Result<(), BuffersError>")]
pub struct RegenerateMetadata {
    /// The trace clock, measured just now.
    pub clock: Clock,
}

/// Copies what the buffers hold into the session's newest chunk, with their metadata.
#[derive(Clone, Debug, Message)]
#[rtype(result = "Result<(), BuffersError>")]
pub struct Record {
    /// The chunk.
    pub chunk: ChunkId,
    /// Most packets of one stream, the newest ones; 0 for all.
    pub packets_per_stream: u64,
    /// The relay daemon that writes them, `None` for this machine.
    pub relayd: Option<NetIndex>,
    /// What goes before the set's directory: relay daemons that know no chunks take whole paths.
    pub prefix: String,
}

/// How large a data channel is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ChannelSize {
    /// Size of a sub-buffer in bytes.
    pub subbuf_size_bytes: u64,
    /// Count of sub-buffers of a stream.
    pub num_subbuf: u64,
    /// Count of streams.
    pub streams: u64,
}

/// Asks how large each data channel is.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "Result<Vec<ChannelSize>, BuffersError>")]
pub struct Sizes;

/// What a channel lost.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ChannelCounters {
    /// The session's number of the channel.
    pub index: u32,
    /// Events dropped (discard mode).
    pub discarded_events: u64,
    /// Packets overwritten (overwrite mode).
    pub lost_packets: u64,
}

/// Asks what each channel lost so far.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "Result<Vec<ChannelCounters>, BuffersError>")]
pub struct Counters;

/// The one application of the set is gone: flush, push, count, close.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "Result<Vec<ChannelCounters>, BuffersError>")]
pub struct Finish;

/// Whose buffers these are, within a session.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum SetKey {
    /// Of all applications of a user, word size and layout.
    Uid {
        /// The user.
        uid: u32,
        /// The word size.
        bitness: Bitness,
        /// How they lay out their buffers.
        layout: BufferLayout,
    },
    /// Of one application, by the daemon's number of it: process ids come again.
    App(u64),
}

impl SetKey {
    /// Whether these are buffers of the same user and word size, and of another layout.
    #[must_use]
    pub fn is_beside(self, other: Self) -> bool {
        match (self, other) {
            (
                Self::Uid { uid, bitness, layout },
                Self::Uid { uid: of, bitness: bits, layout: other },
            ) => (uid, bitness) == (of, bits) && layout != other,
            _ => false,
        }
    }
}

/// Which ids the set has given, now that applications ask for the same ones. Those that come need not ask.
#[derive(Clone, Debug, Message)]
#[rtype(result = "()")]
pub struct IdsGiven {
    /// The set.
    pub set: SetKey,
    /// The ids.
    pub known: Arc<KnownIds>,
}

/// The set's actor failed. What was recorded may lack metadata, and whoever asks the set something is told
/// that it is closed. What it had at the consumer daemon is still there, to be let go of.
#[derive(Clone, Debug, Message)]
#[rtype(result = "()")]
pub struct BufferSetFailed {
    pub(crate) consumer: Addr<Consumer>,
    pub(crate) consumer_deadline: Duration,
    pub(crate) session: SessionId,
    pub(crate) metadata: Option<ChannelKey>,
    pub(crate) channels: Vec<ChannelKey>,
}

impl BufferSetFailed {
    /// Ends what the set had at the consumer daemon. Its channels end with the applications'.
    ///
    /// # Errors
    /// Those of CLOSE_METADATA.
    pub async fn let_go(self) -> Result<(), BuffersError> {
        // It fails only when the consumer's actor is gone, and what it would tell with it.
        let _ = self.consumer.send(EndSampling { keys: self.channels }).await;
        let Some(key) = self.metadata else { return Ok(()) };
        let close = CloseMetadata { session: self.session, key };
        let closed: Result<(), ConsumerError> =
            ask(&self.consumer, close, self.consumer_deadline).await?;
        Ok(closed?)
    }
}
