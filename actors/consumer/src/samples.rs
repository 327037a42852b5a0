//! The monitor pipe: the consumer tells how the buffers of each channel are used, and whoever made
//! the channel is told.

use std::{collections::HashMap, convert::Infallible, io, os::fd::OwnedFd, sync::Arc};

use lttngd_model::{ChannelKey, SessionId};
use lttngd_runtime::{Outlet, tell};
use lttngd_wire::consumer::{MONITOR_SAMPLE_LEN, MonitorSample};
use tokio::{io::AsyncReadExt, net::unix::pipe};

use crate::{
    ChannelSampled, SampledChannel,
    reader::Socket,
    reports::{Owner, Sampled},
};

/// Most samples that are read at a time.
const READ_AT_ONCE: usize = 128;

/// Who is told of which channel.
#[derive(Debug, Default)]
pub(crate) struct Samples(HashMap<ChannelKey, Channel>);

#[derive(Debug)]
struct Channel {
    session: SessionId,
    channel: Arc<SampledChannel>,
    outlet: Outlet<ChannelSampled>,
    total_consumed: u64,
}

impl Samples {
    pub(crate) fn insert(
        &mut self,
        session: SessionId,
        channel: SampledChannel,
        outlet: Outlet<ChannelSampled>,
    ) {
        let (key, channel) = (channel.key, Arc::new(channel));
        self.0.insert(key, Channel { session, channel, outlet, total_consumed: 0 });
    }

    pub(crate) fn remove(&mut self, keys: &[ChannelKey]) {
        for key in keys {
            if let Some(channel) = self.0.remove(key) {
                let sampled = channel.channel;
                let over =
                    ChannelSampled { channel: sampled, sample: None, newly_consumed_bytes: 0 };
                channel.outlet.tell(over);
            }
        }
    }

    /// Nobody of a session that has ended is told anything.
    pub(crate) fn end(&mut self, session: SessionId) {
        self.0.retain(|_, channel| channel.session != session);
    }

    /// A sample came.
    pub(crate) fn tell(&mut self, sample: MonitorSample) {
        // A channel that was let go may have a sample on its way.
        let Some(channel) = self.0.get_mut(&sample.key) else { return };
        // The total is that of the streams that are alive: it falls when one ends.
        let newly_consumed_bytes = sample.total_consumed.saturating_sub(channel.total_consumed);
        channel.total_consumed = sample.total_consumed;
        let told = Arc::clone(&channel.channel);
        channel.outlet.tell(ChannelSampled {
            channel: told,
            sample: Some(sample),
            newly_consumed_bytes,
        });
    }
}

/// The pipe. When the consumer closes its end nothing more is told: whether it lives is for its other
/// sockets to say.
pub(crate) struct MonitorPipe(pub(crate) OwnedFd);

impl Socket for MonitorPipe {
    const VITAL: Option<&'static str> = None;

    async fn serve(self, owner: &Owner) -> String {
        let Err(error) = self.read(owner).await;
        error.to_string()
    }
}

impl MonitorPipe {
    /// Reads what is there in one go: our consumer daemon writes the samples of all channels of a moment at once.
    async fn read(self, owner: &Owner) -> io::Result<Infallible> {
        let mut pipe = pipe::Receiver::from_owned_fd(self.0)?;
        let mut bytes = [0; READ_AT_ONCE * MONITOR_SAMPLE_LEN];
        let mut len = 0;
        loop {
            let count = pipe.read(&mut bytes[len..]).await?;
            if count == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            len += count;
            // A sample is written whole; one that is cut all the same is read with the next.
            let whole = len - len % MONITOR_SAMPLE_LEN;
            for sample in bytes[..whole].chunks_exact(MONITOR_SAMPLE_LEN) {
                let sample = MonitorSample::decode(sample).map_err(io::Error::other)?;
                tell(&owner.consumer, Sampled { start: owner.start, sample });
            }
            bytes.copy_within(whole..len, 0);
            len -= whole;
        }
    }
}
