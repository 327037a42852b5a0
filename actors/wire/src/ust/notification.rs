//! What applications write into the pipe of their event notifiers: for each event a head of
//! [`head_len`] bytes (`struct lttng_ust_abi_event_notifier_notification`) and what was captured
//! of it, in one piece of at most [`NOTIFICATION_MAX_LEN`] bytes.

mod captures;
#[cfg(test)]
mod tests;

use lttngd_model::TracerToken;

pub use captures::check_captures;

use crate::{DecodeError, Reader, Writer, ust::Abi};

/// Size in bytes of a notification without captures, in an ABI.
#[must_use]
pub fn head_len(abi: Abi) -> usize {
    if abi == Abi::V11 { 32 } else { 42 }
}

/// Size in bytes of the largest notification: what a pipe takes in one piece (`PIPE_BUF`).
pub const NOTIFICATION_MAX_LEN: usize = 4096;
/// Bytes of a head that have a meaning.
const HEAD_USED_LEN: usize = size_of::<u64>() + size_of::<u16>();

/// An event that matched the rule of a notifier.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct EventNotification<'a> {
    /// The notifier's.
    pub token: TracerToken,
    /// What was captured, as MessagePack; nothing for a notifier without captures.
    pub captures: &'a [u8],
}

impl<'a> EventNotification<'a> {
    /// Reads a notification of an ABI off the front of what came through a pipe: it and what is behind it, `None` when
    /// it has not come whole.
    ///
    /// # Errors
    /// [`DecodeError::TooLarge`] for captures with which it would be larger than any. What is behind it is
    /// then of no meaning.
    pub fn split_off(bytes: &'a [u8], abi: Abi) -> Result<Option<(Self, &'a [u8])>, DecodeError> {
        let Some((head, behind)) = bytes.split_at_checked(head_len(abi)) else {
            return Ok(None);
        };
        let mut head = Reader::new(head);
        let token = TracerToken(head.u64("token")?);
        let len = head.u16("capture_buf_size")?;
        let limit = NOTIFICATION_MAX_LEN - head_len(abi);
        if usize::from(len) > limit {
            let what = "capture_buf_size";
            return Err(DecodeError::TooLarge { what, value: len.into(), limit: limit as u64 });
        }
        let whole = behind.split_at_checked(len.into());
        Ok(whole.map(|(captures, behind)| (Self { token, captures }, behind)))
    }

    /// The notification's bytes in an ABI. Captures that are longer than their length can say are cut.
    #[must_use]
    pub fn encode(&self, abi: Abi) -> Vec<u8> {
        let len = u16::try_from(self.captures.len()).unwrap_or(u16::MAX);
        let mut writer = Writer::with_capacity(head_len(abi) + self.captures.len());
        writer.u64(self.token.0).u16(len).zeros(head_len(abi) - HEAD_USED_LEN);
        writer.bytes(&self.captures[..len.into()]);
        writer.into_bytes()
    }
}
