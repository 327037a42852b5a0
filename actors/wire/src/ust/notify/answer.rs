//! What the daemon answers.

use super::Kind;
use crate::{DecodeError, Reader, Writer, ust::Abi};

/// The errno of a request that is refused.
pub const EINVAL: i32 = 22;
/// The errno of field records that end too early.
pub const EOVERFLOW: i32 = 75;
/// Size in bytes of every answer in ABI 11, without its number.
const FRAMED_LEN: usize = 32;

/// How events begin in a channel's packets (`enum lttng_ust_ctl_channel_header`).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u32)]
pub enum HeaderType {
    /// Not known; in refusals.
    Unknown = 0,
    /// Five bits of id, 27 of time.
    Compact = 1,
    /// 16 bits of id, 32 of time.
    Large = 2,
}

/// The answer to a request. `ret_code` is 0 or a negated errno.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Answer {
    /// To [`Kind::Event`] (`struct ustcomm_notify_event_reply`).
    Event {
        /// 0 or a negated errno; an error drops this event in this application.
        ret_code: i32,
        /// Id of the event in its channel.
        event_id: u32,
    },
    /// To [`Kind::Channel`] (`struct ustcomm_notify_channel_reply`).
    Channel {
        /// 0 or a negated errno; an error fails the session's ENABLE.
        ret_code: i32,
        /// Id of the channel, equal to the one in the channel's image.
        chan_id: u32,
        /// How its events begin.
        header_type: HeaderType,
    },
    /// To [`Kind::Enumeration`] (`struct ustcomm_notify_enum_reply`).
    Enumeration {
        /// 0 or a negated errno.
        ret_code: i32,
        /// Id of the enumeration.
        enum_id: u64,
    },
}

impl Answer {
    /// The answer that refuses a request for an errno, given positive.
    #[must_use]
    pub fn refusal(kind: Kind, errno: i32) -> Self {
        let ret_code = errno.saturating_abs().saturating_neg();
        match kind {
            Kind::Event => Self::Event { ret_code, event_id: 0 },
            Kind::Channel => {
                Self::Channel { ret_code, chan_id: 0, header_type: HeaderType::Unknown }
            }
            Kind::Enumeration => Self::Enumeration { ret_code, enum_id: 0 },
        }
    }

    /// What it answers.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::Event { .. } => Kind::Event,
            Self::Channel { .. } => Kind::Channel,
            Self::Enumeration { .. } => Kind::Enumeration,
        }
    }

    /// Size in bytes of the answer to a kind of request in an ABI, its number included.
    #[must_use]
    pub fn len(kind: Kind, abi: Abi) -> usize {
        match (kind, abi) {
            (_, Abi::V11) => super::KIND_LEN + FRAMED_LEN,
            (Kind::Event, _) => 44,
            (Kind::Channel | Kind::Enumeration, _) => 48,
        }
    }

    /// The answer's bytes in an ABI.
    #[must_use]
    pub fn encode(&self, abi: Abi) -> Vec<u8> {
        let len = Self::len(self.kind(), abi);
        let mut writer = Writer::with_capacity(len);
        writer.u32(self.kind() as u32);
        match self {
            Self::Event { ret_code, event_id } => writer.i32(*ret_code).u32(*event_id),
            Self::Channel { ret_code, chan_id, header_type } => {
                writer.i32(*ret_code).u32(*chan_id).u32(*header_type as u32)
            }
            Self::Enumeration { ret_code, enum_id } => writer.i32(*ret_code).u64(*enum_id),
        };
        writer.zeros(len - writer.len());
        writer.into_bytes()
    }

    /// Reads an answer of an ABI, its number included.
    ///
    /// # Errors
    /// Wrong size, or a member without meaning.
    pub fn decode(bytes: &[u8], abi: Abi) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let raw = reader.u32("notify_cmd")?;
        let kind = Kind::from_raw(raw)
            .ok_or(DecodeError::BadValue { what: "notify_cmd", value: raw.into() })?;
        let ret_code = reader.i32("ret_code")?;
        let answer = match kind {
            Kind::Event => Self::Event { ret_code, event_id: reader.u32("event_id")? },
            Kind::Channel => Self::Channel {
                ret_code,
                chan_id: reader.u32("chan_id")?,
                header_type: header_type(reader.u32("header_type")?)?,
            },
            Kind::Enumeration => Self::Enumeration { ret_code, enum_id: reader.u64("enum_id")? },
        };
        let used = bytes.len() - reader.left();
        reader.bytes(Self::len(kind, abi).saturating_sub(used), "answer padding")?;
        reader.finish("notify answer")?;
        Ok(answer)
    }
}

fn header_type(raw: u32) -> Result<HeaderType, DecodeError> {
    match raw {
        0 => Ok(HeaderType::Unknown),
        1 => Ok(HeaderType::Compact),
        2 => Ok(HeaderType::Large),
        raw => Err(DecodeError::BadValue { what: "header_type", value: raw.into() }),
    }
}
