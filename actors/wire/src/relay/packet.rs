//! What goes before each packet on the data connection.

use lttngd_model::RelayStreamHandle;

use super::number;
use crate::{DecodeError, Reader, Writer};

/// Size in bytes of a [`DataHeader`].
pub const DATA_HEADER_LEN: usize = 32;

/// The header of a packet on the data connection (`struct lttcomm_relayd_data_hdr`). Nothing answers
/// it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct DataHeader {
    /// The stream.
    pub handle: RelayStreamHandle,
    /// Counts the packets of the stream on this connection, from 0.
    pub net_seq_num: u64,
    /// Count of bytes that follow.
    pub content_len: u32,
    /// Zero bytes that the relay daemon appends.
    pub padding_len: u32,
}

impl DataHeader {
    /// The bytes.
    #[must_use]
    pub fn encode(self) -> [u8; DATA_HEADER_LEN] {
        let mut writer = Writer::with_capacity(DATA_HEADER_LEN);
        // The circuit is not used.
        number::put_u64(&mut writer, 0);
        number::put_u64(&mut writer, self.handle.0);
        number::put_u64(&mut writer, self.net_seq_num);
        number::put_u32(&mut writer, self.content_len);
        number::put_u32(&mut writer, self.padding_len);
        let mut bytes = [0; DATA_HEADER_LEN];
        bytes.copy_from_slice(&writer.into_bytes());
        bytes
    }

    /// Reads the bytes.
    ///
    /// # Errors
    /// Wrong size.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        number::u64(&mut reader, "circuit_id")?;
        let header = Self {
            handle: RelayStreamHandle(number::u64(&mut reader, "stream_id")?),
            net_seq_num: number::u64(&mut reader, "net_seq_num")?,
            content_len: number::u32(&mut reader, "data_size")?,
            padding_len: number::u32(&mut reader, "padding_size")?,
        };
        reader.finish("data header")?;
        Ok(header)
    }
}
