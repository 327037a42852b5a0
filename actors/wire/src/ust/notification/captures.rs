//! Captured values are MessagePack that the daemon passes on as it is. Whoever reads it in the end takes an
//! array of as many values as the condition has captures, and only what LTTng writes; the rest of MessagePack
//! is unknown to it.

use crate::DecodeError;

/// How deep arrays may stand in each other: what is captured is an array of a value, or of values of one.
const DEPTH_MAX: usize = 8;
/// Kinds of entries of an enumeration's value: its type, value and labels.
const ENUMERATION_ENTRIES_MAX: u32 = 3;

/// Whether these are the values of `count` captures: one array of them, each of which is nothing, an
/// integer, a floating point number, a text, an array of such, or an enumeration's value, and nothing behind
/// it. No bytes at all are those of no captures.
///
/// # Errors
/// What is wrong first.
pub fn check_captures(bytes: &[u8], count: usize) -> Result<(), DecodeError> {
    let mut values = Values { rest: bytes };
    if count > 0 {
        match values.value()? {
            Value::Array(len) if usize::try_from(len) == Ok(count) => values.array(len, 1)?,
            Value::Array(len) => {
                return Err(DecodeError::BadValue { what: "count of captures", value: len.into() });
            }
            other => return Err(other.wrong("captures")),
        }
    }
    match values.rest.len() {
        0 => Ok(()),
        left => Err(DecodeError::Trailing { what: "captures", left }),
    }
}

/// A value, or the beginning of one that has others in it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Value<'a> {
    Nil,
    Integer,
    Float,
    Text(&'a [u8]),
    Array(u32),
    Map(u32),
}

impl Value<'_> {
    fn wrong(self, what: &'static str) -> DecodeError {
        let value = match self {
            Self::Nil => 0,
            Self::Integer => 1,
            Self::Float => 2,
            Self::Text(_) => 3,
            Self::Array(_) => 4,
            Self::Map(_) => 5,
        };
        DecodeError::BadValue { what, value }
    }
}

struct Values<'a> {
    rest: &'a [u8],
}

impl<'a> Values<'a> {
    fn take(&mut self, len: usize) -> Result<&'a [u8], DecodeError> {
        let (taken, rest) = self.rest.split_at_checked(len).ok_or(DecodeError::Truncated {
            what: "captured value",
            needed: len,
            left: self.rest.len(),
        })?;
        self.rest = rest;
        Ok(taken)
    }

    /// A number of `len` bytes, the most significant first.
    fn number(&mut self, len: usize) -> Result<u32, DecodeError> {
        Ok(self.take(len)?.iter().fold(0, |number, byte| number << 8 | u32::from(*byte)))
    }

    fn text(&mut self, len: u32) -> Result<Value<'a>, DecodeError> {
        self.take(usize::try_from(len).unwrap_or(usize::MAX)).map(Value::Text)
    }

    fn skip(&mut self, len: usize, value: Value<'a>) -> Result<Value<'a>, DecodeError> {
        self.take(len)?;
        Ok(value)
    }

    fn value(&mut self) -> Result<Value<'a>, DecodeError> {
        let first = self.take(1)?[0];
        match first {
            0x00..=0x7f | 0xe0..=0xff => Ok(Value::Integer),
            0x80..=0x8f => Ok(Value::Map((first & 0x0f).into())),
            0x90..=0x9f => Ok(Value::Array((first & 0x0f).into())),
            0xa0..=0xbf => self.text((first & 0x1f).into()),
            0xc0 => Ok(Value::Nil),
            0xca => self.skip(4, Value::Float),
            0xcb => self.skip(8, Value::Float),
            0xcc | 0xd0 => self.skip(1, Value::Integer),
            0xcd | 0xd1 => self.skip(2, Value::Integer),
            0xce | 0xd2 => self.skip(4, Value::Integer),
            0xcf | 0xd3 => self.skip(8, Value::Integer),
            0xd9..=0xdb => {
                let len = self.number(1 << (first - 0xd9))?;
                self.text(len)
            }
            0xdc | 0xdd => self.number(if first == 0xdc { 2 } else { 4 }).map(Value::Array),
            0xde | 0xdf => self.number(if first == 0xde { 2 } else { 4 }).map(Value::Map),
            0xc1..=0xc9 | 0xd4..=0xd8 => {
                Err(DecodeError::BadValue { what: "kind of captured value", value: first.into() })
            }
        }
    }

    /// Goes through `len` values, which stand so deep in arrays.
    fn array(&mut self, len: u32, depth: usize) -> Result<(), DecodeError> {
        if depth > DEPTH_MAX {
            return Err(DecodeError::TooLarge {
                what: "depth of captured arrays",
                value: depth as u64,
                limit: DEPTH_MAX as u64,
            });
        }
        // However many are announced, each has a byte at least.
        for _ in 0..len {
            match self.value()? {
                Value::Array(len) => self.array(len, depth + 1)?,
                Value::Map(len) => self.enumeration(len)?,
                Value::Nil | Value::Integer | Value::Float | Value::Text(_) => {}
            }
        }
        Ok(())
    }

    /// Goes through the entries of a map, which is an enumeration's value.
    fn enumeration(&mut self, len: u32) -> Result<(), DecodeError> {
        let (mut has_type, mut has_value) = (false, false);
        for _ in 0..len.min(ENUMERATION_ENTRIES_MAX + 1) {
            let key = self.value()?;
            match (key, self.value()?) {
                (Value::Text(b"type"), Value::Text(b"enum")) => has_type = true,
                (Value::Text(b"value"), Value::Integer) => has_value = true,
                (Value::Text(b"labels"), Value::Array(count)) => {
                    for _ in 0..count {
                        match self.value()? {
                            Value::Text(_) => {}
                            other => return Err(other.wrong("label of a captured value")),
                        }
                    }
                }
                (_, other) => return Err(other.wrong("entry of a captured value")),
            }
        }
        if !has_type || !has_value || len > ENUMERATION_ENTRIES_MAX {
            let what = "entries of a captured value";
            return Err(DecodeError::BadValue { what, value: len.into() });
        }
        Ok(())
    }
}
