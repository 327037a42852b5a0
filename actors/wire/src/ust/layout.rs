//! Members out of encoded messages by their offsets, for tests of layouts.
#![allow(clippy::unwrap_used)]

/// A number of the machine's byte order.
pub(crate) fn u32_at(bytes: &[u8], offset: usize) -> u32 {
    u32::from_ne_bytes(bytes[offset..offset + 4].try_into().unwrap())
}

/// A number of the machine's byte order.
pub(crate) fn u64_at(bytes: &[u8], offset: usize) -> u64 {
    u64::from_ne_bytes(bytes[offset..offset + 8].try_into().unwrap())
}

/// NUL-terminated text.
pub(crate) fn text_at(bytes: &[u8], offset: usize) -> &str {
    let text = bytes[offset..].split(|byte| *byte == 0).next().unwrap();
    str::from_utf8(text).unwrap()
}
