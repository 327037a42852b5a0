//! The protocol between the session daemon and an application traced with LTTng-UST, ABI 8 and 9
//! (`include/lttng/ust-abi.h` and `src/common/ustcomm.h` of lttng-ust 2.13).
//!
//! An application connects twice and registers each connection ([`registration`]). On the command
//! socket the daemon asks and the application answers ([`command`]); on the notify socket the
//! application asks and the daemon answers ([`notify`]). Events that match a notifier come through a pipe of
//! their own ([`notification`]).
//!
//! Text that applications send is taken as it comes: bytes that are not UTF-8 become U+FFFD.

pub mod command;
#[cfg(test)]
pub(crate) mod layout;
pub mod notification;
pub mod notify;
pub mod registration;

use crate::{DecodeError, Reader};

/// Oldest ABI major version that is served (`LTTNG_UST_ABI_MAJOR_VERSION_OLDEST_COMPATIBLE`).
pub const ABI_MAJOR_MIN: u32 = 8;
/// Newest ABI major version that is served (`LTTNG_UST_ABI_MAJOR_VERSION`).
pub const ABI_MAJOR_MAX: u32 = 9;

/// Whether applications of this ABI major version are served.
#[must_use]
pub fn is_supported_abi(major: u32) -> bool {
    (ABI_MAJOR_MIN..=ABI_MAJOR_MAX).contains(&major)
}

/// Text of a member of `size` bytes: what stands before its first NUL; the last byte is a NUL
/// whatever the application wrote there.
fn name(reader: &mut Reader<'_>, size: usize, what: &'static str) -> Result<String, DecodeError> {
    let bytes = reader.bytes(size, what)?;
    let bytes = bytes.split_last().map_or(bytes, |(_, text)| text);
    let text = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
    Ok(String::from_utf8_lossy(text).into_owned())
}
