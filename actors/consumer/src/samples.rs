//! The monitor pipe: the consumer tells how the buffers of each channel are used, and whoever made
//! the channel is told.

use std::{cell::RefCell, collections::HashMap, convert::Infallible, io, os::fd::OwnedFd};

use lttngd_model::{ChannelKey, SessionId};
use lttngd_runtime::Outlet;
use lttngd_wire::consumer::{MONITOR_SAMPLE_LEN, MonitorSample};
use tokio::{io::AsyncReadExt, net::unix::pipe};

use crate::ChannelSampled;

/// Who is told of which channel.
#[derive(Debug, Default)]
pub(crate) struct Samples(RefCell<HashMap<ChannelKey, Sampled>>);

#[derive(Debug)]
struct Sampled {
    session: SessionId,
    outlet: Outlet<ChannelSampled>,
    total_consumed: u64,
}

impl Samples {
    pub(crate) fn insert(
        &self,
        session: SessionId,
        key: ChannelKey,
        outlet: Outlet<ChannelSampled>,
    ) {
        self.0.borrow_mut().insert(key, Sampled { session, outlet, total_consumed: 0 });
    }

    pub(crate) fn remove(&self, keys: &[ChannelKey]) {
        let mut channels = self.0.borrow_mut();
        for key in keys {
            channels.remove(key);
        }
    }

    /// Nobody of a session that has ended is told anything.
    pub(crate) fn end(&self, session: SessionId) {
        self.0.borrow_mut().retain(|_, sampled| sampled.session != session);
    }

    pub(crate) fn clear(&self) {
        self.0.borrow_mut().clear();
    }

    /// Tells what the consumer writes. When it closes its end nothing more is told: whether it lives
    /// is for its other sockets to say.
    pub(crate) async fn serve(&self, monitor: OwnedFd) -> Infallible {
        let Err(error) = self.read(monitor).await;
        tracing::debug!(%error, "a consumer's monitor pipe has ended");
        std::future::pending().await
    }

    /// A sample is written at once, so that none is cut.
    async fn read(&self, monitor: OwnedFd) -> io::Result<Infallible> {
        let mut pipe = pipe::Receiver::from_owned_fd(monitor)?;
        let mut bytes = [0; MONITOR_SAMPLE_LEN];
        loop {
            pipe.read_exact(&mut bytes).await?;
            self.tell(MonitorSample::decode(&bytes).map_err(io::Error::other)?);
        }
    }

    fn tell(&self, sample: MonitorSample) {
        let mut channels = self.0.borrow_mut();
        // A channel that was let go may have a sample on its way.
        let Some(channel) = channels.get_mut(&sample.key) else { return };
        // The total is that of the streams that are alive: it falls when one ends.
        let newly_consumed_bytes = sample.total_consumed.saturating_sub(channel.total_consumed);
        channel.total_consumed = sample.total_consumed;
        channel.outlet.tell(ChannelSampled { sample, newly_consumed_bytes });
    }
}
