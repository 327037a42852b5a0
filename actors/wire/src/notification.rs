//! The protocol between a session daemon and those who subscribed to notifications of triggers, both sides of
//! it (`include/lttng/notification/channel-internal.h` of lttng-tools 2.13).
//!
//! A client connects, shakes hands and subscribes to conditions; each of these is answered by a status.
//! Notifications come at any time between, and the note that some were dropped. Each message is a [`Header`] of
//! [`HEADER_LEN`] bytes and its payload.

pub(crate) mod msgpack;
#[cfg(test)]
mod tests;

pub use msgpack::{CAPTURED_DEPTH_MAX, CapturedValue, decode_captures};

use lttngd_model::trigger::{Evaluation, Notification};

use crate::{
    DecodeError, Reader, Writer,
    client::{decode_evaluation, decode_trigger_in, encode_evaluation},
};

/// Size of what begins a message, in bytes.
pub const HEADER_LEN: usize = 9;
/// Largest payload in bytes (`DEFAULT_MAX_NOTIFICATION_CLIENT_MESSAGE_PAYLOAD_SIZE`).
pub const PAYLOAD_MAX_LEN: usize = 65536;
/// The version that is spoken.
pub const VERSION: (u8, u8) = (1, 1);

/// What a message is (`enum lttng_notification_channel_message_type`).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(i8)]
pub enum MessageKind {
    /// The version of either side.
    Handshake = 0,
    /// The client wants to be told when a condition is true.
    Subscribe = 1,
    /// It wants that no longer.
    Unsubscribe = 2,
    /// What became of what it asked.
    CommandReply = 3,
    /// A condition is true.
    Notification = 4,
    /// Notifications were dropped here.
    NotificationDropped = 5,
}

impl MessageKind {
    fn from_raw(raw: i8) -> Option<Self> {
        Some(match raw {
            0 => Self::Handshake,
            1 => Self::Subscribe,
            2 => Self::Unsubscribe,
            3 => Self::CommandReply,
            4 => Self::Notification,
            5 => Self::NotificationDropped,
            _ => return None,
        })
    }
}

/// What became of a request (`enum lttng_notification_channel_status`).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(i8)]
pub enum Status {
    /// It was done.
    Ok = 0,
    /// It could not be done.
    Error = -1,
    /// The client has this subscription.
    AlreadySubscribed = -3,
    /// The client has no such subscription.
    UnknownCondition = -4,
    /// The client speaks another version.
    UnsupportedVersion = -6,
}

impl Status {
    fn from_raw(raw: i8) -> Option<Self> {
        Some(match raw {
            0 => Self::Ok,
            -1 => Self::Error,
            -3 => Self::AlreadySubscribed,
            -4 => Self::UnknownCondition,
            -6 => Self::UnsupportedVersion,
            _ => return None,
        })
    }
}

/// What begins a message.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Header {
    /// What it is.
    pub kind: MessageKind,
    /// Size of the payload behind it in bytes.
    pub len: usize,
    /// Count of descriptors that follow the payload.
    pub fd_count: u32,
}

impl Header {
    fn decode(bytes: &[u8; HEADER_LEN]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let raw = reader.i8("message type")?;
        let kind = MessageKind::from_raw(raw)
            .ok_or(DecodeError::BadValue { what: "message type", value: raw.into() })?;
        let size = reader.u32("message size")?;
        let len = usize::try_from(size).unwrap_or(usize::MAX);
        if len > PAYLOAD_MAX_LEN {
            let (value, limit) = (size.into(), PAYLOAD_MAX_LEN as u64);
            return Err(DecodeError::TooLarge { what: "message size", value, limit });
        }
        Ok(Self { kind, len, fd_count: reader.u32("message fds")? })
    }

    /// Reads what begins a message of a client.
    ///
    /// # Errors
    /// For what no client sends: an empty payload, one beyond [`PAYLOAD_MAX_LEN`], another kind.
    pub fn of_client(bytes: &[u8; HEADER_LEN]) -> Result<Self, DecodeError> {
        use MessageKind as K;
        let header = Self::decode(bytes)?;
        let is_request = matches!(header.kind, K::Handshake | K::Subscribe | K::Unsubscribe);
        if !is_request {
            let (what, value) = ("message type of a client", header.kind as i64);
            return Err(DecodeError::BadValue { what, value });
        }
        if header.len == 0 {
            return Err(DecodeError::Truncated { what: "message", needed: 1, left: 0 });
        }
        Ok(header)
    }

