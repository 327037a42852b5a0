//! The consumer's requests on its metadata socket.

use lttngd_model::{ChannelKey, SessionId};

use crate::{DecodeError, Reader, Writer};

/// Size in bytes of a [`MetadataRequest`].
pub const METADATA_REQUEST_LEN: usize = 32;

/// Asks for the metadata of a buffer set (`struct lttcomm_metadata_request_msg`). The answer is a
/// PUSH_METADATA message of the same key, its length 0 when there is nothing to push.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct MetadataRequest {
    /// The tracing session.
    pub session_id: SessionId,
    /// The id that names a per-PID buffer set.
    pub session_id_per_pid: u64,
    /// Word size of the applications, 32 or 64.
    pub bits_per_long: u32,
    /// User id of the applications.
    pub uid: u32,
    /// The metadata channel.
    pub key: ChannelKey,
}

impl MetadataRequest {
    /// Reads a request.
    ///
    /// # Errors
    /// Wrong size.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let request = Self {
            session_id: SessionId(reader.u64("session_id")?),
            session_id_per_pid: reader.u64("session_id_per_pid")?,
            bits_per_long: reader.u32("bits_per_long")?,
            uid: reader.u32("uid")?,
            key: ChannelKey(reader.u64("key")?),
        };
        reader.finish("metadata request")?;
        Ok(request)
    }

    /// The request's bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::with_capacity(METADATA_REQUEST_LEN);
        writer.u64(self.session_id.0).u64(self.session_id_per_pid);
        writer.u32(self.bits_per_long).u32(self.uid).u64(self.key.0);
        writer.into_bytes()
    }
}
