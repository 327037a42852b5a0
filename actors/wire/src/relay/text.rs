//! Texts and flags of commands.

use super::number;
use crate::{DecodeError, Reader, Writer};

/// As much of a text as a member of `size` bytes takes, its NUL included.
pub(super) fn cut(text: &str, size: usize) -> &str {
    let mut end = text.len().min(size - 1);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// The length of a text that follows, its NUL included.
pub(super) fn put_len(writer: &mut Writer, text: &str) {
    number::put_u32(writer, u32::try_from(text.len() + 1).unwrap_or(u32::MAX));
}

pub(super) fn read_len(
    reader: &mut Reader<'_>,
    what: &'static str,
    limit: usize,
) -> Result<usize, DecodeError> {
    let len = number::u32(reader, what)?;
    if len as usize > limit {
        return Err(DecodeError::TooLarge { what, value: len.into(), limit: limit as u64 });
    }
    Ok(len as usize)
}

/// Whether a member is set.
pub(super) fn flag(reader: &mut Reader<'_>, what: &'static str) -> Result<bool, DecodeError> {
    match reader.u8(what)? {
        0 => Ok(false),
        1 => Ok(true),
        value => Err(DecodeError::BadValue { what, value: value.into() }),
    }
}
