//! Making the channels of a set.

use std::rc::Rc;

use lttngd_consumer::CreateChannel;
use lttngd_model::{Bitness, BufferLayout, BufferMode, ChannelAttributes};
use lttngd_ringbuffer::possible_cpu_count;
use lttngd_wire::ust::image_layout;
use tracing::Instrument;

use super::{Inner, shm_error};
use crate::{BuffersError, ChannelRequest, ChannelSize, PreparedChannel, memory, set::SetChannel};

impl Inner {
    /// Makes channels. One that is refused is missed by nobody but those who record into it alone: the
    /// others are there, and it is tried again at the next request.
    pub(super) async fn create_all(
        &self,
        missing: Vec<ChannelRequest>,
    ) -> Result<(), BuffersError> {
        let mut refused = Ok(());
        for channel in missing {
            let span = tracing::error_span!("channel", name = channel.name);
            if let Err(error) = self.create(channel).instrument(span.clone()).await {
                if !error.is_of_one_channel() {
                    return Err(error);
                }
                span.in_scope(|| {
                    tracing::warn!(
                        %error, "a channel has no buffers, and what would go there is not recorded"
                    );
                });
                refused = Err(error);
            }
        }
        if self.state().channels().is_empty() { refused } else { Ok(()) }
    }

    async fn create(&self, channel: ChannelRequest) -> Result<(), BuffersError> {
        let id = self.state_mut().registry.add_channel();
        let ask = self.config.ask_data(&channel, id, self.uuid, &self.state().output);
        let ask = Box::new(ask.map_err(|error| shm_error(channel.name.as_ref(), &error))?);
        let wanted = memory_len(&channel.attributes, self.config.layout);
        let (uid, files) = (self.config.owner.uid, self.config.shm_path.as_deref());
        let making = memory::take(uid, wanted, files).await?;
        let object = self.ask(CreateChannel { ask, sampled: self.config.sampled.clone() }).await?;
        if !is_as_asked(&object.image, self.config.bitness, self.config.layout) {
            return Err(BuffersError::Layout);
        }
        let size = ChannelSize {
            subbuf_size_bytes: channel.attributes.subbuf_size_bytes,
            num_subbuf: channel.attributes.num_subbuf,
            streams: object.streams.len() as u64,
        };
        self.state_mut().add(SetChannel {
            size,
            _memory: making.made().map(Rc::new),
            prepared: PreparedChannel { index: channel.index, id, object },
            overwrite: channel.attributes.mode == BufferMode::Overwrite,
        });
        Ok(())
    }
}

/// Whether buffers are those that were asked for. Every consumer daemon knows those of 64-bit applications of ABI 8 to 10.
fn is_as_asked(image: &[u8], bitness: Bitness, layout: BufferLayout) -> bool {
    match image_layout(image, bitness) {
        Some(made) => made == layout,
        None => (bitness, layout) == (Bitness::Bits64, BufferLayout::Ust8),
    }
}

/// What the buffers of a channel take: those of each processor, in which one sub-buffer more is read while others are
/// overwritten, and from ABI 11 on always.
fn memory_len(attributes: &ChannelAttributes, layout: BufferLayout) -> u64 {
    let has_spare = attributes.mode == BufferMode::Overwrite || layout == BufferLayout::Ust11;
    let spare = u64::from(has_spare);
    let of_stream = attributes.num_subbuf.saturating_add(spare);
    // Where it is not known the consumer daemon makes none.
    let streams = possible_cpu_count().unwrap_or(1);
    attributes.subbuf_size_bytes.saturating_mul(of_stream).saturating_mul(streams.into())
}
