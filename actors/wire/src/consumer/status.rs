//! Replies to commands.

use lttngd_model::ChannelKey;
use thiserror::Error;

use crate::{DecodeError, Reader, Writer};

/// Size in bytes of a status (`struct lttcomm_consumer_status_msg`).
pub const STATUS_LEN: usize = 4;
/// Size in bytes of a [`ChannelStatus`] (`struct lttcomm_consumer_status_channel`).
pub const CHANNEL_STATUS_LEN: usize = 16;
/// Size in bytes of the reply to DISCARDED_EVENTS and LOST_PACKETS.
pub const COUNTER_LEN: usize = 8;

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $code:literal;)*) => {
        impl ConsumerError {
            $($(#[$doc])* pub const $name: Self = Self($code);)*

            /// The code's name without its prefix, `None` for a code that is none of these.
            #[must_use]
            pub fn name(self) -> Option<&'static str> {
                Some(match self {
                    $(Self::$name => stringify!($name),)*
                    _ => return None,
                })
            }
        }
    };
}

/// A status that is not 0, positive as it is on the wire (`enum lttcomm_return_code`,
/// `LTTCOMM_CONSUMERD_*`). Consumers also answer other numbers, so this is an open set.
#[derive(Clone, Copy, Debug, Eq, Error, Hash, PartialEq)]
#[error("the consumer daemon answered {code} ({name})", code = .0, name = self.name().unwrap_or("not a consumer code"))]
pub struct ConsumerError(pub i32);

codes! {
    /// On the error socket: the consumer is ready to be connected to.
    COMMAND_SOCK_READY = 100;
    /// Unused.
    SUCCESS_RECV_FD = 101;
    /// A descriptor did not arrive.
    ERROR_RECV_FD = 102;
    /// A message of the wrong size.
    ERROR_RECV_CMD = 103;
    /// `poll` failed.
    POLL_ERROR = 104;
    /// `poll` met a closed descriptor.
    POLL_NVAL = 105;
    /// `poll` met a hang-up.
    POLL_HUP = 106;
    /// The consumer exits.
    EXIT_SUCCESS = 107;
    /// The consumer exits for an error.
    EXIT_FAILURE = 108;
    /// A kernel channel or stream could not be allocated.
    OUTFD_ERROR = 109;
    /// `splice` failed.
    SPLICE_EBADF = 110;
    /// `splice` failed.
    SPLICE_EINVAL = 111;
    /// `splice` failed.
    SPLICE_ENOMEM = 112;
    /// `splice` failed.
    SPLICE_ESPIPE = 113;
    /// Out of memory.
    ENOMEM = 114;
    /// Metadata could not be stored.
    ERROR_METADATA = 115;
    /// Fatal.
    FATAL = 116;
    /// The relay daemon is not reachable or not known.
    RELAYD_FAIL = 117;
    /// The channel could not be created.
    CHANNEL_FAIL = 118;
    /// There is no such channel.
    CHAN_NOT_FOUND = 119;
    /// Given twice.
    ALREADY_SET = 120;
    /// Rotation failed.
    ROTATION_FAIL = 121;
    /// Snapshot failed.
    SNAPSHOT_FAILED = 122;
    /// The trace chunk could not be created.
    CREATE_TRACE_CHUNK_FAILED = 123;
    /// The trace chunk could not be closed.
    CLOSE_TRACE_CHUNK_FAILED = 124;
    /// A member has no meaning.
    INVALID_PARAMETERS = 125;
    /// The consumer still has the trace chunk.
    TRACE_CHUNK_EXISTS_LOCAL = 126;
    /// The relay daemon still has the trace chunk.
    TRACE_CHUNK_EXISTS_REMOTE = 127;
    /// There is no such trace chunk.
    UNKNOWN_TRACE_CHUNK = 128;
    /// The relay daemon does not allow clearing.
    RELAYD_CLEAR_DISALLOWED = 129;
    /// Anything else.
    UNKNOWN_ERROR = 130;
}

impl ConsumerError {
    /// An `LTTNG_ERR` value that some commands answer for a channel they do not know.
    pub const UST_CHAN_NOT_FOUND: Self = Self(59);
    /// An `LTTNG_ERR` value that FLUSH_CHANNEL answers.
    pub const BUFFER_FLUSH_FAILED: Self = Self(170);

