//! What a consumer writes to its monitor pipe.

use lttngd_model::ChannelKey;

use crate::{DecodeError, Reader, Writer};

/// Size in bytes of a [`MonitorSample`] as LTTng's consumer daemon writes it.
pub const MONITOR_SAMPLE_LEN: usize = 32;
/// Size in bytes of one that tells packets as well, at its end.
pub const LONG_MONITOR_SAMPLE_LEN: usize = MONITOR_SAMPLE_LEN + 8;

/// The use of a channel's buffers when its monitor timer fired (`struct
/// lttcomm_consumer_channel_monitor_msg`).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct MonitorSample {
    /// The channel.
    pub key: ChannelKey,
    /// Smallest use among its streams in bytes.
    pub lowest: u64,
    /// Largest use among its streams in bytes.
    pub highest: u64,
    /// What was written out so far, in bytes, over its streams that are alive.
    pub total_consumed: u64,
    /// How many packets that was. Only our own consumer daemon tells, whom a session daemon has asked to.
    pub total_packets: Option<u64>,
}

impl MonitorSample {
    /// Reads a sample of either size.
    ///
    /// # Errors
    /// Wrong size.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let sample = Self {
            key: ChannelKey(reader.u64("key")?),
            lowest: reader.u64("lowest")?,
            highest: reader.u64("highest")?,
            total_consumed: reader.u64("total_consumed")?,
            total_packets: match bytes.len() {
                LONG_MONITOR_SAMPLE_LEN => Some(reader.u64("total_packets")?),
                _ => None,
            },
        };
        reader.finish("monitor sample")?;
        Ok(sample)
    }

    /// The sample's bytes: as many as LTTng's, or with packets more.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::with_capacity(LONG_MONITOR_SAMPLE_LEN);
        writer.u64(self.key.0).u64(self.lowest).u64(self.highest).u64(self.total_consumed);
        if let Some(packets) = self.total_packets {
            writer.u64(packets);
        }
        writer.into_bytes()
    }
}
