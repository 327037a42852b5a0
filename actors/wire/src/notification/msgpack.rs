//! The values that were captured of an event: the part of msgpack that tracers write and `liblttng-ctl` reads.

use serde::{Deserialize, Serialize};

use crate::DecodeError;

/// How deep arrays may stand in each other.
pub const CAPTURED_DEPTH_MAX: usize = 16;

const WHAT: &str = "captured value";

/// A value that was captured of an event.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub enum CapturedValue {
    /// The event has no such field, or it could not be read.
    Unavailable,
    /// Integer without sign.
    Unsigned(u64),
    /// Integer with a sign.
    Signed(i64),
    /// Floating point number.
    Float(f64),
    /// Text; what is no UTF-8 is replaced.
    Text(String),
    /// Array or sequence.
    Array(Vec<Self>),
    /// A value of an enumeration.
    Enumeration {
        /// The number.
        value: Box<Self>,
        /// The names that it has.
        labels: Vec<String>,
    },
}

/// Reads what was captured.
///
/// # Errors
/// When the bytes are not one array of such values and nothing else.
pub fn decode_captures(captures: &[u8]) -> Result<Vec<CapturedValue>, DecodeError> {
    if captures.is_empty() {
        return Ok(Vec::new());
    }
    let mut reader = Unpacker::new(captures);
    let values = match reader.item()? {
        Item::Array(len) => reader.array(len, 0)?,
        other => return Err(other.unexpected()),
    };
    reader.finish()?;
    Ok(values)
}

/// What a first byte announces.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Item<'a> {
    Nil,
    Unsigned(u64),
    Signed(i64),
    Float(f64),
    Text(&'a [u8]),
    Array(usize),
    Map(usize),
}

impl Item<'_> {
    pub(crate) fn unexpected(self) -> DecodeError {
        let what = match self {
            Self::Nil => "captured nil",
            Self::Unsigned(_) | Self::Signed(_) => "captured integer",
            Self::Float(_) => "captured float",
            Self::Text(_) => "captured text",
            Self::Array(_) => "captured array",
            Self::Map(_) => "captured map",
        };
        DecodeError::BadValue { what, value: 0 }
    }
}

/// Reads one item after the other.
pub(crate) struct Unpacker<'a> {
    rest: &'a [u8],
}

impl<'a> Unpacker<'a> {
    /// Begins at the start of `bytes`.
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// Ends the reading.
    pub(crate) fn finish(self) -> Result<(), DecodeError> {
        match self.rest.len() {
            0 => Ok(()),
            left => Err(DecodeError::Trailing { what: WHAT, left }),
        }
    }

