//! How a consumer daemon is asked for the channels of a set.

use std::io;

use lttngd_model::{BufferLayout, BufferMode, ChannelAttributes, ChannelOutput};
use lttngd_wire::consumer::{AskChannel, ChannelClass};

use crate::{BufferSetConfig, ChannelRequest, SetOutput};

/// Id that means the metadata stream in a channel request.
const METADATA_CHAN_ID: u32 = u32::MAX;

impl BufferSetConfig {
    fn ask(
        &self,
        (name, attributes): (&str, &ChannelAttributes),
        uuid: [u8; 16],
        output: &SetOutput,
    ) -> AskChannel {
        AskChannel {
            subbuf_size_bytes: attributes.subbuf_size_bytes,
            num_subbuf: attributes.num_subbuf,
            class: ChannelClass::Data { overwrite: attributes.mode == BufferMode::Overwrite },
            switch_timer_interval_us: attributes.switch_timer_interval_us,
            read_timer_interval_us: attributes.read_timer_interval_us,
            live_timer_interval_us: self.live_timer_interval_us,
            is_live: self.live_timer_interval_us != 0,
            monitor_timer_interval_us: u32::try_from(attributes.monitor_timer_interval_us)
                .unwrap_or(u32::MAX),
            output: ChannelOutput::Mmap,
            session_id: self.session,
            pathname: format!("{}{}", output.prefix(), self.path()),
            name: name.to_owned(),
            buffer_owner: self.owner,
            relayd_id: output.relayd(),
            key: self.keys.next(),
            chunk_id: output.chunk(),
            uuid,
            chan_id: 0,
            tracefile_size_bytes: attributes.tracefile_size_bytes,
            tracefile_count: output.tracefile_count(attributes),
            session_id_per_pid: self.app_id,
            monitor: output.chunk().is_some(),
            ust_app_uid: self.app_uid,
            blocking_timeout_us: attributes.blocking_timeout_us,
            root_shm_path: String::new(),
            shm_path: String::new(),
            buffer_layout: self.layout,
            bitness: self.bitness,
        }
    }

    /// The request for a data channel whose id in the trace is `id`.
    ///
    /// # Errors
    /// When its files would have too long names.
    pub(crate) fn ask_data(
        &self,
        channel: &ChannelRequest,
        id: u32,
        uuid: [u8; 16],
        output: &SetOutput,
    ) -> io::Result<AskChannel> {
        let shm = self.shm_directory().map(|directory| directory.of_channel(&channel.name));
        let (root_shm_path, shm_path) = shm.transpose()?.unwrap_or_default();
        let ask = self.ask((&channel.name, &channel.attributes), uuid, output);
        Ok(AskChannel { chan_id: id, root_shm_path, shm_path, ..ask })
    }

    /// The request for the metadata channel.
    pub(crate) fn ask_metadata(
        &self,
        attributes: &ChannelAttributes,
        uuid: [u8; 16],
        output: &SetOutput,
    ) -> AskChannel {
        AskChannel {
            class: ChannelClass::Metadata,
            buffer_layout: BufferLayout::default(),
            chan_id: METADATA_CHAN_ID,
            monitor_timer_interval_us: 0,
            tracefile_size_bytes: 0,
            tracefile_count: 0,
            ..self.ask(("metadata", attributes), uuid, output)
        }
    }
}
