//! SNAPSHOT_CHANNEL.

use lttngd_model::{ChannelKey, NetIndex, PATH_MAX};

use super::packed;
use crate::{DecodeError, Reader, Writer};

/// Records a snapshot of one channel (`u.snapshot_channel` of `struct lttcomm_consumer_msg`).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SnapshotChannel {
    /// Directory below the trace chunk's domain directory, as when the channel was created.
    pub pathname: String,
    /// Whether this is the metadata channel.
    pub metadata: bool,
    /// Where to: a relay daemon, or `None` for the trace chunk's directory.
    pub relayd_id: Option<NetIndex>,
    /// The channel.
    pub key: ChannelKey,
    /// Newest packets of each stream to record, 0 for all.
    pub nb_packets_per_stream: u64,
}

impl SnapshotChannel {
    pub(super) fn encode(&self, writer: &mut Writer) {
        writer.padded_string(&self.pathname, PATH_MAX);
        writer.u32(self.relayd_id.is_some().into()).u32(self.metadata.into());
        packed::put_relayd_id(writer, self.relayd_id);
        writer.u64(self.key.0).u64(self.nb_packets_per_stream);
    }

    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let pathname = reader.padded_string(PATH_MAX, "pathname")?;
        // `use_relayd` says less than the index that follows.
        reader.u32("use_relayd")?;
        let metadata = packed::flag(reader.u32("metadata")?, "metadata")?;
        Ok(Self {
            pathname,
            metadata,
            relayd_id: packed::relayd_id(reader)?,
            key: ChannelKey(reader.u64("key")?),
            nb_packets_per_stream: reader.u64("nb_packets_per_stream")?,
        })
    }
}
