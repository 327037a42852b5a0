//! The objects that answer GET_CHANNEL after a status of 0: channel head, channel image, one
//! descriptor; for each stream its size, its number and two descriptors; [`END_OF_STREAMS`]; a last
//! status. (`lttng_ust_ctl_send_channel_to_sessiond` and `lttng_ust_ctl_send_stream_to_sessiond` of
//! liblttng-ust-ctl.)

use crate::{DecodeError, Reader, Writer};

/// Size in bytes of a [`ChannelHead`].
pub const CHANNEL_HEAD_LEN: usize = 12;
/// Largest channel image in bytes; applications take no larger one.
pub const CHANNEL_IMAGE_MAX_LEN: u64 = 1 << 20;
/// Count of descriptors that follow the image: the write end of the channel's wakeup pipe.
pub const CHANNEL_WAKEUP_FDS: usize = 1;
/// Size in bytes of a stream's first member, which may be [`END_OF_STREAMS`] instead.
pub const STREAM_SIZE_LEN: usize = 8;
/// Stands for a stream's size after the last stream.
pub const END_OF_STREAMS: u64 = u64::MAX;
/// Size in bytes of a [`StreamHead`].
pub const STREAM_HEAD_LEN: usize = 12;
/// Count of descriptors of a stream: its shared memory and the write end of its wakeup pipe.
pub const STREAM_FDS: usize = 2;
/// Largest count of streams of a channel: more CPUs than Linux supports.
pub const STREAM_COUNT_MAX: u32 = 8192;

/// Precedes a channel's image, which goes to applications unchanged.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ChannelHead {
    /// Size of the image in bytes.
    pub image_len: u64,
    /// `enum lttng_ust_abi_chan_type`: 0 for a channel with one stream for each CPU.
    pub kind: i32,
}

impl ChannelHead {
    /// Reads the head.
    ///
    /// # Errors
    /// Wrong size, or an image over [`CHANNEL_IMAGE_MAX_LEN`].
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let image_len = reader.u64("channel image size")?;
        let kind = reader.i32("channel type")?;
        reader.finish("channel head")?;
        if image_len > CHANNEL_IMAGE_MAX_LEN {
            return Err(DecodeError::TooLarge {
                what: "channel image size",
                value: image_len,
                limit: CHANNEL_IMAGE_MAX_LEN,
            });
        }
        Ok(Self { image_len, kind })
    }

    /// The head's bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::with_capacity(CHANNEL_HEAD_LEN);
        writer.u64(self.image_len).i32(self.kind);
        writer.into_bytes()
    }
}

/// Precedes a stream's descriptors.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct StreamHead {
    /// Size of its shared memory in bytes.
    pub memory_map_size: u64,
    /// Its number, which is its CPU; counted from 0.
    pub stream_nr: u32,
}

impl StreamHead {
    /// Reads the first [`STREAM_SIZE_LEN`] bytes: `None` when they are the end of the streams, else
    /// the size of the next stream's shared memory, whose number follows.
    ///
    /// # Errors
    /// Wrong size.
    pub fn decode_size(bytes: &[u8]) -> Result<Option<u64>, DecodeError> {
        let mut reader = Reader::new(bytes);
        let size = reader.u64("stream size")?;
        reader.finish("stream size")?;
        Ok(Some(size).filter(|size| *size != END_OF_STREAMS))
    }

    /// Reads the number that follows a size.
    ///
    /// # Errors
    /// Wrong size, or [`STREAM_COUNT_MAX`] or more.
    pub fn decode_number(memory_map_size: u64, bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let stream_nr = reader.u32("stream number")?;
        reader.finish("stream number")?;
        if stream_nr >= STREAM_COUNT_MAX {
            return Err(DecodeError::TooLarge {
                what: "stream number",
                value: stream_nr.into(),
                limit: STREAM_COUNT_MAX.into(),
            });
        }
        Ok(Self { memory_map_size, stream_nr })
    }

    /// The head's bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::with_capacity(STREAM_HEAD_LEN);
        writer.u64(self.memory_map_size).u32(self.stream_nr);
        writer.into_bytes()
    }
}