    /// Reads what begins a message of a daemon.
    ///
    /// # Errors
    /// For an unknown kind, and a payload beyond [`PAYLOAD_MAX_LEN`].
    pub fn of_daemon(bytes: &[u8; HEADER_LEN]) -> Result<Self, DecodeError> {
        Self::decode(bytes)
    }
}

/// A message with its payload.
#[must_use]
pub fn encode_message(kind: MessageKind, payload: &[u8]) -> Vec<u8> {
    let mut writer = Writer::with_capacity(HEADER_LEN + payload.len());
    put_header(kind, payload.len(), 0, &mut writer);
    writer.bytes(payload);
    writer.into_bytes()
}

fn put_header(kind: MessageKind, len: usize, fd_count: u32, writer: &mut Writer) {
    let len = u32::try_from(len).unwrap_or(u32::MAX);
    writer.i8(kind as i8).u32(len).u32(fd_count);
}

/// The handshake of either side.
#[must_use]
pub fn encode_handshake() -> Vec<u8> {
    encode_message(MessageKind::Handshake, &[VERSION.0, VERSION.1])
}

/// The major version of a handshake's payload, of which nothing but that counts.
///
/// # Errors
/// When there is none.
pub fn decode_handshake(payload: &[u8]) -> Result<u8, DecodeError> {
    Reader::new(payload).u8("handshake major")
}

/// The answer to a client's request.
#[must_use]
pub fn encode_status(status: Status) -> Vec<u8> {
    encode_message(MessageKind::CommandReply, &(status as i8).to_ne_bytes())
}

/// Reads the payload of an answer.
///
/// # Errors
/// When it is no status.
pub fn decode_status(payload: &[u8]) -> Result<Status, DecodeError> {
    let mut reader = Reader::new(payload);
    let raw = reader.i8("command reply status")?;
    reader.finish("command reply")?;
    Status::from_raw(raw)
        .ok_or(DecodeError::BadValue { what: "command reply status", value: raw.into() })
}

/// The note that notifications were dropped.
#[must_use]
pub fn encode_dropped() -> Vec<u8> {
    encode_message(MessageKind::NotificationDropped, &[])
}

/// A notification: that of a trigger, whose bytes are those of
/// [`encode_trigger`](crate::client::encode_trigger). So many descriptors are to follow. `None` when it is too
/// large for a client to take.
#[must_use]
pub fn encode_notification(
    trigger: &[u8],
    evaluation: &Evaluation,
    fd_count: u32,
) -> Option<Vec<u8>> {
    let mut evaluated = Writer::default();
    encode_evaluation(evaluation, &mut evaluated);
    let len = trigger.len() + evaluated.len();
    let payload_len = size_of::<u32>() + len;
    if payload_len > PAYLOAD_MAX_LEN {
        return None;
    }
    let mut writer = Writer::with_capacity(HEADER_LEN + payload_len);
    put_header(MessageKind::Notification, payload_len, fd_count, &mut writer);
    writer
        .u32(u32::try_from(len).unwrap_or(u32::MAX))
        .bytes(trigger)
        .bytes(&evaluated.into_bytes());
    Some(writer.into_bytes())
}

/// Reads the payload of a notification.
///
/// # Errors
/// When it is none.
pub fn decode_notification(payload: &[u8]) -> Result<Notification, DecodeError> {
    let mut reader = Reader::new(payload);
    let len = reader.u32("notification length")?;
    if usize::try_from(len).ok() != Some(reader.left()) {
        return Err(DecodeError::BadValue { what: "notification length", value: len.into() });
    }
    let trigger = decode_trigger_in(&mut reader, crate::client::Dialect::V2_13)?;
    let evaluation = decode_evaluation(&mut reader)?;
    reader.finish("notification")?;
    Ok(Notification { trigger, evaluation })
}
