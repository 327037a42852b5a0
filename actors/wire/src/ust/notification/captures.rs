//! Captured values are MessagePack that the daemon passes on as it is. Whoever reads it in the end takes an
//! array of as many values as the condition has captures, and only what LTTng writes; the rest of MessagePack
//! is unknown to it.

use crate::{
    DecodeError,
    notification::msgpack::{Item, Unpacker},
};

/// How deep arrays may stand in each other: what is captured is an array of a value, or of values of one.
const DEPTH_MAX: usize = 8;
/// Kinds of entries of an enumeration's value: its type, value and labels.
const ENUMERATION_ENTRIES_MAX: usize = 3;

/// Whether these are the values of `count` captures: one array of them, each of which is nothing, an
/// integer, a floating point number, a text, an array of such, or an enumeration's value, and nothing behind
/// it. No bytes at all are those of no captures. Nothing is kept of them, as
/// [`decode_captures`](crate::notification::decode_captures) does.
///
/// # Errors
/// What is wrong first.
pub fn check_captures(bytes: &[u8], count: usize) -> Result<(), DecodeError> {
    let mut items = Unpacker::new(bytes);
    if count > 0 {
        match items.item()? {
            Item::Array(len) if len == count => array(&mut items, len, 1)?,
            other => return Err(other.unexpected()),
        }
    }
    items.finish()
}

/// Goes through `len` values, which stand so deep in arrays.
fn array(items: &mut Unpacker<'_>, len: usize, depth: usize) -> Result<(), DecodeError> {
    if depth > DEPTH_MAX {
        return Err(DecodeError::TooLarge {
            what: "depth of captured arrays",
            value: depth as u64,
            limit: DEPTH_MAX as u64,
        });
    }
    for _ in 0..len {
        match items.item()? {
            Item::Array(len) => array(items, len, depth + 1)?,
            Item::Map(len) => enumeration(items, len)?,
            Item::Nil | Item::Unsigned(_) | Item::Signed(_) | Item::Float(_) | Item::Text(_) => {}
        }
    }
    Ok(())
}

/// Goes through the entries of a map, which is an enumeration's value.
fn enumeration(items: &mut Unpacker<'_>, len: usize) -> Result<(), DecodeError> {
    let (mut has_type, mut has_value) = (false, false);
    for _ in 0..len.min(ENUMERATION_ENTRIES_MAX) {
        match (items.item()?, items.item()?) {
            (Item::Text(b"type"), Item::Text(b"enum")) => has_type = true,
            (Item::Text(b"value"), Item::Unsigned(_) | Item::Signed(_)) => has_value = true,
            (Item::Text(b"labels"), Item::Array(count)) => {
                for _ in 0..count {
                    match items.item()? {
                        Item::Text(_) => {}
                        other => return Err(other.unexpected()),
                    }
                }
            }
            (_, other) => return Err(other.unexpected()),
        }
    }
    if !has_type || !has_value || len > ENUMERATION_ENTRIES_MAX {
        return Err(Item::Map(len).unexpected());
    }
    Ok(())
}