    /// Whether the command's channel is not known to the consumer, in any of the answers that say so.
    #[must_use]
    pub fn is_channel_not_found(self) -> bool {
        matches!(self, Self::CHAN_NOT_FOUND | Self::UST_CHAN_NOT_FOUND | Self::CHANNEL_FAIL)
    }
}

/// Why a reply is not a success.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum ReplyError {
    /// The reply is not one: the socket has to be closed.
    #[error(transparent)]
    Malformed(#[from] DecodeError),
    /// The consumer refused; the socket stays usable.
    #[error(transparent)]
    Consumer(#[from] ConsumerError),
}

/// Reads a status as it is; 0 is success.
///
/// # Errors
/// Wrong size.
pub fn decode_status(bytes: &[u8]) -> Result<i32, DecodeError> {
    let mut reader = Reader::new(bytes);
    let status = reader.i32("consumer status")?;
    reader.finish("consumer status")?;
    Ok(status)
}

/// A status.
#[must_use]
pub fn encode_status(status: i32) -> [u8; STATUS_LEN] {
    status.to_ne_bytes()
}

/// Reads a status that must be success.
///
/// # Errors
/// [`ReplyError`].
pub fn check_status(bytes: &[u8]) -> Result<(), ReplyError> {
    Ok(check(decode_status(bytes)?)?)
}

fn check(status: i32) -> Result<(), ConsumerError> {
    match status {
        0 => Ok(()),
        code => Err(ConsumerError(code)),
    }
}

/// The reply to ASK_CHANNEL_CREATION.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ChannelStatus {
    /// 0 or a [`ConsumerError`] code.
    pub ret_code: i32,
    /// The channel that was asked for; 0 on error.
    pub key: ChannelKey,
    /// Count of its streams; 0 for metadata that is not monitored and on error.
    pub stream_count: u32,
}

impl ChannelStatus {
    /// Reads the reply.
    ///
    /// # Errors
    /// Wrong size, or more streams than [`super::STREAM_COUNT_MAX`].
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let ret_code = reader.i32("ret_code")?;
        let key = ChannelKey(reader.u64("key")?);
        let stream_count = reader.u32("stream_count")?;
        reader.finish("channel status")?;
        if stream_count > super::STREAM_COUNT_MAX {
            return Err(DecodeError::TooLarge {
                what: "stream_count",
                value: stream_count.into(),
                limit: super::STREAM_COUNT_MAX.into(),
            });
        }
        Ok(Self { ret_code, key, stream_count })
    }

    /// The reply's bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::with_capacity(CHANNEL_STATUS_LEN);
        writer.i32(self.ret_code).u64(self.key.0).u32(self.stream_count);
        writer.into_bytes()
    }

    /// The count of streams of a channel that was created.
    ///
    /// # Errors
    /// The consumer's refusal.
    pub fn check(&self) -> Result<u32, ConsumerError> {
        check(self.ret_code).map(|()| self.stream_count)
    }
}

/// Reads the reply to DATA_PENDING: whether data is pending.
///
/// # Errors
/// Wrong size, or neither 0 nor 1. LTTng's consumer has no other answer; ours answers a code for a session that
/// failed.
pub fn decode_data_pending(bytes: &[u8]) -> Result<bool, ReplyError> {
    match decode_status(bytes)? {
        0 => Ok(false),
        1 => Ok(true),
        code if ConsumerError(code).name().is_some() => Err(ConsumerError(code).into()),
        value => Err(DecodeError::BadValue { what: "data pending", value: value.into() }.into()),
    }
}

/// Reads the reply to DISCARDED_EVENTS or LOST_PACKETS: a count.
///
/// # Errors
/// Wrong size.
pub fn decode_counter(bytes: &[u8]) -> Result<u64, DecodeError> {
    let mut reader = Reader::new(bytes);
    let count = reader.u64("consumer counter")?;
    reader.finish("consumer counter")?;
    Ok(count)
}

/// The reply to DISCARDED_EVENTS or LOST_PACKETS.
#[must_use]
pub fn encode_counter(count: u64) -> [u8; COUNTER_LEN] {
    count.to_ne_bytes()
}
