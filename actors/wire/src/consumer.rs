//! The protocol between the session daemon and a consumer daemon
//! (`src/common/sessiond-comm/sessiond-comm.h` of lttng-tools 2.13).
//!
//! Every command is one [`Message`] of [`MESSAGE_LEN`] bytes; most are answered by a status
//! ([`check_status`]), some by a structure of their own. Descriptors travel apart from messages: one
//! zero byte with the descriptors beside it, sent after a status of 0 and answered by another one.

mod channel;
mod chunk;
mod connections;
mod message;
mod metadata_request;
mod monitor;
mod objects;
mod packed;
mod relayd;
mod snapshot;
mod status;
#[cfg(test)]
mod tests;

pub use channel::{AddChannel, AskChannel, ChannelClass};
pub use chunk::{ChunkReplyHead, CloseCommand, TraceChunkPresence};
pub use connections::{CONNECTIONS_OFFER, PACKETS_OFFER, TAKES_CONNECTIONS, TELLS_PACKETS};
pub use message::{MESSAGE_LEN, Message};
pub use metadata_request::{METADATA_REQUEST_LEN, MetadataRequest};
pub use monitor::{LONG_MONITOR_SAMPLE_LEN, MONITOR_SAMPLE_LEN, MonitorSample};
pub use objects::{
    CHANNEL_HEAD_LEN, CHANNEL_IMAGE_MAX_LEN, CHANNEL_WAKEUP_FDS, ChannelHead, END_OF_STREAMS,
    STREAM_COUNT_MAX, STREAM_FDS, STREAM_HEAD_LEN, STREAM_SIZE_LEN, StreamHead,
};
pub use relayd::AddRelaydSocket;
pub use snapshot::SnapshotChannel;
pub use status::{
    CHANNEL_STATUS_LEN, COUNTER_LEN, ChannelStatus, ConsumerError, ReplyError, STATUS_LEN,
    check_status, decode_counter, decode_data_pending, decode_status, encode_counter,
    encode_status,
};
