#![allow(clippy::unwrap_used)]

mod channel;
mod message;
mod reply;

use super::*;

/// A number of the machine's byte order out of a message.
fn u32_at(bytes: &[u8], offset: usize) -> u32 {
    u32::from_ne_bytes(bytes[offset..offset + 4].try_into().unwrap())
}

/// As [`u32_at`].
fn u64_at(bytes: &[u8], offset: usize) -> u64 {
    u64::from_ne_bytes(bytes[offset..offset + 8].try_into().unwrap())
}

/// NUL-terminated text out of a message.
fn text_at(bytes: &[u8], offset: usize) -> &str {
    let text = bytes[offset..].split(|byte| *byte == 0).next().unwrap();
    str::from_utf8(text).unwrap()
}
