//! Reading and writing the packed C structures that the protocol sends raw.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::{DecodeError, Reader};

/// A member whose value has no meaning.
pub(super) fn bad(what: &'static str, value: impl Into<i64>) -> DecodeError {
    DecodeError::BadValue { what, value: value.into() }
}

/// Reads a packed structure.
pub(super) fn read<'a, T>(reader: &mut Reader<'a>, what: &'static str) -> Result<&'a T, DecodeError>
where
    T: FromBytes + Immutable + KnownLayout + Unaligned,
{
    let needed = size_of::<T>();
    let bytes = reader.bytes(needed, what)?;
    T::ref_from_bytes(bytes).map_err(|_| DecodeError::Truncated { what, needed, left: bytes.len() })
}

/// The bytes of `list`, one packed structure after the other.
pub(super) fn array<T, U>(list: &[T], mirror: impl Fn(&T) -> U) -> Vec<u8>
where
    U: Immutable + IntoBytes,
{
    let mut bytes = Vec::with_capacity(list.len() * size_of::<U>());
    for item in list {
        bytes.extend_from_slice(mirror(item).as_bytes());
    }
    bytes
}

/// A `char` array that holds `text` and at least one NUL; longer text is cut.
pub(super) fn chars<const N: usize>(text: &[u8]) -> [u8; N] {
    let mut array = [0; N];
    for (to, from) in array.iter_mut().take(N.saturating_sub(1)).zip(text) {
        *to = *from;
    }
    array
}

/// The bytes of a `char` array up to its NUL, which must be there.
pub(super) fn c_string<'a>(array: &'a [u8], what: &'static str) -> Result<&'a [u8], DecodeError> {
    let end = array.iter().position(|byte| *byte == 0).ok_or(DecodeError::BadString { what })?;
    array.get(..end).ok_or(DecodeError::BadString { what })
}

/// The text of a `char` array up to its NUL, which must be there.
pub(super) fn text(array: &[u8], what: &'static str) -> Result<String, DecodeError> {
    std::str::from_utf8(c_string(array, what)?)
        .map(str::to_owned)
        .map_err(|_| DecodeError::BadString { what })
}

/// Reads a string of `len` bytes, its NUL included, of which no more than `limit` are allowed.
pub(super) fn string(
    reader: &mut Reader<'_>,
    len: u32,
    limit: usize,
    what: &'static str,
) -> Result<String, DecodeError> {
    reader.string(limited(len, limit, what)?, what)
}

/// A length or count that may be no more than `limit`.
pub(super) fn limited(len: u32, limit: usize, what: &'static str) -> Result<usize, DecodeError> {
    usize::try_from(len).ok().filter(|len| *len <= limit).ok_or(DecodeError::TooLarge {
        what,
        value: len.into(),
        limit: limit as u64,
    })
}

/// A length or count as the wire has it. What this crate encodes is far from the limit; anything
/// beyond it would be refused by the receiver, because the bytes do not match.
pub(super) fn wire_len(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}

/// The length of text and its NUL as the wire has it.
pub(super) fn string_len(text: &str) -> u32 {
    wire_len(text.len().saturating_add(1))
}