    fn bytes(&mut self, len: usize) -> Result<&'a [u8], DecodeError> {
        let Some((bytes, rest)) = self.rest.split_at_checked(len) else {
            let left = self.rest.len();
            return Err(DecodeError::Truncated { what: WHAT, needed: len, left });
        };
        self.rest = rest;
        Ok(bytes)
    }

    /// A number without sign of so many bytes, the most significant one first.
    fn number(&mut self, len: usize) -> Result<u64, DecodeError> {
        Ok(self.bytes(len)?.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    fn len(&mut self, len: usize) -> Result<usize, DecodeError> {
        let value = self.number(len)?;
        // Each element has a byte at least.
        usize::try_from(value).ok().filter(|len| *len <= self.rest.len()).ok_or({
            let limit = self.rest.len() as u64;
            DecodeError::TooLarge { what: WHAT, value, limit }
        })
    }

    fn text(&mut self, len: usize) -> Result<Item<'a>, DecodeError> {
        Ok(Item::Text(self.bytes(len)?))
    }

    /// The next value, or the beginning of one that has others in it.
    #[expect(clippy::cast_possible_wrap, reason = "the bits are those of a number with a sign")]
    pub(crate) fn item(&mut self) -> Result<Item<'a>, DecodeError> {
        let first = self.number(1)?;
        Ok(match first {
            0x00..=0x7f => Item::Unsigned(first),
            0x80..=0x8f => Item::Map((first & 0xf) as usize),
            0x90..=0x9f => Item::Array((first & 0xf) as usize),
            0xa0..=0xbf => self.text((first & 0x1f) as usize)?,
            0xc0 => Item::Nil,
            0xca => Item::Float(f32::from_bits(self.number(4)? as u32).into()),
            0xcb => Item::Float(f64::from_bits(self.number(8)?)),
            0xcc => Item::Unsigned(self.number(1)?),
            0xcd => Item::Unsigned(self.number(2)?),
            0xce => Item::Unsigned(self.number(4)?),
            0xcf => Item::Unsigned(self.number(8)?),
            0xd0 => Item::Signed((self.number(1)? as i8).into()),
            0xd1 => Item::Signed((self.number(2)? as i16).into()),
            0xd2 => Item::Signed((self.number(4)? as i32).into()),
            0xd3 => Item::Signed(self.number(8)? as i64),
            0xd9..=0xdb => {
                let len = self.len(1 << (first - 0xd9))?;
                self.text(len)?
            }
            0xdc | 0xdd => Item::Array(self.len(2 << (first - 0xdc))?),
            0xde | 0xdf => Item::Map(self.len(2 << (first - 0xde))?),
            0xe0..=0xff => Item::Signed((first as i8).into()),
            other => return Err(DecodeError::BadValue { what: WHAT, value: other as i64 }),
        })
    }

    fn array(&mut self, len: usize, depth: usize) -> Result<Vec<CapturedValue>, DecodeError> {
        if depth > CAPTURED_DEPTH_MAX {
            let (value, limit) = (depth as u64, CAPTURED_DEPTH_MAX as u64);
            return Err(DecodeError::TooLarge { what: "depth of captured arrays", value, limit });
        }
        (0..len).map(|_| self.value(depth)).collect()
    }

    fn value(&mut self, depth: usize) -> Result<CapturedValue, DecodeError> {
        Ok(match self.item()? {
            Item::Nil => CapturedValue::Unavailable,
            Item::Unsigned(value) => CapturedValue::Unsigned(value),
            Item::Signed(value) => CapturedValue::Signed(value),
            Item::Float(value) => CapturedValue::Float(value),
            Item::Text(text) => CapturedValue::Text(lossy(text)),
            Item::Array(len) => CapturedValue::Array(self.array(len, depth + 1)?),
            Item::Map(len) => self.enumeration(len)?,
        })
    }

    /// A map of `type`, which is `enum`, `value` and `labels`.
    fn enumeration(&mut self, len: usize) -> Result<CapturedValue, DecodeError> {
        let (mut is_enum, mut value, mut labels) = (false, None, Vec::new());
        for _ in 0..len {
            let key = match self.item()? {
                Item::Text(key) => key,
                other => return Err(other.unexpected()),
            };
            match (key, self.item()?) {
                (b"type", Item::Text(b"enum")) => is_enum = true,
                (b"value", Item::Unsigned(number)) => value = Some(CapturedValue::Unsigned(number)),
                (b"value", Item::Signed(number)) => value = Some(CapturedValue::Signed(number)),
                (b"labels", Item::Array(len)) => labels = self.labels(len)?,
                (_, other) => return Err(other.unexpected()),
            }
        }
        match value.filter(|_| is_enum) {
            Some(value) => Ok(CapturedValue::Enumeration { value: Box::new(value), labels }),
            None => Err(Item::Map(len).unexpected()),
        }
    }

    fn labels(&mut self, len: usize) -> Result<Vec<String>, DecodeError> {
        let label = |_| match self.item()? {
            Item::Text(label) => Ok(lossy(label)),
            other => Err(other.unexpected()),
        };
        (0..len).map(label).collect()
    }
}

fn lossy(text: &[u8]) -> String {
    String::from_utf8_lossy(text).into_owned()
}
